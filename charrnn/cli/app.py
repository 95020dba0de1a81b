"""The commands put together: the entry point of ``charrnn``."""

import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn.cli import completing
from charrnn.cli.exits import one_line_errors
from charrnn.errors import ConfigError
from charrnn.parallel.launcher import announced

COMMANDS = {
    "train": "Train a model on a text.",
    "sample": "Sample text from a model, character by character.",
    "predict": "Label texts, tag words, or restore spaces, case or punctuation.",
    "eval": "Measure how well a model predicts a text.",
    "score": "Score each line of a text by how well a model predicts it.",
    "export": "Export a model as a web page, or its weights for PyTorch.",
    "info": "Show the shape, settings, vocabulary and history of a model.",
    "report": "Write a report on runs as a single HTML file.",
    "gradients": "Measure how far back in time gradients reach.",
    "runs": "List the runs in ./runs, newest first, or compare runs.",
    "bench": "Measure the speed of charrnn on this machine.",
}
"""Each command and the first line of its help; the file of that name has its ``command``."""

ALONE = "info", "runs"
"""Commands that compute nothing: a launcher's other processes have no part in them."""

SILENT = "info", "runs"
"""Commands that say nothing beside their result: they have no --quiet."""

SHOWS = {"--version", "--help", "-h", "--install-completion", "--show-completion"}
"""Options that only show or install something."""

BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Accelerate (macOS) has only such a variable: threadpoolctl cannot hold it to one thread later."""


class Commands(TyperGroup):
    """All commands; what goes wrong in one ends in one line and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Take in the options that stand before a command, such as --help."""
        with one_line_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        with one_line_errors():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was asked for."""
        if ctx.resilient_parsing:  # a shell asks how a word may go on
            return super().resolve_command(ctx, args)
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from charrnn.cli.usage import unknown_command

            raise ConfigError(unknown_command(args, self.commands))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order in which one needs them."""
        return list(self.commands)


class Deferred(TyperCommand):
    """Stands for a command until it is used: only then are its file and options loaded."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """Begin the real command."""
        return load_command(str(self.name)).make_context(info_name, args, *more, **extra)


@cache
def load_command(name: str) -> Any:
    """Return the command ``name``, built from the function ``command`` in its file."""
    from charrnn.cli.options import Command, quietly

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    module = importlib.import_module(f"charrnn.cli.commands.{name}")
    function = module.command if name in SILENT else quietly(module.command)
    alone.command(name, cls=Command)(function)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="charrnn",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes as long to import as all the rest of --help
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _name, _help in COMMANDS.items():
    app.command(_name, cls=Deferred, help=_help)(lambda: None)


def _show_version(wanted: bool) -> None:
    if wanted:
        from charrnn import __version__

        typer.echo(f"charrnn {__version__}")
        raise typer.Exit


@app.callback(
    epilog="To begin: charrnn train book.txt, then charrnn sample. Each command has a --help with "
    "examples."
)
def charrnn(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    install_completion: Annotated[
        bool,
        completing.option(
            "--install-completion",
            completing.install,
            "Install completion for this shell: bash, zsh, fish or PowerShell.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        completing.option(
            "--show-completion", completing.show, "Print the script that would be installed."
        ),
    ] = False,
) -> None:
    """Train character-level language models on your text, sample from them and evaluate them."""


def needs_no_ranks(arguments: Sequence[str]) -> bool:
    """Whether a command line only shows something, so that one process is enough."""
    shows = SHOWS.intersection(arguments)
    return not arguments or arguments[0] in ALONE or bool(shows)


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    for variable in BLAS_THREADS:  # read when NumPy is imported; --threads shares out the work
        os.environ.setdefault(variable, "1")
    for stream in (sys.stdout, sys.stderr):  # file names and messages may hold any character
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    completing.prepare()
    if (launched := announced()) is None:
        app(prog_name="charrnn")
        return
    if needs_no_ranks(sys.argv[1:]):
        if launched.number == 0:
            app(prog_name="charrnn")
        return
    from charrnn.cli.leading import join_and_run

    join_and_run(launched, lambda: app(prog_name="charrnn"))
