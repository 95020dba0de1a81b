"""A run chosen, made ready and run."""
