"""Predictions of networks for a text, window by window, as input of a mixture.

Dimensions: T steps of a window, V vocabulary size, m characters, P parameters, D inputs of the
output layers of all members, N networks, B symbols in a block.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.errors import ConfigError
from charrnn.evaluation.adapting.head import Floats, LearningHead
from charrnn.evaluation.dynamic import dynamic_windows
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel

WINDOW, LOGITS = 256, 2**20
"""Largest T, and most logits in a window."""


class Window(NamedTuple):
    """A network's prediction of successive characters.

    Attributes
    ----------
    log_probabilities : (V, T) array
    head_inputs : (D, T) array
        What the output layers read; see ``CharModel.head_inputs``.
    """

    log_probabilities: Array
    head_inputs: Array


Windows = Iterator[Window]
"""Successive windows of a text, starting with the prediction of its second character."""


def static_windows(model: CharModel, ids: Ids) -> Windows:
    """Yield predictions of all characters of a text (m,) except the first."""
    network = model.for_one_stream()
    state = network.zero_state(1)
    T = max(1, min(WINDOW, LOGITS // model.vocab_size))
    for first in range(0, len(ids) - 1, T):
        stop = min(first + T, len(ids) - 1)
        logits, state = network.forward(ids[first:stop, np.newaxis], state)
        yield Window(log_softmax_(logits), network.head_inputs())


def learning_windows(
    model: CharModel, ids: Ids, usual: Array, *, window: int, rate: float
) -> Windows:
    """Yield the same for a model under dynamic evaluation; see ``dynamic_windows``.

    Raises
    ------
    ConfigError
        If the rate is too high.
    """
    for nats, logits, inputs in dynamic_windows(model, ids, usual, window=window, rate=rate):
        if not np.isfinite(nats).all():
            raise lost(rate)
        yield Window(log_softmax_(logits), inputs)


def lost(rate: float) -> ConfigError:
    """Return the error for a model whose predictions are no longer finite."""
    return ConfigError(f"the model diverged while adapting: --dynamic-rate {rate:g} is too high")


class Networks:
    """Reads several networks block by block, and adds an output layer that learns.

    Parameters
    ----------
    networks : sequence of N iterators
        The best network first: the output layer that learns starts from its predictions.
    vocab_size : int
        V.

    Attributes
    ----------
    input_size : int
        D of the first network; 0 without networks.
    """

    def __init__(self, networks: Sequence[Windows], vocab_size: int) -> None:
        self._readers = [_Reader(windows) for windows in networks]
        self.input_size = self._readers[0].input_size if networks else 0
        self._head = LearningHead(self.input_size, vocab_size)

    def read(self, symbols: Ids, logs: Floats) -> Floats:
        """Read the predictions of the next block.

        Parameters
        ----------
        symbols : (B,) int array
            The symbols to predict.
        logs : (N + 1, B, V) float32 array
            Filled with the log-probabilities of the networks and of the output layer that learns;
            of shape (0, B, V) without networks.

        Returns
        -------
        (D, B) float32 array
            What the output layers of the first network read.
        """
        if not self._readers:
            return np.empty((0, len(symbols)), np.float32)
        windows = [reader.read(len(symbols)) for reader in self._readers]
        for row, window in zip(logs[:-1], windows, strict=True):
            row[...] = window.log_probabilities.T
        logs[-1] = self._head.read(logs[0], windows[0].head_inputs, symbols)
        return windows[0].head_inputs


class _Reader:
    """Reads columns of windows in requested numbers."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._rest = [next(windows)]
        self.input_size = len(self._rest[0].head_inputs)

    def read(self, count: int) -> Window:
        """Return the next ``count`` columns."""
        parts = self._rest
        while sum(part.head_inputs.shape[1] for part in parts) < count:
            parts.append(next(self._windows))
        whole = [np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)]
        self._rest = [Window(*(array[:, count:] for array in whole))]
        return Window(*(array[:, :count] for array in whole))
