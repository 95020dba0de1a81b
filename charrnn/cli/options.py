"""Options of the commands, made from the settings in ``config.py``, so that none is declared twice.

A parameter's default is always ``None``, "not given": the settings classes hold the defaults, and
a command can tell what was asked for from what was left out.
"""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from charrnn.config import Settings, option_name, range_text, setting
from charrnn.errors import ConfigError
from charrnn.system.machine import available_cores, sharing_processes

Function = TypeVar("Function", bound=Callable[..., None])
Group = TypeVar("Group", bound=Settings)

LARGEST = 2**63 - 1
PANELS = {
    "TextConfig": "Text",
    "ModelConfig": "Model",
    "TrainConfig": "Training",
    "SampleConfig": "Drawing",
    "EvalConfig": "Scoring",
    "DeviceConfig": "Device",
}
UNKNOWN_HELP = "Characters that the model does not know: an error that names them, or left out."

Unknown = Annotated[Literal["error", "skip"], typer.Option(help=UNKNOWN_HELP)]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="RUN|FILE",
        help="A run's name or folder, or an .npz.  [default: the newest run under ./runs]",
    ),
]


@dataclass(frozen=True, kw_only=True)
class MachineConfig(Settings):
    """What the commands use of this machine."""

    threads: int | None = setting(
        None,
        "Threads at most. A run of minutes has more streams where there are more; nothing else in "
        "a result follows from it.",
        low=1,
        high=1024,
        auto="the cores this process may use",
    )

    @property
    def count(self) -> int:
        """The number of threads: what was asked for, or the cores this process may use."""
        cores = available_cores()
        if sharing_processes() > 1:  # a rank is no more than one thread
            return min(self.threads or cores, cores)
        return self.threads or cores


class Command(TyperCommand):
    """A command whose help lists its options by group, as plain text.

    Typer's own grouped help draws with rich, whose import takes as long as all the rest.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups, and last the options that have none."""
        panels: dict[str, list[tuple[str, str]]] = {}
        last: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                panels.setdefault("Arguments", []).append((str(param.metavar), record[1]))
            else:
                panel = getattr(param, "rich_help_panel", None)
                (panels.setdefault(panel, []) if panel else last).append(record)
        for title, records in [*panels.items(), ("Options", last)]:
            with formatter.section(title):
                formatter.write_dl(records)


def takes(
    *groups: type[Settings],
    leave_out: Sequence[str] = (),
    defaults: Mapping[type[Settings] | str, str] = types.MappingProxyType({}),
) -> Callable[[Function], Function]:
    """Give a command one option for each field of ``groups``, in place of its ``**settings``.

    Parameters
    ----------
    *groups : type[Settings]
        The settings; `pick` makes one of each out of what the command gets.
    leave_out : sequence of str
        Fields without an option.
    defaults : mapping of type[Settings] or str to str
        What the help says of the defaults of a group, or of one field, where they are not those of
        the settings.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function, eval_str=True)
        own = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        made = [
            _parameter(group, item, hint, defaults.get(item.name, defaults.get(group)))
            for group in groups
            for item, hint in _hinted_fields(group)
            if item.name not in leave_out
        ]
        function.__signature__ = signature.replace(parameters=[*own, *made])  # type: ignore[attr-defined]
        return function

    return decorate


def given(group: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``group`` that were given on the command line, with their values."""
    names = (item.name for item in fields(group))  # type: ignore[arg-type]
    return {name: settings[name] for name in names if settings.get(name) is not None}


def pick(group: type[Group], settings: Mapping[str, Any]) -> Group:
    """Make the settings of ``group`` from what a command got; ConfigError if one does not fit."""
    return group(**given(group, settings))


def _hinted_fields(group: type[Settings]) -> list[tuple[Any, Any]]:
    hints = get_type_hints(group)
    return [(item, hints[item.name]) for item in fields(group)]  # type: ignore[arg-type]


def _parameter(
    group: type[Settings], item: Any, hint: Any, default_text: str | None
) -> inspect.Parameter:
    kind = _kind(hint)
    name, wanted = option_name(item.name), range_text(item.metadata)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    form = "|".join(map(str, choices)) or item.metadata["form"]
    default = default_text or item.metadata["auto"]
    if not default and item.default is not None:
        default = item.default
    notes = [wanted, f"default: {default}" if default != "" else ""]
    notes = [note for note in notes if note]
    short = [item.metadata["short"]] if item.metadata["short"] else []
    option = typer.Option(
        f"{name}/--no-{name[2:]}" if kind is bool else name,
        *short,
        help=item.metadata["help"] + (f"  [{'; '.join(notes)}]" if notes else ""),
        metavar=None if kind is bool else form or _metavar(kind),
        parser=number_parser(kind, name, wanted) if kind in (int, float) else None,
        show_default=False,
        rich_help_panel=PANELS.get(group.__name__),
    )
    plain = str if choices else kind  # the settings check the choices, and name them
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[plain | None, option],
    )


def _kind(hint: Any) -> Any:
    if tuple[str, ...] in get_args(hint):
        return list[str]
    if get_origin(hint) in (Union, types.UnionType):
        return next(option for option in get_args(hint) if option is not type(None))
    return hint


def _metavar(kind: Any) -> str:
    return {int: "N", float: "X"}.get(kind, "TEXT")


def number_parser(kind: Any, name: str, wanted: str) -> Callable[[str], int | float]:
    """Return a reader of numbers that names the allowed range; who gets them checks it."""
    noun = "a whole number" if kind is int else "a number"

    def parse(text: str) -> int | float:
        try:
            value: int | float = kind(text)
        except ValueError:
            short = text if len(text) <= 40 else text[:40] + "..."
            raise ConfigError(f"{name} {short!r} is not {noun}: it must be {wanted}") from None
        if kind is int and abs(value) > LARGEST:  # no float can hold it, and no setting needs it
            raise ConfigError(f"{name} {text[:20]}... is out of range: it must be {wanted}")
        return value

    return parse
