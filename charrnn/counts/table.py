"""A compact n-gram table that gives the probability of each symbol after a context.

It is an interpolated modified Kneser-Ney model (Chen & Goodman 1998, section 3) stored as a tree. A
node is a string of the training text; its children extend the string by one symbol. With context
h, its suffix h' without the first symbol, and counts c::

    p(x | h) = a(hx) + g(h) p(x | h')      a(hx) = (c(hx) - D[c(hx)]) / c(h.)
    g(h) = 1 - (sum over y of a(hy))

The probabilities sum to 1 whichever n-grams are pruned and however coarsely a is quantized.

Dimensions: V vocabulary size, K levels (the longest n-grams have K symbols), G n-grams in all
levels, T steps of a window, N streams.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids

STEPS = 2048.0
"""a is stored as a negative base-2 logarithm, in units of 1 / ``STEPS``."""
VALUES = np.exp2(np.arange(2**16) * (-1 / STEPS))
"""a for each stored value."""
NONE = -1
"""Stands for the node of a string that is not in the table."""

Floats = NDArray[np.float64]
Nodes = NDArray[np.int64]


def symbol_type(vocab_size: int) -> np.dtype[Any]:
    """Return the smallest integer type that holds V, used for symbols and numbers of children."""
    types = (np.uint8, np.uint16, np.uint32)
    return np.dtype(next(kind for kind in types if vocab_size <= np.iinfo(kind).max))


def sums_of_shares(shares: NDArray[np.uint16], firsts: Nodes) -> Floats:
    """Return the sum of a over each run of n-grams, given where the runs begin."""
    sums: Floats = np.add.reduceat(VALUES[shares], firsts)
    return sums


class CountTable:
    """The n-gram model of a text.

    Parameters
    ----------
    vocab_size : int
        V.
    sizes : sequence of K ints
        The number of n-grams in each level, G in total.
    symbols : (G,) array of ``symbol_type``
        The last symbol of each n-gram, level by level. Within a level, n-grams with the same
        context are adjacent, ordered as the contexts are in their own level, then by symbol.
    shares : (G,) uint16 array
        a of each n-gram is ``2 ** (-share / STEPS)``.
    children : (G - sizes[-1],) array of ``symbol_type``
        The number of n-grams that extend each one, for all levels but the last.
    """

    def __init__(
        self,
        vocab_size: int,
        sizes: Sequence[int],
        symbols: NDArray[Any],
        shares: NDArray[np.uint16],
        children: NDArray[Any],
    ) -> None:
        self.vocab_size, self.sizes = vocab_size, tuple(sizes)
        self.symbols, self.shares, self.children = symbols, shares, children

    @cached_property
    def _levels(self) -> list["_Level"]:
        """The levels with lookup indexes: several times the memory, so built on first use."""
        levels = []
        borders = np.array([0, self.sizes[0]], np.int64)
        at = 0
        for size in self.sizes:
            some = slice(at, at + size)
            symbols, shares = self.symbols[some], self.shares[some]
            levels.append(_Level(borders, symbols, shares, self.vocab_size))
            borders = np.concatenate([[0], np.cumsum(self.children[some], dtype=np.int64)])
            at += size
        return levels

    def prepare(self) -> None:
        """Build the lookup indexes, so that processes forked from now on share them."""
        _ = self._levels

    @property
    def context(self) -> int:
        """K - 1, the length of the longest context."""
        return len(self.sizes) - 1

    @property
    def num_bytes(self) -> int:
        """Its size in a file."""
        return self.symbols.nbytes + self.shares.nbytes + self.children.nbytes

    def contexts(self, ids: Ids) -> list[Nodes]:
        """Return the contexts that end at each step of a text, as nodes.

        Parameters
        ----------
        ids : (T, N) int array
            The symbols of N streams; negative where there is none, as before the start of a text.

        Returns
        -------
        list of K int arrays (T, N)
            The nodes of the last 0, 1, ..., K - 1 symbols; ``NONE`` where the string is not in the
            table.
        """
        found = [np.zeros(ids.shape, np.int64)]
        for level in self._levels[:-1]:
            before = np.full(ids.shape, NONE, np.int64)
            before[1:] = found[-1][:-1]
            before[:1] = 0 if len(found) == 1 else NONE
            found.append(level.child(before, ids))
        return found

    def probabilities(self, contexts: Sequence[Nodes], targets: Ids) -> tuple[Floats, Floats]:
        """Return the probability of each target after its context, and the backoff weight.

        Parameters
        ----------
        contexts : sequence of K int arrays
            From ``contexts``.
        targets : int array
            Of the same shape.

        Returns
        -------
        probabilities : float64 array
        left : float64 array
            g of the longest context that has children, in (0, 1]: the larger, the less certain.
        """
        p, unsure = np.full(targets.shape, 1 / self.vocab_size), np.ones(targets.shape)
        for level, nodes in zip(self._levels, contexts, strict=True):
            left = level.left[nodes]
            p = level.share(nodes, targets) + left * p
            unsure = np.where(left < 1, left, unsure)
        return p, unsure

    def rows(self, contexts: Sequence[Nodes]) -> tuple[Floats, Floats]:
        """Return the probabilities (V, N) of all symbols after N contexts, and their g (N,)."""
        N = len(contexts[0])
        p, unsure = np.full((self.vocab_size, N), 1 / self.vocab_size), np.ones(N)
        for level, nodes in zip(self._levels, contexts, strict=True):
            left = level.left[nodes]
            p *= left
            level.add_shares(p, nodes)
            unsure = np.where(left < 1, left, unsure)
        return p, unsure


class _Level:
    """The n-grams of one length.

    Parameters
    ----------
    borders : (nodes + 1,) int array
        Where the n-grams of each context begin, and where the last ones end.
    symbols, shares
        This level's part of the table's arrays.
    """

    def __init__(
        self, borders: Nodes, symbols: NDArray[Any], shares: NDArray[np.uint16], vocab_size: int
    ) -> None:
        self._borders, self._symbols, self._shares = borders, symbols, shares
        self._vocab_size = vocab_size
        counts = np.diff(borders)
        self._keys = np.repeat(np.arange(len(counts)), counts) * vocab_size + symbols
        self.left: Floats = np.ones(len(counts) + 1)  # the last entry is for NONE
        """g of each context."""
        if len(shares):
            some = np.flatnonzero(counts)
            self.left[some] -= sums_of_shares(shares, borders[some])

    def child(self, nodes: Nodes, symbols: Ids) -> Nodes:
        """Return the n-gram that extends each node by a symbol, or ``NONE``."""
        if not len(self._keys):
            return np.full(nodes.shape, NONE, np.int64)
        keys = nodes * self._vocab_size + symbols
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        is_there = (self._keys[place] == keys) & (nodes != NONE) & (symbols >= 0)
        return np.where(is_there, place, NONE)

    def share(self, nodes: Nodes, symbols: Ids) -> Floats:
        """Return a of each node extended by a symbol; 0 where the table has no such n-gram."""
        if not len(self._shares):
            return np.zeros(nodes.shape)
        children = self.child(nodes, symbols)
        return np.where(children == NONE, 0.0, VALUES[self._shares[children]])

    def add_shares(self, p: Floats, nodes: Nodes) -> None:
        """Add to p (V, N) a of the symbols that follow each node (N,)."""
        known = np.flatnonzero(nodes != NONE)
        starts = self._borders[nodes[known]]
        counts = self._borders[nodes[known] + 1] - starts
        columns = np.repeat(known, counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(starts, counts) + np.arange(len(columns)) - before
        p[self._symbols[places], columns] += VALUES[self._shares[places]]
