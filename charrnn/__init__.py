"""charrnn: train, use and understand character language models on the machine you have.

The names below are what a program uses; each is loaded when it is first asked for, so that
``charrnn --help`` needs no NumPy.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "CharModel": "charrnn.nn.model",
    "CharrnnError": "charrnn.errors",
    "Checkpoint": "charrnn.checkpoint",
    "ModelConfig": "charrnn.config",
    "SampleConfig": "charrnn.config",
    "TextConfig": "charrnn.config",
    "TrainConfig": "charrnn.config",
    "Vocabulary": "charrnn.text",
    "evaluate_checkpoint": "charrnn.evaluation",
    "generate": "charrnn.sampling",
    "load": "charrnn.checkpoint",
    "prepare": "charrnn.prepare",
    "read_corpus": "charrnn.text",
    "resume": "charrnn.prepare",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
