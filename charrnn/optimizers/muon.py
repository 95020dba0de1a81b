"""Muon: momentum, orthogonalised.

Dimensions
    R rows and K columns of a part of a matrix.
"""

import numpy as np

from charrnn.nn.parameters import Array
from charrnn.optimizers.elementwise import AdamW

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the odd polynomial that takes singular values from (0, 1] to about 1, fast rather than
exactly (Jordan et al. 2024)."""
ITERATIONS = 3
RMS = 0.12
"""How large an element of an update is beside the learning rate. Adam's usually are 0.2, and with
that one rate serves both (Liu et al. 2025); recurrent weights learn more with a smaller one."""


def orthogonalised(x: Array) -> Array:
    """Return about the nearest matrix to x (R, K) whose singular values are all 1.

    By Newton-Schulz iterations, ``x = (a + b A + c A^2) x`` with ``A = x x^T``, on x divided by
    about its largest singular value, which the first ``A^2`` tells: the fourth root of that one's
    Frobenius norm is no less and hardly more. What is not far below the largest ends at 0.7 to 1.2.
    The iterations multiply polynomials of the first A, which are R by R and commute; x itself is
    multiplied once, at the end.
    """
    if len(x) > x.shape[1]:
        return orthogonalised(x.T).T
    peak = float(np.abs(x).max())
    if peak < np.finfo(x.dtype).tiny:
        return np.zeros_like(x)
    x = x / peak  # so that no power over- or underflows
    A = x @ x.T
    square = A @ A
    largest = float(np.vdot(square, square)) ** 0.25
    A /= largest
    square /= largest**2
    factor = product = _factor(A, square)
    for _ in range(ITERATIONS - 1):
        A = factor @ A @ factor
        factor = _factor(A, A @ A)
        product = factor @ product
    product *= largest**-0.5
    return product @ x


def _factor(A: Array, square: Array) -> Array:
    """Return ``a + b A + c A^2``; overwrites ``square``."""
    a, b, c = COEFFICIENTS
    square *= c
    square += b * A
    square.flat[:: len(A) + 1] += a
    return square


class Muon(AdamW):
    """Muon (Jordan et al. 2024) for weights that read hidden features, AdamW for the others.

    The momentum of R rows, with the gradient of the step ahead of it (Nesterov), is made
    orthogonal, so that a step turns all directions alike, those with small gradients too::

        m = 0.9 m + grad
        theta -= lr * 0.12 sqrt(max(R, K)) * orthogonalised(grad + 0.9 m)

    Rows are taken 128 at a time rather than all of a matrix: that costs a fraction of the products.
    One-hot columns, biases and the softmax's weights are left to AdamW, with the same rate; weight
    decay is decoupled for both.
    """

    default_learning_rate = 0.026
    momentum = 0.9

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update ``theta[part]``: rows of a matrix as such, anything else as AdamW does."""
        rows = self.rows.get(part.start)
        if rows is None:
            super().update(part, learning_rate=learning_rate, step=step, scale=scale)
            return
        matrices = [vector[part].reshape(-1, rows.width) for vector in self._vectors]
        for columns in rows.others:
            some = [matrix[:, columns] for matrix in matrices]
            tmp = np.empty(some[0].shape, self.theta.dtype)
            self._apply(*some, tmp=tmp, learning_rate=learning_rate, step=step, scale=scale)
        for columns in rows.hidden:
            theta, grad, m, _ = (matrix[:, columns] for matrix in matrices)
            if scale != 1:
                np.multiply(grad, scale, out=grad)
            np.multiply(m, self.momentum, out=m)
            np.add(m, grad, out=m)
            ahead = m * self.momentum
            np.add(ahead, grad, out=ahead)
            turn = orthogonalised(ahead)
            turn *= learning_rate * RMS * max(turn.shape) ** 0.5
            self._decay(theta, grad, ahead, learning_rate)
            np.subtract(theta, turn, out=theta)
