"""Settings as keywords: a function takes the fields of groups of settings by their names."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from charrnn.config import Settings
from charrnn.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])
Group = TypeVar("Group", bound=Settings)


def takes(*groups: type[Settings], leave_out: Sequence[str] = ()) -> Callable[[Function], Function]:
    """Let the signature of a function name the settings that its ``**settings`` may have.

    Parameters
    ----------
    *groups : type[Settings]
        Where they are declared.
    leave_out : sequence of str
        Fields that the function does not take, or names itself.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=item.default,
                annotation=item.type,
            )
            for group in groups
            for item in fields(group)  # type: ignore[arg-type]
            if item.name not in leave_out
        ]
        function.__signature__ = signature.replace(parameters=[*own, *made])  # type: ignore[attr-defined]
        return function

    return decorate


def check_names(function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Raise ConfigError if a setting is none that a function ``takes``, with the one most like it.

    Parameters
    ----------
    function : callable
        It has been decorated.
    settings : mapping of str to object
        Its ``**settings``.
    """
    known = [*inspect.signature(function).parameters]
    for name in settings:
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {similar[0]}?" if similar else "its help lists what it takes"
            raise ConfigError(f"{function.__name__} has no setting {name!r}: {advice}")


def given(group: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group that are not None; numbers of NumPy as Python's."""
    names = {item.name for item in fields(group)}  # type: ignore[arg-type]
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in settings.items()
        if name in names and value is not None
    }


def pick(group: type[Group], settings: Mapping[str, Any]) -> Group:
    """Return a group with what was given of it; ConfigError if a value does not fit."""
    return group(**given(group, settings))
