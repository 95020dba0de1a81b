"""Encoders: how symbols are represented for the lowest recurrent layer.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, D features.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.nn.inputs import Symbols
from charrnn.nn.layers import Layer


class Encoder(Layer, Protocol):
    """The interface of an encoder."""

    output_size: int

    def forward(self, ids: Ids) -> Symbols:
        """Return the symbols (T, N) in the form that a layer reads."""

    def backward(self, dvectors: Array | None) -> None:
        """Fill the gradient of the weights, if any, from that of the vectors (V, D)."""


class OneHot:
    """Represents each symbol as a column with a single 1."""

    def __init__(self, vocab_size: int) -> None:
        self.output_size = vocab_size

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return no shapes, as there are no weights."""
        return {}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Do nothing, as there are no weights."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Do nothing, as there are no weights."""

    def forward(self, ids: Ids) -> Symbols:
        """Return the symbols (T, N) as one-hot columns."""
        return Symbols(ids, self.output_size)

    def backward(self, dvectors: Array | None) -> None:
        """Do nothing, as there are no weights."""


class Embedding:
    """Represents each symbol as a learned vector, for vocabularies too large for one-hot."""

    def __init__(self, vocab_size: int, embedding_size: int) -> None:
        self.vocab_size = vocab_size
        self.output_size = embedding_size

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the table of vectors."""
        return {"E": (self.vocab_size, self.output_size)}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the table and its gradient."""
        self.E, self.dE = values["E"], grads["E"]

    def initialise(self, rng: np.random.Generator) -> None:
        """Sample the vectors from the standard normal distribution, as PyTorch does."""
        self.E[...] = rng.standard_normal(self.E.shape)

    def forward(self, ids: Ids) -> Symbols:
        """Return the symbols (T, N) with their vectors."""
        return Symbols(ids, self.vocab_size, self.E)

    def backward(self, dvectors: Array | None) -> None:
        """Fill ``dE`` with the gradient (V, D) of the vectors."""
        assert dvectors is not None
        self.dE[...] = dvectors
