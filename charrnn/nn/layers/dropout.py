"""Dropout of a layer's outputs and of its recurrent weights.

Dimensions
    T steps of the window, N parallel streams, F features, R rows and K columns of a weight matrix.

Each ``backward`` belongs to the ``forward`` just before it.
"""

import numpy as np

from charrnn.backend.arrays import Array


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
        # 16 bits for each weight, cut from 64-bit words: three times as fast as drawing floats.
        count = -(-self.factors.size // 4)
        words = rng.integers(2**64 - 1, size=count, dtype=np.uint64, endpoint=True)
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
