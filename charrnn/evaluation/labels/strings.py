"""Strings of characters, numbered over all texts and counted under the labels of their texts.

Only pairs of string and label that occur take memory and lookup time: most long strings occur under
few labels.

Dimensions: n positions of all texts, concatenated, G distinct strings of one length, Q distinct
pairs of string and label, C labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

END = 0
"""The code of the border before and after each text."""


@dataclass(frozen=True)
class Codes:
    """Numbers for the characters in training, with two more for the border and new characters."""

    index: dict[str, int]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]]) -> "Codes":
        """Number the characters, or tokens, of texts."""
        return cls({c: place for place, c in enumerate(sorted(set().union(*texts)), END + 1)})

    @property
    def count(self) -> int:
        """The number of distinct codes."""
        return len(self.index) + 2

    def encode(self, texts: Sequence[Sequence[str]], before: int, after: int) -> Numbers:
        """Return the codes (n,) of texts, with the given numbers of borders around each."""
        new = len(self.index) + 1
        first, last = [END] * before, [END] * after
        places = ((*first, *(self.index.get(c, new) for c in text), *last) for text in texts)
        size = sum(map(len, texts)) + (before + after) * len(texts)
        return np.fromiter(chain.from_iterable(places), np.int64, size)


class Pairs(NamedTuple):
    """Strings of one length, paired with the labels under which they occur.

    Attributes
    ----------
    starts : (G+1,) int array
        The pairs of string g are ``starts[g]`` to ``starts[g + 1] - 1``.
    labels, counts : (Q,) int arrays
        The label of each pair, and the occurrences of the string under it.
    at : (n,) int array
        The pair at each position.
    """

    starts: Numbers
    labels: Numbers
    counts: Numbers
    at: Numbers

    @classmethod
    def of(cls, strings: Numbers, labels: Numbers, kinds: int, num_labels: int) -> "Pairs":
        """Count strings (n,), each below ``kinds``, under their labels (n,)."""
        keys = strings * num_labels + labels
        keys, at, counts = np.unique(keys, return_inverse=True, return_counts=True)
        owners, names = np.divmod(keys, num_labels)
        return cls(np.searchsorted(owners, np.arange(kinds + 1)), names, counts, at)

    def of_strings(self, strings: Numbers) -> tuple[Numbers, Numbers]:
        """List the pairs of some strings.

        Parameters
        ----------
        strings : (m,) int array
            Numbers of strings.

        Returns
        -------
        which : (E,) int array
            Positions in ``strings``, each repeated for its pairs.
        pairs : (E,) int array
        """
        first, sizes = self.starts[strings], np.diff(self.starts)[strings]
        which = np.repeat(np.arange(len(strings)), sizes)
        skipped = np.cumsum(sizes) - sizes
        return which, np.arange(len(which)) + (first - skipped)[which]


def longer(strings: Numbers, symbols: Numbers, num_codes: int) -> Numbers:
    """Number the strings extended by the symbol after each; (n,) gives (n-1,).

    Parameters
    ----------
    strings : (n,) int array
        Numbers of the strings that start at each position of a text except the last few.
    symbols : (n-1,) int array
        The symbols that follow them.
    num_codes : int
        The number of distinct symbols.
    """
    keys = strings[: len(symbols)] * num_codes + symbols
    numbers: Numbers = np.unique(keys, return_inverse=True)[1]
    return numbers


def count_kinds(strings: Numbers) -> int:
    """Return the number of distinct strings."""
    return int(strings.max(initial=-1)) + 1
