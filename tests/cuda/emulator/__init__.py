"""CUDA kernels on the CPU: compiled by g++, launched like on a GPU, watched more closely."""
