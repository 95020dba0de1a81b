"""Muon: orthogonalized momentum.

Dimensions
    R rows and K columns of a part of a matrix.
"""

from collections.abc import Sequence

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.optimizers.elementwise import AdamW
from charrnn.optimizers.parts import HiddenRows, blocks

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Coefficients of the odd polynomial that maps singular values in (0, 1] to about 1, fast rather
than exactly (Jordan et al. 2024)."""
ITERATIONS = 3
RMS = 0.12
"""Root mean square of an update, relative to the learning rate. Adam's is usually 0.2, with which
both can share one rate (Liu et al. 2025); recurrent weights train better with a smaller one."""


def orthogonalised(x: Array) -> Array:
    """Return approximately the nearest matrix to x (R, K) whose singular values are all 1.

    Newton-Schulz iterations, ``x = (a + b A + c A^2) x`` with ``A = x x^T``, are applied to x
    divided by a bound of its largest singular value: the fourth root of the Frobenius norm of
    ``A^2``, which is 1 to 1.9 times that value. Singular values not far below it end at 0.7 to
    1.2. The iterations multiply polynomials of the first A, which are R by R and commute; x itself
    is multiplied once, at the end.
    """
    if len(x) > x.shape[1]:
        return orthogonalised(x.T).T
    peak = float(np.abs(x).max())
    if peak < np.finfo(x.dtype).tiny:
        return np.zeros_like(x)
    x = x / peak  # so that no power overflows or underflows
    A = x @ x.T
    square = A @ A
    top = float(np.vdot(square, square)) ** 0.25  # of A: the square of the bound
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

    The Nesterov momentum of R rows is orthogonalized, so that a step has the same size in all
    directions, including those with small gradients::

        m = 0.9 m + grad
        theta -= lr * 0.12 sqrt(max(R, K)) * orthogonalised(grad + 0.9 m)

    At most 128 rows are orthogonalized at a time, not a whole matrix, which costs a fraction of the
    products. One-hot columns, biases, an embedding and the weights of the softmax layer are updated
    by AdamW with the same rate; weight decay is decoupled for both.
    """

    default_learning_rate = 0.026
    default_weight_decay = 0.05
    default_streams = 64
    momentum = 0.9

    def _cut(self, rows: Sequence[HiddenRows]) -> list[slice]:
        """Keep the rows of matrices whole, and split the rest into blocks."""
        self.rows = {(piece.part.start, piece.part.stop): piece for piece in rows}
        parts, start = [], 0
        for piece in rows:
            parts += [*blocks(slice(start, piece.part.start)), piece.part]
            start = piece.part.stop
        return [*parts, *blocks(slice(start, self.theta.size))]

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update one of ``parts``: rows of a matrix as described, anything else as in AdamW."""
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
