"""Settings as keywords: a function takes the fields of groups of settings by their names.

The functions of the Python interface and the commands do so alike: a command's parameters are also
the options of its command line.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from charrnn.config.fields import Settings, option_name
from charrnn.config.other_names import ours
from charrnn.config.similar import similar
from charrnn.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])
Group = TypeVar("Group", bound=Settings)
MakeParameter = Callable[[type[Settings], Any, Any], inspect.Parameter]
"""Makes the parameter of a field, from its group, itself and its type."""


def plain_parameter(group: type[Settings], item: Any, hint: Any) -> inspect.Parameter:
    """Return the keyword of a field, with its default."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(item.name, keyword, default=item.default, annotation=hint)


def takes(
    *groups: type[Settings],
    leave_out: Sequence[str] = (),
    parameter: MakeParameter = plain_parameter,
) -> Callable[[Function], Function]:
    """Let the signature of a function name the settings that its ``**settings`` may have.

    Parameters
    ----------
    *groups : type[Settings]
        Where they are declared; `pick` makes one of each out of what the function gets.
    leave_out : sequence of str
        Fields that the function does not take, or names itself.
    parameter : callable
        Makes the parameter of a field.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = []
        for group in groups:
            hints = get_type_hints(group)
            for item in fields(group):  # type: ignore[arg-type]
                if item.name not in leave_out:
                    made.append(parameter(group, item, hints[item.name]))
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
            fields_of = {option_name(field): field for field in known}
            found = [fields_of[option.split()[0]] for option in ours(name, known=fields_of)]
            found = found or similar(name, known)
            advice = f"did you mean {found[0]}?" if found else "its help lists what it takes"
            raise ConfigError(f"{function.__name__} has no setting {name!r}: {advice}")


def given(group: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group that are not None; numbers of NumPy as Python's."""
    names = {item.name for item in fields(group)}  # type: ignore[arg-type]
    return {
        # Known by its empty shape: this folder needs the standard library alone.
        name: value.item() if getattr(value, "shape", None) == () else value
        for name, value in settings.items()
        if name in names and value is not None
    }


def pick(group: type[Group], settings: Mapping[str, Any]) -> Group:
    """Return a group with what was given of it; ConfigError if a value does not fit."""
    return group(**given(group, settings))
