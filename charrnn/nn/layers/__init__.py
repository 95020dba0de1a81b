"""The layers below and above the recurrent ones, and the interface of all layers."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from charrnn.backend.arrays import Array

SPENT = "backward needs a forward of its own: call forward again before it"
"""The message of the RuntimeError if ``backward`` would read buffers that it has overwritten."""


class Layer(Protocol):
    """A layer that may have weights. ``forward`` and ``backward`` differ from kind to kind."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, by name."""

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradients."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw the initial weights."""
