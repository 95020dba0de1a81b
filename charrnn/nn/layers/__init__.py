"""The layers below and above the recurrent ones, and the interface of all layers."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from charrnn.backend.arrays import Array

SPENT = "backward needs a new forward pass: call forward first"
"""The message of the RuntimeError if ``backward`` has no valid activations to read."""


class Layer(Protocol):
    """A layer that may have weights. Each kind has its own ``forward`` and ``backward``."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name."""

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradients."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Initialize the weights."""
