"""How much of some texts occurs verbatim in a model's training text.

Dimensions
    s symbols in all texts, k texts, w = 2**level the length of a string, D distinct strings of a
    level, m symbols in a chunk of the training text.

A string of length 2w is a pair of strings of length w. So the strings of the texts are numbered
level by level, with lengths 1, 2, 4, 8, ..., each level from the pairs of the level below. The
training text is streamed once in chunks and numbered with the same tables; strings that no text
contains drop out. No hashes are used, so the result is exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.text.codes import Codes

NGRAMS = (4, 8, 16, 32)
"""Lengths of the n-grams that are counted, powers of 2."""
CHUNK = 1 << 18
"""Symbols per chunk of the training text, unless a text is longer."""
AT_ONCE = 1 << 20
"""Symbols of texts that are searched for at once; more texts take another pass."""
DENSE = 1 << 22
"""Most pairs for a lookup table of 4 bytes each; beyond, a sorted array is searched."""
NONE = -1

Numbers = NDArray[np.int32]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Copies:
    """What parts of a text, or of several texts, occur in a training text.

    Attributes
    ----------
    symbols : int
        Length of the text, or of all of them together.
    start, stop : int
        The longest run that occurs in the training text.
    ngrams, new : tuple of int
        For each length in ``NGRAMS``: the number of n-grams in the text, counted at every
        position, and how many of them do not occur in the training text.
    """

    symbols: int
    start: int
    stop: int
    ngrams: tuple[int, ...]
    new: tuple[int, ...]

    @property
    def longest(self) -> int:
        """Length of the longest copied run."""
        return self.stop - self.start


def find_copies(texts: Sequence[Codes], learned: Codes) -> list[Copies]:
    """Search a training text for the strings of some texts.

    Parameters
    ----------
    texts : sequence of int arrays
        As codes, like the training text.
    learned : (n,) int array
        May be a memory map; it is read in order.

    Returns
    -------
    list of Copies
        One for each text.
    """
    return [found for group in _groups(texts) for found in _Search(group).over(learned).results()]


def _groups(texts: Sequence[Codes]) -> Iterator[list[Codes]]:
    """Yield the texts in groups of about ``AT_ONCE`` symbols, or of a single longer text."""
    group: list[Codes] = []
    size = 0
    for text in texts:
        if group and size + len(text) > AT_ONCE:
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group


@dataclass(eq=False)
class _Level:
    """The strings of one length in the texts.

    Attributes
    ----------
    width : int
        w.
    count : int
        D.
    numbers : (s,) int32 array
        The string that starts at each position; ``NONE`` where it would go past the text's end.
    keys : int array, sorted
        What identifies each string: its symbol, or its pair of numbers.
    table : int32 array, optional
        The number of each key, or ``NONE``; the last entry is for all larger keys.
    seen : (D,) bool array
        Whether the string occurs in the training text.
    """

    width: int
    numbers: Numbers
    keys: NDArray[np.int64]
    table: Numbers | None
    seen: Flags

    @classmethod
    def of(
        cls, width: int, keys: NDArray[np.int64], places: Places, size: int, top: int
    ) -> "_Level":
        """Number the keys below ``top`` of the strings that start at some positions."""
        different, inverse = np.unique(keys, return_inverse=True)
        numbers = np.full(size, NONE, np.int32)
        numbers[places] = inverse
        table = None
        if top <= DENSE:
            table = np.full(top + 1, NONE, np.int32)
            table[different] = np.arange(len(different))
        return cls(width, numbers, different, table, np.zeros(len(different), np.bool_))

    @property
    def count(self) -> int:
        return len(self.keys)

    def find(self, keys: NDArray[np.integer]) -> Numbers:
        """Return the numbers of keys, ``NONE`` for those that occur in no text."""
        if self.table is not None:
            return self.table.take(keys, mode="clip")
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, NONE).astype(np.int32)

    def pairs(self, first: Numbers, second: Numbers) -> NDArray[np.int64]:
        """Return a key for each pair of strings."""
        return first.astype(np.int64) * self.count + second


class _Search:
    """A search for some texts.

    Parameters
    ----------
    texts : sequence of int arrays
    """

    def __init__(self, texts: Sequence[Codes]) -> None:
        lengths = np.array([len(text) for text in texts], np.int64)
        self._ends: Places = np.cumsum(lengths)
        self._begins: Places = self._ends - lengths
        self._longest = int(lengths.max())
        self._owner: Places = np.repeat(np.arange(len(texts)), lengths)
        self._left: Places = self._ends[self._owner] - np.arange(len(self._owner))
        self._runs = np.zeros(len(texts), np.int64)
        self._starts = self._begins.copy()
        self._levels: list[_Level] = []
        if self._longest:
            codes = np.concatenate(texts).astype(np.int64)
            every = np.arange(len(codes))
            self._levels = [_Level.of(1, codes, every, len(codes), int(codes.max()) + 1)]

    def over(self, learned: Codes) -> "_Search":
        """Search a training text and return ``self``."""
        if not self._levels:
            return self
        # Whatever begins in a chunk ends in it or in the overlap that follows.
        more = self._longest - 1
        step = max(CHUNK, 2 * more)
        for start in range(0, len(learned), step):
            self._look_at(np.asarray(learned[start : start + step + more]))
        return self

    def results(self) -> Iterator[Copies]:
        """Yield the result for each text."""
        counts = [self._counts(length) for length in NGRAMS]
        rows = zip(self._begins, self._ends, self._starts, self._runs, strict=True)
        for number, (begin, end, start, run) in enumerate(rows):
            yield Copies(
                symbols=int(end - begin),
                start=int(start - begin),
                stop=int(start - begin + run),
                ngrams=tuple(int(ngrams[number]) for ngrams, _ in counts),
                new=tuple(int(new[number]) for _, new in counts),
            )

    def _counts(self, length: int) -> tuple[Places, Places]:
        """Return the number of n-grams in each text, and how many of them are new."""
        ngrams = np.maximum(self._ends - self._begins - length + 1, 0)
        level = next((level for level in self._levels if level.width == length), None)
        if level is None:
            return ngrams, ngrams
        places = np.flatnonzero(level.numbers != NONE)
        new = places[~level.seen[level.numbers[places]]]
        return ngrams, np.bincount(self._owner[new], minlength=len(ngrams))

    def _level(self, number: int) -> _Level:
        """Return a level; the one below must exist."""
        if number == len(self._levels):
            below = self._levels[-1]
            places = np.flatnonzero(self._left >= 2 * below.width)
            keys = below.pairs(below.numbers[places], below.numbers[places + below.width])
            size, top = len(self._owner), below.count**2
            self._levels.append(_Level.of(2 * below.width, keys, places, size, top))
        return self._levels[number]

    def _look_at(self, chunk: Codes) -> None:
        """Search a chunk (m,) for all strings."""
        found = [self._levels[0].find(chunk)]
        places = [np.flatnonzero(found[0] != NONE)]
        while len(places[-1]):
            level, numbers = self._levels[len(found) - 1], found[-1]
            level.seen[numbers[places[-1]]] = True
            if 2 * level.width > self._longest:
                break
            here = places[-1]
            here = here[: np.searchsorted(here, len(chunk) - level.width)]
            here = here[numbers[here + level.width] != NONE]
            keys = level.pairs(numbers[here], numbers[here + level.width])
            pairs = self._level(len(found)).find(keys)
            known = pairs != NONE
            longer = np.full(len(chunk), NONE, np.int32)
            longer[here[known]] = pairs[known]
            found.append(longer)
            places.append(here[known])
        for level, numbers, here in zip(self._levels, found, places, strict=False):
            if len(here):
                self._lengthen(level, numbers, here)

    def _lengthen(self, level: _Level, found: Numbers, places: Places) -> None:
        """Find runs of w to 2w - 1 symbols that begin in a chunk.

        Such a run is a pair of overlapping strings. Runs of 2w belong to the next level.

        Parameters
        ----------
        level : _Level
            The strings of w symbols.
        found : (m,) int32 array
            The string of the level that starts at each position of the chunk.
        places : int array
            Where there is one.
        """
        width = level.width
        runs = self._runs
        # Only texts without a run of 2w, and longer than their longest run, can gain.
        gains = (runs < 2 * width) & (runs < self._ends - self._begins)
        if not gains.any():
            return
        here = np.zeros(level.count, np.bool_)
        here[found[places]] = True
        mine = np.flatnonzero((level.numbers != NONE) & gains[self._owner])
        mine = mine[here[level.numbers[mine]]]
        self._take(mine[runs[self._owner[mine]] < width], width)
        # Bisect the longest run of each text; a run of length known exists.
        known, most = runs.copy(), np.minimum(2 * width - 1, self._ends - self._begins)
        tried = np.minimum(known + 1, most)
        while len(mine):
            mine = mine[(known < most)[self._owner[mine]]]
            longer = self._pairs_among(level, found, places, mine, tried)
            self._take(longer, tried)
            has = np.zeros(len(runs), np.bool_)
            has[self._owner[longer]] = True
            known[has], most[~has] = tried[has], tried[~has] - 1
            tried = (known + most + 1) // 2

    def _pairs_among(
        self, level: _Level, found: Numbers, places: Places, mine: Places, lengths: Places
    ) -> Places:
        """Return which positions of the texts start a run of the wanted length in the chunk."""
        rest = lengths[self._owner[mine]]
        fits = self._left[mine] >= rest
        mine, shifts = mine[fits], rest[fits] - level.width
        kept = []
        for shift in np.unique(shifts).tolist():
            begins = mine[shifts == shift]
            first = np.zeros(level.count, np.bool_)
            first[level.numbers[begins]] = True
            at = places[: np.searchsorted(places, len(found) - shift)]
            at = at[first[found[at]]]
            at = at[found[at + shift] != NONE]
            wanted = level.pairs(level.numbers[begins], level.numbers[begins + shift])
            there = level.pairs(found[at], found[at + shift])
            kept.append(begins[_among(wanted, there)])
        return np.sort(np.concatenate(kept)) if kept else mine

    def _take(self, begins: Places, length: int | Places) -> None:
        """Record runs that start at sorted positions, the first one of each text."""
        texts, first = np.unique(self._owner[begins], return_index=True)
        self._runs[texts] = length if isinstance(length, int) else length[texts]
        self._starts[texts] = begins[first]


def _among(wanted: NDArray[np.int64], there: NDArray[np.int64]) -> Flags:
    """Return which keys are in ``there``, which may be empty, with a single sort of it."""
    if not len(there):
        return np.zeros(len(wanted), np.bool_)
    ordered = np.sort(there)
    found: Flags = ordered[np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)] == wanted
    return found
