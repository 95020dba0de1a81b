"""Precision, recall and F1 of predictions, and confidence intervals of shares.

Dimensions: n labels, or tags of all sentences, concatenated.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QUANTILE = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""

Numbers = NDArray[np.int64]


class Matches(NamedTuple):
    """Numbers of things in the reference, of predicted things, and of correct ones."""

    gold: int
    predicted: int
    right: int

    @property
    def precision(self) -> float:
        """The share of predictions that are correct; 0 without predictions."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of the reference that was predicted; 0 if that is empty."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 if nothing is correct."""
        return 2 * self.right / (self.gold + self.predicted) if self.right else 0.0

    def to_json(self) -> dict[str, float]:
        """Return all of it as JSON types."""
        ratios = {name: getattr(self, name) for name in ("precision", "recall", "f1")}
        return {**self._asdict(), **ratios}


class Spans(NamedTuple):
    """Non-overlapping spans of a sequence, in order.

    Attributes
    ----------
    starts, ends : (S,) int arrays
        Span s has the positions ``starts[s]`` to ``ends[s] - 1``.
    kinds : (S,) int array
    """

    starts: Numbers
    ends: Numbers
    kinds: Numbers

    def found_in(self, others: "Spans") -> NDArray[np.bool_]:
        """Return whether each span (S,) is among the others, with the same type."""
        place = np.searchsorted(others.starts, self.starts)
        inside = place < len(others.starts)
        found = np.zeros(len(self.starts), bool)
        same = [mine[inside] == its[place[inside]] for mine, its in zip(self, others, strict=True)]
        found[inside] = np.logical_and.reduce(same)
        return found


def wilson_bounds(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share.

    It lies within [0, 1] and is valid for small counts too.

    Parameters
    ----------
    right, count : int
        The number of correct ones, and the total; the interval for a total of 0 is (0, 1).

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22, 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, z2 = right / count, QUANTILE**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = wilson(right, count)
    # The ends at 0 and 1 are exact; rounding would leave 99.9 % where all are right.
    return (middle - half if right else 0.0), (middle + half if right < count else 1.0)


def wilson(right: int, count: int) -> float:
    """Return the half-width of ``wilson_bounds``, shown after the sign ±."""
    if count == 0:
        return 0.5
    share, z2 = right / count, QUANTILE**2
    spread = share * (1 - share) / count + z2 / (4 * count**2)
    return QUANTILE * sqrt(spread) / (1 + z2 / count)


def number(index: dict[str, int], labels: Iterable[str], count: int) -> Numbers:
    """Return the indices (n,) of ``count`` labels."""
    return np.fromiter(map(index.__getitem__, labels), np.int64, count)


def flatten(index: dict[str, int], sequences: Sequence[Sequence[str]]) -> Numbers:
    """Return the indices (n,) of the labels of all sequences, concatenated."""
    return number(index, chain.from_iterable(sequences), sum(map(len, sequences)))


def check_lengths(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    """Reject predictions whose lengths differ from the reference.

    Raises
    ------
    ValueError
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted):,} predicted sequences for {len(gold):,} correct ones")
    for place, (right, found) in enumerate(zip(gold, predicted, strict=True)):
        if len(right) != len(found):
            raise ValueError(f"sequence {place}: {len(found)} labels for {len(right)} positions")
