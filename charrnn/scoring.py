"""Scoring a text: every character once, the state carried.

Dimensions
    T steps of a window, N parallel streams, V vocabulary size, m characters.

A text is scored exactly in one stream. Faster, it is cut into parallel streams, each of which
first reads the text before its part, unscored, so that its state is what it would have been.
"""

from collections.abc import Sequence
from math import log

import numpy as np

from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Ids
from charrnn.nn.team import Team
from charrnn.sharding import collect, deal

STREAMS = 64
"""Parallel streams of a long text."""
STREAMS_PER_SHARD = 32
WARM_UP = 256
"""Characters that a stream reads before its part."""
LOGITS = 2**21
"""Logits held at a time."""


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

    def __init__(self, ids: Ids, *, streams: int = STREAMS) -> None:
        self.ids = ids
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
        total = 0.0
        longest = int((ends - starts).max(initial=0))
        for offset in range(0, longest, T):
            steps = np.arange(offset, min(offset + T, longest))[:, np.newaxis]
            places = np.minimum(starts + steps, len(self.ids) - 2)
            logits, state = model.forward(self.ids[places], state)
            nats, _ = cross_entropy_(logits, self.ids[places + 1].reshape(-1))
            total += float(nats[(starts + steps < ends).reshape(-1)].sum(dtype=np.float64))
        return total


class ScoringWorker:
    """One worker's share of the shards of a text."""

    def __init__(self, model: CharModel, scorer: Scorer, shards: Sequence[int]) -> None:
        self.model, self.scorer, self.shards = model, scorer, shards

    def score(self) -> list[float]:
        """Return the nats of each of its shards."""
        return [self.scorer.score(self.model, shard) for shard in self.shards]


def score_ids(model: CharModel, ids: Ids, *, exact: bool = False, threads: int = 1) -> float:
    """Return the negative log-probability of a text in nats.

    Parameters
    ----------
    model : CharModel
        With its weights prepared.
    ids : (m,) int array
        The text; an empty one costs nothing.
    exact : bool
        In one stream, instead of parallel, warmed-up ones.
    threads : int
        Workers; the result is the same, bit for bit, for every number of them.
    """
    if not len(ids):
        return 0.0
    scorer = Scorer(ids, streams=1 if exact else STREAMS)
    workers = [
        ScoringWorker(model.replica(), scorer, shards)
        for shards in deal(range(scorer.num_shards), threads)
    ]
    with Team(workers) as team:
        return log(model.vocab_size) + collect(team.call("score"))
