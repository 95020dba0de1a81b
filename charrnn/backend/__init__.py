"""The only place that knows BLAS kernels, memory maps and caches."""
