"""Typos: the one change to a row after which it is far more likely.

Dimensions
    k symbols of a row, n rows, V vocabulary size.

A rare name surprises a model as much as a typo does, but only a typo has a likely row beside it.
So a row is compared with those that one change gives: two neighboring symbols swapped, one
replaced, removed or inserted. This is the noisy channel with a single error (Kernighan, Church &
Gale 1990). The model stands in for word counts, so no word list is needed.
``python -m tests.bench.typos`` measures it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.scoring import RowScore, RowScorer
from charrnn.text.codes import Codes

PLACES = 2
"""The least likely symbols of a row around which changes are tried."""
LIKELY = 8
"""The symbols that the model expects at a place, which may stand in the place of another."""
INSERTED = 4
"""Those that may be inserted."""
RARER = 4.0
"""Nats by which a symbol too many or missing is taken to be rarer than another kind of typo."""
BEFORE, AFTER = 128, 64
"""Symbols around a place that are compared: all of a usual row."""
AT_ONCE = 64
"""Rows whose changes are scored together."""


class Correction(NamedTuple):
    """The likeliest row that differs by one change.

    Attributes
    ----------
    codes : int array
        The row, without its prompt and its end.
    saved : float
        Nats that it costs less.
    """

    codes: Codes
    saved: float


def changed_words(before: str, after: str) -> tuple[str, str]:
    """Return the words of two rows between which they differ."""
    first = next(
        (place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    behind = 0
    while behind < min(len(before), len(after)) - first and before[~behind] == after[~behind]:
        behind += 1
    while first and not before[first - 1].isspace():
        first -= 1
    while behind and not before[len(before) - behind].isspace():
        behind -= 1
    return before[first : len(before) - behind], after[first : len(after) - behind]


class _Change(NamedTuple):
    """A part of a row, changed; ``rarer`` are the nats that this kind of change costs."""

    part: Codes
    rarer: float


class Corrector:
    """Finds corrections of rows.

    Parameters
    ----------
    scorer : RowScorer
        That scored the rows.
    """

    def __init__(self, scorer: RowScorer) -> None:
        self._scorer = scorer

    def corrected(
        self, rows: Sequence[RowScore], surprises: Sequence[NDArray[np.float64]]
    ) -> list[Correction | None]:
        """Return the correction of each row; None where no change makes it likelier.

        Parameters
        ----------
        rows : sequence of RowScore
            What the scorer returned for them.
        surprises : sequence of (k,) float64 arrays
            How unlikely each symbol of each row is. Changes are tried around the largest.
        """
        found: list[Correction | None] = []
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            found += self._some(rows[some], surprises[some])
        return found

    def _some(
        self, rows: Sequence[RowScore], surprises: Sequence[NDArray[np.float64]]
    ) -> list[Correction | None]:
        """Return the same, all scored together."""
        texts: list[Codes] = []
        owners: list[tuple[int, slice, _Change]] = []
        for number, (row, surprise) in enumerate(zip(rows, surprises, strict=True)):
            codes = self._scorer.without_end(row)
            for place in np.argsort(-surprise, kind="stable")[:PLACES].tolist():
                near = slice(max(0, place - BEFORE), place + AFTER)
                for change in self._changes(row.prompt, codes[near], place - near.start):
                    texts.append(np.concatenate([row.prompt, change.part]))
                    owners.append((number, near, change))
        totals = self._scorer.score(texts).total if texts else np.empty(0)
        best: list[Correction | None] = [None] * len(rows)
        unchanged = 0.0
        for (number, near, change), total in zip(owners, totals.tolist(), strict=True):
            codes, old = self._scorer.without_end(rows[number]), best[number]
            if np.array_equal(change.part, codes[near]):  # comes first of each place
                unchanged = total
                continue
            saved = unchanged - total - change.rarer
            if saved > (old.saved if old else 0.0):
                parts = codes[: near.start], change.part, codes[near.stop :]
                best[number] = Correction(np.concatenate(parts), saved)
        return best

    def _changes(self, prompt: Codes, codes: Codes, place: int) -> Iterator[_Change]:
        """Yield a part of a row unchanged, and then with each change around a place."""
        yield _Change(codes, 0.0)
        expected = self._scorer.expected(prompt, codes[:place], LIKELY)[-2:]
        seen = {codes.tobytes()}
        for change in _changes_around(codes, place, expected):
            if len(change.part) and change.part.tobytes() not in seen:
                seen.add(change.part.tobytes())
                yield change


def _changes_around(codes: Codes, place: int, expected: Sequence[Codes]) -> Iterator[_Change]:
    """Yield changes at a place and at the one before it, where a typo surprises next.

    ``expected`` are the likeliest symbols at these two, the last of them at ``place``.
    """
    for at, likely in zip(range(place, -1, -1), reversed(expected), strict=False):
        if at + 1 < len(codes):
            yield _Change(
                np.concatenate([codes[:at], codes[at : at + 2][::-1], codes[at + 2 :]]), 0
            )
        if at < len(codes):
            for symbol in likely:
                changed = codes.copy()
                changed[at] = symbol
                yield _Change(changed, 0)
            yield _Change(np.delete(codes, at), RARER)
    for symbol in expected[-1][:INSERTED]:
        yield _Change(np.insert(codes, place, symbol), RARER)
