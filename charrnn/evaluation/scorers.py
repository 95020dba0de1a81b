"""Scoring a text: every character once, the state carried or zero at every window.

Dimensions
    T steps of a window, N parallel streams, V vocabulary size, m characters.

A text is scored exactly in one stream. Faster, it is cut into parallel streams, each of which
first reads the text before its part, unscored, so that its state is what it would have been.
Cold pieces are streams that are not warmed up: windows, lines or the ends of streams. Of a long
text, pieces spread evenly over it may stand for all of it: then the score comes with an interval.
"""

from collections.abc import Sequence
from math import log, sqrt
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.parallel.sharding import collect, deal
from charrnn.parallel.team import Team

STREAMS = 64
"""Parallel streams of a long text."""
STREAMS_PER_SHARD = 32
WARM_UP = 256
"""Characters that a stream reads before its part."""
LOGITS = 2**21
"""Logits held at a time."""
COLD_CHARACTERS = 2**11
"""Characters of the cold pieces that are read together, if they are short."""

SAMPLE_PIECES, SAMPLE_PIECE, SAMPLE_WARM_UP = 64, 1024, 64
"""Into how many pieces of how many characters a sample of a text is cut, if it has so many, and
what is read before each: the interval of a sample is far wider than what a longer start changes."""
NORMAL_95 = 1.96
"""Standard errors on either side of a mean that hold the true one 19 times in 20."""

Starts = NDArray[np.int64]
Sums = NDArray[np.float64]
"""Over the pieces of a shard: nats x, nats of marked symbols, x squared, x times characters."""


