"""Every setting, declared once."""

from charrnn.config.commands import BenchConfig, EvalConfig, SampleConfig
from charrnn.config.fields import Settings, option_name, range_text, setting
from charrnn.config.model import Architecture, Cell, ModelConfig, Nonlinearity
from charrnn.config.text import DecodingErrors, Newlines, Normalize, TextConfig, Unit, codec_name
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
    "DecodingErrors",
    "EvalConfig",
    "ModelConfig",
    "Newlines",
    "Nonlinearity",
    "Normalize",
    "OptimizerName",
    "SampleConfig",
    "ScheduleName",
    "Settings",
    "SplitMode",
    "TextConfig",
    "TrainConfig",
    "TrainingSettings",
    "Unit",
    "ValidationSettings",
    "codec_name",
    "option_name",
    "range_text",
    "setting",
]
