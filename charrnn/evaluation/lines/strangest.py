"""Which rows are strange: unlike the text as a whole, or with one character that is.

A typo leaves a line likely but for one character, and is not repeated. A line in another language
is unlikely all along, and its characters need not be. No single measure finds both, so the
strangest rows are taken from two lists in turn (``python -m tests.bench.typos`` measures that).
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
"""Characters of a row that is short: below, the deviation of a single one is no measure."""


class Strange(NamedTuple, Generic[Of]):
    """A row and how it is strange."""

    row: Of
    why: Why


def whole_line(nats: float, characters: int, mean: float) -> float:
    """Return how much a row costs above the mean nats per character of its text, by its length.

    The sum of what its characters cost above the mean, over the root of their number and
    ``SHORT`` more. Such a sum has a deviation of the root of its length times that of a character:
    a short row that is a little unlikely is not strange, as it is by its nats per character, and
    neither is an empty line for its end alone.
    """
    return (nats - characters * mean) / sqrt(characters + SHORT) if characters else -inf


class Strangest(Generic[Of]):
    """Keeps the strangest of any number of rows.

    Parameters
    ----------
    count : int
        How many are kept.
    by : "both", "line" or "character"
        How they are strange.
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
        """Look at more rows: what they cost, and for ``character`` symbol by symbol.

        Those that are given together say what their text repeats, and the first of them what its
        characters cost.
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
                entry = (strange, -self._seen, row)  # the first of equals stays
                if len(heap) < self._count:
                    heappush(heap, entry)
                elif entry[:2] > heap[0][:2]:
                    heappushpop(heap, entry)

    def __iter__(self) -> Iterator[Strange[Of]]:
        """Yield the strangest first, from each list in turn."""
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
    """Return the nats per character of rows."""
    characters = sum(each.characters for each in figures)
    return sum(each.nats for each in figures) / characters if characters else 0.0
