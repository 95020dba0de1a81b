"""Detecting a text whose end is unlike the rest, so that it is not a fair sample of it.

Dimensions
    n characters of the training part, m of the held-out end, L of a piece to compare with.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from charrnn.data.overlap import spread
from charrnn.text.codes import LINE_END, Codes

SAMPLE = 2_000_000
"""Most training characters whose pairs are counted."""
PIECE = 100_000
"""The maximum of L."""
PIECES = 10
"""Pieces of the training part that the end is compared with."""
LEAST = 200
"""Fewest held-out characters to compare."""
MARGIN = 0.15
"""Nats per character by which the end must exceed the most unusual other piece."""
SORTED_MARGIN = 0.2
"""Nats per character by which it must exceed the average piece, if lines are sorted."""

_BITS = 16


def end_is_unlike(train: Codes, held_out: Codes) -> bool:
    """Return whether the held-out end of a text is clearly unlike all of its training part.

    A bigram model, counted on the training part, scores the end and ten other pieces, whose own
    pairs are excluded from the counts. The end is unlike the rest if its cost per character clearly
    exceeds that of every piece. If the lines are sorted, it suffices that it clearly exceeds the
    average: the end of a sorted text differs from everything before it.

    Parameters
    ----------
    train : (n,) uint array
        The training part, which may be a memory map; at most ``SAMPLE`` characters are read.
    held_out : (m,) uint array
        The text after it.
    """
    if len(held_out) < LEAST or len(train) < 5 * LEAST:
        return False
    text = np.concatenate(spread(train, SAMPLE, 40))
    length = min(len(held_out) // 5, len(text) // (2 * PIECES), PIECE)
    counts = _Pairs(text)
    # Text like the end may begin a little before it.
    starts = np.linspace(0, 0.95 * len(text) - length, PIECES).astype(np.int64).tolist()
    pieces = [text[start : start + length] for start in starts]
    costs = [counts.without(piece).cost(piece) for piece in pieces]
    end = counts.cost(np.concatenate(spread(held_out, PIECE, 4)))
    if end > max(costs) + MARGIN + length**-0.5:  # a short piece varies
        return True
    return end > sum(costs) / PIECES + SORTED_MARGIN and _is_sorted(train)


class _Pairs:
    """Hashed counts of the pairs of adjacent characters in a text, and of their firsts."""

    def __init__(self, text: Codes) -> None:
        self._pairs, self._firsts = (_count(places) for places in _places(text))
        self._symbols = len(np.unique(text))

    def without(self, piece: Codes) -> "_Pairs":
        """Return the counts of the text without a piece of it."""
        rest = object.__new__(_Pairs)
        rest._symbols = self._symbols
        pairs, firsts = (_count(places) for places in _places(piece))
        rest._pairs, rest._firsts = self._pairs - pairs, self._firsts - firsts
        return rest

    def cost(self, piece: Codes) -> float:
        """Return the nats per character of a piece; half a count is added to every pair."""
        pairs, firsts = _places(piece)
        chances = (self._pairs[pairs] + 0.5) / (self._firsts[firsts] + 0.5 * self._symbols)
        return float(-np.log(chances).mean())


def _places(text: Codes) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the hashes, below 2**16, of the pairs of a text and of their first characters."""
    codes = np.asarray(text).astype(np.uint32)  # products wrap around
    mixed = codes * np.uint32(0x9E3779B1)
    firsts = mixed[:-1]
    pairs = (firsts + codes[1:]) * np.uint32(0x85EBCA6B)
    return pairs >> np.uint32(32 - _BITS), firsts >> np.uint32(32 - _BITS)


def _count(places: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    return np.bincount(places, minlength=1 << _BITS)


def _is_sorted(codes: Codes) -> bool:
    """Return whether nearly all lines of a text are in ascending or descending order."""
    starts = np.linspace(0, len(codes) - 1, 400).astype(np.int64).tolist()
    lines: list[list[int]] = []
    for start in starts:
        window = np.asarray(codes[start : start + 500])
        ends = np.flatnonzero(window == LINE_END)
        if len(ends) > 1:
            line = window[ends[0] + 1 : ends[1]].tolist()
            if line and [line] != lines[-1:]:
                lines.append(line)
    if len(lines) < 20:
        return False
    up = sum(one < other for one, other in pairwise(lines))
    down = len(lines) - 1 - up
    return max(up, down) > 0.95 * (len(lines) - 1)
