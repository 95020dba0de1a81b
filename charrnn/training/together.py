"""Conflicts between settings of a new run, found before a text is read.

Each group of settings checks itself. Here are conflicts between groups, and settings without effect
in a new run, which older runs may have stored.
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
from charrnn.config.training import OF_HELD_OUT
from charrnn.errors import ConfigError
from charrnn.training import engine
from charrnn.training.recipe import split_settings


def check_together(
    text: TextConfig,
    model: ModelConfig,
    train: TrainConfig,
    device: DeviceConfig,
    *,
    val: bool,
) -> None:
    """Reject settings of a new run that conflict.

    Parameters
    ----------
    text, model, train, device
        The user's settings.
    val : bool
        Whether files to hold out are given.

    Raises
    ------
    ConfigError
        If two settings conflict, or one has no effect with another.
    """
    _check_items(text, train)
    text.check_new()
    _check_held_out(train, val)
    if not (model.directions in (None, 1) or train.predict):
        raise ConfigError(
            f"--directions {model.directions} reads the text that follows, which a language model "
            "predicts: give --predict too, or leave --directions out"
        )
    if device.is_gpu and model.cell is not None:
        engine.check_supported(
            Architecture(
                cell=model.cell, hidden_size=1, context=CONTEXT if model.cell in WINDOWED else 0
            )
        )


def _check_items(text: TextConfig, train: TrainConfig) -> None:
    """Reject settings that make no sense for a text of items."""
    if not (train.items or train.predict or train.prompted):
        return
    option = "--lines" if train.lines else "--items"
    if train.predict or train.prompted:
        option = f"--predict {train.predict}" if train.predict else "--prompted"
    if train.predict in ("label", "tags") and text.column:
        raise ConfigError(
            f"--column reads a single column, but {option} predicts one column from another: name "
            "both with --columns LABEL,TEXT"
        )
    if train.predict and text.unit == "byte":
        raise ConfigError(f"--unit byte conflicts with {option}: labels are for characters")
    if train.reset is not None:
        raise ConfigError(
            f"--reset has no effect with {option}: every item starts from a zero state"
        )
    if text.unit == "char" and text.newlines == "keep":
        raise ConfigError(f"--newlines keep conflicts with {option}: a line ends with LF")


def _check_held_out(train: TrainConfig, val: bool) -> None:
    """Reject two ways to hold out text, and settings of a held-out part if there is none."""
    split_settings(train, int(val))
    if val or train.val_fraction != 0:
        return
    given = {name: getattr(train, name) for name in OF_HELD_OUT}
    if train.patience == 0:  # as without a held-out part
        del given["patience"]
    idle = [option_name(name) for name, value in given.items() if value is not None]
    if train.schedule == "plateau":
        idle.append("--schedule plateau")
    if idle:
        raise ConfigError(
            f"--val-fraction 0 holds nothing out, so {idle[0]} has no effect: leave one out"
        )
