"""The strangest rows of a text, as a whole or by a single character.

A typo makes a single character of a line unlikely, is not repeated, and can be corrected to a
likely line. A line in another language is unlikely as a whole, although no single character may be.
No single measure finds both, so the strangest rows are taken from two lists in turn (measured by
``python -m tests.bench.typos``).
"""

from collections.abc import Iterator, Sequence
from heapq import heappush, heappushpop
from math import inf, sqrt
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.corrections import Correction, Corrector
from charrnn.evaluation.lines.models import Figures
from charrnn.evaluation.lines.repeats import surprises
from charrnn.evaluation.lines.scoring import RowScore

By = Literal["both", "line", "character"]
Why = Literal["line", "character"]
Of = TypeVar("Of")

SPARE = 200
"""Extra candidate rows, beyond the requested number, that are checked for typos."""
TRIED = 1000
"""Most rows that are corrected: about 50 changes of each are scored."""
SHORT = 10
"""Length below which the deviation of a row's mean is too noisy to compare."""


class Strange(NamedTuple, Generic[Of]):
    """A row and why it is strange, with a possible correction."""

    row: Of
    why: Why
    correction: Correction | None = None


def whole_line(nats: float, characters: int, mean: float) -> float:
    """Return how far the nats of a row exceed the mean of its text, scaled by the row's length.

    The sum of its characters' nats above the mean is divided by the root of their number plus
    ``SHORT``, since the standard deviation of such a sum grows with the root of its length. By nats
    per character, short rows that are slightly unlikely would rank too high, and so would empty
    lines because of their end alone.
    """
    return (nats - characters * mean) / sqrt(characters + SHORT) if characters else -inf


class _Entry(NamedTuple, Generic[Of]):
    """A row ordered by strangeness; among equals the first one ranks higher."""

    strange: float
    turn: int
    row: Of
    score: RowScore | None
    surprises: NDArray[np.float64]

    @property
    def text(self) -> bytes:
        """The symbols of the row as bytes, whatever their type; empty without a score."""
        if self.score is None:
            return b""
        return np.concatenate([self.score.prompt, self.score.codes]).astype(np.uint32).tobytes()

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return self[:2] < other[:2]


class Strangest(Generic[Of]):
    """Keeps the strangest rows of a stream, and only the first of equal rows.

    Parameters
    ----------
    count : int
        Number of rows to keep.
    by : "both", "line" or "character"
        The measure.
    corrector : Corrector, optional
        For ``character``: ranks the rows with the most surprising characters by how much a single
        change lowers their nats.
    """

    def __init__(self, count: int, by: By = "both", corrector: Corrector | None = None) -> None:
        self._count, self._corrector = count, corrector
        kinds: tuple[Why, ...] = ("character", "line") if by == "both" else (by,)
        self._heaps: dict[Why, list[_Entry[Of]]] = {kind: [] for kind in kinds}
        self._kept: dict[Why, set[bytes]] = {kind: set() for kind in kinds}
        self._mean: float | None = None
        self._seen = 0

    def add(
        self,
        rows: Sequence[Of],
        figures: Sequence[Figures],
        scores: Sequence[RowScore] = (),
    ) -> None:
        """Add rows with their figures and, for ``character``, their scores symbol by symbol.

        Rows that are added together determine what repeats in their text; the mean nats per
        character come from the first such group.
        """
        if self._mean is None:
            self._mean = _mean_of(figures)
        found = [np.empty(0)] * len(rows)
        if "character" in self._heaps:
            found = surprises(scores)
        by_symbol: Sequence[RowScore | None] = scores or [None] * len(rows)
        for row, cost, score, each in zip(rows, figures, by_symbol, found, strict=True):
            self._seen += 1
            for why in self._heaps:
                strange = each.max(initial=0.0)
                if why == "line":
                    strange = whole_line(cost.nats, cost.characters, self._mean)
                self._keep(why, _Entry(float(strange), -self._seen, row, score, each))

    def _keep(self, why: Why, entry: _Entry[Of]) -> None:
        """Keep a row if it is strange enough and no row with the same text is kept."""
        heap, kept = self._heaps[why], self._kept[why]
        spare = SPARE if why == "character" and self._corrector else 0
        full = len(heap) == self._count + spare
        if (full and entry < heap[0]) or entry.text in kept:
            return
        entry = entry._replace(surprises=entry.surprises.copy())  # without those of its block
        if full:
            kept.discard(heappushpop(heap, entry).text)
        else:
            heappush(heap, entry)
        if entry.text:
            kept.add(entry.text)

    def __iter__(self) -> Iterator[Strange[Of]]:
        """Yield rows from each list in turn, the strangest first."""
        lists = [self._ordered(why, heap) for why, heap in self._heaps.items()]
        shown: set[int] = set()
        for turn in range(max(map(len, lists))):
            for entries in lists:
                if turn == len(entries):
                    continue
                number, strange = entries[turn]
                if number not in shown and len(shown) < self._count:
                    shown.add(number)
                    yield strange

    def _ordered(self, why: Why, heap: list[_Entry[Of]]) -> list[tuple[int, Strange[Of]]]:
        """Return the rows of a list with their numbers, the strangest first."""
        entries = sorted(heap, reverse=True)
        corrections: list[Correction | None] = [None] * len(entries)
        if why == "character" and self._corrector:
            tried = [(each.score, each.surprises) for each in entries[:TRIED] if each.score]
            corrections[: len(tried)] = self._corrector.corrected(*zip(*tried, strict=True))
        found = [
            (entry.turn, Strange(entry.row, why, correction))
            for entry, correction in zip(entries, corrections, strict=True)
        ]
        found.sort(key=lambda one: -(one[1].correction.saved if one[1].correction else 0.0))
        return found[: self._count]


def _mean_of(figures: Sequence[Figures]) -> float:
    """Return the mean nats per character of rows."""
    characters = sum(each.characters for each in figures)
    return sum(each.nats for each in figures) / characters if characters else 0.0
