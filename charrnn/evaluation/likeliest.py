"""What a model takes for likeliest at each place of a text.

Dimensions: n symbols, V vocabulary size, K guesses, T steps of a window.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.evaluation.scorers import LOGITS
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel

GUESSES = 5
WINDOW = 512
"""T at most."""


class Guesses(NamedTuple):
    """What a model expects after each symbol of a text.

    Attributes
    ----------
    symbols : (n, K) int array
        The ids of the K likeliest symbols, the likeliest first.
    probabilities : (n, K) float64 array
    nats : (n - 1,) float64 array
        What each symbol but the first cost: minus the logarithm of its probability.
    """

    symbols: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    nats: NDArray[np.float64]


def likeliest(model: CharModel, ids: Ids, *, count: int = GUESSES) -> Guesses:
    """Read a text from a zero state, and return what the model expects after each symbol.

    Parameters
    ----------
    model : CharModel
        That predicts the next symbol.
    ids : (n,) int array
        At least one symbol.
    count : int
        K, or V if that is less.
    """
    V = model.vocab_size
    K, T = min(count, V), max(1, min(WINDOW, LOGITS // V))
    symbols = np.empty((len(ids), K), np.intp)
    probabilities = np.empty((len(ids), K))
    nats = np.empty(len(ids) - 1)
    state = model.zero_state(1)
    for start in range(0, len(ids), T):
        some = ids[start : start + T]
        logits, state = model.forward(some[:, np.newaxis], state)
        found = log_softmax_(logits).T  # (T, V)
        # Of two that are as likely, the one with the lower id comes first.
        best = np.argsort(-found, axis=1, kind="stable")[:, :K]
        symbols[start : start + T] = best
        probabilities[start : start + T] = np.exp(np.take_along_axis(found, best, axis=1))
        targets = ids[start + 1 : start + 1 + T]
        nats[start : start + T] = -found[np.arange(len(targets)), targets]
    return Guesses(symbols, probabilities, nats)
