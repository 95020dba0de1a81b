"""Which settings of a new run do not go together, told before a text is read.

Each group of settings refuses what contradicts itself: here are those of several groups, and what
has no effect in a run that is new. A former run may have been given it.
"""

from charrnn.config import (
    CONTEXT,
    WINDOWED,
    Architecture,
    DeviceConfig,
    ModelConfig,
    TextConfig,
    TrainConfig,
    option_name,
)
from charrnn.errors import ConfigError
from charrnn.training import engine
from charrnn.training.recipe import split_settings

OF_HELD_OUT = ("patience", "validations", "val_characters", "split_mode", "split_key")
"""Settings without effect where nothing is held out."""


def check_together(
    text: TextConfig,
    model: ModelConfig,
    train: TrainConfig,
    device: DeviceConfig,
    *,
    val: bool,
) -> None:
    """Refuse what does not go together in a new run.

    Parameters
    ----------
    text, model, train, device
        What the user gave.
    val : bool
        Whether files are named that are held out.

    Raises
    ------
    ConfigError
        If two settings contradict each other, or one has no effect beside another.
    """
    _check_items(text, train)
    text.check_new()
    _check_held_out(train, val)
    if not (model.directions in (None, 1) or train.predict):
        raise ConfigError(
            f"--directions {model.directions} reads what follows, which is predicted: it needs "
            "--predict"
        )
    if device.is_gpu and model.cell is not None:
        engine.check_supported(
            Architecture(
                cell=model.cell, hidden_size=1, context=CONTEXT if model.cell in WINDOWED else 0
            )
        )


def _check_items(text: TextConfig, train: TrainConfig) -> None:
    """Refuse what makes no sense for a text of items."""
    if not (train.items or train.predict or train.prompted):
        return
    option = "--lines" if train.lines else "--items"
    if train.predict or train.prompted:
        option = f"--predict {train.predict}" if train.predict else "--prompted"
    if train.predict in ("label", "tags") and text.column:
        raise ConfigError(
            f"--column takes one column as the text, and {option} learns one from another: name "
            "both, --columns LABEL,TEXT"
        )
    if train.predict and text.unit == "byte":
        raise ConfigError(f"--unit byte and {option} do not go together: labels are of characters")
    if train.reset is not None:
        raise ConfigError(
            f"--reset and {option} do not go together: every item begins from a zero state"
        )
    if text.unit == "char" and text.newlines == "keep":
        raise ConfigError(f"--newlines keep and {option} do not go together: a line ends with LF")


def _check_held_out(train: TrainConfig, val: bool) -> None:
    """Refuse two ways to hold out, and what is of the held-out part where there is none."""
    split_settings(train, int(val))
    if val or train.val_fraction != 0:
        return
    given = {name: getattr(train, name) for name in OF_HELD_OUT}
    if train.patience == 0:  # as it is then
        del given["patience"]
    idle = [option_name(name) for name, value in given.items() if value is not None]
    if train.schedule == "plateau":
        idle.append("--schedule plateau")
    if idle:
        raise ConfigError(
            f"--val-fraction 0 holds nothing out, so {idle[0]} has no effect: leave one out"
        )
