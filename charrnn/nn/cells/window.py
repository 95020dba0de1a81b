"""Fixed-window layers: the output depends on the last C inputs, in order or as a bag.

Dimensions
    T steps of the training window, N parallel streams, D input features, H hidden units,
    C steps of the fixed window (``context``), R = (C - 1) * D features of the state.

These layers have no recurrence. Their state is the last C - 1 inputs, oldest first, with zeros
before the start of a text. They share the interface of the recurrent layers, so the two kinds can
be compared under equal conditions. In a deeper stack the inputs are the outputs of the layer below,
and the receptive field of L layers is L * (C - 1) + 1 steps.
"""

from collections.abc import Iterable

import numpy as np

from charrnn.backend.arrays import Array, Workspace, swap_time
from charrnn.backend.products import Product, product_of
from charrnn.config import Architecture
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.inputs import Features


class TimeWindow(Recurrent):
    """The fixed-window network (Bengio et al. 2003), with separate weights per position.

    ::

        h[t] = tanh(sum over k = 0 ... C-1 of W_k x[t-k] + b)

    In the backward pass, ``dh`` is the gradient of ``h[t]`` from the layer above::

        dz      = dh * (1 - h[t]^2)
        dx[t-k] = dx[t-k] + W_k^T dz          (k = 0 ... C-1)

    ``W`` (H, K) is ``[W_0 b W_{C-1} ... W_1]``: ``Wh`` (H, R) multiplies ``past (T+1, R, N)``,
    the inputs ``[x[t-C+1]; ...; x[t-1]]`` before each step. The output of step t is ``h[t+1]``.
    """

    gates = 1
    states = ("past",)
    reads_symbols = has_step = False

    def __init__(
        self, input_size: int, architecture: Architecture, workspace: Workspace | None = None
    ) -> None:
        super().__init__(input_size, architecture, workspace)
        self.context = architecture.context
        self.carried_size = (self.context - 1) * input_size
        self.state_shape = 1, self.carried_size

    def hidden_columns(self, *, one_hot: bool) -> tuple[slice, ...]:
        """Return the columns of ``W`` for learned features: none if the input is one-hot."""
        columns = () if one_hot else super().hidden_columns(one_hot=False)
        return tuple(part for part in columns if part.start < part.stop)

    def initialise(self, rng: np.random.Generator) -> None:
        """Initialize uniformly, with a range that depends on a unit's fan-in; zero the biases."""
        limit = (self.context * self.input_size) ** -0.5
        self.W[...] = rng.uniform(-limit, limit, self.W.shape)
        self.b[...] = 0

    def _allocate(self, T: int, N: int) -> None:
        H, R = self.hidden_size, self.carried_size
        self.product = product_of(H, R, N)
        self.z = self.h[1:]  # a step's output overwrites its pre-activation
        self.past: Array = self._new(T + 1, R, N)
        self.Wh_past = self._new(H, N)

    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        D, Wh_past, features = self.input_size, self.Wh_past, self._read_features()
        for t, product in enumerate(products):
            h, past, following = self.z[t], self.past[t], self.past[t + 1]
            if len(past):
                product(Wh, past, out=Wh_past)
                np.add(h, Wh_past, out=h)
                following[:-D] = past[D:]
                following[-D:] = features.x1[t, :D]
            np.tanh(h, out=h)

    def _read_features(self) -> Features:
        assert isinstance(self.input, Features), "a window layer reads features"
        return self.input

    def _allocate_backward(self, T: int, N: int) -> None:
        self.factors = self._workspace("factors", T, self.hidden_size, N)
        self.dz = self._workspace("dz", self.hidden_size, T, N)

    def _transposed(self, lag: int) -> Array:
        """Return W_k^T (D, H) for lag k."""
        first = (self.context - 1 - lag) * self.input_size
        return self.Wh_T[first : first + self.input_size]

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        h, factors, self.Wh_T = self.output, self.factors, Wh_T
        np.multiply(h, h, out=factors)
        np.subtract(1, factors, out=factors)
        np.multiply(factors, dy, out=factors)
        swap_time(factors, self.dz)
        (H, T, N), D, C = self.dz.shape, self.input_size, self.context
        inputs = dstate.reshape(C - 1, D, N)
        self.dlast = inputs.copy()  # the gradient of the last inputs, from after the window
        inputs[...] = 0
        if T < C - 1:  # the state after the window still holds inputs from before it
            inputs[T:] = self.dlast[:-T]
        for lag in range(1, C if self.state_gradient else 1):
            steps, first = min(lag, T), C - 1 - lag
            dx = self._transposed(lag) @ self.dz[:, :steps].reshape(H, -1)
            inputs[first : first + steps] += dx.reshape(D, steps, N).swapaxes(0, 1)

    def _input_gradient(self, features: Features, dz_x: Array) -> Array:
        dx = super()._input_gradient(features, dz_x)
        (T, N), D, C = self.window, self.input_size, self.context
        for lag in range(1, min(C, T)):
            dx_lag = self._transposed(lag) @ dz_x[:, lag * N :]
            dx[: T - lag] += dx_lag.reshape(D, T - lag, N).swapaxes(0, 1)
        last = min(C - 1, T)
        if last:
            dx[-last:] += self.dlast[-last:]
        return dx


class TimeBag(TimeWindow):
    """A window without order, as in CBOW (Mikolov et al. 2013): one W for all positions.

    ::

        h[t] = tanh(W (sum over k = 0 ... C-1 of x[t-k]) + b)

    The backward pass is that of ``TimeWindow`` with W instead of each W_k.

    ``W`` (H, D+1) is ``[Wx b]``: ``Wh`` has no columns. ``inputs (C-1+T, D, N)`` holds the C - 1
    inputs before the window, followed by those of the window. ``past[t]``, the C - 1 inputs before
    step t, is a view of it.
    """

    def __init__(
        self, input_size: int, architecture: Architecture, workspace: Workspace | None = None
    ) -> None:
        super().__init__(input_size, architecture, workspace)
        self.carried_size = 0

    @property
    def floats_per_character(self) -> tuple[int, int]:
        kept, passing = super().floats_per_character
        return kept + self.input_size, passing  # the inputs in addition to their sums

    def _allocate(self, T: int, N: int) -> None:
        super()._allocate(T, N)
        D, C = self.input_size, self.context
        self.inputs = self._new(C - 1 + T, D, N)
        self.past = np.lib.stride_tricks.as_strided(
            self.inputs, (T + 1, (C - 1) * D, N), self.inputs.strides
        )

    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        features = self._read_features()
        (T, _), D, first = self.window, self.input_size, self.context - 1
        x = features.x1[:, :D]
        self.inputs[first : first + T] = x
        for lag in range(1, self.context):
            np.add(x, self.inputs[first - lag : first - lag + T], out=x)
        for h, _ in zip(self.output, products, strict=True):
            np.tanh(h, out=h)

    def _transposed(self, lag: int) -> Array:
        return self.Wx.T
