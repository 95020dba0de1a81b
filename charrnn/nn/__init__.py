"""The network: layers with hand-written gradients, the model."""
