"""The network: the model and its layers, with hand-written gradients."""
