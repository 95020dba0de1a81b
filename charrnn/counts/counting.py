"""All strings of a text up to a length, with how often each occurs and what precedes it.

Dimensions: n symbols of a text, V vocabulary size, G distinct strings (grams) of one length.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]

WORD = 64
"""Bits of a key: a gram has as many symbols as find room in it."""


class Grams(NamedTuple):
    """The distinct grams of one length.

    Attributes
    ----------
    keys : (G,) uint64 array
        In ascending order: the symbols, each plus one, the first one in the highest bits.
    occurrences : (G,) int array
    predecessors : (G,) int array
        How many different symbols stand before each in the text; the beginning of the text is one
        of them. Of the longest grams and of those that begin an item: the occurrences.
    """

    keys: Keys
    occurrences: Numbers
    predecessors: Numbers


def bits_of(vocab_size: int) -> int:
    """Return how many bits a symbol takes in a key; 0 stands for none."""
    return vocab_size.bit_length()


def longest_of(vocab_size: int) -> int:
    """Return the length of the longest grams that can be counted."""
    return WORD // bits_of(vocab_size)


def grams_of(
    ids: Ids, vocab_size: int, longest: int, *, first: int | None = None
) -> Iterator[Grams]:
    """Yield the distinct grams of 1, then 2, ..., then ``longest`` symbols.

    One sort of the places of a text, by the symbols from there on, brings all equal strings of
    every length together.

    Parameters
    ----------
    ids : (n,) int array
        The text, in [0, V).
    vocab_size : int
        V.
    longest : int
        At most ``longest_of(vocab_size)``.
    first : int, optional
        The symbol that ends an item and begins the next one: no gram reaches over it.
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
    """Return the keys (n,) of the strings from each place on; behind the end there is nothing."""
    symbols = np.zeros(len(ids) + length, np.uint64)
    symbols[: len(ids)] = ids
    symbols[: len(ids)] += np.uint64(1)
    keys = np.zeros(len(ids), np.uint64)
    for place in range(length):
        keys <<= np.uint64(bits)
        keys |= symbols[place : place + len(ids)]
    return keys


class _Inside(NamedTuple):
    """Tells which strings are grams: those that are inside the text, and inside an item."""

    bits: int
    border: int | None

    def distinct(self, keys: Keys, length: int, k: int) -> tuple[Keys, Numbers]:
        """Return the grams of k symbols that sorted keys begin with, and how often each occurs."""
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
        """Return the symbol that stands so many places before the last one."""
        symbols: Keys = (strings >> np.uint64(self.bits * place)) & np.uint64(2**self.bits - 1)
        return symbols


def _predecessors(longer: Keys, bits: int, k: int) -> tuple[Keys, Numbers]:
    """Return the grams of k symbols that longer ones end with, and how many of these there are."""
    shorter = longer & np.uint64(2 ** (bits * k) - 1)
    return np.unique(shorter, return_counts=True)
