"""Every setting, declared once."""

from charrnn.config.commands import (
    BenchConfig,
    DeviceConfig,
    EvalConfig,
    Precision,
    SampleConfig,
)
from charrnn.config.fields import Settings, option_name, range_text, setting
from charrnn.config.keywords import check_names, given, pick, takes
from charrnn.config.model import (
    CONTEXT,
    WINDOWED,
    Architecture,
    Cell,
    Head,
    ModelConfig,
    Nonlinearity,
)
from charrnn.config.text import DecodingErrors, Newlines, Normalize, TextConfig, Unit, codec_name
from charrnn.config.training import (
    PATIENCE,
    OptimizerName,
    Predict,
    Predicted,
    Restored,
    ScheduleName,
    SplitMode,
    TrainConfig,
    TrainingSettings,
    ValidationSettings,
)

__all__ = [
    "CONTEXT",
    "PATIENCE",
    "WINDOWED",
    "Architecture",
    "BenchConfig",
    "Cell",
    "DecodingErrors",
    "DeviceConfig",
    "EvalConfig",
    "Head",
    "ModelConfig",
    "Newlines",
    "Nonlinearity",
    "Normalize",
    "OptimizerName",
    "Precision",
    "Predict",
    "Predicted",
    "Restored",
    "SampleConfig",
    "ScheduleName",
    "Settings",
    "SplitMode",
    "TextConfig",
    "TrainConfig",
    "TrainingSettings",
    "Unit",
    "ValidationSettings",
    "check_names",
    "codec_name",
    "given",
    "option_name",
    "pick",
    "range_text",
    "setting",
    "takes",
]
