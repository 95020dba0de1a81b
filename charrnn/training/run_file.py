"""The settings of a run, written into its folder so that it can be repeated from them."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from charrnn.config import STDIN as FROM_STDIN
from charrnn.config import ModelConfig, TextConfig, TrainConfig
from charrnn.config.settings_file import option_key
from charrnn.config.toml import TomlValue, toml_value
from charrnn.config.training import OF_HELD_OUT
from charrnn.storage.own_text import STDIN
from charrnn.system.files import write_whole
from charrnn.text.sources import show_path
from charrnn.training.setup import Origin, Setup

RUN_FILE = "run.toml"
NOT_REPEATED = ("epochs", "lines")
"""Written in other words: epochs as steps, and lines as items."""
LINE_BREAK = "\n"


def write_run_file(folder: Path, origin: Origin, setup: Setup) -> None:
    """Write ``run.toml``: what the user gave, and what was chosen for the rest.

    Parameters
    ----------
    folder : Path
        Of the run.
    origin : Origin
        What the run was made from.
    setup : Setup
        Everything is decided.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    text = LINE_BREAK.join(_lines(folder, origin, setup)) + LINE_BREAK
    write_whole(folder / RUN_FILE, lambda file: file.write(text.encode(errors="backslashreplace")))


def _lines(folder: Path, origin: Origin, setup: Setup) -> Iterator[str]:
    shown = show_path(folder / RUN_FILE)
    yield "# The settings of this run; a comment says why charrnn chose one that was left open."
    yield f"# This repeats it: {shlex.join(['charrnn', 'train', '--config', shown])}"
    yield "# Relative paths are relative to the folder of this file."
    yield ""
    for key, paths in (("corpus", origin.corpus), ("val", origin.val)):
        if paths:
            yield _line(key, [_from(folder, path) for path in paths])
    if origin.init_from:
        yield _line("init-from", _from(folder, origin.init_from))
    groups = (
        ("Text", TextConfig, setup.text.to_json()),
        ("Model", ModelConfig, setup.architecture.to_json()),
        ("Training", TrainConfig, setup.train.to_json() | setup.validation.to_json()),
    )
    for title, group, decided in groups:
        yield ""
        yield f"# {title}"
        for item in fields(group):
            if item.name not in decided or not _applies(item.name, decided, setup):
                continue
            value = decided[item.name]
            if item.default is True:
                value = not value
            line = _line(option_key(item), value, setup.reasons.get(item.name, ""))
            # Set, the number of validations would do without the early ones.
            follows = item.name in ("validations", "val_characters") and item.name in setup.reasons
            yield f"# {line}" if follows else line
    yield ""
    yield "# Device"
    device = "cpu" if setup.device.gpu is None else "cuda"
    yield _line("device", device, setup.reasons.get("device", ""))
    if setup.device.gpu is not None:
        yield _line("precision", setup.device.precision)


def _applies(name: str, decided: dict[str, Any], setup: Setup) -> bool:
    """Whether a setting does something in this run, and may be given beside the others."""
    value, train = decided[name], setup.train
    if name in NOT_REPEATED or value is None or value == "":
        return False
    if name in ("steps", "minutes", "context", "embedding_size") or value is False:
        return bool(value) or (name == "ngrams" and bool(train.predict))
    if name == "ngrams":
        return False
    if name == "nonlinearity":
        return setup.architecture.cell == "rnn"
    if name == "weight_dropout":
        return not setup.architecture.context
    if name == "reset":
        return not train.items and not train.predict
    if name in ("val_fraction", "split_mode", "split_key") and train.val_files:
        return False
    if name == "split_key":
        return train.split_mode == "hashed" and train.val_fraction > 0
    if name in OF_HELD_OUT:
        return train.val_fraction > 0 or train.val_files > 0
    return True


def _line(key: str, value: TomlValue, why: str = "") -> str:
    line = f"{key} = {toml_value(value)}"
    if any("\ud800" <= character <= "\udfff" for character in line):  # a name of a file
        return f"# {line} is not Unicode, which TOML needs"
    return f"{line}  # {why}" if why else line


def _from(folder: Path, path: str) -> str:
    """Return a path as seen from the folder of the run, if it is relative."""
    if path == FROM_STDIN:
        return STDIN
    if Path(path).is_absolute():
        return path
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(Path(path).absolute())
