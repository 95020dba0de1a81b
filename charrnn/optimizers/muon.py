"""Muon: momentum, orthogonalised.

Dimensions
    R rows and K columns of a part of a matrix.
"""

from collections.abc import Sequence

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.optimizers.elementwise import AdamW
from charrnn.optimizers.parts import HiddenRows, blocks

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the odd polynomial that takes singular values from (0, 1] to about 1, fast rather than
exactly (Jordan et al. 2024)."""
ITERATIONS = 3
RMS = 0.12
"""How large an element of an update is beside the learning rate. Adam's usually are 0.2, and with
that one rate serves both (Liu et al. 2025); recurrent weights learn more with a smaller one."""


def orthogonalised(x: Array) -> Array:
    """Return about the nearest matrix to x (R, K) whose singular values are all 1.

    By Newton-Schulz iterations, ``x = (a + b A + c A^2) x`` with ``A = x x^T``, on x divided by a
    bound of its largest singular value: the fourth root of the Frobenius norm of ``A^2``, which is
    1 to 1.9 times that value. Singular values that are not far below it end at 0.7 to 1.2. The
    iterations multiply polynomials of the first A, which are R by R and commute; x itself is
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
    top = float(np.vdot(square, square)) ** 0.25  # of A: the bound squared
    A /= top
    square /= top**2
    factor = product = _factor(A, square)
    for _ in range(ITERATIONS - 1):
        A = factor @ A @ factor
        factor = _factor(A, A @ A)
        product = factor @ product
    product *= top**-0.5
    return product @ x


def _factor(A: Array, square: Array) -> Array:
    """Return ``a + b A + c A^2``; overwrites ``square``."""
    a, b, c = COEFFICIENTS
    square *= c
    square += b * A
    square.flat[:: len(A) + 1] += a
    return square


class Muon(AdamW):
    """Muon (Jordan et al. 2024) for weights that read learned features, AdamW for the others.

    The momentum of R rows, with the gradient of the step ahead of it (Nesterov), is made
    orthogonal, so that a step turns all directions alike, those with small gradients too::

        m = 0.9 m + grad
        theta -= lr * 0.12 sqrt(max(R, K)) * orthogonalised(grad + 0.9 m)

    At most 128 rows are taken at a time, not all of a matrix: that costs a fraction of the
    products. One-hot columns, biases, an embedding and the softmax's weights are left to AdamW,
    with the same rate; weight decay is decoupled for both.
    """

    default_learning_rate = 0.026
    default_weight_decay = 0.05
    default_streams = 64
    momentum = 0.9

    def _cut(self, rows: Sequence[HiddenRows]) -> list[slice]:
        """Keep the rows of a matrix whole; cut what lies between into blocks."""
        self.rows = {(piece.part.start, piece.part.stop): piece for piece in rows}
        parts, start = [], 0
        for piece in rows:
            parts += [*blocks(slice(start, piece.part.start)), piece.part]
            start = piece.part.stop
        return [*parts, *blocks(slice(start, self.theta.size))]

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update one of ``parts``: rows of a matrix as such, anything else as AdamW does."""
        rows = self.rows.get((part.start, part.stop))
        if rows is None:
            super().update(part, learning_rate=learning_rate, step=step, scale=scale)
            return
        if scale != 1:
            np.multiply(self.grad[part], scale, out=self.grad[part])
        matrices = [vector[part].reshape(-1, rows.width) for vector in self._vectors]
        for columns in rows.others:
            theta, grad, *state = (matrix[:, columns] for matrix in matrices)
            tmp = np.empty(theta.shape, theta.dtype)
            self._decay(theta, grad, tmp, learning_rate)
            self._update(theta, grad, tmp, *state, learning_rate=learning_rate, step=step)
        for columns in rows.hidden:
            theta, grad, m, _ = (matrix[:, columns] for matrix in matrices)
            np.multiply(m, self.momentum, out=m)
            np.add(m, grad, out=m)
            ahead = m * self.momentum
            np.add(ahead, grad, out=ahead)
            turn = orthogonalised(ahead)
            turn *= learning_rate * RMS * max(turn.shape) ** 0.5
            self._decay(theta, grad, ahead, learning_rate)
            np.subtract(theta, turn, out=theta)
