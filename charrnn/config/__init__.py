"""Every setting, declared once."""

from charrnn.config.commands import BenchConfig, EvalConfig, SampleConfig
from charrnn.config.fields import Settings, option_name, range_text, setting
from charrnn.config.model import Architecture, Cell, ModelConfig, Nonlinearity
from charrnn.config.text import TextConfig, codec_name
from charrnn.config.training import (
    OptimizerName,
    ScheduleName,
    SplitMode,
    TrainConfig,
    TrainingSettings,
    ValidationSettings,
)

__all__ = [
    "Architecture",
    "BenchConfig",
    "Cell",
    "EvalConfig",
    "ModelConfig",
    "Nonlinearity",
    "OptimizerName",
    "SampleConfig",
    "ScheduleName",
    "Settings",
    "SplitMode",
    "TextConfig",
    "TrainConfig",
    "TrainingSettings",
    "ValidationSettings",
    "codec_name",
    "option_name",
    "range_text",
    "setting",
]
