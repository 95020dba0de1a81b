"""Counts, lines and names as messages show them."""

from collections.abc import Sequence
from typing import NoReturn

from charrnn.errors import CorpusError

OF_PLAIN_TEXT = "for plain text, use --predict spaces, case, marks or accents"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return ``1 text``, ``2,000 texts``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def shown(name: str, most: int = 40) -> str:
    """Return a label or column name for messages: printable, and shortened."""
    cut = name if len(name) <= most else f"{name[: most - 3]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def refuse_lines(name: str, lines: Sequence[int], what: str, remedy: str) -> NoReturn:
    """Raise an error about lines of a file, with the first one and their number.

    Raises
    ------
    CorpusError
        Always.
    """
    more = f" ({len(lines):,} such lines)" if len(lines) > 1 else ""
    raise CorpusError(f"{name}, line {lines[0]}: {what}{more}: {remedy}")
