"""Word contexts: the current word, alone and with one or two preceding words.

Mahoney's PAQ also uses such contexts. A word is a run of letters, and case is ignored.

Dimensions
    n symbols of a text, V vocabulary size.
"""

import unicodedata
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.numbering import Kind
from charrnn.evaluation.ngrams import number
from charrnn.text import Vocabulary

Keys = npt.NDArray[np.uint64]

BASE = np.uint64(0x9E3779B97F4A7C15)
"""Base of the hash of a word, modulo 2**64; odd, so that it has an inverse."""
KINDS = 3
"""The number of kinds."""


def letters_of(vocabulary: Vocabulary) -> Keys:
    """Return the letter, ignoring case, of each symbol (V,); 0 for symbols that end a word.

    Letters are those of Unicode, their marks and the apostrophe. Among bytes they are ASCII
    letters and all bytes from 128, which are parts of other characters.
    """
    return np.array([_letter(vocabulary, code) for code in vocabulary.symbols.tolist()], np.uint64)


def _letter(vocabulary: Vocabulary, code: int) -> int:
    symbol = chr(code)
    if vocabulary.unit == "byte" and code >= 128:
        return code
    is_part = symbol.isalpha() or symbol == "'" or unicodedata.category(symbol).startswith("M")
    return ord(symbol.lower()[0]) if is_part else 0


def word_kinds(text: Ids, n: int, letters: Keys, vocab_size: int) -> Iterator[Kind]:
    """Yield the three kinds of contexts of a text (n + m,); words do not cross n."""
    parts = [_keys(letters[part]) for part in (text[:n], text[n:])]
    so_far, one, two = (number(np.concatenate(keys)) for keys in zip(*parts, strict=True))
    with_one = number(so_far.at * np.int64(one.kinds) + one.at)
    with_two = number(with_one.at * np.int64(two.kinds) + two.at)
    for contexts in (so_far, with_one, with_two):
        yield Kind.of(contexts.at, contexts.kinds, text, vocab_size)


def _keys(letters: Keys) -> tuple[Keys, Keys, Keys]:
    """Return keys (n,) of the current word and of the two words before it, at each symbol.

    ``letters`` (n,) are those of a text.
    """
    n = len(letters)
    places = np.arange(n)
    starts = np.zeros(n, np.int64)  # start of the current word
    starts[1:] = np.maximum.accumulate(np.where(letters > 0, 0, places + 1))[:-1]
    # sum of letter * BASE**distance over the current word, from cumulative sums
    sums = np.zeros(n, np.uint64)
    np.cumsum((letters * _powers(pow(int(BASE), -1, 2**64), n))[:-1], out=sums[1:])
    so_far = (sums - sums[starts]) * _powers(int(BASE), n)
    ends = (letters == 0) & (starts < places)
    words = np.concatenate([np.zeros(2, np.uint64), so_far[ends]])
    ended = np.zeros(n, np.int64)
    np.cumsum(ends[:-1], out=ended[1:])
    return so_far, words[ended + 1], words[ended]


def _powers(base: int, count: int) -> Keys:
    """Return the powers 0, 1, ... of a base, modulo 2**64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
