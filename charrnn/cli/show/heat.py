"""A text on a terminal as a heat map: dim where a model expected it, bright where it did not."""

import unicodedata
from collections.abc import Iterable, Iterator
from math import log
from typing import TYPE_CHECKING

from charrnn.cli.show.text import visible_line
from charrnn.text.normalizing import may_split_before
from charrnn.views.heat import Cell

if TYPE_CHECKING:
    from rich.text import Text

LEVELS = (
    (1.0, "dim"),
    (3.0, ""),
    (5.0, "#d7af00"),
    (8.0, "bold #ff8700"),
    (float("inf"), "bold #ff0000"),
)
"""Bits below which a character has a style. Without colors, bold and dim remain."""
UNKNOWN = "reverse"
JOINERS = ("\u200d", "\ufe0e", "\ufe0f")
"""Characters that join their neighbors into one sign, or belong to the character before."""


def heat(cells: Iterable[Cell]) -> "Text":
    """Return colored characters; those that a terminal might act on are escaped."""
    from rich.text import Text

    shown = Text()
    for text, bits, unknown in _signs(cells):
        style = UNKNOWN if unknown else next(style for limit, style in LEVELS if bits < limit)
        shown.append(visible_line(text), style=style)
    return shown


def legend() -> "Text":
    """Return a legend of the colors."""
    from rich.text import Text

    shown, low = Text("bits: "), 0.0
    for limit, style in LEVELS:
        words = f"{low:g} to {limit:g}" if limit < float("inf") else f"{low:g} and more"
        shown.append(words, style=style)
        shown.append("  ")
        low = limit
    return shown.append("unknown", style=UNKNOWN)


def _signs(cells: Iterable[Cell]) -> Iterator[tuple[str, float, bool]]:
    """Yield each sign that is shown in one place, with the highest cost of its characters.

    A combining mark is drawn over the letter before it, so both need the same color.
    """
    held: tuple[str, float, bool] | None = None
    for cell in cells:
        bits = cell.nats / log(2)
        if held is not None and _joins(held[0], cell.text):
            held = held[0] + cell.text, max(held[1], bits), held[2] or cell.unknown
            continue
        if held is not None:
            yield held
        held = cell.text, bits, cell.unknown
    if held is not None:
        yield held


def _joins(before: str, text: str) -> bool:
    if not text or not before or unicodedata.category(before[-1]) == "Cc":
        return False
    joined = text[0] in JOINERS or before[-1] == JOINERS[0]
    return joined or not may_split_before(text[0]) or "\U0001f3fb" <= text[0] <= "\U0001f3ff"
