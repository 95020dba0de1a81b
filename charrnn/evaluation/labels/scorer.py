"""Scoring the labels of a held-out text.

Dimensions
    T steps of a window, N pieces that are read in parallel, C labels, M predictions.
"""

import numpy as np

from charrnn.data.labels.examples import Examples, Pieces, window_of
from charrnn.evaluation.scorers import Score, ScoreSums, interval_of
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.predictor import Predictor

LONGEST = 1024
"""Most symbols of a text that are read at once."""
SYMBOLS_AT_ONCE = 2**13
"""Approximate number of symbols in a shard."""


class LabelScorer:
    """Scores the labels of texts, shard by shard; see ``Scorer``.

    Parameters
    ----------
    examples : Examples
        The texts, at least one of them with a label.
    most : int, optional
        Approximate number of labels to score, in evenly spread texts.
    seq_len : int
        Symbols that are read at once: longer texts are split as in training.
    """

    def __init__(self, examples: Examples, most: int | None = None, seq_len: int = LONGEST) -> None:
        self.examples, self.pieces = examples, Pieces.of(examples, seq_len)
        self.whole = int(np.count_nonzero(examples.scored))
        taken = np.arange(len(self.pieces.texts))
        if most is not None and most < self.whole:
            wanted = max(2, len(taken) * most // self.whole)
            taken = np.linspace(0, len(taken) - 1, min(len(taken), wanted)).astype(np.int64)
        # Sorted by length, so that pieces read together need little padding.
        self._order = taken[np.argsort(self.pieces.lengths[taken], kind="stable")]
        labels = np.concatenate([[0], np.cumsum(examples.scored)])
        if examples.of_texts:
            counts = examples.scored[self.pieces.texts].astype(np.int64)
        else:
            first = self.pieces.starts + self.pieces.first
            counts = labels[self.pieces.starts + self.pieces.stop] - labels[first]
        self.counts = counts[self._order]
        self.characters = int(self.counts.sum())
        read = np.cumsum(self.pieces.lengths[self._order])
        self._shard_of = (read - 1) // SYMBOLS_AT_ONCE
        self.num_shards = int(self._shard_of[-1]) + 1

    def score(self, model: Predictor, shard: int) -> ScoreSums:
        """Return the sums over one shard of the texts."""
        start, stop = np.searchsorted(self._shard_of, [shard, shard + 1])
        batch = self._order[start:stop]
        if not len(batch):
            return np.zeros(4)
        T = int(self.pieces.lengths[batch].max())
        window = window_of(self.examples, self.pieces, batch, T)
        assert window.scored is not None
        state = model.zero_state(len(batch))
        logits, _ = model.forward(window.ids, state, lengths=window.lengths)
        likeliest = logits.argmax(axis=0).reshape(window.targets.shape)
        right = np.count_nonzero((likeliest == window.targets) & window.scored)
        nats, _ = cross_entropy_(logits, window.targets.reshape(-1))
        costs = np.where(window.scored, nats.reshape(window.targets.shape), 0)
        x = costs.sum(axis=0, dtype=np.float64)
        return np.array([x.sum(), right, x @ x, x @ self.counts[start:stop]])

    def result(self, model: Predictor, sums: ScoreSums) -> Score:
        """Return the score from the sums over all shards."""
        interval = interval_of(sums, self.counts, self.characters, self.whole)
        return Score(float(sums[0]), self.characters, 0.0, interval, right=int(sums[1]))
