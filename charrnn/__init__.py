"""charrnn: train, use and understand character language models on your own machine.

The names below are the public API. Each is imported on first use, so that ``charrnn --help`` does
not import NumPy.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.api.line_scores import LineScores
    from charrnn.api.loading import load
    from charrnn.api.model import Model
    from charrnn.api.report import report
    from charrnn.api.runs import TrainingRun, resume, train
    from charrnn.api.scores import Scores
    from charrnn.config import EvalConfig, ModelConfig, SampleConfig, TextConfig, TrainConfig
    from charrnn.errors import CharrnnError
    from charrnn.evaluation.labels.evaluate import LabelEvaluation
    from charrnn.evaluation.result import Evaluation
    from charrnn.evaluation.verbatim import Copied
    from charrnn.nn.model import CharModel
    from charrnn.storage.checkpoint import Checkpoint
    from charrnn.text import Vocabulary, read_corpus

__version__ = "0.2.0"

__all__ = [
    "CharModel",
    "CharrnnError",
    "Checkpoint",
    "Copied",
    "EvalConfig",
    "Evaluation",
    "LabelEvaluation",
    "LineScores",
    "Model",
    "ModelConfig",
    "SampleConfig",
    "Scores",
    "TextConfig",
    "TrainConfig",
    "TrainingRun",
    "Vocabulary",
    "__version__",
    "load",
    "read_corpus",
    "report",
    "resume",
    "train",
]

_HOMES = {
    "CharModel": "charrnn.nn.model",
    "CharrnnError": "charrnn.errors",
    "Checkpoint": "charrnn.storage.checkpoint",
    "Copied": "charrnn.evaluation.verbatim",
    "EvalConfig": "charrnn.config",
    "Evaluation": "charrnn.evaluation.result",
    "LabelEvaluation": "charrnn.evaluation.labels.evaluate",
    "LineScores": "charrnn.api.line_scores",
    "Model": "charrnn.api.model",
    "ModelConfig": "charrnn.config",
    "SampleConfig": "charrnn.config",
    "Scores": "charrnn.api.scores",
    "TextConfig": "charrnn.config",
    "TrainConfig": "charrnn.config",
    "TrainingRun": "charrnn.api.runs",
    "Vocabulary": "charrnn.text",
    "load": "charrnn.api.loading",
    "read_corpus": "charrnn.text",
    "report": "charrnn.api.report",
    "resume": "charrnn.api.runs",
    "train": "charrnn.api.runs",
}
"""The module of each name. No module may have one of these names: once imported, it would replace
the name."""

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
