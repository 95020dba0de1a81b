"""What scorers and samplers need of a model.

A ``CharModel``, its copy on a GPU and its mixture with counts all have this interface.

Dimensions
    T steps of the window, N parallel streams, C predicted classes, M predictions per window.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.config import Architecture


class Predictor(Protocol):
    """Predicts the next symbols, or labels, of streams that it reads window by window."""

    @property
    def config(self) -> Architecture:
        """The shape of the network."""

    @property
    def vocab_size(self) -> int:
        """The number of symbols that it reads."""

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The type of its states and logits."""

    def replica(self) -> "Predictor":
        """Return a model with the same weights and its own buffers."""

    def for_one_stream(self) -> "Predictor":
        """Return a replica whose ``forward`` is faster for one stream."""

    def zero_state(self, N: int) -> Array:
        """Return the state (..., N) before any text."""

    def forward(
        self, ids: Ids, state: Array, *, lengths: NDArray[np.integer] | None = None
    ) -> tuple[Array, Array]:
        """Return logits (C, M) and the state after a window (T, N); see ``CharModel.forward``."""

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return the loss of each target (T, N) in nats and the state after."""
