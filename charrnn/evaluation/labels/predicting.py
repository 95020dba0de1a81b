"""A model's predictions for texts: the probability of each label.

Dimensions
    k texts, n symbols in all texts, C labels, N pieces that are read in parallel, T steps.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.data.labels.examples import Examples, Pieces, window_of
from charrnn.evaluation.labels.scorer import LONGEST
from charrnn.nn.loss import log_softmax_
from charrnn.nn.predictor import Predictor
from charrnn.parallel.sharding import deal
from charrnn.parallel.team import Team

SYMBOLS_AT_ONCE = 2**13
"""Approximate number of symbols that are read in parallel."""


class PredictingWorker:
    """A worker with its share of the batches."""

    def __init__(
        self,
        model: Predictor,
        examples: Examples,
        pieces: Pieces,
        batches: Sequence[NDArray[np.int64]],
    ) -> None:
        self.model, self.examples, self.pieces, self.batches = model, examples, pieces, batches

    def predict(self) -> list[Array]:
        """Return log-probabilities (T, N, C) of each batch; T is 1 for labels of whole texts."""
        found = []
        for batch in self.batches:
            T, N = int(self.pieces.lengths[batch].max()), len(batch)
            window = window_of(self.examples, self.pieces, batch, T)
            state = self.model.zero_state(N)
            logits, _ = self.model.forward(window.ids, state, lengths=window.lengths)
            found.append(log_softmax_(logits).T.reshape(-1, N, len(logits)))
        return found


def log_probabilities(
    model: Predictor, examples: Examples, *, seq_len: int = LONGEST, threads: int = 1
) -> Array:
    """Return the log-probability of every label, for each text or each symbol.

    Parameters
    ----------
    model : Predictor
        A model that predicts labels.
    examples : Examples
        The texts; their targets are ignored.
    seq_len : int
        Symbols that are read at once: longer texts are split as in training.
    threads : int
        Number of workers; no effect on the result.

    Returns
    -------
    (k, C) or (n, C) float array
        In nats.
    """
    pieces = Pieces.of(examples, seq_len)
    order = np.argsort(pieces.lengths, kind="stable")
    shard = (np.cumsum(pieces.lengths[order]) - 1) // SYMBOLS_AT_ONCE
    batches = [part for part in np.split(order, np.flatnonzero(np.diff(shard)) + 1) if len(part)]
    dealt = deal(range(len(batches)), threads)
    workers = [
        PredictingWorker(model.replica(), examples, pieces, [batches[number] for number in mine])
        for mine in dealt
    ]
    with Team(workers) as team:
        found = [batch for part in team.call("predict") for batch in part]
    C = model.config.num_labels
    result = np.empty((len(examples.targets), C), model.dtype)
    numbers = [number for mine in dealt for number in mine]
    for number, values in zip(numbers, found, strict=True):
        batch = batches[number]
        if examples.of_texts:
            result[pieces.texts[batch]] = values[0]
            continue
        for column, piece in enumerate(batch.tolist()):
            first, stop = int(pieces.first[piece]), int(pieces.stop[piece])
            start = int(pieces.starts[piece])
            result[start + first : start + stop] = values[first:stop, column]
    return result
