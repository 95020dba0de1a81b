"""Correcting typos: the single change that makes a row much more likely.

Dimensions
    k symbols in a row, n rows, V vocabulary size.

A rare name surprises a model as much as a typo, but only a typo is one change away from a likely
row. So each row is compared with the results of single changes: two adjacent symbols swapped, one
replaced, deleted or inserted. This is the noisy channel model with a single error (Kernighan,
Church & Gale 1990). The model takes the place of word counts, so no word list is needed.
``python -m tests.bench.typos`` measures it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.scoring import RowScore, RowScorer
from charrnn.text.codes import Codes

PLACES = 2
"""Number of the least likely symbols of a row around which changes are tried."""
LIKELY = 8
"""Number of the most likely symbols at a position that are tried as replacements."""
INSERTED = 4
"""Number of these that are also tried as insertions."""
RARER = 4.0
"""Nats by which an extra or missing symbol is assumed to be rarer than other kinds of typo."""
BEFORE, AFTER = 128, 64
"""Symbols before and after a position that are compared: all of a typical row."""
MOST_PROMPT = 1024
"""Symbols in a prompt, which each change is read after. A longer one has no correction."""
AT_ONCE = 64
"""Rows whose changes are scored together."""


class Correction(NamedTuple):
    """The most likely row that differs by one change.

    Attributes
    ----------
    codes : int array
        The row, without its prompt and its end.
    saved : float
        Nats by which it is more likely.
    """

    codes: Codes
    saved: float


def changed_words(before: str, after: str) -> tuple[str, str]:
    """Return the words in which two rows differ."""
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
    """A part of a row after a change; ``rarer`` is the penalty of the kind of change in nats."""

    part: Codes
    rarer: float


class Corrector:
    """Finds corrections of rows.

    Parameters
    ----------
    scorer : RowScorer
        The scorer of the rows.
    """

    def __init__(self, scorer: RowScorer) -> None:
        self._scorer = scorer

    def corrected(
        self, rows: Sequence[RowScore], surprises: Sequence[NDArray[np.float64]]
    ) -> list[Correction | None]:
        """Return the correction of each row; None if no change makes it more likely.

        Parameters
        ----------
        rows : sequence of RowScore
            The scores of the rows.
        surprises : sequence of (k,) float64 arrays
            The surprise of each symbol. Changes are tried around the largest.
        """
        found: list[Correction | None] = []
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            found += self._some(rows[some], surprises[some])
        return found

    def _some(
        self, rows: Sequence[RowScore], surprises: Sequence[NDArray[np.float64]]
    ) -> list[Correction | None]:
        """Return the corrections of some rows, scored together."""
        texts: list[Codes] = []
        owners: list[tuple[int, slice, _Change]] = []
        for number, (row, surprise) in enumerate(zip(rows, surprises, strict=True)):
            codes = self._scorer.without_end(row)
            if len(row.prompt) > MOST_PROMPT:
                continue
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
            if np.array_equal(change.part, codes[near]):  # the first change at each position
                unchanged = total
                continue
            saved = unchanged - total - change.rarer
            if saved > (old.saved if old else 0.0):
                parts = codes[: near.start], change.part, codes[near.stop :]
                best[number] = Correction(np.concatenate(parts), saved)
        return best

    def _changes(self, prompt: Codes, codes: Codes, place: int) -> Iterator[_Change]:
        """Yield a part of a row unchanged, and then with each change around a position."""
        yield _Change(codes, 0.0)
        expected = self._scorer.expected(prompt, codes[:place], LIKELY)[-2:]
        # The symbols of a row may have a smaller type than those that are tried.
        wide = codes.astype(np.result_type(codes, *expected))
        seen = {wide.tobytes()}
        for change in _changes_around(wide, place, expected):
            if len(change.part) and change.part.tobytes() not in seen:
                seen.add(change.part.tobytes())
                yield change


def _changes_around(codes: Codes, place: int, expected: Sequence[Codes]) -> Iterator[_Change]:
    """Yield changes at a position and the one before it, since a typo also surprises afterwards.

    ``expected`` holds the most likely symbols at both; the last entry is for ``place``.
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
