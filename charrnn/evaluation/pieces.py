"""A text cut into pieces to be scored: every character once, the state carried or zero.

Dimensions
    S pieces, m characters.

A text is scored exactly in one piece. Faster, it is cut into parallel streams, each of which first
reads the text before its part, unscored, so that its state is what it would have been. Cold pieces
are not warmed up: windows, items or the held-out ends of streams. Of a long text, pieces spread
evenly over it may stand for all of it.
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
"""Characters that a stream reads before its part."""

SAMPLE_PIECES, SAMPLE_PIECE, SAMPLE_WARM_UP = 64, 1024, 64
"""Into how many pieces of how many characters a sample of a text is cut, if it has so many, and
what is read before each: the interval of a sample is far wider than what a longer start changes."""

Places = NDArray[np.int64]


class TextIds(Protocol):
    """The ids of a text: an array, or what encodes them where they are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of a text.

    Attributes
    ----------
    ids : (m,) int array, or what gives the same
        The text.
    starts, ends : (S,) int arrays
        Piece s reads from ``starts[s]`` and is scored on the characters after that one, up to and
        with ``ends[s]``.
    whole : int
        Characters of the text that the pieces stand for.
    uniform : int
        Characters that no piece predicts: they are scored as uniform.
    warm_up : int
        Characters that are read before each piece, unscored; 0 where pieces are cold, each read
        from a zero state.
    prompts : (S,) int array, optional
        How many characters after the first of each piece are read, but not scored.
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
        """How many characters of each piece are scored (S,)."""
        counts: Places = self.ends - self.starts
        return counts if self.prompts is None else counts - self.prompts

    @property
    def characters(self) -> int:
        """How many characters are scored."""
        return self.uniform + int(self.counts.sum())

    @classmethod
    def streams(cls, ids: TextIds, most: int = STREAMS, read: int = 0) -> "Pieces":
        """Cut a text of one character or more into at most so many streams.

        One is the exact score. The very first character of the text is scored as uniform, or, if
        something is ``read`` before, by what follows on that: so many of the ids are no part of
        the text.
        """
        # A part is to be several times as long as the warm-up that it costs.
        count = max(1, min(most, (len(ids) - read) // (4 * WARM_UP)))
        first = max(read - 1, 0)
        borders = first + np.arange(count + 1, dtype=np.int64) * (len(ids) - 1 - first) // count
        starts, prompts = _read_before(borders[:-1], read)
        return cls(
            ids, starts, borders[1:], len(ids) - read, int(not read), WARM_UP, prompts=prompts
        )

    @classmethod
    def sample(cls, ids: TextIds, characters: int) -> "Pieces":
        """Take about so many characters of a text, spread evenly over it; all, if it has no more.

        Where it has more, its first character is not predicted.
        """
        if characters >= len(ids):
            return cls.streams(ids)
        size = max(1, min(SAMPLE_PIECE, characters // SAMPLE_PIECES))
        starts = _spread(len(ids) - size, characters // size)
        return cls(ids, starts, starts + size, len(ids), warm_up=SAMPLE_WARM_UP)

    @classmethod
    def windows(cls, ids: TextIds, size: int, read: int = 0) -> "Pieces":
        """Cut a text into cold windows, as nanoGPT evaluates.

        A window reads ``size`` characters and predicts as many, each one character later, so that
        it begins with the last character that the one before it predicted. The first one also has
        what is ``read`` before the text, as of ``streams``.
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
        """Cut a divided text into its items; each has an end and none is empty.

        With ``characters``, take about so many of them, in items that are spread evenly over the
        text. Of each item as many symbols as ``prompts`` says are read and not scored.
        """
        ids = np.concatenate([np.array([end], ids.dtype), ids])
        ends = np.flatnonzero(ids == end)
        return cls._cold(ids, ends[:-1], ends[1:], characters, prompts=prompts)

    @classmethod
    def tails(cls, tails: Sequence[Ids], characters: int | None = None) -> "Pieces":
        """Take the held-out ends of streams, each begun by the character before it.

        With ``characters``, take about so many of them, in ends that are spread evenly.
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
        """Take all cold pieces, or about so many characters of them."""
        unscored = np.zeros_like(starts) if prompts is None else prompts
        whole = uniform + int((ends - starts - unscored).sum())
        taken = np.arange(len(starts))
        if characters is not None and characters < whole:
            taken = _spread(len(starts), len(starts) * characters // whole)
        # Pieces of one length together: little is read behind the end of a piece.
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
    """Return starts of which the first is 0, and what each piece reads and does not score."""
    if read < 2 or not len(starts):
        return starts, None
    prompts = np.zeros_like(starts)
    prompts[0] = read - 1
    return starts - prompts, prompts


def _spread(count: int, wanted: int) -> Places:
    """Return so many of the numbers below ``count``, at least 2 for an interval, evenly spread."""
    return np.linspace(0, count - 1, min(count, max(2, wanted))).astype(np.int64)
