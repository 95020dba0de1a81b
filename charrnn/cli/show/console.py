"""Output: messages on stderr, results on stdout, both safe on a terminal."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Any, TextIO

import typer

from charrnn.cli.show.text import UNSAFE, visible, visible_line

if TYPE_CHECKING:
    from rich.console import Console


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether ``stream`` is open and shown on a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


_muted = ContextVar("muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Make `say` print only errors."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


def is_muted() -> bool:
    """Return whether only errors are printed."""
    return _muted.get()


def say(message: str, *, dim: bool = False, error: bool = False) -> None:
    """Print a message of one line on stderr."""
    if is_muted() and not error:
        return
    typer.secho(visible_line(message), dim=dim or None, err=True)


def write(text: str, *, raw: bool = False) -> None:
    """Write text from a model or a file to stdout at once, without a line end.

    On a terminal, characters that it might act on are escaped, unless ``raw``; elsewhere the text
    is written unchanged, as UTF-8. ``raw`` text may have bytes that are not valid UTF-8, from a
    raw ``StreamDecoder``.
    """
    stream = sys.stdout
    if stream is None:
        return
    if is_terminal(stream) and not raw:
        shown = visible(text)
        encoding = stream.encoding or "utf-8"
        stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
    else:
        stream.flush()
        errors = "surrogateescape" if raw else "surrogatepass"
        stream.buffer.write(text.encode("utf-8", errors))
    stream.flush()


def write_json(data: Any) -> None:
    """Write one JSON value as one line of UTF-8 to stdout.

    Characters are written unchanged, except those that a terminal might act on and lone
    surrogates, which become JSON escapes. Numbers that are not finite, which JSON cannot
    represent, become null.
    """
    text = json.dumps(_finite(data), ensure_ascii=False)
    write(UNSAFE.sub(lambda match: json.dumps(match.group())[1:-1], text) + "\n")


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def write_sentences(text: str) -> None:
    """Write sentences to stdout as a paragraph; on a terminal, lines are broken between words."""
    line = visible_line(text)
    if is_terminal(sys.stdout):
        width = get_terminal_size().columns
        line = fill(line, width, break_long_words=False, break_on_hyphens=False)
    write(f"{line}\n")


def make_console(*, stderr: bool = False) -> "Console":
    """Return a rich console that interprets no text as markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def write_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()
) -> None:
    """Write a table to stdout: drawn with rich on a terminal, aligned text elsewhere.

    Parameters
    ----------
    headings : sequence of str
        Empty for a table without headings.
    rows : iterable of sequences of str
        The cells. They may be untrusted: unsafe characters are escaped.
    right : iterable of int
        Columns that are aligned on the right.
    """
    cells = [[visible_line(cell) for cell in row] for row in rows]
    headings = [visible_line(heading) for heading in headings]
    aligned = set(right)
    if is_terminal(sys.stdout):
        _draw_table(headings, cells, aligned)
        return
    from rich.cells import cell_len

    lines = [list(headings), *cells] if headings else cells
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = []
        for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if i in aligned else cell + space)
        write("  ".join(padded).rstrip() + "\n")


def _draw_table(headings: Sequence[str], cells: list[list[str]], right: set[int]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD if headings else None,
        show_header=bool(headings),
        pad_edge=False,
        header_style="bold",
    )
    for i in range(max(map(len, [headings, *cells]))):
        table.add_column(
            headings[i] if headings else "",
            justify="right" if i in right else "left",
            style="" if i or headings else "bold",
            overflow="ellipsis" if i in right else "fold",
            no_wrap=i in right,  # a wrapped number would be misread
        )
    for row in cells:
        table.add_row(*map(Text, row))
    make_console().print(table)
