"""Every setting, declared once."""

from charrnn.config.fields import Settings, option_name, range_text, setting
from charrnn.config.groups import (
    BenchConfig,
    Cell,
    EvalConfig,
    ModelConfig,
    OptimizerName,
    SampleConfig,
    ScheduleName,
    SplitMode,
    TextConfig,
    TrainConfig,
    codec_name,
)

__all__ = [
    "BenchConfig",
    "Cell",
    "EvalConfig",
    "ModelConfig",
    "OptimizerName",
    "SampleConfig",
    "ScheduleName",
    "Settings",
    "SplitMode",
    "TextConfig",
    "TrainConfig",
    "codec_name",
    "option_name",
    "range_text",
    "setting",
]
