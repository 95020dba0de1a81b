"""The command line as a page: what ``--help`` of each command says, as Markdown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typer.main import get_command

from charrnn.cli.app import COMMANDS, app, load_command
from docs.scripts.numpydoc import SPECIAL

HEAD = """\
# Command line

<!-- Written by `make reference` from the help of the commands. Edit that. -->

`charrnn COMMAND --help` says the same in a terminal.
"""


class Markdown:
    """What a command writes its help to, in place of click's formatter."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.noun = "option"
        self.current_indent = 0
        self.width = 100

    def write_usage(self, program: str, arguments: str = "", prefix: str | None = None) -> None:
        """Write the line of usage."""
        self.parts.append(f"```text\n{program} {arguments}\n```")

    def write_paragraph(self) -> None:
        """End a paragraph: parts are apart anyway."""

    def write(self, text: str) -> None:
        """Write an example: what it does, a colon, and the line to type."""
        what, _, line = text.strip().partition(":\n")
        self.parts.append(f"{escaped(what)}:\n\n```console\n$ {line.strip()}\n```")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        paragraphs = [" ".join(each.split()) for each in text.replace("\b", "").split("\n\n")]
        self.parts += [escaped(each) for each in paragraphs if each]

    def write_dl(self, rows: Sequence[tuple[str, str]], *more: Any, **extra: Any) -> None:
        """Write a table of options or commands."""
        lines = [f"| {self.noun} | meaning |", "|---|---|"]
        lines += [f"| `{cell(word)}` | {cell(escaped(text))} |" for word, text in rows]
        self.parts.append("\n".join(lines))

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Write a heading."""
        self.parts.append(f"**{name}**")
        self.noun = {"Arguments": "argument", "Commands": "command"}.get(name, "option")
        yield

    @contextmanager
    def indentation(self) -> Iterator[None]:
        """Write as before: Markdown has no use for it."""
        yield

    def indent(self) -> None:
        """Write as before."""

    def dedent(self) -> None:
        """Write as before."""


def escaped(text: str) -> str:
    """Return a text without what Markdown would read as markup."""
    return SPECIAL.sub(r"\\\1", text)


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def page() -> str:
    """Return the page."""
    whole = get_command(app).make_context("charrnn", [], resilient_parsing=True)
    parts = [HEAD, helped(whole)]
    for name in COMMANDS:
        command = load_command(name)
        context = command.make_context(name, [], parent=whole, resilient_parsing=True)
        parts += [f"## charrnn {name}\n", helped(context)]
    return "\n".join(parts)


def helped(context: Any) -> str:
    """Return the help of the command of a context."""
    written = Markdown()
    context.command.format_help(context, written)
    return "\n\n".join(written.parts) + "\n"
