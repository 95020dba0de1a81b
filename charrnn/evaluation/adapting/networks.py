"""Predictions of networks for a text, window by window, as input of a mixture.

Dimensions: T steps of a window, V vocabulary size, m characters, P parameters.
"""

from collections.abc import Iterator

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.errors import ConfigError
from charrnn.evaluation.dynamic import dynamic_windows
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel

WINDOW, LOGITS = 256, 2**20
"""Largest T, and most logits in a window."""


def static_windows(model: CharModel, ids: Ids) -> Iterator[Array]:
    """Yield log-probabilities (V, T) of all characters of a text (m,) except the first."""
    network = model.for_one_stream()
    state = network.zero_state(1)
    T = max(1, min(WINDOW, LOGITS // model.vocab_size))
    for first in range(0, len(ids) - 1, T):
        stop = min(first + T, len(ids) - 1)
        logits, state = network.forward(ids[first:stop, np.newaxis], state)
        yield log_softmax_(logits)


def learning_windows(
    model: CharModel, ids: Ids, usual: Array, *, window: int, rate: float
) -> Iterator[Array]:
    """Yield the same for a model under dynamic evaluation; see ``dynamic_windows``.

    Raises
    ------
    ConfigError
        If the rate is too high.
    """
    for nats, logits in dynamic_windows(model, ids, usual, window=window, rate=rate):
        if not np.isfinite(nats).all():
            raise lost(rate)
        yield log_softmax_(logits)


def lost(rate: float) -> ConfigError:
    """Return the error for a model whose predictions are no longer finite."""
    return ConfigError(f"the model diverged while adapting: --dynamic-rate {rate:g} is too high")
