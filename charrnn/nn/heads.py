"""Heads turn the output of the body into logits.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, M predictions.

A head is a layer (see ``layers.Layer``) with three more methods: ``forward(y)`` takes y (T, H, N)
and returns logits (V, M), ``backward(dlogits)`` returns dy (T, H, N), and ``predict_frequencies``
sets the bias. The head decides which steps it reads: ``EveryStep`` reads all of them. A head that
labels a whole text belongs here too; it reads the last step (M = N), and its dy is zero elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.layers.linear import Linear


class EveryStep(Linear):
    """Predicts the next symbol at every step: column ``t*N + n`` reads ``y[t, :, n]``."""

    def predict_frequencies(self, counts: NDArray[np.integer]) -> None:
        """Set the bias so that the first prediction is the frequency of each symbol.

        ``counts`` (V,) says how often each occurs; see ``with_new_ones`` for those that do not.
        """
        logits = np.log(with_new_ones(counts))
        self.b[...] = logits - logits.mean()


def with_new_ones(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return counts (V,) with the zeros replaced by a Good-Turing estimate.

    All symbols that do not occur together count as often as there are symbols that occur once.
    """
    expected = counts.astype(np.float64)
    new = counts == 0
    if new.any():
        expected[new] = max(1, int(np.count_nonzero(counts == 1))) / int(np.count_nonzero(new))
    return expected
