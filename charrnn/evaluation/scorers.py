"""Scoring: a model's loss on a text, shard by shard.

Dimensions
    T steps of a window, N pieces that are read in parallel, S pieces in total, V vocabulary size.

If the pieces are a sample of a text, the score has a confidence interval.
"""

from collections.abc import Callable, Iterator, Sequence
from math import log, sqrt
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.evaluation.pieces import Pieces, Places
from charrnn.nn.predictor import Predictor
from charrnn.parallel.sharding import collect, deal
from charrnn.parallel.team import Team

PIECES_PER_SHARD = 32
COLD_CHARACTERS = 2**11
"""Characters of short cold pieces that are read together."""
LOGITS = 2**21
"""Most logits held at a time."""
STEPS, STEPS_OF_ONE = 64, 1024
"""Largest T, for several pieces and for a single one."""
NORMAL_95 = 1.96
"""Half-width of a 95 % confidence interval in standard errors."""

Read = Callable[[Ids, Ids, Array], tuple[Array, Array]]
"""Takes ids, targets (T, N) and a state; returns values (..., T, N) and the state after."""
ScoreSums = NDArray[np.float64]
"""Sums over the pieces of a shard: nats x, nats of marked symbols (or the number of correct
labels), x squared, x times characters."""


class Score(NamedTuple):
    """The result of scoring a text.

    Attributes
    ----------
    nats : float
        Negative log-probability of all scored ``characters``.
    characters : int
    marked_nats : float
        The part of ``nats`` that is due to marked symbols.
    interval : float
        Half-width of the 95 % confidence interval of the mean, in nats per character; 0 if the
        whole text was scored.
    right : int, optional
        How many of the scored labels the model predicts correctly.
    """

    nats: float
    characters: int
    marked_nats: float = 0.0
    interval: float = 0.0
    right: int | None = None

    @property
    def mean(self) -> float:
        """Nats per character, or per label."""
        return self.nats / self.characters

    @property
    def accuracy(self) -> float | None:
        """The share of correct labels, if labels were scored."""
        return None if self.right is None else self.right / self.characters


class Scorer(Protocol):
    """Scores a text shard by shard; the shards depend only on the text.

    Attributes
    ----------
    characters, whole : int
        Number of characters or labels that are scored, and number that these represent.
    num_shards : int
    """

    characters: int
    whole: int
    num_shards: int

    def score(self, model: Predictor, shard: int) -> ScoreSums:
        """Return the sums over one shard."""

    def result(self, model: Predictor, sums: ScoreSums) -> Score:
        """Return the score from the sums over all shards."""


