"""What networks predict of a text, window by window, for a mixture.

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
"""T at most, and logits of a window."""


def static_windows(model: CharModel, ids: Ids) -> Iterator[Array]:
    """Yield log-probabilities (V, T) of all characters of a text (m,) but the first, in order."""
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
    """Yield the same of a model that learns; see ``dynamic_windows``.

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
    """Return the error of a model that no longer predicts anything finite."""
    return ConfigError(f"the model lost itself while learning: --dynamic-rate {rate:g} is too high")
