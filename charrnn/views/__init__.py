"""Visualizations: data in, HTML or text out. Nothing here prints or depends on a model."""
