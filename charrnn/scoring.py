"""Scoring a text: every character once, the state carried or zero at every window.

Dimensions
    T steps of a window, N parallel streams, V vocabulary size, m characters.

A text is scored exactly in one stream. Faster, it is cut into parallel streams, each of which
first reads the text before its part, unscored, so that its state is what it would have been.
Cold windows are streams that are not warmed up: short parts, each read from a zero state.
"""

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Array, Ids
from charrnn.nn.team import Team
from charrnn.sharding import collect, deal

STREAMS = 64
"""Parallel streams of a long text."""
STREAMS_PER_SHARD = 32
WARM_UP = 256
"""Characters that a stream reads before its part."""
LOGITS = 2**21
"""Logits held at a time."""
LINES_PER_SHARD = 128
COLD_CHARACTERS = 2**11
"""Characters of the cold windows that are read together, if they are short."""

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
    """A text cut into windows that are each read from a zero state, as nanoGPT evaluates.

    Parameters
    ----------
    ids : (m,) int array
        The text; at least one character.
    window : int
        The characters that a window reads. It predicts as many, each one character later, so that
        a window begins with the last character that the one before it predicted.
    """

    uniform = 1

    def __init__(self, ids: Ids, window: int) -> None:
        self.ids, self.characters = ids, len(ids)
        last = len(ids) - 1
        self.starts = np.append(np.arange(0, last, window, dtype=np.int64), last)
        self.window = min(window, max(1, last))
        # Many short windows at once: a product with few columns wastes the processor.
        self.per_shard = max(STREAMS_PER_SHARD, COLD_CHARACTERS // self.window)
        self.num_shards = max(1, -(-(len(self.starts) - 1) // self.per_shard))

    def score(self, model: CharModel, shard: int) -> float:
        """Return the summed nats of one shard of the windows, all but the first character."""
        windows = slice(shard * self.per_shard, (shard + 1) * self.per_shard)
        starts, ends = self.starts[:-1][windows], self.starts[1:][windows]
        N = len(starts)
        if N == 0:
            return 0.0
        most = max(1, min(64, LOGITS // (N * model.vocab_size)))
        T = -(-self.window // -(-self.window // most))  # equal pieces: buffers keep their shape
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


class LineScorer:
    """A text of lines, each an item that is read from a zero state, as in ``text.lines``.

    Parameters
    ----------
    ids : (m,) int array
        The text, every line with an end and none empty.
    line_end : int
        The id of the line end.
    """

    uniform = 0

    def __init__(self, ids: Ids, line_end: int) -> None:
        self.characters = len(ids)
        self.ids = np.concatenate([np.array([line_end], ids.dtype), ids])
        ends = np.flatnonzero(self.ids == line_end)
        # Lines of one length together: little is read behind the end of a line.
        order = np.argsort(np.diff(ends), kind="stable")
        self.starts, self.ends = ends[:-1][order], ends[1:][order]
        self.num_shards = -(-len(order) // LINES_PER_SHARD)

    def score(self, model: CharModel, shard: int) -> float:
        """Return the summed nats of one shard of the lines."""
        lines = slice(shard * LINES_PER_SHARD, (shard + 1) * LINES_PER_SHARD)
        starts, ends = self.starts[lines], self.ends[lines]
        N = len(starts)
        T = max(1, min(64, LOGITS // (N * model.vocab_size)))
        return _score_streams(model, self.ids, starts, ends, model.zero_state(N), T)


AnyScorer = Scorer | ColdScorer | LineScorer


class ScoringWorker:
    """One worker's share of the shards of a text."""

    def __init__(self, model: CharModel, scorer: AnyScorer, shards: Sequence[int]) -> None:
        self.model, self.scorer, self.shards = model, scorer, shards

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def score(self) -> list[float]:
        """Return the nats of each of its shards."""
        return [self.scorer.score(self.model, shard) for shard in self.shards]


def score_ids(
    model: CharModel,
    ids: Ids,
    *,
    exact: bool = False,
    cold_windows: int | None = None,
    line_end: int | None = None,
    threads: int = 1,
) -> float:
    """Return the negative log-probability of a text in nats.

    Parameters
    ----------
    model : CharModel
        With its weights prepared.
    ids : (m,) int array
        The text; an empty one costs nothing.
    exact : bool
        In one stream, instead of parallel, warmed-up ones.
    cold_windows : int, optional
        In windows that read so many characters, each from a zero state.
    line_end : int, optional
        In lines that end with this id, each from a zero state.
    threads : int
        Workers; the result is the same, bit for bit, for every number of them.
    """
    if not len(ids):
        return 0.0
    scorer: AnyScorer
    if line_end is not None:
        scorer = LineScorer(ids, line_end)
    elif cold_windows:
        scorer = ColdScorer(ids, cold_windows)
    else:
        scorer = Scorer(ids, streams=1 if exact else STREAMS)
    workers = [
        ScoringWorker(model.replica(), scorer, shards)
        for shards in deal(range(scorer.num_shards), threads)
    ]
    with Team(workers) as team:
        return scorer.uniform * log(model.vocab_size) + collect(team.call("score"))
