"""A linear layer that learns from each symbol as soon as that symbol has been scored.

Its steps are normalized as in NLMS (Nagumo & Noda 1967), with the gradient of the log-probability
in place of the error: they are divided by the squared length of the input, so that one rate suits
networks of any size::

    z = A x        A += rate * error x^T / (x . x)        x = [1; y]

Inside a block only inner products of inputs are needed, which one matrix product computes for all
pairs::

    z_t = A x_t + sum over s < t of rate * error_s * (x_s . x_t) / (x_s . x_s)

Dimensions
    D input features, F output features, B symbols in a block.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class OnlineLinear:
    """A linear layer with weights that start at zero, and its errors in the current block.

    Parameters
    ----------
    input_size, output_size : int
        D and F.
    rate : float
        The learning rate: after a step of rate 1, the same input gives a value that has moved by
        the whole error.
    """

    def __init__(self, input_size: int, output_size: int, rate: float) -> None:
        self._A = np.zeros((output_size, 1 + input_size), np.float32)
        self._rate = np.float32(rate)

    def begin(self, y: Floats) -> None:
        """Start a block with these inputs (D, B)."""
        self._x = x = np.concatenate([np.ones((1, y.shape[1]), np.float32), y])
        products = x.T @ x
        self._steps = self._rate / products.diagonal()
        self._influence = products * self._steps[:, np.newaxis]
        self._values = self._A @ x
        self._errors = np.zeros_like(self._values)

    def value(self, place: int) -> Floats:
        """Return z (F,) at a place of the block, after learning from all places before it."""
        learned: Floats = self._errors[:, :place] @ self._influence[:place, place]
        learned += self._values[:, place]
        return learned

    def learn(self, place: int, error: Floats) -> None:
        """Set the error (F,) at a place: the gradient of the log-probability with respect to z."""
        self._errors[:, place] = error

    def end(self) -> None:
        """Update the weights with the block."""
        self._A += (self._errors * self._steps) @ self._x.T
