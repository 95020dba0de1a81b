"""Scoring a text: every character once, the state carried or zero at every window.

Dimensions
    T steps of a window, N parallel streams, V vocabulary size, m characters.

A text is scored exactly in one stream. Faster, it is cut into parallel streams, each of which
first reads the text before its part, unscored, so that its state is what it would have been.
Cold pieces are streams that are not warmed up: windows, lines or the ends of streams.
"""

from collections.abc import Sequence
from math import log
from typing import Self

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Array, Ids
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

Starts = NDArray[np.int64]


class Scorer:
    """A text cut for scoring.

    Parameters
    ----------
    ids : (m,) int array
        The text; at least one character.
    streams : int
        At most into how many streams it is cut; 1 is the exact score.

    Notes
    -----
    Stream s reads from ``starts[s]`` and is scored on the characters after that one, up to and
    with ``starts[s + 1]``; the very first character of the text is scored as uniform.
    """

    uniform = 1
    """Characters that no window predicts."""

    def __init__(self, ids: Ids, *, streams: int = STREAMS) -> None:
        self.ids, self.characters = ids, len(ids)
        # A part is to be several times as long as the warm-up that it costs.
        streams = max(1, min(streams, len(ids) // (4 * WARM_UP)))
        self.starts = np.arange(streams + 1, dtype=np.int64) * (len(ids) - 1) // streams
        self.num_shards = -(-streams // STREAMS_PER_SHARD)

    def score(self, model: CharModel, shard: int) -> float:
        """Return the summed nats of one shard of the streams, all but the first character."""
        streams = slice(shard * STREAMS_PER_SHARD, (shard + 1) * STREAMS_PER_SHARD)
        starts, ends = self.starts[:-1][streams], self.starts[1:][streams]
        N = len(starts)
        T = max(1, min(64 if N > 1 else 1024, LOGITS // (N * model.vocab_size)))
        state = model.zero_state(N)
        if len(self.starts) > 2:
            for offset in range(-WARM_UP, 0, T):
                steps = np.arange(offset, min(offset + T, 0))[:, np.newaxis]
                _, state = model.forward(self.ids[np.maximum(starts + steps, 0)], state)
            if shard == 0:
                state[..., 0] = 0  # nothing comes before the text
        return _score_streams(model, self.ids, starts, ends, state, T)


class ColdScorer:
    """Pieces of a text that are each read from a zero state.

    Parameters
    ----------
    ids : (m,) int array
        The text.
    starts, ends : (S,) int arrays
        Piece s reads from ``starts[s]`` and is scored on the characters after that one, up to and
        with ``ends[s]``.
    uniform : int
        Characters that no piece predicts.
    """

    def __init__(self, ids: Ids, starts: Starts, ends: Starts, *, uniform: int = 0) -> None:
        # Pieces of one length together: little is read behind the end of a piece.
        order = np.argsort(ends - starts, kind="stable")
        self.ids, self.starts, self.ends = ids, starts[order], ends[order]
        self.uniform = uniform
        self.characters = uniform + int((ends - starts).sum())
        # Many short pieces at once: a product with few columns wastes the processor.
        longest = max(1, int((ends - starts).max(initial=1)))
        self.per_shard = max(STREAMS_PER_SHARD, COLD_CHARACTERS // longest)
        self.num_shards = max(1, -(-len(starts) // self.per_shard))

    @classmethod
    def of_windows(cls, ids: Ids, size: int) -> Self:
        """Cut a text into windows, as nanoGPT evaluates.

        A window reads ``size`` characters and predicts as many, each one character later, so that
        it begins with the last character that the one before it predicted.
        """
        last = len(ids) - 1
        borders = np.append(np.arange(0, last, size, dtype=np.int64), last)
        return cls(ids, borders[:-1], borders[1:], uniform=1)

    @classmethod
    def of_lines(cls, ids: Ids, line_end: int) -> Self:
        """Cut a text into its lines, as in ``text.lines``; each has an end and none is empty."""
        ids = np.concatenate([np.array([line_end], ids.dtype), ids])
        ends = np.flatnonzero(ids == line_end)
        return cls(ids, ends[:-1], ends[1:])

    @classmethod
    def of_tails(cls, tails: Sequence[Ids]) -> Self:
        """Take the held-out ends of streams, each begun by the character before it."""
        borders = np.cumsum([0, *map(len, tails)], dtype=np.int64)
        return cls(np.concatenate(tails), borders[:-1], borders[1:] - 1)

    def score(self, model: CharModel, shard: int) -> float:
        """Return the summed nats of one shard of the pieces."""
        pieces = slice(shard * self.per_shard, (shard + 1) * self.per_shard)
        starts, ends = self.starts[pieces], self.ends[pieces]
        N, longest = len(starts), int((ends - starts).max(initial=0))
        if not longest:
            return 0.0
        most = max(1, min(64, LOGITS // (N * model.vocab_size)))
        T = -(-longest // -(-longest // most))  # equal windows: buffers keep their shape
        return _score_streams(model, self.ids, starts, ends, model.zero_state(N), T)


def _score_streams(
    model: CharModel, ids: Ids, starts: Starts, ends: Starts, state: Array, T: int
) -> float:
    """Return the summed nats of what follows ``ids[starts]``, up to and with ``ids[ends]``."""
    total = 0.0
    longest = int((ends - starts).max(initial=0))
    for offset in range(0, longest, T):
        steps = np.arange(offset, min(offset + T, longest))[:, np.newaxis]
        places = np.minimum(starts + steps, len(ids) - 2)
        logits, state = model.forward(ids[places], state)
        nats, _ = cross_entropy_(logits, ids[places + 1].reshape(-1))
        total += float(nats[(starts + steps < ends).reshape(-1)].sum(dtype=np.float64))
    return total


AnyScorer = Scorer | ColdScorer


class ScoringWorker:
    """One worker's share of the shards of a text."""

    def __init__(self, model: CharModel, scorer: AnyScorer, shards: Sequence[int]) -> None:
        self.model, self.scorer, self.shards = model, scorer, shards

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def score(self) -> list[float]:
        """Return the nats of each of its shards."""
        return [self.scorer.score(self.model, shard) for shard in self.shards]


def score(model: CharModel, scorer: AnyScorer, *, threads: int = 1) -> float:
    """Return the negative log-probability of a text in nats.

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
        return scorer.uniform * log(model.vocab_size) + collect(team.call("score"))
