"""The strangest rows of a text, as a whole or by a single character.

A typo makes a single character of a line unlikely, and is not repeated. A line in another language
is unlikely as a whole, although no single character may be. No single measure finds both, so the
strangest rows are taken from two lists in turn (measured by ``python -m tests.bench.typos``).
"""

from collections.abc import Iterator, Sequence
from heapq import heappush, heappushpop
from math import inf, sqrt
from typing import Generic, Literal, NamedTuple, TypeVar

from charrnn.evaluation.lines.models import Figures
from charrnn.evaluation.lines.repeats import largest
from charrnn.evaluation.lines.scoring import RowScore

By = Literal["both", "line", "character"]
Why = Literal["line", "character"]
Of = TypeVar("Of")

SHORT = 10
"""Length below which the deviation of a row's mean is too noisy to compare."""


class Strange(NamedTuple, Generic[Of]):
    """A row and why it is strange."""

    row: Of
    why: Why


def whole_line(nats: float, characters: int, mean: float) -> float:
    """Return how far the nats of a row exceed the mean of its text, scaled by the row's length.

    The sum of its characters' nats above the mean is divided by the root of their number plus
    ``SHORT``, since the standard deviation of such a sum grows with the root of its length. By nats
    per character, short rows that are slightly unlikely would rank too high, and so would empty
    lines because of their end alone.
    """
    return (nats - characters * mean) / sqrt(characters + SHORT) if characters else -inf


class Strangest(Generic[Of]):
    """Keeps the strangest rows of a stream.

    Parameters
    ----------
    count : int
        Number of rows to keep.
    by : "both", "line" or "character"
        The measure.
    """

    def __init__(self, count: int, by: By = "both") -> None:
        self._count = count
        kinds: tuple[Why, ...] = ("character", "line") if by == "both" else (by,)
        self._heaps: dict[Why, list[tuple[float, int, Of]]] = {kind: [] for kind in kinds}
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
        surprises = [0.0] * len(rows)
        if "character" in self._heaps:
            surprises = largest(scores).tolist()
        for row, cost, surprise in zip(rows, figures, surprises, strict=True):
            self._seen += 1
            for why, heap in self._heaps.items():
                strange = surprise
                if why == "line":
                    strange = whole_line(cost.nats, cost.characters, self._mean)
                entry = (strange, -self._seen, row)  # of equal rows the first is kept
                if len(heap) < self._count:
                    heappush(heap, entry)
                elif entry[:2] > heap[0][:2]:
                    heappushpop(heap, entry)

    def __iter__(self) -> Iterator[Strange[Of]]:
        """Yield rows from each list in turn, the strangest first."""
        lists = [
            [(why, entry) for entry in sorted(heap, reverse=True)]
            for why, heap in self._heaps.items()
        ]
        shown: set[int] = set()
        for turn in range(max(map(len, lists))):
            for entries in lists:
                why, (_, number, row) = entries[turn]
                if number not in shown and len(shown) < self._count:
                    shown.add(number)
                    yield Strange(row, why)


def _mean_of(figures: Sequence[Figures]) -> float:
    """Return the mean nats per character of rows."""
    characters = sum(each.characters for each in figures)
    return sum(each.nats for each in figures) / characters if characters else 0.0