class Text(Protocol):
    """The ids of a text: an array, or what encodes them where they are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> Any: ...


class Score(NamedTuple):
    """What scoring a text gave.

    Attributes
    ----------
    nats : float
        Negative log-probability of all ``characters`` that were scored.
    characters : int
    marked_nats : float
        The part of ``nats`` that symbols marked by the caller cost.
    interval : float
        Nats per character on either side of the mean in which the mean of the whole text lies 19
        times in 20; 0 where the whole text was scored.
    """

    nats: float
    characters: int
    marked_nats: float = 0.0
    interval: float = 0.0

    @property
    def mean(self) -> float:
        """Nats per character."""
        return self.nats / self.characters


class _Pieces:
    """Pieces of a text; what both kinds of scorer have.

    Attributes
    ----------
    ids : (m,) int array
        The text.
    starts, ends : (S,) int arrays
        Piece s reads from ``starts[s]`` and is scored on the characters after that one, up to and
        with ``ends[s]``.
    uniform : int
        Characters that no piece predicts.
    whole : int
        Characters of the text that the pieces stand for.
    marked : (V,) bool array, optional
        Symbols whose share of the nats is also told.
    """

    num_shards: int

    def __init__(
        self,
        ids: Text,
        starts: Starts,
        ends: Starts,
        *,
        uniform: int = 0,
        whole: int | None = None,
        marked: NDArray[np.bool_] | None = None,
    ) -> None:
        self.ids, self.starts, self.ends, self.uniform = ids, starts, ends, uniform
        self.marked = marked
        self.characters = uniform + int((ends - starts).sum())
        self.whole = self.characters if whole is None else whole

    def result(self, model: CharModel, sums: Sums) -> Score:
        """Return the score from the sums over all pieces."""
        first = self.uniform * log(model.vocab_size)
        marked = float(sums[1])
        if self.uniform and self.marked is not None and self.marked[self.ids[0]]:
            marked += first
        nats = first + float(sums[0])
        return Score(nats, self.characters, marked, self._interval(sums))

    def _interval(self, sums: Sums) -> float:
        """Return the half-width of the interval of a ratio of sums over pieces of a sample.

        The variance of ``x - mean * n`` over the pieces (Cochran 1977, section 6.4), with the
        correction for a sample that is a good share of the whole.
        """
        count, lengths = len(self.starts), (self.ends - self.starts).astype(np.float64)
        scored = lengths.sum()
        if self.whole <= self.characters or count < 2 or not scored:
            return 0.0
        x, _, xx, xn = sums.tolist()
        mean = x / scored
        squares = xx - 2 * mean * xn + mean * mean * float(lengths @ lengths)
        variance = max(0.0, squares) / (count - 1) * count * (1 - self.characters / self.whole)
        return NORMAL_95 * sqrt(variance) / float(scored)

    def _score(self, model: CharModel, pieces: slice, state: Array, T: int) -> Sums:
        """Return the sums over some pieces."""
        starts, ends = self.starts[pieces], self.ends[pieces]
        nats = np.zeros((2, len(starts)))
        longest = int((ends - starts).max(initial=0))
        for offset in range(0, longest, T):
            steps = np.arange(offset, min(offset + T, longest))[:, np.newaxis]
            places = np.minimum(starts + steps, len(self.ids) - 2)
            logits, state = model.forward(self.ids[places], state)
            targets = self.ids[places + 1]
            costs, _ = cross_entropy_(logits, targets.reshape(-1))
            counted = np.where(starts + steps < ends, costs.reshape(targets.shape), 0)
            nats[0] += counted.sum(axis=0, dtype=np.float64)
            if self.marked is not None:
                nats[1] += (counted * self.marked[targets]).sum(axis=0, dtype=np.float64)
        x = nats[0]
        return np.array([x.sum(), nats[1].sum(), x @ x, x @ (ends - starts)])


class Scorer(_Pieces):
    """A text cut for scoring with its state carried.

    Parameters
    ----------
    ids : (m,) int array
        The text; at least one character.
    streams : int
        At most into how many streams it is cut; 1 is the exact score.
    marked : (V,) bool array, optional
        Symbols whose share of the nats is also told.

    Notes
    -----
    The very first character of the text is scored as uniform.
    """

    warm_up = WARM_UP

    def __init__(
        self, ids: Text, *, streams: int = STREAMS, marked: NDArray[np.bool_] | None = None
    ) -> None:
        # A part is to be several times as long as the warm-up that it costs.
        streams = max(1, min(streams, len(ids) // (4 * WARM_UP)))
        borders = np.arange(streams + 1, dtype=np.int64) * (len(ids) - 1) // streams
        self._set(ids, borders[:-1], borders[1:], uniform=1, marked=marked)

    @classmethod
    def of_sample(
        cls, ids: Text, characters: int, *, marked: NDArray[np.bool_] | None = None
    ) -> Self:
        """Take about so many characters of a text, in pieces that are spread evenly over it."""
        if characters >= len(ids):
            return cls(ids, marked=marked)
        size = max(1, min(SAMPLE_PIECE, characters // SAMPLE_PIECES))
        starts = _spread(len(ids) - size, characters // size)
        new = cls.__new__(cls)
        new.warm_up = SAMPLE_WARM_UP
        new._set(ids, starts, starts + size, whole=len(ids), marked=marked)
        return new

    def _set(self, ids: Text, starts: Starts, ends: Starts, **more: Any) -> None:
        super().__init__(ids, starts, ends, **more)
        self.num_shards = -(-len(starts) // STREAMS_PER_SHARD)

    def score(self, model: CharModel, shard: int) -> Sums:
        """Return the sums over one shard of the streams."""
        streams = slice(shard * STREAMS_PER_SHARD, (shard + 1) * STREAMS_PER_SHARD)
        starts = self.starts[streams]
        N = len(starts)
        T = max(1, min(64 if N > 1 else 1024, LOGITS // (N * model.vocab_size)))
        state = model.zero_state(N)
        if len(self.starts) > 1:
            for offset in range(-self.warm_up, 0, T):
                steps = np.arange(offset, min(offset + T, 0))[:, np.newaxis]
                _, state = model.forward(self.ids[np.maximum(starts + steps, 0)], state)
            state[..., starts == 0] = 0  # nothing comes before the text
        return self._score(model, streams, state, T)


class ColdScorer(_Pieces):
    """Pieces of a text that are each read from a zero state; the parameters are the attributes."""

    def __init__(self, ids: Ids, starts: Starts, ends: Starts, **more: Any) -> None:
        # Pieces of one length together: little is read behind the end of a piece.
        order = np.argsort(ends - starts, kind="stable")
        super().__init__(ids, starts[order], ends[order], **more)
        # Many short pieces at once: a product with few columns wastes the processor.
        longest = max(1, int((ends - starts).max(initial=1)))
        self.per_shard = max(STREAMS_PER_SHARD, COLD_CHARACTERS // longest)
        self.num_shards = max(1, -(-len(starts) // self.per_shard))

    @classmethod
    def of_windows(cls, ids: Ids, size: int, **more: Any) -> Self:
        """Cut a text into windows, as nanoGPT evaluates.

        A window reads ``size`` characters and predicts as many, each one character later, so that
        it begins with the last character that the one before it predicted.
        """
        last = len(ids) - 1
        borders = np.append(np.arange(0, last, size, dtype=np.int64), last)
        return cls(ids, borders[:-1], borders[1:], uniform=1, **more)

    @classmethod
    def of_lines(
        cls, ids: Ids, line_end: int, *, characters: int | None = None, **more: Any
    ) -> Self:
        """Cut a text into its lines, as in ``text.lines``; each has an end and none is empty.

        With ``characters``, take about so many of them, in lines that are spread evenly over the
        text.
        """
        ids = np.concatenate([np.array([line_end], ids.dtype), ids])
        ends = np.flatnonzero(ids == line_end)
        starts, ends = ends[:-1], ends[1:]
        whole = len(ids) - 1
        if characters is not None and characters < whole:
            taken = _spread(len(starts), len(starts) * characters // whole)
            starts, ends = starts[taken], ends[taken]
        return cls(ids, starts, ends, whole=whole, **more)

    @classmethod
    def of_tails(cls, tails: Sequence[Ids], *, characters: int | None = None, **more: Any) -> Self:
        """Take the held-out ends of streams, each begun by the character before it.

        With ``characters``, take about so many of them, in ends that are spread evenly.
        """
        borders = np.cumsum([0, *map(len, tails)], dtype=np.int64)
        starts, ends = borders[:-1], borders[1:] - 1
        whole = int((ends - starts).sum())
        if characters is not None and characters < whole:
            taken = _spread(len(starts), len(starts) * characters // whole)
            starts, ends = starts[taken], ends[taken]
        return cls(np.concatenate(tails), starts, ends, whole=whole, **more)

    def score(self, model: CharModel, shard: int) -> Sums:
        """Return the sums over one shard of the pieces."""
        pieces = slice(shard * self.per_shard, (shard + 1) * self.per_shard)
        starts, ends = self.starts[pieces], self.ends[pieces]
        N, longest = len(starts), int((ends - starts).max(initial=0))
        if not longest:
            return np.zeros(4)
        most = max(1, min(64, LOGITS // (N * model.vocab_size)))
        T = -(-longest // -(-longest // most))  # equal windows: buffers keep their shape
        return self._score(model, pieces, model.zero_state(N), T)


def _spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Return so many of the numbers below ``count``, at least 2 for an interval, evenly spread."""
    return np.linspace(0, count - 1, min(count, max(2, wanted))).astype(np.int64)


AnyScorer = Scorer | ColdScorer


class ScoringWorker:
    """One worker's share of the shards of a text."""

    def __init__(self, model: CharModel, scorer: AnyScorer, shards: Sequence[int]) -> None:
        self.model, self.scorer, self.shards = model, scorer, shards

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def score(self) -> list[Sums]:
        """Return the sums of each of its shards."""
        return [self.scorer.score(self.model, shard) for shard in self.shards]


def score(model: CharModel, scorer: AnyScorer, *, threads: int = 1) -> Score:
    """Return what a text costs a model.

    Parameters
    ----------
    model : CharModel
        Whose predictions are scored.
    scorer : Scorer or ColdScorer
        The text, cut.
    threads : int
        Workers; the result is the same, bit for bit, for every number of them.
    """
    workers = [
        ScoringWorker(model.replica(), scorer, shards)
        for shards in deal(range(scorer.num_shards), threads)
    ]
    with Team(workers) as team:
        return scorer.result(model, collect(team.call("score"), np.zeros(4)))
