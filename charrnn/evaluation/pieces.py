"""Splitting a text into pieces for scoring, with every character scored once.

Dimensions
    S pieces, m characters.

A single piece gives the exact score. Parallel streams are faster: each first reads the text before
its part, unscored, to warm up its state. Cold pieces start from a zero state: windows, items or the
held-out ends of streams. A long text may be represented by a sample of evenly spread pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids

STREAMS = 64
"""Parallel streams of a long text."""
WARM_UP = 256
"""Characters that a stream reads before its scored part."""

SAMPLE_PIECES, SAMPLE_PIECE, SAMPLE_WARM_UP = 64, 1024, 64
"""Number of pieces in a sample of a text, their length, and the warm-up before each: a longer
warm-up would change the score far less than the width of the sample's interval."""

Places = NDArray[np.int64]


class TextIds(Protocol):
    """The ids of a text: an array, or an object that encodes them on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of a text.

    Attributes
    ----------
    ids : (m,) int array or TextIds
        The text.
    starts, ends : (S,) int arrays
        Piece s reads from ``starts[s]`` and is scored on the characters after it, up to and
        including ``ends[s]``.
    whole : int
        Characters of the text that the pieces represent.
    uniform : int
        Characters that no piece predicts, which are scored as uniform.
    warm_up : int
        Characters that are read before each piece, unscored; 0 for cold pieces, each read from a
        zero state.
    prompts : (S,) int array, optional
        How many characters after the first of each piece are read but not scored.
    """

    ids: TextIds
    starts: Places
    ends: Places
    whole: int
    uniform: int = 0
    warm_up: int = 0
    prompts: Places | None = None

    @property
    def counts(self) -> Places:
        """The number of scored characters of each piece (S,)."""
        counts: Places = self.ends - self.starts
        return counts if self.prompts is None else counts - self.prompts

    @property
    def characters(self) -> int:
        """The number of scored characters."""
        return self.uniform + int(self.counts.sum())

    @classmethod
    def streams(cls, ids: TextIds, most: int = STREAMS, read: int = 0) -> "Pieces":
        """Split a text of at least one character into at most ``most`` streams.

        A single stream gives the exact score. The first character of the text is scored as
        uniform, unless the first ``read`` ids precede the text and are only read.
        """
        # A part should be several times as long as its warm-up.
        count = max(1, min(most, (len(ids) - read) // (4 * WARM_UP)))
        first = max(read - 1, 0)
        borders = first + np.arange(count + 1, dtype=np.int64) * (len(ids) - 1 - first) // count
        starts, prompts = _read_before(borders[:-1], read)
        return cls(
            ids, starts, borders[1:], len(ids) - read, int(not read), WARM_UP, prompts=prompts
        )

    @classmethod
    def sample(cls, ids: TextIds, characters: int) -> "Pieces":
        """Take about so many characters, evenly spread over a text; all if it has no more.

        If it has more, its first character is not predicted.
        """
        if characters >= len(ids):
            return cls.streams(ids)
        size = max(1, min(SAMPLE_PIECE, characters // SAMPLE_PIECES))
        starts = _spread(len(ids) - size, characters // size)
        return cls(ids, starts, starts + size, len(ids), warm_up=SAMPLE_WARM_UP)

    @classmethod
    def windows(cls, ids: TextIds, size: int, read: int = 0) -> "Pieces":
        """Split a text into cold windows, as nanoGPT does for evaluation.

        A window reads ``size`` characters and predicts as many, each one character later, so it
        begins with the last character that the previous one predicted. The first window also has
        the ``read`` ids before the text, as in ``streams``.
        """
        last = len(ids) - 1
        borders = np.append(np.arange(max(read - 1, 0), last, size, dtype=np.int64), last)
        starts, prompts = _read_before(borders[:-1], read)
        return cls._cold(ids, starts, borders[1:], uniform=int(not read), prompts=prompts)

    @classmethod
    def items(
        cls,
        ids: Ids,
        end: int,
        characters: int | None = None,
        prompts: Places | None = None,
    ) -> "Pieces":
        """Split a divided text into its items; each has an end and none is empty.

        With ``characters``, take about that many, in items spread evenly over the text. The first
        ``prompts`` symbols of each item are read and not scored.
        """
        ids = np.concatenate([np.array([end], ids.dtype), ids])
        ends = np.flatnonzero(ids == end)
        return cls._cold(ids, ends[:-1], ends[1:], characters, prompts=prompts)

    @classmethod
    def tails(cls, tails: Sequence[Ids], characters: int | None = None) -> "Pieces":
        """Take the held-out ends of streams, each preceded by one more character.

        With ``characters``, take about that many, in evenly spread ends.
        """
        borders = np.cumsum([0, *map(len, tails)], dtype=np.int64)
        return cls._cold(np.concatenate(tails), borders[:-1], borders[1:] - 1, characters)

    @classmethod
    def _cold(
        cls,
        ids: TextIds,
        starts: Places,
        ends: Places,
        characters: int | None = None,
        uniform: int = 0,
        prompts: Places | None = None,
    ) -> "Pieces":
        """Take all cold pieces, or pieces with about so many characters."""
        unscored = np.zeros_like(starts) if prompts is None else prompts
        whole = uniform + int((ends - starts - unscored).sum())
        taken = np.arange(len(starts))
        if characters is not None and characters < whole:
            taken = _spread(len(starts), len(starts) * characters // whole)
        # Sorted by length, so that pieces read together need little padding.
        taken = taken[np.argsort((ends - starts)[taken], kind="stable")]
        return cls(
            ids,
            starts[taken],
            ends[taken],
            whole,
            uniform,
            prompts=None if prompts is None else prompts[taken],
        )


def _read_before(starts: Places, read: int) -> tuple[Places, Places | None]:
    """Return starts whose first is 0, and how much each piece reads unscored."""
    if read < 2 or not len(starts):
        return starts, None
    prompts = np.zeros_like(starts)
    prompts[0] = read - 1
    return starts - prompts, prompts


def _spread(count: int, wanted: int) -> Places:
    """Return evenly spread numbers below ``count``, at least 2 so that there is an interval."""
    return np.linspace(0, count - 1, min(count, max(2, wanted))).astype(np.int64)
