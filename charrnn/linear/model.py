"""The linear model: a weight per n-gram and label, and transitions between labels.

Dimensions
    k sequences with n positions in total, F kinds of n-grams, G known n-grams, C labels, T
    positions in the longest of N sequences.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.linear.ngrams import NONE, Keys, Places

Numbers = NDArray[np.int64]

AT_ONCE = 2**16
"""N-grams that are scored at once, so that their weights fit in the CPU cache."""
LONGEST = 1000
"""Positions in the longest chain: longer sequences are split."""
CELLS = 2**20
"""Elements of the largest array for a batch of padded sequences."""


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Scores labels by the n-grams that a text contains.

    Attributes
    ----------
    keys : (G,) uint64 array
        The known n-grams, in ascending order.
    weights : (G, C) float32 array
    bias : (C,) float32 array
    transitions : (C+1, C) float32 array, optional
        From each label to the next (see ``chain``), where each position has a label.
    """

    keys: Keys
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    transitions: NDArray[np.float32] | None = None

    def scores(self, places: Places) -> Array:
        """Return the scores of all labels: (n, C) for positions, or (k, C) for whole texts."""
        rows = rows_of(self.keys, places)
        table = np.vstack([self.weights, np.zeros_like(self.bias)])
        size = max(1, AT_ONCE // rows.shape[1])
        sums = [table[rows[i : i + size]].sum(axis=1) for i in range(0, len(rows), size)]
        found = np.concatenate(sums) if sums else np.zeros((0, len(self.bias)), np.float32)
        if self.transitions is not None:
            return np.asarray(found + self.bias)
        ends = np.cumsum(places.lengths)
        totals: Array = np.add.reduceat(found, ends - places.lengths) if len(ends) else found
        factors = scales(rows, places, len(self.keys))
        return np.asarray(totals * factors[:, np.newaxis] + self.bias)


def rows_of(keys: Keys, places: Places) -> NDArray[np.int32]:
    """Return the indices in ``keys`` (G,) of the n-grams at each position (n, F); G if unknown."""
    G = len(keys)
    columns = []
    for column in places.columns():
        rows = np.searchsorted(keys, column)
        known = keys[np.minimum(rows, G - 1)] == column if G else np.zeros(len(rows), bool)
        columns.append(np.where(known & (column != NONE), rows, G).astype(np.int32))
    return np.stack(columns, axis=1)


def scales(rows: NDArray[np.int32], places: Places, unknown: int) -> NDArray[np.float32]:
    """Return the factor of each text's sum (k,): 1 over the root of its known n-grams."""
    counts = np.count_nonzero(rows != unknown, axis=1)
    ends = np.concatenate([[0], np.cumsum(places.lengths)])
    totals = np.diff(np.concatenate([[0], np.cumsum(counts)])[ends])
    return np.asarray(1 / np.sqrt(np.maximum(totals, 1)), np.float32)


def cut(lengths: Numbers) -> Numbers:
    """Return the lengths of sequences, with those longer than ``LONGEST`` split into pieces."""
    if not (lengths > LONGEST).any():
        return lengths
    pieces = np.maximum(1, -(-lengths // LONGEST))
    cut_lengths = np.full(int(pieces.sum()), LONGEST, np.int64)
    cut_lengths[np.cumsum(pieces) - 1] = lengths - (pieces - 1) * LONGEST
    return cut_lengths


class Padded(NamedTuple):
    """A batch of sequences, padded to one length.

    Attributes
    ----------
    which : (N,) int array
        Their indices.
    lengths : (N,) int array
    at : (T, N) int array
        The index of each position among those of all sequences; arbitrary past the end.
    inside : (T, N) bool array
        Whether the position is within the sequence.
    """

    which: Numbers
    lengths: Numbers
    at: Numbers
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, which: Numbers, lengths: Numbers, starts: Numbers, n: int) -> "Padded":
        """Pad sequences that start at ``starts`` among n positions; none may be empty."""
        steps = np.arange(int(lengths.max()))[:, np.newaxis]
        return cls(which, lengths, np.minimum(starts + steps, n - 1), steps < lengths)


def padded(lengths: Numbers, num_labels: int) -> Iterator[Padded]:
    """Yield batches of all non-empty sequences, with similar lengths together."""
    starts, n = np.cumsum(lengths) - lengths, int(lengths.sum())
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    while len(order):
        each = max(int(lengths[order[0]]), num_labels) * num_labels  # a step holds pairs of labels
        some = order[: max(1, CELLS // each)]
        yield Padded.of(some, lengths[some], starts[some], n)
        order = order[len(some) :]
