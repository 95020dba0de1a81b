"""Encoders turn ids into the input of the first recurrent layer.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, D features.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.nn.layers import Layer


class Encoder(Layer, Protocol):
    """The interface of an encoder."""

    output_size: int

    def forward(self, ids: Ids, dtype: np.dtype[np.floating]) -> Array:
        """Return x (T, D, N) for ids (T, N)."""

    def backward(self, dx: Array | None) -> None:
        """Fill the gradient of the weights, if there are any, from dx (T, D, N)."""


class OneHot:
    """Turns each id into a column with a single 1."""

    def __init__(self, vocab_size: int) -> None:
        self.output_size = vocab_size
        self.window = (0, 0)
        self.steps = self.streams = np.empty((0, 0), np.intp)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return no shapes: there is nothing to learn."""
        return {}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Take no weights."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw nothing."""

    def forward(self, ids: Ids, dtype: np.dtype[np.floating]) -> Array:
        """Return x (T, V, N) for ids (T, N)."""
        T, N = ids.shape
        if self.window != (T, N):
            self.window = T, N
            self.steps, self.streams = np.ogrid[:T, :N]
        x = np.zeros((T, self.output_size, N), dtype)
        x[self.steps, ids, self.streams] = 1
        return x

    def backward(self, dx: Array | None) -> None:
        """Do nothing: no weight lies below."""


class Embedding:
    """Turns each id into a learned vector: the choice where a one-hot column would be long."""

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
        """Draw the vectors from the standard normal distribution, as PyTorch does."""
        self.E[...] = rng.standard_normal(self.E.shape)

    def forward(self, ids: Ids, dtype: np.dtype[np.floating]) -> Array:
        """Return x (T, D, N) for ids (T, N)."""
        self.ids = ids
        return self.E[ids].transpose(0, 2, 1)

    def backward(self, dx: Array | None) -> None:
        """Sum the gradients dx (T, D, N) of each id's occurrences into ``dE``."""
        assert dx is not None
        ids = self.ids.reshape(-1)
        columns = dx.transpose(0, 2, 1).reshape(len(ids), -1)
        # Sorted, the occurrences of an id are one run to be summed: far faster than add.at.
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        self.dE[...] = 0
        self.dE[ids[starts]] = np.add.reduceat(columns[order], starts, axis=0)
