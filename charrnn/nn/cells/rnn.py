"""The simple recurrent layer.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units.
"""

import numpy as np

from charrnn.backend.arrays import Array, swap_time
from charrnn.backend.products import in_blocks, rows_per_block
from charrnn.nn.cells.recurrent import Recurrent


class TimeRNN(Recurrent):
    """The simple recurrent network (Elman 1990), with tanh or the rectifier.

    ::

        h[t] = tanh(Wx x[t] + b + Wh h[t-1])

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz = dh * (1 - h[t]^2)          (relu: dh where h[t] > 0)
        dh = Wh^T dz
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        weight_dropout: float = 0.0,
        relu: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, weight_dropout=weight_dropout)
        self.relu = relu

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows = rows_per_block(H, self.W.shape[1], N)
        self.z = self._new(H, N)
        self.steps = list(zip(self.xh[:-1], self.h[1:], strict=True))

    def _forward(self, state: Array) -> tuple[Array, ...]:
        W, z, z_blocks = in_blocks(self.used, self.rows), self.z, in_blocks(self.z, self.rows)
        for xh, h in self.steps:
            np.matmul(W, xh, out=z_blocks)
            if self.relu:
                np.maximum(z, 0, out=h)
            else:
                np.tanh(z, out=h)
        return (self.h[-1],)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows_back = rows_per_block(H, H, N)
        self.factor = self._workspace("factor", T, H, N)
        self.dz = self._workspace("dz", H, T, N)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> Array:
        dh: Array = dstate[0].copy()
        factor = self.factor
        if self.relu:
            np.greater(self.h[1:], 0, out=factor)
        else:
            np.multiply(self.h[1:], self.h[1:], out=factor)
            np.subtract(1, factor, out=factor)
        Wh_T_blocks, dh_blocks = in_blocks(Wh_T, self.rows_back), in_blocks(dh, self.rows_back)
        for dy_t, dz in zip(dy[::-1], factor[::-1], strict=True):
            np.add(dh, dy_t, out=dh)
            np.multiply(dz, dh, out=dz)
            np.matmul(Wh_T_blocks, dz, out=dh_blocks)
        swap_time(factor, self.dz)
        return dh[np.newaxis]
