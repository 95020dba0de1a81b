"""Evaluating a model: its loss on a text, and the loss of the baselines."""
