"""Counts that are updated with the scored text, and their predictions.

Dimensions
    K kinds of context, G n-grams, V vocabulary size, B symbols in a block, E entries: the symbols
    that may follow each context at each position of a block.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.numbering import Flags, Stack

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Entries(NamedTuple):
    """The possible next symbols at the positions of a block, by kind and position.

    Attributes
    ----------
    grams, rows, cells : (E,) int arrays
        The n-gram; the kind and position, as ``kind * B + place``; the position and symbol, as
        ``place * V + symbol``.
    borders : (K + 1,) int array
        Where the entries of each kind start.
    later, earlier : (pairs,) int arrays
        An entry, and an earlier position of the block, as ``kind * B + place``, at which its n-gram
        occurs: the counts within the block.
    size : int
        B.
    """

    grams: Places
    rows: Places
    cells: Places
    borders: Places
    later: Places
    earlier: Places
    size: int

    @classmethod
    def of(cls, stack: Stack, first: int, stop: int, vocab_size: int) -> "Entries":
        """Return the entries of the scored positions from ``first`` to ``stop``."""
        contexts, size = stack.contexts[:, first:stop], stop - first
        starts = stack.starts[contexts.reshape(-1)]
        sizes = stack.starts[contexts.reshape(-1) + 1] - starts
        ends = np.cumsum(sizes)
        begins = ends - sizes
        rows = np.repeat(np.arange(len(starts)), sizes)
        grams = np.arange(len(rows)) + (starts - begins)[rows]
        cells = (np.arange(len(starts)) % size * vocab_size)[rows] + stack.symbols[grams]
        before = np.tri(size, k=-1, dtype=np.bool_)
        kind, later, earlier = np.nonzero(
            (contexts[:, :, np.newaxis] == contexts[:, np.newaxis]) & before
        )
        place = kind * size + later
        pairs = begins[place] + stack.grams[kind, first + earlier] - starts[place]
        borders = np.concatenate([[0], ends[size - 1 :: size]])
        return cls(grams, rows, cells, borders, pairs, kind * size + earlier, size)


class Shares(NamedTuple):
    """Discounted relative counts of successive kinds for a block.

    Attributes
    ----------
    first : int
        The first kind.
    shares : (E,) float array
        Per entry, the discounted count divided by the total of its context.
    left : (kinds, B) float array
        The probability left to the backoff distribution; 1 for a context without counts.
    begin : int
        The index of the first entry among those of all kinds.
    """

    first: int
    shares: Floats
    left: Floats
    begin: int

    def mixed(
        self, kind: int, entries: Entries, lower: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Return the probabilities (B, V) of a kind, given the backoff distribution."""
        left = self.left[kind - self.first].astype(np.float32)
        p: npt.NDArray[np.float32] = lower * left[:, np.newaxis]
        begin, end = entries.borders[kind : kind + 2]
        p.reshape(-1)[entries.cells[begin:end]] += self.shares[
            begin - self.begin : end - self.begin
        ]
        return p


class Growing:
    """Counts of the n-grams of successive kinds.

    Parameters
    ----------
    stack : Stack
        The kinds.
    first : int
        The first kind that is counted.
    counts : (G,) int array
        Initial counts before the scored text, for the kinds from ``first`` on.
    discounts : (kinds, 4) float array
        Discounts of counts 0, 1, 2, and 3 or more.
    counted : (kinds, m) bool array, optional
        Whether the n-gram that a scored symbol completes is counted; by default all are.
    """

    def __init__(
        self,
        stack: Stack,
        first: int,
        counts: Ids,
        discounts: Floats,
        counted: Flags | None = None,
    ) -> None:
        self._stack, self._first, self._kinds = stack, first, len(discounts)
        self._counts = counts.astype(np.int32)
        self._discounts = discounts.reshape(-1)
        self._counted = counted
        self._gram = stack.borders[first]

    def shares(self, entries: Entries, place: int) -> Shares:
        """Return the shares before each position of the block that starts at ``place``."""
        B, kinds = entries.size, slice(self._first, self._first + self._kinds)
        begin, end = entries.borders[[kinds.start, kinds.stop]]
        counts = self._counts[entries.grams[begin:end] - self._gram]
        pairs = slice(*np.searchsorted(entries.earlier, [kinds.start * B, kinds.stop * B]))
        later = entries.later[pairs] - begin
        if self._counted is not None:
            earlier = entries.earlier[pairs] - kinds.start * B
            later = later[self._counted[:, place : place + B][earlier // B, earlier % B]]
        np.add.at(counts, later, 1)
        rows = entries.rows[begin:end] - kinds.start * B
        taken = self._discounts[rows // B * 4 + np.minimum(counts, 3)]
        total = np.bincount(rows, weights=counts, minlength=self._kinds * B)
        freed = np.bincount(rows, weights=taken, minlength=self._kinds * B)
        whole = 1 / np.maximum(total, 1)
        shares = (counts - taken) * whole[rows]
        left = np.where(total > 0, freed * whole, 1).reshape(self._kinds, B)
        return Shares(kinds.start, shares, left, int(begin))

    def count(self, first: int, stop: int) -> None:
        """Count the scored symbols from ``first`` to ``stop``."""
        grams = self._stack.grams[self._first : self._first + self._kinds, first:stop]
        if self._counted is not None:
            grams = grams[self._counted[:, first:stop]]
        np.add.at(self._counts, grams.reshape(-1) - self._gram, 1)
