"""The simple recurrent layer.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, K = D + 1 + H.
"""

import numpy as np

from charrnn.backend.arrays import Array, swap_time
from charrnn.backend.products import product_of
from charrnn.nn.cells.recurrent import Recurrent


class TimeRNN(Recurrent):
    """The simple recurrent network (Elman 1990), with tanh or the rectifier.

    ::

        h[t] = tanh(Wx x[t] + b + Wh h[t-1])

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz = dh * (1 - h[t]^2)          (relu: dh where h[t] > 0)
        dh = Wh^T dz

    ``xh[t] (K, N)`` is ``[x[t]; 1; h[t-1]]``, so that its product with ``W = [Wx b Wh]`` (H, K)
    includes the bias. ``h (T+1, H, N)`` is a view of its last rows and begins with the state before
    the window: the output of step t is ``h[t+1]``.
    """

    gates = 1

    def _allocate(self, T: int, N: int) -> None:
        H, K = self.W.shape
        self.product = product_of(H, K, N)
        # A step's [x; 1; h_prev] (K, N) and h (H, N).
        self.steps = list(zip(self.xh[:-1], self.h[1:], strict=True))

    def _forward(self, W: Array) -> None:
        product, relu = self.product, self.architecture.nonlinearity == "relu"
        for xh, h in self.steps:
            product(W, xh, out=h)
            if relu:
                np.maximum(h, 0, out=h)
            else:
                np.tanh(h, out=h)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.product_back = product_of(H, H, N)
        self.factors = self._workspace("factors", T, H, N)
        self.dz = self._workspace("dz", H, T, N)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        (dh,) = dstate  # (H, N)
        h, factors = self.h[1:], self.factors
        # The factors of dh need no recurrence.
        if self.architecture.nonlinearity == "relu":
            np.greater(h, 0, out=factors)
        else:
            np.multiply(h, h, out=factors)
            np.subtract(1, factors, out=factors)
        for dy_t, dz in zip(dy[::-1], factors[::-1], strict=True):
            np.add(dh, dy_t, out=dh)
            np.multiply(dz, dh, out=dz)  # replaces its factor
            self.product_back(Wh_T, dz, out=dh)
        swap_time(factors, self.dz)
