"""Small models that a program trains, for tests of the interface."""

from pathlib import Path

import charrnn

TEXT = "pack my box with five dozen liquor jugs\n" * 30
NAMES = "".join(f"{a}{b}{c}a\n" for a in "bdfgklmn" for b in "aeiou" for c in "lmnrst")
SMALL = {"hidden_size": 16, "num_layers": 1, "batch_size": 4, "seq_len": 10, "threads": 1}


def trained(text=TEXT, **settings):
    """Return a model that was trained in memory."""
    return charrnn.train(text=text, **{"steps": 60, "dropout": 0.0, **SMALL, **settings}).model


def files():
    """Return the names in the working folder."""
    return [path.name for path in Path().iterdir()]
