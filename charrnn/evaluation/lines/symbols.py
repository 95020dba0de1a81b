"""The nats of each symbol of many short independent texts, read in parallel.

Dimensions
    n rows, m symbols in all rows, S pieces, T steps, N pieces that are read in parallel.

All rows follow the same text. Rows longer than ``LONG`` symbols are split into pieces, each warmed
up on the symbols before it, so that they take no more memory and are read as fast.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.evaluation.pieces import WARM_UP, Pieces, Places
from charrnn.evaluation.scorers import LOGITS, Read, TextScorer
from charrnn.nn.predictor import Predictor
from charrnn.parallel.team import Team

LONG = 2**14
"""Longest row that is read in one piece, in symbols."""
PIECE = 2**12
"""Symbols per piece of a longer row."""
SIDE_BY_SIDE = 64
"""Rows of similar lengths that are read in parallel."""

Costs = NDArray[np.float32]


class SymbolScorer(TextScorer):
    """Computes the nats of each symbol of pieces, shard by shard.

    Parameters
    ----------
    pieces : Pieces
        The pieces, with similar lengths next to each other. Cold ones start from ``begun``.
    begun : (L, S, R, 1) array
        The initial state of cold pieces.
    """

    def __init__(self, pieces: Pieces, begun: Array) -> None:
        super().__init__(pieces)
        self._begun = begun
        self._per_shard = SIDE_BY_SIDE
        self.num_shards = -(-len(pieces.starts) // SIDE_BY_SIDE)

    def costs(self, model: Predictor, shard: int) -> Array:
        """Return the nats of a shard's symbols (T, N), undefined past the end of a piece."""
        return np.concatenate([costs for costs, *_ in self.windows(model, shard, model.nats)])

    def _warmed(self, model: Predictor, starts: Places, T: int, read: Read) -> Array:
        if self.pieces.warm_up:
            return super()._warmed(model, starts, T, read)
        return np.repeat(self._begun, len(starts), axis=-1)


class _Worker:
    """A worker that computes its share of the shards."""

    def __init__(self, model: Predictor, begun: Array, number: int, count: int) -> None:
        self.model, self.begun = model, begun
        self.number, self.count = number, count

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def costs(self, pieces: Pieces) -> list[Array]:
        """Return the nats of its shards."""
        scorer = SymbolScorer(pieces, self.begun)
        return [
            scorer.costs(self.model, shard)
            for shard in range(self.number, scorer.num_shards, self.count)
        ]


class SymbolReader:
    """Reads rows with a model; the workers serve any number of calls.

    Parameters
    ----------
    model : Predictor
        The model to score with.
    before : (b,) int array
        The symbols before every row, at least one; they are read from a zero state.
    threads : int
        Number of workers; the result is bit-identical for any number.
    """

    def __init__(self, model: Predictor, before: Ids, *, threads: int = 1) -> None:
        self._last = before[-1:]
        begun = model.zero_state(1)
        with np.errstate(over="ignore", invalid="ignore"):
            T = max(1, min(LONG, LOGITS // model.vocab_size))
            for start in range(0, len(before) - 1, T):
                ids = before[start : min(start + T, len(before) - 1), np.newaxis]
                _, begun = model.forward(ids, begun)
        begun = begun.copy()  # may be a buffer of the model
        self._team = Team(
            [_Worker(model.replica(), begun, number, threads) for number in range(threads)]
        )

    def close(self) -> None:
        """End the workers."""
        self._team.close()

    def costs(self, rows: Sequence[Ids]) -> Costs:
        """Return the nats (m,) of each symbol of rows, concatenated."""
        lengths = np.array([len(row) for row in rows], np.int64)
        costs = np.empty(int(lengths.sum()), np.float32)
        if not len(costs):
            return costs
        # A text in which every row follows the last symbol of the context.
        ids = np.concatenate([part for row in rows for part in (self._last, row)])
        firsts = np.cumsum(lengths + 1) - lengths - 1
        cold, warm = _pieces(ids, firsts, lengths)
        for pieces in (cold, warm):
            if len(pieces.starts):
                self._fill(costs, pieces, firsts)
        return costs

    def _fill(self, costs: Costs, pieces: Pieces, firsts: Places) -> None:
        """Store the nats of pieces at the symbols of their rows."""
        found = self._team.call("costs", pieces)
        # In ``pieces`` every row is preceded by one more symbol.
        shift = np.searchsorted(firsts, pieces.starts, side="right") - 1
        places = zip(
            (pieces.starts - shift).tolist(), (pieces.ends - pieces.starts).tolist(), strict=True
        )
        for shard in range(-(-len(pieces.starts) // SIDE_BY_SIDE)):
            worker, turn = shard % self._team.size, shard // self._team.size
            for column, (start, length) in zip(found[worker][turn].T, places, strict=False):
                costs[start : start + length] = column[:length]


def _pieces(ids: Ids, firsts: Places, lengths: Places) -> tuple[Pieces, Pieces]:
    """Return the pieces that start rows, and those that continue long ones, sorted by length."""
    long = lengths > LONG
    ends = np.where(long, firsts + PIECE, firsts + lengths)
    order = np.argsort(ends - firsts, kind="stable")
    order = order[lengths[order] > 0]
    cold = Pieces(ids, firsts[order], ends[order], whole=0)
    begins = firsts[long], (firsts + lengths)[long]
    inner = [np.arange(first + PIECE, end, PIECE) for first, end in zip(*begins, strict=True)]
    starts = np.concatenate([np.empty(0, np.int64), *inner])
    stops = np.minimum(starts + PIECE, np.repeat(begins[1], [len(some) for some in inner]))
    return cold, Pieces(ids, starts, stops, whole=0, warm_up=WARM_UP)
