"""The layers below and above the recurrent ones: OneHot or Embedding, Dropout, Linear.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, D and F features.

Each layer's ``backward`` belongs to the ``forward`` just before it.
"""

from collections.abc import Mapping

import numpy as np

from charrnn.backend.arrays import Array, Ids, Workspace, swap_time


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


class Dropout:
    """Zeroes a share of the features, the same ones at every step of the window.

    One mask per window and stream is variational dropout (Gal & Ghahramani 2016). What is kept
    grows by ``1 / (1 - rate)``, so that nothing changes where no mask is drawn.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def forward(self, y: Array, rng: np.random.Generator | None) -> Array:
        """Return y (T, F, N), masked if there is a generator to draw the mask (F, N) from."""
        self.mask: Array | None = None
        if rng is None or self.rate == 0:
            return y
        kept = rng.random(y.shape[1:], np.float32) >= self.rate
        self.mask = kept.astype(y.dtype) / y.dtype.type(1 - self.rate)
        return y * self.mask

    def backward(self, dy: Array) -> Array:
        """Return the gradient of ``forward``'s input."""
        return dy if self.mask is None else dy * self.mask


class WeightDropout:
    """Zeroes a share of the recurrent weights, the same ones at every step of the window.

    DropConnect on the hidden-to-hidden weights (Wan et al. 2013; Merity et al. 2018): the only way
    to drop something inside the recurrence that leaves the state whole. What is kept grows by
    ``1 / (1 - rate)``.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.mask: Array | None = None

    def forward(self, W: Array, first: int, rng: np.random.Generator | None) -> Array:
        """Return W (R, K), with weights dropped from column ``first`` on if there is a generator.

        What is returned is W itself or a copy that the next ``forward`` overwrites.
        """
        self.mask = None
        if rng is None or self.rate == 0:
            return W
        shape = (len(W), W.shape[1] - first)
        if not hasattr(self, "thinned"):
            self.thinned, self.factors = np.empty_like(W), np.empty(shape, W.dtype)
        # 16 raw bits a weight are drawn three times as fast as a float.
        words = rng.bit_generator.random_raw(-(-self.factors.size // 4))
        drawn = words.view(np.uint16)[: self.factors.size].reshape(shape)
        kept = drawn >= round(self.rate * 2**16)
        self.mask = np.multiply(kept, W.dtype.type(1 / (1 - self.rate)), out=self.factors)
        self.thinned[:, :first] = W[:, :first]
        np.multiply(W[:, first:], self.mask, out=self.thinned[:, first:])
        return self.thinned

    def backward(self, dW: Array) -> None:
        """Turn the gradient of what ``forward`` returned into that of W, in place."""
        if self.mask is not None:
            dropped = dW[:, dW.shape[1] - self.mask.shape[1] :]
            np.multiply(dropped, self.mask, out=dropped)


class Linear:
    """Above the recurrent layers: ``logits = W @ [1; y]``, with ``W = [b Wy]`` (F, 1 + D)."""

    def __init__(self, input_size: int, output_size: int) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self.columns: Array = np.empty((0, 0))
        self.workspace = Workspace()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the weights, the bias in the first column."""
        return {"W": (self.output_size, 1 + self.input_size)}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradient."""
        self.W, self.dW = values["W"], grads["W"]
        self.b = self.W[:, 0]

    def initialise(self, rng: np.random.Generator) -> None:
        """Leave the weights zero: the first output is the bias."""
        self.W[...] = 0

    def forward(self, y: Array) -> Array:
        """Return logits (F, T*N) for y (T, D, N)."""
        T, D, N = y.shape
        if self.columns.shape != (1 + D, T * N):
            self.columns = np.ones((1 + D, T * N), self.W.dtype)
        swap_time(y, self.columns[1:].reshape(D, T, N))
        return self.W @ self.columns

    def backward(self, dlogits: Array, shape: tuple[int, int, int]) -> Array:
        """Fill ``dW`` from dlogits (F, T*N) and return dy of ``shape`` (T, D, N).

        It lies in a buffer that the next ``backward`` with this workspace overwrites.
        """
        T, D, N = shape
        np.matmul(dlogits, self.columns.T, out=self.dW)
        dy = np.matmul(self.W[:, 1:].T, dlogits, out=self.columns[1:])  # y has served
        return swap_time(dy.reshape(D, T, N), self.workspace.array("dx", shape, dy.dtype))
