"""The GPU engine: training and scoring on an NVIDIA GPU, with gradients by hand and own kernels."""
