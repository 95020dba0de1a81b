"""Settings read from a TOML file: one key for each option, under its long name."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, time
from pathlib import Path
from typing import Any, get_type_hints

from charrnn.config.fields import NO_RANGE, Settings, checked, option_of
from charrnn.config.keywords import pick
from charrnn.config.other_names import ARGUMENTS, ours
from charrnn.config.similar import similar
from charrnn.config.toml import toml_value
from charrnn.errors import ConfigError

PATHS: Mapping[str, Any] = {
    "corpus": str | tuple[str, ...],
    "val": str | tuple[str, ...],
    "init-from": str,
    "out": str,
}
"""Keys that name files and folders, and their types."""
ONLY_OPTIONS = ("resume", "plan", "json", "quiet", "config", "help")
"""Options that say what to do now: they are no settings of a run."""


@dataclass(frozen=True)
class Key:
    """What a key of the file sets.

    Attributes
    ----------
    name : str
        The field, or the parameter of the command.
    hint : type
    metadata : mapping
        The range, as `setting` declares it.
    negated : bool
        Whether it is of the form ``no-x``: true stands for false.
    """

    name: str
    hint: Any
    metadata: Mapping[str, Any]
    negated: bool = False


def option_key(item: Any) -> str:
    """Return the key of a field: the long name of its option."""
    return option_of(item)[2:]


def keys_of(groups: Sequence[type[Settings]]) -> dict[str, Key]:
    """Return all keys that a file may have, for some groups of settings."""
    keys = {path: Key(path.replace("-", "_"), PATHS[path], NO_RANGE) for path in PATHS}
    for group in groups:
        hints = get_type_hints(group)
        for item in fields(group):  # type: ignore[arg-type]
            negated = item.default is True
            keys[option_key(item)] = Key(item.name, hints[item.name], item.metadata, negated)
    return keys


def read_settings(path: str, groups: Sequence[type[Settings]]) -> dict[str, Any]:
    """Read the settings in a TOML file.

    Parameters
    ----------
    path : str
        The file. Relative paths in it are relative to its folder.
    groups : sequence of type[Settings]
        The settings that it may have, beside those of `PATHS`.

    Returns
    -------
    dict of str to object
        What the file sets, by the name of the field or the parameter.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or a value in it is wrong. The error names the file
        and the key.
    """
    keys, found = keys_of(groups), {}
    for written, value in _parsed(path).items():
        name = written.replace("_", "-")
        if isinstance(value, dict):
            raise ConfigError(
                f"{path}: [{written}] is a table: write its keys without one, as in "
                "hidden-size = 256"
            )
        if name not in keys:
            raise ConfigError(f"{path}: {_unknown(written, name, keys)}")
        key = keys[name]
        if key.name in found:
            raise ConfigError(f"{path}: {name} is there twice: leave one out")
        if isinstance(value, date | time):
            raise ConfigError(f"{path}: {name} is a date or a time: write it in quotes")
        accepted = checked(f"{path}: {name}", key.metadata, key.hint, value)
        if name in PATHS:
            accepted = _beside(Path(path).parent, name, accepted)
        found[key.name] = not accepted if key.negated else accepted
    for group in groups:
        try:
            pick(group, found)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
    return found


def _parsed(path: str) -> dict[str, Any]:
    try:
        # Editors on Windows may begin a file with a mark, which TOML 1.0 does not know.
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except IsADirectoryError:
        inside = Path(path) / "run.toml"
        raise ConfigError(f"--config {path} is a folder: name a file, such as {inside}") from None
    except OSError as error:
        raise ConfigError(f"--config {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also of what is no UTF-8, or no path
        raise ConfigError(
            f"--config {path} is not TOML: {str(error)[:120]}; text must be in quotes, as in "
            'corpus = "book.txt"'
        ) from None


def _unknown(written: str, name: str, keys: Mapping[str, Key]) -> str:
    """Return the error for an unknown key, with a suggestion."""
    if name in ONLY_OPTIONS:
        return f"{name} is not a setting of a run: give it on the command line, as --{name}"
    options = ours(name, known=[f"--{key}" for key in keys])
    if name in ARGUMENTS["CORPUS"].split():
        options = ["--corpus"]
    options = options or [f"--{key}" for key in similar(name, keys)]
    meant = " or ".join(map(_as_key, options))
    hint = f"did you mean {meant}?" if meant else "charrnn train --help lists the settings"
    return f"there is no setting {written!r:.40}; {hint}"


def _as_key(option: str) -> str:
    """Return an option, maybe with a value, as it stands in the file."""
    name, _, value = option[2:].partition(" ")
    if not value:
        return name
    return f"{name} = {value if value.isdecimal() else toml_value(value)}"


def _beside(folder: Path, name: str, value: Any) -> Any:
    """Return paths as seen from the working folder, where they are relative to ``folder``.

    Standard input stays, and so does the name of a run that is no path.
    """
    if not isinstance(value, str):
        return [_beside(folder, name, each) for each in value]
    if value in ("-", ""):
        return value
    path = os.path.normpath(folder / os.path.expanduser(value))  # noqa: PTH111 (an unknown ~user stays)
    if name == "init-from" and not os.path.lexists(path):
        return value
    return path