class TextScorer:
    """Scores the pieces of a text, shard by shard.

    Parameters
    ----------
    pieces : Pieces
        How the text is split.
    marked : (V,) bool array, optional
        Symbols whose nats are also summed separately.

    Attributes
    ----------
    characters, whole : int
        Number of characters that are scored, and number that these represent.
    num_shards : int
        The pieces in each shard depend only on the text.
    """

    def __init__(self, pieces: Pieces, *, marked: NDArray[np.bool_] | None = None) -> None:
        self.pieces, self.marked = pieces, marked
        self.characters, self.whole = pieces.characters, pieces.whole
        self._per_shard = PIECES_PER_SHARD
        if not pieces.warm_up:
            # Many short pieces at once: a matrix product with few columns is inefficient.
            longest = max(1, int((pieces.ends - pieces.starts).max(initial=1)))
            self._per_shard = max(PIECES_PER_SHARD, COLD_CHARACTERS // longest)
        self.num_shards = max(1, -(-len(pieces.starts) // self._per_shard))

    def score(self, model: Predictor, shard: int) -> ScoreSums:
        """Return the sums over one shard of the pieces."""
        counts = self.pieces.counts[self._some(shard)]
        nats = np.zeros((2, len(counts)))
        for costs, targets, here in self.windows(model, shard, model.nats):
            counted = np.where(here, costs, 0)
            nats[0] += counted.sum(axis=0, dtype=np.float64)
            if self.marked is not None:
                nats[1] += (counted * self.marked[targets]).sum(axis=0, dtype=np.float64)
        x = nats[0]
        return np.array([x.sum(), nats[1].sum(), x @ x, x @ counts])

    def windows(
        self, model: Predictor, shard: int, read: Read
    ) -> Iterator[tuple[Array, Ids, NDArray[np.bool_]]]:
        """Read one shard of the pieces, window by window.

        Parameters
        ----------
        model : Predictor
            Gives the zero state.
        shard : int
            The index of the shard.
        read : callable
            Reads a window like ``Predictor.nats``, with values (..., T, N).

        Yields
        ------
        values : (..., T, N) array
        targets : (T, N) int array
        here : (T, N) bool array
            Which targets are scored.
        """
        ids, some = self.pieces.ids, self._some(shard)
        starts, ends = self.pieces.starts[some], self.pieces.ends[some]
        longest = int((ends - starts).max(initial=0))
        if not longest:
            return
        T = self._steps(len(starts), longest, model.vocab_size)
        firsts = starts if self.pieces.prompts is None else starts + self.pieces.prompts[some]
        state = self._warmed(model, starts, T, read)
        for offset in range(0, longest, T):
            steps = np.arange(offset, min(offset + T, longest))[:, np.newaxis]
            places = np.minimum(starts + steps, len(ids) - 2)
            targets = ids[places + 1]
            values, state = read(ids[places], targets, state)
            yield values, targets, (starts + steps >= firsts) & (starts + steps < ends)

    def _some(self, shard: int) -> slice:
        """Return the pieces of a shard."""
        return slice(shard * self._per_shard, (shard + 1) * self._per_shard)

    def _steps(self, N: int, longest: int, V: int) -> int:
        """Return T."""
        if self.pieces.warm_up:
            return max(1, min(STEPS if N > 1 else STEPS_OF_ONE, LOGITS // (N * V)))
        most = max(1, min(STEPS, LOGITS // (N * V)))
        return -(-longest // -(-longest // most))  # equal windows keep the buffers' shapes

    def _warmed(self, model: Predictor, starts: Places, T: int, read: Read) -> Array:
        """Return the state after the warm-up of some pieces."""
        state = model.zero_state(len(starts))
        if not starts.any():
            return state
        for offset in range(-self.pieces.warm_up, 0, T):
            steps = np.arange(offset, min(offset + T, 0))[:, np.newaxis]
            places = np.maximum(starts + steps, 0)
            _, state = read(self.pieces.ids[places], self.pieces.ids[places + 1], state)
        state[..., starts == 0] = 0  # no warm-up at the start of the text
        return state

    def result(self, model: Predictor, sums: ScoreSums) -> Score:
        """Return the score from the sums over all pieces."""
        first = self.pieces.uniform * log(model.vocab_size)
        marked = float(sums[1])
        if self.pieces.uniform and self.marked is not None and self.marked[self.pieces.ids[0]]:
            marked += first
        interval = interval_of(sums, self.pieces.counts, self.characters, self.whole)
        return Score(first + float(sums[0]), self.characters, marked, interval)


def interval_of(sums: ScoreSums, counts: Places, scored: int, whole: int) -> float:
    """Return the half-width of the confidence interval of a ratio of sums over sampled pieces.

    It is based on the variance of ``x - mean * n`` over the pieces (Cochran 1977, section 6.4),
    with the finite population correction.

    Parameters
    ----------
    sums : (4,) array
        See ``ScoreSums``.
    counts : (S,) int array
        The characters of each piece.
    scored, whole : int
        Number of characters that are scored, and number that these represent.
    """
    lengths = counts.astype(np.float64)
    count, total = len(lengths), lengths.sum()
    if whole <= scored or count < 2 or not total:
        return 0.0
    x, _, xx, xn = sums.tolist()
    mean = x / total
    squares = xx - 2 * mean * xn + mean * mean * float(lengths @ lengths)
    variance = max(0.0, squares) / (count - 1) * count * (1 - scored / whole)
    return NORMAL_95 * sqrt(variance) / float(total)


def window_of(vocab_size: int) -> int:
    """Return the most characters (steps times streams) that are scored at once."""
    return min(STEPS * PIECES_PER_SHARD, LOGITS // vocab_size)


class ScoringWorker:
    """A worker with its share of the shards of a text."""

    def __init__(self, model: Predictor, scorer: Scorer, shards: Sequence[int]) -> None:
        self.model, self.scorer, self.shards = model, scorer, shards

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def score(self) -> list[ScoreSums]:
        """Return the sums of its shards."""
        return [self.scorer.score(self.model, shard) for shard in self.shards]


def score(model: Predictor, scorer: Scorer, *, threads: int = 1) -> Score:
    """Score a text.

    Parameters
    ----------
    model : Predictor
        The model to evaluate.
    scorer : Scorer
        The text, split into shards.
    threads : int
        Number of workers; the result is bit-identical for any number.
    """
    workers = [
        ScoringWorker(model.replica(), scorer, shards)
        for shards in deal(range(scorer.num_shards), threads)
    ]
    with Team(workers) as team:
        return scorer.result(model, collect(team.call("score"), np.zeros(4)))
