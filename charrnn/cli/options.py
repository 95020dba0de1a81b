"""Options of the commands, made from the settings in ``charrnn.config``: none is declared twice.

A parameter's default is always ``None``, "not given": the settings classes hold the defaults, and
a command can tell what was asked for from what was left out.
"""

import inspect
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from charrnn.cli import completing
from charrnn.cli.exits import UsageError
from charrnn.cli.show.console import muted
from charrnn.config import Settings, option_name, option_of, range_text, setting
from charrnn.config import takes as takes_settings
from charrnn.config.fields import NO_RANGE, checked
from charrnn.errors import ConfigError
from charrnn.system.machine import available_cores, sharing_processes

Function = TypeVar("Function", bound=Callable[..., None])

LARGEST = 2**63 - 1
WITHIN_REACH = {int: 100_000, float: 1}
"""Upper ends of ranges that help shows: nobody runs into greater ones."""
PANELS = {
    "TextConfig": "Text",
    "ModelConfig": "Model",
    "TrainConfig": "Training",
    "SampleConfig": "Sampling",
    "EvalConfig": "Scoring",
    "DeviceConfig": "Device",
}
Model = Annotated[
    str | None,
    typer.Option(
        metavar="RUN|FILE",
        autocompletion=completing.runs,
        help="Name or folder of a run, or an .npz file.  [default: the newest run in ./runs]",
    ),
]


@dataclass(frozen=True, kw_only=True)
class MachineConfig(Settings):
    """What the commands use of this machine."""

    threads: int | None = setting(
        None,
        "Maximum number of threads. It does not change the result, except in train --minutes, "
        "which uses more streams on more cores.",
        low=1,
        high=1024,
        auto="the cores available to this process",
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

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Take in the words of a command; errors say which command and which word."""
        words = list(args)
        if not ctx.resilient_parsing and any(re.match("-[^-].", word) for word in words):
            from charrnn.cli.usage import single_hyphen

            if wrong := single_hyphen(words, self):
                raise ConfigError(f"{wrong}: see {ctx.command_path} --help")
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            error.ctx = error.ctx or ctx
            letter = getattr(error, "option_name", "")
            if len(letter) == 2:  # -rnn_size, which is read as -r
                error.option_name = next((word for word in words if word[:2] == letter), letter)
            raise

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
                record = record[0].removeprefix(" / "), record[1]
                (panels.setdefault(panel, []) if panel else last).append(record)
        for title, records in [*panels.items(), ("Options", last)]:
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, whose lines are never broken."""
        from charrnn.cli.examples import EXAMPLES

        with formatter.section("Examples"):
            for what, line in EXAMPLES[str(self.name)]:
                formatter.write(f"  {what}:\n    {line}\n")


def takes(
    *groups: type[Settings],
    leave_out: Sequence[str] = (),
    defaults: Mapping[type[Settings] | str, str] = types.MappingProxyType({}),
) -> Callable[[Function], Function]:
    """Give a command one option for each field of ``groups``, in place of its ``**settings``.

    Parameters
    ----------
    *groups : type[Settings]
        The settings.
    leave_out : sequence of str
        Fields without an option.
    defaults : mapping of type[Settings] or str to str
        What the help says of the defaults of a group, or of one field, where they are not those of
        the settings.
    """

    def option(group: type[Settings], item: Any, hint: Any) -> inspect.Parameter:
        return _parameter(group, item, hint, defaults.get(item.name, defaults.get(group)))

    return takes_settings(*groups, leave_out=leave_out, parameter=option)


def quietly(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --quiet, with which it says nothing but errors."""

    @wraps(function)
    def command(*args: Any, quiet: bool, **options: Any) -> None:
        with muted() if quiet else nullcontext():
            function(*args, **options)

    signature = inspect.signature(function, eval_str=True)
    option = typer.Option("--quiet", "-q", help="Write nothing to stderr but errors.")
    own = inspect.Parameter(
        "quiet",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, option],
    )
    parameters = [*signature.parameters.values(), own]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def named_model(names: list[str], model: str | None) -> tuple[list[str], str | None]:
    """Return the files that were named, and the model, which may stand before them.

    A command that takes files also takes a run there, as other commands do, where no file has
    that name.

    Raises
    ------
    ConfigError
        If the first name is that of neither, and like that of a run.
    """
    from charrnn.storage.folder import is_model, near_runs

    if model is not None or not names:
        return names, model
    first = names[0]
    if is_model(first):
        return names[1:], first
    if (
        re.fullmatch(r"[\w-]*\w", first)
        and not os.path.lexists(first)
        and (near := near_runs(first))
    ):
        raise ConfigError(f"{first} is neither a file nor a run{near}")
    return names, None


def choice(name: str, kind: Any) -> Callable[[str], str]:
    """Return a reader of one of the words of a Literal."""

    def parse(text: str) -> str:
        return str(checked(name, NO_RANGE, kind, text))

    return parse


def whole_number(name: str, low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a reader of a whole number in a range."""
    metadata = {**NO_RANGE, "low": low, "high": high}
    read = number_parser(int, name, range_text(metadata))

    def parse(text: str) -> int:
        return int(checked(name, metadata, int, read(text)))

    return parse


def _parameter(
    group: type[Settings], item: Any, hint: Any, default_text: str | None
) -> inspect.Parameter:
    kind = _kind(hint)
    name, wanted = option_name(item.name), range_text(item.metadata)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    form = "|".join(map(str, choices)) or item.metadata["form"]
    suggested = [re.sub(r"\[.*", "", word) for word in form.split("|") if not word.isupper()]
    default = default_text or item.metadata["auto"]
    if not default and item.default is not None and kind is not bool:
        default = item.default
    if isinstance(default, float):
        default = f"{default:g}"
    shown = _shown_range(kind, item.metadata) if kind in WITHIN_REACH else ""
    notes = [shown, f"default: {default}" if default != "" else ""]
    notes = [note for note in notes if note]
    short = [item.metadata["short"]] if item.metadata["short"] else []
    option = typer.Option(
        f" /{option_of(item)}" if item.default is True else name,  # as it is without is no option
        *short,
        help=item.metadata["help"] + (f"  [{'; '.join(notes)}]" if notes else ""),
        metavar=None if kind is bool else form or _metavar(kind),
        parser=number_parser(kind, name, wanted) if kind in (int, float) else None,
        show_default=False,
        rich_help_panel=PANELS.get(group.__name__),
        autocompletion=completing.words(suggested) if suggested else None,
    )
    plain = str if choices else kind  # the settings check the choices, and name them
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[plain | None, option],
    )


def _shown_range(kind: Any, metadata: Mapping[str, Any]) -> str:
    """Return a range as help shows it; empty where nobody would leave it."""
    low, high = metadata["low"], metadata["high"]
    most = metadata["below"] if high is None else high
    if most is None or most > WITHIN_REACH[kind]:
        return ""
    return range_text(metadata) if low is None or high is None else f"{low:g} to {high:g}"


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
