"""Counts of all n-grams of a text up to a length: occurrences and distinct predecessors.

Dimensions: n symbols of a text, V vocabulary size, G distinct n-grams of one length.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]

WORD = 64
"""Bits in a key, which limit the length of an n-gram."""


class Grams(NamedTuple):
    """The distinct n-grams of one length.

    Attributes
    ----------
    keys : (G,) uint64 array
        The symbols, each plus one, with the first in the highest bits; sorted in ascending order.
    occurrences : (G,) int array
    predecessors : (G,) int array
        Number of distinct symbols that precede each; the beginning of the text counts as one.
        For the longest n-grams, and for those that begin an item, the occurrences instead.
    """

    keys: Keys
    occurrences: Numbers
    predecessors: Numbers


def bits_of(vocab_size: int) -> int:
    """Return the number of bits per symbol in a key; the value 0 means no symbol."""
    return vocab_size.bit_length()


def longest_of(vocab_size: int) -> int:
    """Return the length of the longest n-grams that fit in a key."""
    return WORD // bits_of(vocab_size)


def grams_of(
    ids: Ids, vocab_size: int, longest: int, *, first: int | None = None
) -> Iterator[Grams]:
    """Yield the distinct n-grams of length 1, 2, ..., ``longest``.

    Sorting the positions of a text once, by the symbols that follow, groups equal strings of
    every length.

    Parameters
    ----------
    ids : (n,) int array
        The text, in [0, V).
    vocab_size : int
        V.
    longest : int
        At most ``longest_of(vocab_size)``.
    first : int, optional
        The symbol that ends one item and begins the next: no n-gram crosses it.
    """
    bits = bits_of(vocab_size)
    keys = _packed(ids, bits, longest)
    keys.sort()
    inside = _Inside(bits, None if first is None else first + 1)
    grams, occurrences = inside.distinct(keys, longest, 1)
    for k in range(1, longest):
        longer, more = inside.distinct(keys, longest, k + 1)
        predecessors = _predecessors(longer, bits, k)
        counts = np.zeros(len(grams), np.int64)
        counts[np.searchsorted(grams, predecessors[0])] = predecessors[1]
        if k <= len(ids):
            counts[np.flatnonzero(grams == _packed(ids[:k], bits, k)[0])] += 1
        if first is not None:
            begun = grams >> np.uint64(bits * (k - 1)) == first + 1
            counts[begun] = occurrences[begun]
        yield Grams(grams, occurrences, counts)
        grams, occurrences = longer, more
    yield Grams(grams, occurrences, occurrences)


def _packed(ids: Ids, bits: int, length: int) -> Keys:
    """Return the keys (n,) of the strings that start at each position, padded after the end."""
    symbols = np.zeros(len(ids) + length, np.uint64)
    symbols[: len(ids)] = ids
    symbols[: len(ids)] += np.uint64(1)
    keys = np.zeros(len(ids), np.uint64)
    for place in range(length):
        keys <<= np.uint64(bits)
        keys |= symbols[place : place + len(ids)]
    return keys


class _Inside(NamedTuple):
    """Selects the strings that lie within the text and within one item."""

    bits: int
    border: int | None

    def distinct(self, keys: Keys, length: int, k: int) -> tuple[Keys, Numbers]:
        """Return the n-grams of k symbols that sorted keys begin with, and their occurrences."""
        strings = keys >> np.uint64(self.bits * (length - k))
        places = np.flatnonzero(np.concatenate([[True], strings[1:] != strings[:-1]]))
        places = places[: len(strings)]
        counts = np.diff(places, append=len(strings))
        strings = strings[places]
        kept = self._symbol(strings, 0) != 0
        if self.border is not None:
            for place in range(1, k - 1):
                kept &= self._symbol(strings, place) != self.border
        return strings[kept], counts[kept]

    def _symbol(self, strings: Keys, place: int) -> Keys:
        """Return the symbol ``place`` positions before the last one."""
        symbols: Keys = (strings >> np.uint64(self.bits * place)) & np.uint64(2**self.bits - 1)
        return symbols


def _predecessors(longer: Keys, bits: int, k: int) -> tuple[Keys, Numbers]:
    """Return the n-grams of k symbols that longer ones end with, and how many do."""
    shorter = longer & np.uint64(2 ** (bits * k) - 1)
    return np.unique(shorter, return_counts=True)
