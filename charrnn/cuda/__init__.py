"""Training on a GPU of NVIDIA's: the same networks, the same checkpoints, kernels of its own."""
