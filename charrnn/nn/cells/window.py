"""Fixed windows: the last C inputs decide, in their order or as a bag.

Dimensions
    T steps of the window of training, N parallel streams, D input features, H hidden units,
    C steps of the fixed window (``context``), R = (C - 1) * D features of the state.

Nothing here is recurrent. The state that a layer carries is what it still has to read again: its
last C - 1 inputs, the oldest first, zeros before the beginning of a text. So whatever works for a
recurrent layer works for these, and the two can be compared on equal terms. In a deeper stack the
inputs are the outputs of the layer below, and L layers see L * (C - 1) + 1 steps.
"""

import numpy as np

from charrnn.backend.arrays import Array, Workspace, swap_time
from charrnn.backend.products import product_of
from charrnn.config import Architecture
from charrnn.nn.cells.recurrent import Recurrent


class TimeWindow(Recurrent):
    """The fixed-window network (Bengio et al. 2003): each position has weights of its own.

    ::

        h[t] = tanh(sum over k = 0 ... C-1 of W_k x[t-k] + b)

    and backward, with ``dh`` the gradient of ``h[t]`` from above::

        dz      = dh * (1 - h[t]^2)
        dx[t-k] = dx[t-k] + W_k^T dz          (k = 0 ... C-1)

    ``xh[t] (K, N)`` is ``[x[t]; 1; x[t-C+1]; ...; x[t-1]]`` and ``W`` (H, K) is
    ``[W_0 b W_{C-1} ... W_1]``: ``Wh`` (H, R) reads the state ``past (T+1, R, N)``, which is the
    last R rows of ``xh``. The output of step t is ``h[t+1]``.
    """

    gates = 1
    states = ("past",)

    def __init__(
        self, input_size: int, architecture: Architecture, workspace: Workspace | None = None
    ) -> None:
        super().__init__(input_size, architecture, workspace)
        self.context = architecture.context
        self.carried_size = (self.context - 1) * input_size
        self.state_shape = 1, self.carried_size

    def hidden_columns(self, *, one_hot: bool) -> tuple[slice, ...]:
        """Return the columns of ``W`` that read learned features: none if the input is one-hot."""
        columns = () if one_hot else super().hidden_columns(one_hot=False)
        return tuple(part for part in columns if part.start < part.stop)

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw uniform weights by the number of inputs that a unit reads; zero the bias."""
        limit = (self.context * self.input_size) ** -0.5
        self.W[...] = rng.uniform(-limit, limit, self.W.shape)
        self.b[...] = 0

    def _allocate(self, T: int, N: int) -> None:
        self.past: Array = self.h  # the rows below the 1
        self.h = np.zeros((T + 1, self.hidden_size, N), self.W.dtype)
        H, K = self.W.shape
        self.product = product_of(H, K, N)

    def _forward(self, W: Array) -> None:
        D, product = self.input_size, self.product
        for xh, h, following in zip(self.xh[:-1], self.h[1:], self.past[1:], strict=True):
            product(W, xh, out=h)
            np.tanh(h, out=h)
            if len(following):
                following[:-D] = xh[D + 1 + D :]
                following[-D:] = xh[:D]

    def _allocate_backward(self, T: int, N: int) -> None:
        self.factors = self._workspace("factors", T, self.hidden_size, N)
        self.dz = self._workspace("dz", self.hidden_size, T, N)

    def _transposed(self, lag: int) -> Array:
        """Return W_k^T (D, H) of lag k."""
        first = (self.context - 1 - lag) * self.input_size
        return self.Wh_T[first : first + self.input_size]

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        h, factors, self.Wh_T = self.h[1:], self.factors, Wh_T
        np.multiply(h, h, out=factors)
        np.subtract(1, factors, out=factors)
        np.multiply(factors, dy, out=factors)
        swap_time(factors, self.dz)
        (H, T, N), D, C = self.dz.shape, self.input_size, self.context
        inputs = dstate.reshape(C - 1, D, N)
        self.dlast = inputs.copy()  # of the last inputs, from behind the window
        inputs[...] = 0
        if T < C - 1:  # some inputs of before the window are still in the state after it
            inputs[T:] = self.dlast[:-T]
        for lag in range(1, C):
            steps, first = min(lag, T), C - 1 - lag
            dx = self._transposed(lag) @ self.dz[:, :steps].reshape(H, -1)
            inputs[first : first + steps] += dx.reshape(D, steps, N).swapaxes(0, 1)

    def _input_gradient(self, dz_x: Array, out: Array) -> Array:
        super()._input_gradient(dz_x, out)
        (T, N), D, C = self.window, self.input_size, self.context
        for lag in range(1, min(C, T)):
            out[:, : (T - lag) * N] += self._transposed(lag) @ dz_x[:, lag * N :]
        last = min(C - 1, T)
        if last:
            out.reshape(D, T, N)[:, -last:] += self.dlast[-last:].swapaxes(0, 1)
        return out


class TimeBag(TimeWindow):
    """The window without an order, as in CBOW (Mikolov et al. 2013): one W for all positions.

    ::

        h[t] = tanh(W (sum over k = 0 ... C-1 of x[t-k]) + b)

    and backward as in ``TimeWindow``, with W in the place of each W_k.

    ``xh[t] (D+1, N)`` is ``[sum of x[t-k]; 1]``, and ``W`` (H, D+1) is ``[Wx b]``: ``Wh`` has no
    column. ``inputs (C-1+T, D, N)`` are the window's inputs behind those before it, so that
    ``past[t]``, the C - 1 inputs before step t, is a view of them.
    """

    def __init__(
        self, input_size: int, architecture: Architecture, workspace: Workspace | None = None
    ) -> None:
        super().__init__(input_size, architecture, workspace)
        self.carried_size = 0

    @property
    def floats_per_character(self) -> tuple[int, int]:
        kept, passing = super().floats_per_character
        return kept + self.input_size, passing  # the inputs beside their sums

    def _allocate(self, T: int, N: int) -> None:
        super()._allocate(T, N)
        D, C = self.input_size, self.context
        self.inputs = self._new(C - 1 + T, D, N)
        self.past = np.lib.stride_tricks.as_strided(
            self.inputs, (T + 1, (C - 1) * D, N), self.inputs.strides
        )

    def _forward(self, W: Array) -> None:
        T, D, first = len(self.xh) - 1, self.input_size, self.context - 1
        x = self.xh[:-1, :D]
        self.inputs[first:] = x
        for lag in range(1, self.context):
            np.add(x, self.inputs[first - lag : first - lag + T], out=x)
        for xh, h in zip(self.xh[:-1], self.h[1:], strict=True):
            self.product(W, xh, out=h)
            np.tanh(h, out=h)

    def _transposed(self, lag: int) -> Array:
        return self.Wx.T
