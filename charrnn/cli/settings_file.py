"""Options of the command line beside settings from a file, which they override."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from charrnn.config import Settings
from charrnn.config.training import OF_HELD_OUT
from charrnn.errors import ConfigError

LENGTHS = ("epochs", "steps", "minutes")
SPLIT = ("val_fraction", "split_mode", "split_key")
REPLACES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(LENGTHS, LENGTHS),
    **dict.fromkeys(SPLIT, ("val",)),
    "val": SPLIT,
    "cell": ("nonlinearity", "context"),
    "unit": ("newlines",),
    "optimizer": ("learning_rate", "weight_decay"),
    "items": ("lines", "reset", "split_mode"),
    "lines": ("items", "reset", "split_mode"),
    "predict": ("reset", "split_mode"),
    "prompted": ("reset", "split_mode"),
}
"""For an option, the settings of a file that it overrides beside its own: they would contradict it,
or were chosen for what it changes."""


@contextmanager
def beside_file(
    path: str | None, groups: Sequence[type[Settings]], options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Give options, and for those that are None the settings of a file.

    Parameters
    ----------
    path : str or None
        The TOML file, if there is one.
    groups : sequence of type[Settings]
        The settings that it may have.
    options : mapping of str to object
        Of the command line, by the name of the parameter.

    Raises
    ------
    ConfigError
        If the file is wrong. An error that is raised while the options are used also says which of
        the options that it names are from the file.
    """
    if path is None:
        yield dict(options)
        return
    from charrnn.config.settings_file import read_settings

    filed = read_settings(path, groups)
    given = [name for name, value in options.items() if value is not None]
    for name in given:
        for other in (name, *REPLACES.get(name, ())):
            filed.pop(other, None)
    if options.get("val_fraction") == 0:
        for name in OF_HELD_OUT:
            filed.pop(name, None)
    try:
        yield {**options, **filed}
    except ConfigError as error:
        keys = {name.replace("_", "-") for name in filed}
        named = dict.fromkeys(re.findall(r"--(?:no-)?([a-z-]+)", str(error)))
        if found := [name for name in named if name in keys]:
            raise ConfigError(f"{error} ({', '.join(found)}: from {path})") from None
        raise
