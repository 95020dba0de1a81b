"""The GPU engine: training and scoring on an NVIDIA GPU, with hand-written gradients and
kernels."""
