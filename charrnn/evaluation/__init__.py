"""What a text costs under a model, and under what it is compared with."""
