"""N-grams of tokens as hashed features, each with its position.

A key is a 64-bit hash of an n-gram and its kind, so no table of n-grams is needed: among a million
keys the chance of any collision is 1 in 30 million.

Dimensions: k sequences with n positions in total, F kinds of n-grams.
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
"""The tokens of a sentence, or the characters of a text as a str."""

LONGEST, LONGEST_OF_LONG, LONG = 4, 6, 64
"""Characters in the longest n-grams where a text is labelled as a whole: usually, and where texts
have at least ``LONG`` characters on average. Only in long texts do n-grams as long as words pay."""
LONGEST_AROUND = 3
"""Tokens in the longest n-grams around a position."""
WIDTH = 2
"""Tokens before and after a position that its n-grams may include."""
AFFIX = 3
"""Characters in the longest prefix and suffix of a word."""
NONE = np.uint64(0)
"""The key where there is no n-gram."""
BORDER = 0
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Places:
    """The positions of some sequences, with the n-grams at each.

    Attributes
    ----------
    lengths : (k,) int array
        The number of positions in each sequence.
    codes : (m,) uint64 array
        The tokens of all sequences as numbers, with borders in between.
    at : (n,) int array
        The index of each position in ``codes``.
    kinds : tuple of (int, int)
        For each kind, the offset of the first token from the position, and the number of tokens.
    room : (n,) int array, optional
        The tokens from each position to the end of its sequence, if n-grams must not go past it.
    affixes : tuple of (n,) uint64 arrays
        Codes of the prefixes and suffixes of the word at each position.
    """

    lengths: Numbers
    codes: Keys
    at: Numbers
    kinds: tuple[tuple[int, int], ...]
    room: Numbers | None = None
    affixes: tuple[Keys, ...] = ()

    def columns(self) -> Iterator[Keys]:
        """Yield for each kind the keys (n,) of the n-grams at all positions."""
        for number, (first, length) in enumerate(self.kinds):
            keys = _begun(number, len(self.at))
            for place in range(first, first + length):
                # There are enough borders for every n-gram, except after the last sequence.
                keys = _with(keys, self.codes[np.minimum(self.at + place, len(self.codes) - 1)])
            if self.room is not None:
                keys[self.room < length] = NONE
            yield keys
        for number, affix in enumerate(self.affixes, len(self.kinds)):
            yield _with(_begun(number, len(affix)), affix)


def windows(sequences: Sequence[Tokens]) -> Places:
    """Return the positions of the tokens, each with the n-grams around it.

    N-grams have up to ``LONGEST_AROUND`` tokens, within ``WIDTH`` tokens on either side. Where
    tokens are words, the prefixes and suffixes of the word itself are added.
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


def longest_of(texts: Sequence[str]) -> int:
    """Return the length of the longest n-grams that pay for texts like these."""
    return LONGEST_OF_LONG if sum(map(len, texts)) >= LONG * max(1, len(texts)) else LONGEST


def bags(texts: Sequence[str], longest: int = LONGEST_OF_LONG) -> Places:
    """Return the positions of texts, with a border on either side, and the n-grams starting there.

    The n-grams have up to ``longest`` characters and stay within their text. Unknown ones change no
    score, so the default suits every model, also one that was trained with shorter n-grams.
    """
    lengths = np.array([len(text) + 2 for text in texts], np.int64)
    ends = np.cumsum(lengths)
    codes = np.full(int(lengths.sum()), BORDER, np.uint64)
    inside = np.ones(len(codes), bool)
    inside[ends - 1] = inside[ends - lengths] = False
    codes[inside] = _codes("".join(texts))
    room = np.repeat(ends, lengths) - np.arange(len(codes))
    kinds = tuple((0, length) for length in range(1, longest + 1))
    return Places(lengths, codes, np.arange(len(codes)), kinds, room)


def _codes(tokens: Tokens) -> Keys:
    """Return a number above ``BORDER`` for each token; single characters map to code points."""
    numbers = {token: _code(token) for token in set(tokens)}
    return np.fromiter((numbers[token] for token in tokens), np.uint64, len(tokens))


def _code(token: str) -> int:
    if len(token) == 1:
        return ord(token) + 1
    digest = blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 2**63


def _begun(kind: int, count: int) -> Keys:
    """Return initial keys (n,) that differ between kinds of n-grams."""
    return _with(np.zeros(count, np.uint64), np.full(count, kind + 1, np.uint64))


def _with(keys: Keys, codes: Keys) -> Keys:
    """Return the keys of n-grams extended by one token."""
    keys = (keys + codes) * FACTOR
    keys ^= keys >> np.uint64(29)
    return keys
