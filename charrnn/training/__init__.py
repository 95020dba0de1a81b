"""Choosing the settings of a run, preparing it and training it."""
