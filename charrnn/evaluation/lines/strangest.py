"""Which rows are strange: unlike the text as a whole, or with one character that is.

A typo leaves a line likely but for one character, is not repeated, and has a likely line beside it.
A line in another language is unlikely all along, and its characters need not be. No single measure
finds both, so the strangest rows are taken from two lists in turn (``python -m tests.bench.typos``
measures that).
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
"""Rows beyond those that are asked for among which typos are looked for."""
TRIED = 1000
"""Rows that are corrected at most: about 50 changes each are scored."""
SHORT = 10
"""Characters of a row that is short: below, the deviation of a single one is no measure."""


class Strange(NamedTuple, Generic[Of]):
    """A row and how it is strange, with what it should perhaps have been."""

    row: Of
    why: Why
    correction: Correction | None = None


def whole_line(nats: float, characters: int, mean: float) -> float:
    """Return how much a row costs above the mean nats per character of its text, by its length.

    The sum of what its characters cost above the mean, over the root of their number and
    ``SHORT`` more. Such a sum has a deviation of the root of its length times that of a character:
    a short row that is a little unlikely is not strange, as it is by its nats per character, and
    neither is an empty line for its end alone.
    """
    return (nats - characters * mean) / sqrt(characters + SHORT) if characters else -inf


class _Entry(NamedTuple, Generic[Of]):
    """A row by how strange it is; of equals the first seen is the larger."""

    strange: float
    turn: int
    row: Of
    score: RowScore | None
    surprises: NDArray[np.float64]

    @property
    def text(self) -> bytes:
        """The symbols of the row, where they are known."""
        return (
            b"" if self.score is None else self.score.prompt.tobytes() + self.score.codes.tobytes()
        )

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return self[:2] < other[:2]


class Strangest(Generic[Of]):
    """Keeps the strangest of any number of rows, and of equal ones the first.

    Parameters
    ----------
    count : int
        How many are kept.
    by : "both", "line" or "character"
        How they are strange.
    corrector : Corrector, optional
        For ``character``: of the rows with the most surprising characters, those come first that
        one change makes the most likely.
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
        """Look at more rows: what they cost, and for ``character`` symbol by symbol.

        Those that are given together say what their text repeats, and the first of them what its
        characters cost.
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
        """Keep a row if it is strange enough, and none with the same text is kept."""
        heap, kept = self._heaps[why], self._kept[why]
        spare = SPARE if why == "character" and self._corrector else 0
        full = len(heap) == self._count + spare
        if (full and entry < heap[0]) or entry.text in kept:
            return
        if full:
            kept.discard(heappushpop(heap, entry).text)
        else:
            heappush(heap, entry)
        if entry.text:
            kept.add(entry.text)

    def __iter__(self) -> Iterator[Strange[Of]]:
        """Yield the strangest first, from each list in turn."""
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
        """Return the rows of a list, with the number of each, the strangest first."""
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
    """Return the nats per character of rows."""
    characters = sum(each.characters for each in figures)
    return sum(each.nats for each in figures) / characters if characters else 0.0
