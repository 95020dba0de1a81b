"""charrnn: train, use and understand character language models on the machine you have.

The names below are what a program uses; each is loaded when it is first asked for, so that
``charrnn --help`` needs no NumPy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.config import EvalConfig, ModelConfig, SampleConfig, TextConfig, TrainConfig
    from charrnn.errors import CharrnnError
    from charrnn.evaluation.evaluate import Evaluation, evaluate_checkpoint
    from charrnn.nn.model import CharModel
    from charrnn.sampling.drawing import generate
    from charrnn.storage.checkpoint import Checkpoint
    from charrnn.storage.folder import load_model as load
    from charrnn.text import Vocabulary, read_corpus
    from charrnn.training.new import prepare
    from charrnn.training.resume import resume
    from charrnn.training.run import Run

__version__ = "0.1.0"

__all__ = [
    "CharModel",
    "CharrnnError",
    "Checkpoint",
    "EvalConfig",
    "Evaluation",
    "ModelConfig",
    "Run",
    "SampleConfig",
    "TextConfig",
    "TrainConfig",
    "Vocabulary",
    "__version__",
    "evaluate_checkpoint",
    "generate",
    "load",
    "prepare",
    "read_corpus",
    "resume",
]

_HOMES = {
    "CharModel": "charrnn.nn.model",
    "CharrnnError": "charrnn.errors",
    "Checkpoint": "charrnn.storage.checkpoint",
    "EvalConfig": "charrnn.config",
    "Evaluation": "charrnn.evaluation.evaluate",
    "ModelConfig": "charrnn.config",
    "Run": "charrnn.training.run",
    "SampleConfig": "charrnn.config",
    "TextConfig": "charrnn.config",
    "TrainConfig": "charrnn.config",
    "Vocabulary": "charrnn.text",
    "evaluate_checkpoint": "charrnn.evaluation.evaluate",
    "generate": "charrnn.sampling.drawing",
    "load": "charrnn.storage.folder:load_model",
    "prepare": "charrnn.training.new",
    "read_corpus": "charrnn.text",
    "resume": "charrnn.training.resume",
}
"""The module of each name and, behind a colon, what it is called there if that differs.

No module may have one of these names: once imported, it would take the name's place.
"""

if not TYPE_CHECKING:  # a checker would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            module, _, attribute = _HOMES[name].partition(":")
            return getattr(importlib.import_module(module), attribute or name)
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
