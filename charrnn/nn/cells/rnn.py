"""The simple (Elman) recurrent layer.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units.
"""

from collections.abc import Iterable

import numpy as np

from charrnn.backend.arrays import Array, swap_time
from charrnn.backend.products import Product, product_of
from charrnn.nn.cells.recurrent import Recurrent


class TimeRNN(Recurrent):
    """The simple recurrent network (Elman 1990), with tanh or ReLU.

    ::

        h[t] = tanh(Wx x[t] + b + Wh h[t-1])

    In the backward pass, ``dh`` is the gradient of ``h[t]``: the sum of the gradients from the
    layer above and from step t + 1::

        dz = dh * (1 - h[t]^2)          (relu: dh where h[t] > 0)
        dh = Wh^T dz

    ``h (T+1, H, N)`` starts with the state before the window, so the output of step t is
    ``h[t+1]``.
    """

    gates = 1

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.product = product_of(H, H, N)
        self.z = self.h[1:]  # a step's output overwrites its pre-activation
        self.Wh_h = self._new(H, N)

    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        relu, Wh_h = self.architecture.nonlinearity == "relu", self.Wh_h
        for h_prev, h, product in zip(self.h, self.z, products, strict=False):
            product(Wh, h_prev, out=Wh_h)
            np.add(h, Wh_h, out=h)
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
        h, factors = self.output, self.factors
        # The derivative of the nonlinearity needs no recurrence.
        if self.architecture.nonlinearity == "relu":
            np.greater(h, 0, out=factors)
        else:
            np.multiply(h, h, out=factors)
            np.subtract(1, factors, out=factors)
        for t in reversed(range(len(dy))):
            dz = factors[t]
            np.add(dh, dy[t], out=dh)
            np.multiply(dz, dh, out=dz)  # overwrites the derivative
            if t or self.state_gradient:
                self.product_back(Wh_T, dz, out=dh)
        swap_time(factors, self.dz)
