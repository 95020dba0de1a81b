"""BLAS kernels, memory maps and cache sizes: the only code that depends on them."""
