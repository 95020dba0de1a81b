"""The strings in texts, as keys: of a few tokens, and where they stand.

A key is a hash of 64 bits of a string and of its kind, so strings need no table to be numbered by:
among a million keys the chance that any two are equal is one to 30 million.

Dimensions: k sequences, n places of all of them, F kinds of strings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Tokens = Sequence[str]
"""The tokens of a sentence, or the characters of a text: a str is a sequence of them."""

LONGEST = 4
"""Characters of the longest strings of a text that is labelled as a whole."""
LONGEST_AROUND = 3
"""Tokens of the longest strings around a place."""
WIDTH = 2
"""Tokens before and after a place that its strings may reach to."""
AFFIX = 3
"""Characters of the longest prefix and suffix of a word."""
NONE = np.uint64(0)
"""The key where there is no string."""
BORDER = 0
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Places:
    """The places of some sequences, with the strings at each.

    Attributes
    ----------
    lengths : (k,) int array
        The places of each sequence.
    codes : (m,) uint64 array
        The tokens of all sequences as numbers, with borders between them.
    at : (n,) int array
        Where each place stands in ``codes``.
    kinds : tuple of (int, int)
        Where the strings of each kind begin, beside their place, and how many tokens they have.
    room : (n,) int array, optional
        The tokens from each place to the end of its sequence, where no string may be longer.
    affixes : tuple of (n,) uint64 arrays
        Codes of the beginnings and ends of the word at each place.
    """

    lengths: Numbers
    codes: Keys
    at: Numbers
    kinds: tuple[tuple[int, int], ...]
    room: Numbers | None = None
    affixes: tuple[Keys, ...] = ()

    def columns(self) -> Iterator[Keys]:
        """Yield for each kind the keys (n,) of the strings at all places."""
        for number, (first, length) in enumerate(self.kinds):
            keys = _begun(number, len(self.at))
            for place in range(first, first + length):
                # Borders are as many as a string may reach over, but not behind the very last one.
                keys = _with(keys, self.codes[np.minimum(self.at + place, len(self.codes) - 1)])
            if self.room is not None:
                keys[self.room < length] = NONE
            yield keys
        for number, affix in enumerate(self.affixes, len(self.kinds)):
            yield _with(_begun(number, len(affix)), affix)


def windows(sequences: Sequence[Tokens]) -> Places:
    """Return the places of the tokens, each with the strings around it.

    These have one to ``LONGEST_AROUND`` tokens and reach over ``WIDTH`` tokens on either side.
    Where tokens are words, there are also the first and the last characters of the word itself.
    """
    lengths = np.array([len(tokens) for tokens in sequences], np.int64)
    tokens = list(chain.from_iterable(sequences))
    at = np.arange(len(tokens)) + np.repeat(WIDTH * (2 * np.arange(len(lengths)) + 1), lengths)
    codes = np.full(len(tokens) + 2 * WIDTH * len(lengths), BORDER, np.uint64)
    codes[at] = _codes(tokens)
    kinds = tuple(
        (first, length)
        for length in range(1, LONGEST_AROUND + 1)
        for first in range(-WIDTH, WIDTH - length + 2)
    )
    affixes: tuple[Keys, ...] = ()
    if any(len(token) != 1 for token in tokens):
        sizes = range(1, AFFIX + 1)
        parts = [*([t[:size] for t in tokens] for size in sizes)]
        parts += [*([t[-size:] for t in tokens] for size in sizes)]
        affixes = tuple(map(_codes, parts))
    return Places(lengths, codes, at, kinds, affixes=affixes)


def bags(texts: Sequence[str]) -> Places:
    """Return the places of texts and of a border before and after each, with what begins there.

    The strings have one to ``LONGEST`` characters and do not leave their text.
    """
    lengths = np.array([len(text) + 2 for text in texts], np.int64)
    ends = np.cumsum(lengths)
    codes = np.full(int(lengths.sum()), BORDER, np.uint64)
    inside = np.ones(len(codes), bool)
    inside[ends - 1] = inside[ends - lengths] = False
    codes[inside] = _codes("".join(texts))
    room = np.repeat(ends, lengths) - np.arange(len(codes))
    kinds = tuple((0, length) for length in range(1, LONGEST + 1))
    return Places(lengths, codes, np.arange(len(codes)), kinds, room)


def _codes(tokens: Tokens) -> Keys:
    """Return a number above ``BORDER`` for each token: of one character, its code point."""
    numbers = {token: _code(token) for token in set(tokens)}
    return np.fromiter((numbers[token] for token in tokens), np.uint64, len(tokens))


def _code(token: str) -> int:
    if len(token) == 1:
        return ord(token) + 1
    digest = blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 2**63


def _begun(kind: int, count: int) -> Keys:
    """Return keys (n,) from which no two kinds of strings come to the same ones."""
    return _with(np.zeros(count, np.uint64), np.full(count, kind + 1, np.uint64))


def _with(keys: Keys, codes: Keys) -> Keys:
    """Return the keys of strings that are longer by a token."""
    keys = (keys + codes) * FACTOR
    keys ^= keys >> np.uint64(29)
    return keys
