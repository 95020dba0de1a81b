"""Dropout of a layer's outputs and of its recurrent weights.

Dimensions
    T steps of the window, N parallel streams, F features, R rows and K columns of a weight matrix.

``backward`` always refers to the most recent ``forward``.
"""

import numpy as np

from charrnn.backend.arrays import Array


class Dropout:
    """Zeroes a fraction of the features, with the same mask at every step of the window.

    One mask per window and stream is variational dropout (Gal & Ghahramani 2016). The kept features
    are scaled by ``1 / (1 - rate)``, so evaluation needs no scaling.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def forward(self, y: Array, rng: np.random.Generator | None) -> Array:
        """Return y (T, F, N), with a mask (F, N) applied if a generator is given to sample it."""
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
    """Zeroes a fraction of the recurrent weights, with the same mask at every step.

    This is DropConnect on the hidden-to-hidden weights (Wan et al. 2013; Merity et al. 2018). It
    regularizes the recurrence without masking the state. The kept weights are scaled by
    ``1 / (1 - rate)``.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.mask: Array | None = None

    def forward(self, W: Array, first: int, rng: np.random.Generator | None) -> Array:
        """Return W (R, K), with dropout from column ``first`` on if a generator is given.

        The result is W itself or a copy that the next ``forward`` overwrites.
        """
        self.mask = None
        if rng is None or self.rate == 0:
            return W
        shape = (len(W), W.shape[1] - first)
        if not hasattr(self, "masked"):
            self.masked, self.factors = np.empty_like(W), np.empty(shape, W.dtype)
        # 16 random bits per weight, split from 64-bit words: 3 times as fast as sampling floats.
        count = -(-self.factors.size // 4)
        words = rng.integers(2**64 - 1, size=count, dtype=np.uint64, endpoint=True)
        samples = words.view(np.uint16)[: self.factors.size].reshape(shape)
        kept = samples >= round(self.rate * 2**16)
        self.mask = np.multiply(kept, W.dtype.type(1 / (1 - self.rate)), out=self.factors)
        self.masked[:, :first] = W[:, :first]
        np.multiply(W[:, first:], self.mask, out=self.masked[:, first:])
        return self.masked

    def backward(self, dW: Array) -> None:
        """Turn the gradient of ``forward``'s output into the gradient of W, in place."""
        if self.mask is not None:
            recurrent = dW[:, dW.shape[1] - self.mask.shape[1] :]
            np.multiply(recurrent, self.mask, out=recurrent)
