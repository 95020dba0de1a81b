"""A text as a heat map: the more a character surprised a model, the warmer its colour."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log

from charrnn.views.markup import attribute, shown

HOT = (255, 96, 0)
OPACITY = 0.5
"""Opacity of the warmest colour, on which black and white text stays readable."""
FULL = 6.0
"""Nats at which a character has the warmest colour: a probability of 0.25 %."""
MOST_CELLS = 5_000
"""Most characters shown; more would slow down a notebook."""
BOX = (
    "font-family:ui-monospace,Menlo,Consolas,monospace;line-height:1.6;white-space:pre-wrap;"
    "overflow-wrap:anywhere"
)
SMALL = "font-size:85%;opacity:.75"


@dataclass(frozen=True)
class Cell:
    """A part of a text with its own colour, usually one character.

    Attributes
    ----------
    text : str
        The characters.
    nats : float
        Negative log-probability.
    symbols : int
        Number of predictions, such as bytes or parts of a letter.
    unknown : bool
        Whether it is not in the model's vocabulary.
    """

    text: str
    nats: float
    symbols: int = 1
    unknown: bool = False


def heat_map(cells: Sequence[Cell], *, caption: str = "", context: str = "") -> str:
    """Return a text as a self-contained HTML fragment.

    Parameters
    ----------
    cells : sequence of Cell
        The text, in order. At most the first ``MOST_CELLS`` are shown.
    caption : str
        A line below the text, as plain text.
    context : str
        The text that was read before it; shown without colour.

    Notes ----- Colours are translucent, so that the text is readable on light and dark pages. Each
    cell has its cost as a tooltip.
    """
    parts = [f'<div class="charrnn-heat-map"><div style="{BOX}">']
    if context:
        parts.append(f'<span style="opacity:.6">{shown(context)}</span>')
    parts.append(spans(cells))
    legend = f"background:linear-gradient(to right,{_colour(0)},{_colour(FULL)});padding:0 .6em"
    scale = f'<span style="{legend}">0 to {FULL:g} nats and more</span>'
    parts.append(f'</div><div style="{SMALL}">{shown(caption)} {scale}</div></div>')
    return "".join(parts)


def spans(cells: Sequence[Cell]) -> str:
    """Return the coloured characters of a text as HTML; see ``heat_map``."""
    parts = [*map(_span, cells[:MOST_CELLS])]
    left = len(cells) - MOST_CELLS
    if left > 0:
        parts.append(f'<span style="{SMALL}"> ... and {left:,} more characters</span>')
    return "".join(parts)


def _span(cell: Cell) -> str:
    style = f"background:{_colour(cell.nats)}"
    if cell.unknown:
        style += ";outline:1px dashed currentColor;outline-offset:-1px"
    text = cell.text
    if text and unicodedata.category(text[0]).startswith(
        "M"
    ):  # otherwise it would combine with the previous one
        text = "\u25cc" + text
    return f'<span style="{style}" title="{attribute(_words(cell))}">{shown(text)}</span>'


def _colour(nats: float) -> str:
    share = min(1.0, max(0.0, nats / FULL)) if isfinite(nats) else 1.0
    return f"rgba({HOT[0]},{HOT[1]},{HOT[2]},{OPACITY * share:.2f})"


def _words(cell: Cell) -> str:
    code = f" (U+{ord(cell.text):04X})" if len(cell.text) == 1 else ""
    parts = f" in {cell.symbols} symbols" if cell.symbols > 1 else ""
    unknown = ", unknown to the model" if cell.unknown else ""
    return (
        f"{cell.text}{code}: {cell.nats:.3f} nats, {cell.nats / log(2):.3f} bits, "
        f"probability {exp(-cell.nats):.3g}{parts}{unknown}"
    )
