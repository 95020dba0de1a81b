"""The most likely next symbols at each position of a text.

Dimensions: n symbols, V vocabulary size, K guesses, T steps of a window.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.evaluation.scorers import LOGITS
from charrnn.nn.loss import log_softmax_
from charrnn.nn.predictor import Predictor

GUESSES = 5
WINDOW = 512
"""Largest T."""


class Guesses(NamedTuple):
    """A model's predictions after each symbol of a text.

    Attributes
    ----------
    symbols : (n, K) int array
        The ids of the K most likely symbols, in descending order of probability.
    probabilities : (n, K) float64 array
    nats : (n - 1,) float64 array
        The negative log-probability of each symbol except the first.
    """

    symbols: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    nats: NDArray[np.float64]


def likeliest(model: Predictor, ids: Ids, *, count: int = GUESSES) -> Guesses:
    """Read a text from a zero state, and return the model's predictions after each symbol.

    Parameters
    ----------
    model : Predictor
        A language model.
    ids : (n,) int array
        At least one symbol.
    count : int
        K, at most V.
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
        # Ties are ordered by id.
        best = np.argsort(-found, axis=1, kind="stable")[:, :K]
        symbols[start : start + T] = best
        probabilities[start : start + T] = np.exp(np.take_along_axis(found, best, axis=1))
        targets = ids[start + 1 : start + 1 + T]
        nats[start : start + T] = -found[np.arange(len(targets)), targets]
    return Guesses(symbols, probabilities, nats)
