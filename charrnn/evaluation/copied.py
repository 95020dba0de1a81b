"""How much of some texts stands verbatim in the text that a model learned.

Dimensions
    s symbols of all texts, k texts, w = 2**level the length of a string, D different ones of a
    level, m symbols of a chunk of the learned text.

A string of length 2w is a pair of strings of length w. So the strings of the texts are numbered
level by level, 1, 2, 4, 8, ... symbols long, each level by the pairs of the one below, and the
learned text, which passes by once in chunks, is numbered by the same tables: what the texts do not
have drops out. There is no hash, and the result is exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.text.codes import Codes

NGRAMS = (4, 8, 16, 32)
"""Lengths of the n-grams that are looked for, powers of 2."""
CHUNK = 1 << 18
"""Symbols of the learned text that are looked at together, where no text is as long."""
AT_ONCE = 1 << 20
"""Symbols of texts that are looked for together; of more, the learned text passes by again."""
DENSE = 1 << 22
"""Pairs whose numbers are in a table, 4 bytes each; more are searched in a sorted array."""
NONE = -1

Numbers = NDArray[np.int32]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Copies:
    """What of a text, or of several, stands in a learned text.

    Attributes
    ----------
    symbols : int
        Length of the text, of all of them together.
    start, stop : int
        A run that stands in the learned text, as long as any.
    ngrams, new : tuple of int
        For each length of ``NGRAMS``: how many n-grams the text has, one for each place where one
        can begin, and how many of them the learned text does not have.
    """

    symbols: int
    start: int
    stop: int
    ngrams: tuple[int, ...]
    new: tuple[int, ...]

    @property
    def longest(self) -> int:
        """Length of the longest run."""
        return self.stop - self.start


def find_copies(texts: Sequence[Codes], learned: Codes) -> list[Copies]:
    """Look for the strings of texts in a learned text.

    Parameters
    ----------
    texts : sequence of int arrays
        As codes, like the learned text.
    learned : (n,) int array
        May be a memory map; it is read in order.

    Returns
    -------
    list of Copies
        For each text.
    """
    return [found for group in _groups(texts) for found in _Search(group).over(learned).results()]


def _groups(texts: Sequence[Codes]) -> Iterator[list[Codes]]:
    """Yield the texts in groups of about ``AT_ONCE`` symbols, or of one longer text."""
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
        Which string begins at each place; ``NONE`` where the text ends before it does.
    keys : int array, sorted
        What makes a string: its symbol, or its pair of numbers.
    table : int32 array, optional
        The number of each key, ``NONE`` for others, and last for all larger ones.
    seen : (D,) bool array
        Whether the learned text has it.
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
        """Number keys, each of which begins at one of the places and is below ``top``."""
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
        """Return the numbers of keys, ``NONE`` for those that no text has."""
        if self.table is not None:
            return self.table.take(keys, mode="clip")
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, NONE).astype(np.int32)

    def pairs(self, first: Numbers, second: Numbers) -> NDArray[np.int64]:
        """Return a key for each pair of strings."""
        return first.astype(np.int64) * self.count + second


class _Search:
    """Some texts that are looked for.

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
        """Look at a learned text and return itself."""
        if not self._levels:
            return self
        # What begins in a chunk ends in it or in the piece that follows, however long it is.
        more = self._longest - 1
        step = max(CHUNK, 2 * more)
        for start in range(0, len(learned), step):
            self._look_at(np.asarray(learned[start : start + step + more]))
        return self

    def results(self) -> Iterator[Copies]:
        """Yield what was found of each text."""
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
        """Return how many n-grams each text has, and how many of them are new."""
        ngrams = np.maximum(self._ends - self._begins - length + 1, 0)
        level = next((level for level in self._levels if level.width == length), None)
        if level is None:
            return ngrams, ngrams
        places = np.flatnonzero(level.numbers != NONE)
        new = places[~level.seen[level.numbers[places]]]
        return ngrams, np.bincount(self._owner[new], minlength=len(ngrams))

    def _level(self, number: int) -> _Level:
        """Return a level, of which the one below is there."""
        if number == len(self._levels):
            below = self._levels[-1]
            places = np.flatnonzero(self._left >= 2 * below.width)
            keys = below.pairs(below.numbers[places], below.numbers[places + below.width])
            size, top = len(self._owner), below.count**2
            self._levels.append(_Level.of(2 * below.width, keys, places, size, top))
        return self._levels[number]

    def _look_at(self, chunk: Codes) -> None:
        """Look for all strings in a chunk (m,)."""
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
        """Find longer runs, from w to below 2w symbols, of which a chunk has the beginning.

        Such a run is a pair of strings that overlap. Runs of 2w are of the next level.

        Parameters
        ----------
        level : _Level
            Of strings of w symbols.
        found : (m,) int32 array
            The strings of the level that begin at each place of the chunk.
        places : int array
            Where there is one.
        """
        width = level.width
        runs = self._runs
        # Who may gain: what has no run of 2w yet, and more symbols than in its longest.
        gains = (runs < 2 * width) & (runs < self._ends - self._begins)
        if not gains.any():
            return
        here = np.zeros(level.count, np.bool_)
        here[found[places]] = True
        mine = np.flatnonzero((level.numbers != NONE) & gains[self._owner])
        mine = mine[here[level.numbers[mine]]]
        self._take(mine[runs[self._owner[mine]] < width], width)
        # The longest run by bisection, for each text: known is one that there is.
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
        """Return which places of the texts begin a run in the chunk as long as asked of each."""
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
        """Note runs that begin at sorted places, the first of each text."""
        texts, first = np.unique(self._owner[begins], return_index=True)
        self._runs[texts] = length if isinstance(length, int) else length[texts]
        self._starts[texts] = begins[first]


def _among(wanted: NDArray[np.int64], there: NDArray[np.int64]) -> Flags:
    """Return which keys are among others, of which there may be none: with one sort of these."""
    if not len(there):
        return np.zeros(len(wanted), np.bool_)
    ordered = np.sort(there)
    found: Flags = ordered[np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)] == wanted
    return found
