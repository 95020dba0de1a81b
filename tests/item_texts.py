"""Texts of items, and small runs on them."""

from pathlib import Path

import numpy as np

from charrnn.config import ModelConfig, TrainConfig
from charrnn.training.new import prepare

RNG = np.random.default_rng(0)
NAMES = ["".join(RNG.choice(list("abcdef"), RNG.integers(1, 12))) for _ in range(200)]
POEMS = ["\n".join(" ".join(NAMES[n : n + 3]) for n in range(p, p + 1 + p % 4)) for p in range(120)]
"""Of one to four lines; many are longer than a window of 24 steps."""
TEXT = "\n".join(NAMES) + "\n"


def new(out, corpus, text=None, **settings):
    """Make a small run ready, on lines if nothing else is said."""
    defaults = {"batch_size": 16, "validations": 2, "val_fraction": 0.2, "items": "line"}
    if not {"steps", "epochs"} & set(settings):
        defaults["steps"] = 20
    val = settings.pop("val", [])
    if val:
        del defaults["val_fraction"]
    start = settings.pop("init_from", None)
    model = {"num_layers": 1, "hidden_size": 16, "dropout": 0.2, "weight_dropout": 0.0}
    return prepare(
        [corpus],
        val=val,
        text=text,
        model=ModelConfig(**model) if start is None else None,
        train=TrainConfig(**{**defaults, **settings}),
        init_from=start,
        out=Path(out),
    )


def trained(out, corpus, text=None, **settings):
    """Train a small run to its end; return its folder."""
    list(new(out, corpus, text, **settings).train())
    return Path(out)
