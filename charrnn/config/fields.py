"""How a setting is declared: name, type, default, range and help, once and for all.

The command line makes its options from these declarations, checkpoints store the values, and
nothing else repeats a default. The folder needs the standard library alone.
"""

import dataclasses
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from charrnn.config.similar import did_you_mean
from charrnn.errors import ConfigError

NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
"""The types of settings in words."""
NO_RANGE = dict.fromkeys(("low", "high", "above", "below"))


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    auto: str = "",
    short: str = "",
    form: str = "",
) -> Any:
    """Declare a field: its range is ``low <= value <= high`` and ``above < value < below``.

    ``auto`` says in a few words where the value comes from when it is left out (``None``),
    ``short`` is a second, short name of its option, and ``form`` is what help shows as its value.
    """
    return field(
        default=default,
        metadata={
            "help": help,
            "low": low,
            "high": high,
            "above": above,
            "below": below,
            "auto": auto,
            "short": short,
            "form": form,
        },
    )


def decided(default: Any = MISSING, **range_: float | None) -> Any:
    """Declare a field of decided settings, where its default or its range is not the usual one."""
    return field(default=default, metadata=range_)


def option_name(name: str) -> str:
    """Return the command-line option of a field: ``hidden_size`` -> ``--hidden-size``."""
    return "--" + name.replace("_", "-")


def option_of(item: Any) -> str:
    """Return the option that sets a field: ``--no-ngrams`` where the field is true by default."""
    name = option_name(item.name)
    return f"--no-{name[2:]}" if item.default is True else name


def range_text(metadata: Mapping[str, Any]) -> str:
    """Return a field's range in words: ``at least 1``, ``above 0 and below 1``."""
    words = {"low": "at least", "above": "above", "high": "at most", "below": "below"}
    parts = [
        f"{word} {metadata[key]:g}" for key, word in words.items() if metadata[key] is not None
    ]
    return " and ".join(parts)


class Settings:
    """What the groups of settings have in common: checks, and a way to and from JSON."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            accepted = checked(
                option_name(item.name), self._metadata(item), hints[item.name], value
            )
            object.__setattr__(self, item.name, accepted)

    @classmethod
    def _metadata(cls, item: Any) -> Mapping[str, Any]:
        return item.metadata  # type: ignore[no-any-return]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON types."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from a dictionary; raise ConfigError on an unknown name, type or value."""
        known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(map(str, data)) - known)
        if unknown:
            raise ConfigError(
                f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        return cls(**data)


class Decided(Settings):
    """Settings with nothing left open: what ``recipe`` makes of those that a user gave.

    ``of`` names the group that the user sets: a field has the range that it has there.
    """

    _open: ClassVar[type[Settings]]

    def __init_subclass__(cls, of: type[Settings], **more: Any) -> None:
        super().__init_subclass__(**more)
        cls._open = of

    @classmethod
    def _metadata(cls, item: Any) -> dict[str, Any]:
        ranges = {item.name: item.metadata for item in fields(cls._open)}  # type: ignore[arg-type]
        return {**NO_RANGE, **ranges.get(item.name, {}), **item.metadata}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from a dictionary that has every setting; raise ConfigError if one is amiss."""
        missing = sorted({item.name for item in fields(cls)} - set(data))  # type: ignore[arg-type]
        if missing:
            raise ConfigError(f"the setting {missing[0]!r} is missing")
        return super().from_json(data)

    @classmethod
    def of(cls, config: Settings, **chosen: Any) -> Self:
        """Take what a user gave, and for the rest what was chosen."""
        names = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        given = {
            item.name: getattr(config, item.name)
            for item in fields(config)  # type: ignore[arg-type]
            if item.name in names and getattr(config, item.name) is not None
        }
        return cls(**{**given, **chosen})


def checked(name: str, metadata: Mapping[str, Any], hint: Any, value: Any) -> Any:
    """Return a value if it is of the type of a hint and in a range; raise ConfigError if not.

    Parameters
    ----------
    name : str
        The option, as the error names it.
    metadata : mapping
        The range, as ``setting`` declares it.
    hint : type
        Also a Literal, or a union with None.
    value : object
        An int does for a float.
    """
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return value
    kind = next(option for option in options if option is not type(None))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            choices = [str(choice) for choice in get_args(kind)]
            hint = did_you_mean(value, choices) if isinstance(value, str) else ""
            raise ConfigError(f"{name} {value!r:.40} is none of {', '.join(choices)}{hint}")
        return value
    if tuple[str, ...] in options and isinstance(value, list | tuple):
        if not all(isinstance(text, str) for text in value):
            raise ConfigError(f"{name} {value!r:.40} is not of texts alone")
        return tuple(value)
    wanted = range_text(metadata)
    whole = type(value) is int
    if kind is float and whole and abs(value) <= sys.float_info.max:
        value = float(value)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not fits and not (kind is float and whole):
        note = f": it must be {wanted}" if wanted else ""
        raise ConfigError(f"{name} {value!r:.40} is not {NOUNS[kind]}{note}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        inside = (
            abs(value) <= sys.float_info.max
            and (metadata["low"] is None or value >= metadata["low"])
            and (metadata["high"] is None or value <= metadata["high"])
            and (metadata["above"] is None or value > metadata["above"])
            and (metadata["below"] is None or value < metadata["below"])
        )
        if not inside:
            raise ConfigError(
                f"{name} {value!r:.40} is out of range: it must be {wanted or 'finite'}"
            )
    return value
