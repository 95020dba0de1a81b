"""The recurrent layers: TimeRNN, TimeLSTM and TimeGRU, forward and backward through time.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, G gates,
    S state arrays (1, or 2 for the LSTM's h and c).

Every activation is features by streams, so that a step is the textbook's column-vector equation
for N columns at once. A layer keeps the input, a constant 1 and the hidden state of a step in one
block of rows, ``[x; 1; h]``, and its weights in one matrix, ``W = [Wx b Wh]``: then a step is one
product ``W @ [x; 1; h]``, bias included, and the gradient of all weights is one product too.

``dX`` is the gradient of the loss with respect to ``X``. A layer owns the buffers of one window,
so ``backward`` belongs to the ``forward`` just before it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from charrnn.config import Cell
from charrnn.nn.parameters import Array, orthogonal, swap_time
from charrnn.nn.products import in_blocks, rows_per_block

CACHE_BYTES = 2**18
"""What fits beside other buffers into the second-level cache of a core."""


TRANSPOSED_AT_ONCE = 128
"""Rows of a matrix, so that their columns stay in the cache until they are written."""


def sigmoid_(x: Array) -> None:
    """Apply the logistic function in place, as (1 + tanh(x / 2)) / 2, which cannot overflow."""
    np.multiply(x, 0.5, out=x)
    np.tanh(x, out=x)
    np.multiply(x, 0.5, out=x)
    np.add(x, 0.5, out=x)


class Recurrent(ABC):
    """A layer that reads a window of T steps and carries its state from window to window.

    To add a cell: subclass, give ``gates``, ``states`` and the four abstract methods, and add a
    line to ``CELLS``; the tests run over ``CELLS``.

    Parameters
    ----------
    input_size : int
        D, the features of a step's input.
    hidden_size : int
        H, the features of its output.

    Attributes
    ----------
    W : (G*H, D + 1 + H) array
        Input weights, bias and recurrent weights side by side. ``Wx (G*H, D)``, ``b (G*H,)`` and
        ``Wh (G*H, H)`` are views of it and have PyTorch's shapes.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    dz: Array

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.window = self._window_back = (0, 0)
        self.Wh_T: Any = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, by name."""
        return {"W": (self.gates * self.hidden_size, self.input_size + 1 + self.hidden_size)}

    @property
    def floats_per_character(self) -> int:
        """About how many numbers the buffers hold for one step of one stream."""
        D, H = self.input_size, self.hidden_size
        return 2 * (D + 1 + H) + (3 * self.gates + 1) * H

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and as the place for their gradients."""
        D = self.input_size
        self.W, self.dW = values["W"], grads["W"]
        self.Wx, self.b, self.Wh = self.W[:, :D], self.W[:, D], self.W[:, D + 1 :]

    def prepare(self) -> None:
        """Derive what ``backward`` needs from the weights; call it after they have changed."""
        # BLAS multiplies by a transposed copy up to 1.7 times faster than by a transposed view.
        if self.Wh_T is None:
            self.Wh_T = np.empty(self.Wh.T.shape, self.W.dtype)
        for start in range(0, len(self.W), TRANSPOSED_AT_ONCE):
            part = slice(start, start + TRANSPOSED_AT_ONCE)
            self.Wh_T[:, part] = self.Wh[part].T

    def share(self, other: "Recurrent") -> None:
        """Use what ``other.prepare`` derives instead of deriving it again."""
        self.Wh_T = other.Wh_T

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw uniform input weights and an orthogonal recurrent block per gate; the bias is 0."""
        H = self.hidden_size
        limit = H**-0.5
        self.Wx[...] = rng.uniform(-limit, limit, self.Wx.shape)
        self.b[...] = 0
        for gate in range(self.gates):
            self.Wh[gate * H : (gate + 1) * H] = orthogonal(rng, H, H)

    def forward(self, x: Array, state: Array) -> tuple[Array, Array]:
        """Read one window.

        Parameters
        ----------
        x : (T, D, N) array
            The input of each step.
        state : (S, H, N) array
            The state before the window.

        Returns
        -------
        y : (T, H, N) array
            The output of each step, in a buffer that the next ``forward`` overwrites.
        state : (S, H, N) array
            The state after the window, in memory of its own.
        """
        T, D, N = x.shape
        if self.window != (T, N):
            self.window, self._window_back = (T, N), (0, 0)
            self.xh: Array = np.empty((T + 1, D + 1 + self.hidden_size, N), self.W.dtype)
            self.xh[:, D] = 1
            self.h: Array = self.xh[
                :, D + 1 :
            ]  # h[0] is the incoming state, h[t + 1] step t's output
            self._allocate(T, N)
        self.xh[:-1, :D] = x
        self.h[0] = state[0]
        after = np.empty_like(state)
        for array, its in zip(after, self._forward(state), strict=True):
            array[...] = its
        return self.h[1:], after

    def backward(
        self, dy: Array, dstate: Array, *, input_gradient: bool = True
    ) -> tuple[Array | None, Array]:
        """Go back through the window of the last ``forward``; fill the weights' gradients.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output.
        dstate : (S, H, N) array
            The gradient of the state after the window: zeros where backpropagation is truncated.
        input_gradient : bool
            Whether ``dx`` is wanted. Nothing below a one-hot input needs it.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input.
        dstate : (S, H, N) array
            The gradient of the state before the window.
        """
        T, N = self.window
        if self._window_back != self.window:
            self._window_back = self.window
            self._allocate_backward(T, N)
        dstate = self._backward(dy, dstate)
        dz_x = self._weight_gradients(swap_time(self.xh[:-1]).reshape(-1, T * N))
        if not input_gradient:
            return None, dstate
        return swap_time((self.Wx.T @ dz_x).reshape(-1, T, N)), dstate

    @abstractmethod
    def _allocate(self, T: int, N: int) -> None:
        """Make the buffers of ``_forward`` and ``steps``, the views of each step's part."""

    @abstractmethod
    def _forward(self, state: Array) -> tuple[Array, ...]:
        """Fill ``h[1:]`` from ``xh[:-1]`` and return views of the state after the last step."""

    @abstractmethod
    def _allocate_backward(self, T: int, N: int) -> None:
        """Make the buffers of ``_backward``, among them ``dz (..., T, N)``."""

    @abstractmethod
    def _backward(self, dy: Array, dstate: Array) -> Array:
        """Fill ``dz``, the gradient before the squashing; return that of the incoming state."""

    def _weight_gradients(self, xh: Array) -> Array:
        """Fill ``dW`` from ``dz`` and xh (K, T*N); return the rows of ``dz`` that ``Wx`` feeds.

        The gradient of the weights is one large product over all steps and streams.
        """
        dz: Array = self.dz.reshape(len(self.W), -1)
        np.matmul(dz, xh.T, out=self.dW)
        return dz

    def _new(self, *shape: int) -> Array:
        return np.empty(shape, self.W.dtype)

    def _steps_at_once(self, bytes_per_step: int) -> int:
        """Return how many steps of a buffer fit into the part of the cache that is theirs."""
        return max(1, min(self.window[0], CACHE_BYTES // bytes_per_step))


class TimeRNN(Recurrent):
    """The simple recurrent network (Elman 1990), with tanh or the rectifier.

    ::

        h[t] = tanh(Wx x[t] + b + Wh h[t-1])

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz = dh * (1 - h[t]^2)          (relu: dh where h[t] > 0)
        dh = Wh^T dz
    """

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, *, relu: bool = False) -> None:
        super().__init__(input_size, hidden_size)
        self.relu = relu

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows = rows_per_block(H, self.W.shape[1], N)
        self.z = self._new(H, N)
        self.steps = list(zip(self.xh[:-1], self.h[1:], strict=True))

    def _forward(self, state: Array) -> tuple[Array, ...]:
        W, z, z_blocks = in_blocks(self.W, self.rows), self.z, in_blocks(self.z, self.rows)
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
        self.factor = self._new(T, H, N)
        self.dz = self._new(H, T, N)

    def _backward(self, dy: Array, dstate: Array) -> Array:
        dh: Array = dstate[0].copy()
        factor = self.factor
        if self.relu:
            np.greater(self.h[1:], 0, out=factor)
        else:
            np.multiply(self.h[1:], self.h[1:], out=factor)
            np.subtract(1, factor, out=factor)
        Wh_T, dh_blocks = in_blocks(self.Wh_T, self.rows_back), in_blocks(dh, self.rows_back)
        for dy_t, dz in zip(dy[::-1], factor[::-1], strict=True):
            np.add(dh, dy_t, out=dh)
            np.multiply(dz, dh, out=dz)
            np.matmul(Wh_T, dz, out=dh_blocks)
        swap_time(factor, self.dz)
        return dh[np.newaxis]


class LSTMStep(NamedTuple):
    """One step's views of the buffers of a TimeLSTM."""

    xh: Array
    z: Array  # the four gates, in blocks of rows
    gates: Array
    oif: Array
    if_: Array
    g_c: Array  # g and c_prev, which i and f multiply
    o: Array
    f: Array
    c: Array
    h: Array


class LSTMFactors(NamedTuple):
    """What the gradients of one step's h and c are multiplied by; ``dz`` takes their place."""

    o: Array
    ifg: Array
    c: Array
    dz: Array


class TimeLSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    The gates lie in the order o, i, f, g: the three sigmoids are one block of rows, and so are the
    three gates whose gradient comes from c::

        [o; i; f] = sigmoid(Wx x[t] + b + Wh h[t-1])     (rows 0 to 3H)
        g    = tanh(Wx x[t] + b + Wh h[t-1])             (rows 3H to 4H)
        c[t] = i * g + f * c[t-1]
        h[t] = o * tanh(c[t])

    and backward, with ``dh`` and ``dc`` the gradients of ``h[t]`` and ``c[t]`` from above and from
    step t + 1::

        dc   = dc + dh * o (1 - tanh(c[t])^2)
        dz_o = dh * tanh(c[t]) o (1 - o)
        dz_i = dc * g          i (1 - i)
        dz_f = dc * c[t-1]     f (1 - f)
        dz_g = dc * i          (1 - g^2)
        dh   = Wh^T dz
        dc   = dc * f

    The factors on the right of the stars need no recurrence and are computed for several steps at
    once. The bias of the forget gate starts at 1 (Jozefowicz et al. 2015).
    """

    gates = 4
    states = ("h", "c")

    def initialise(self, rng: np.random.Generator) -> None:
        super().initialise(rng)
        self.b[2 * self.hidden_size : 3 * self.hidden_size] = 1

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows = rows_per_block(4 * H, self.W.shape[1], N)
        # Rows o, i, f, g and c_prev: a step writes its c where the next finds it as c_prev.
        self.cells = self._new(T + 1, 5 * H, N)
        self.products = self._new(2 * H, N)
        self.steps = [
            LSTMStep(
                xh=self.xh[t],
                z=in_blocks(cell[: 4 * H], self.rows),
                gates=cell[: 4 * H],
                oif=cell[: 3 * H],
                if_=cell[H : 3 * H],
                g_c=cell[3 * H :],
                o=cell[:H],
                f=cell[2 * H : 3 * H],
                c=self.cells[t + 1, 4 * H :],
                h=self.h[t + 1],
            )
            for t, cell in enumerate(self.cells[:-1])
        ]

    def _forward(self, state: Array) -> tuple[Array, ...]:
        H = self.hidden_size
        W, products = in_blocks(self.W, self.rows), self.products
        ig, fc = products[:H], products[H:]
        tanh_c = ig
        self.cells[0, 4 * H :] = state[1]
        for s in self.steps:
            np.matmul(W, s.xh, out=s.z)
            # sigmoid(z) = (1 + tanh(z / 2)) / 2, so that one tanh serves all four gates.
            np.multiply(s.oif, 0.5, out=s.oif)
            np.tanh(s.gates, out=s.gates)
            np.multiply(s.oif, 0.5, out=s.oif)
            np.add(s.oif, 0.5, out=s.oif)
            np.multiply(s.if_, s.g_c, out=products)
            np.add(ig, fc, out=s.c)
            np.tanh(s.c, out=tanh_c)
            np.multiply(s.o, tanh_c, out=s.h)
        return self.h[-1], self.cells[-1, 4 * H :]

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows_back = rows_per_block(H, 4 * H, N)
        self.block = self._steps_at_once(4 * H * N * self.W.itemsize)
        self.factors = self._new(self.block, 5 * H, N)  # rows of dz_o, dz_i, dz_f, dz_g and dc
        self.tanh_c = self._new(self.block, H, N)
        self.factor_steps = [
            LSTMFactors(
                o=factor[:H],
                ifg=factor[H : 4 * H].reshape(3, H, N),
                c=factor[4 * H :],
                dz=factor[: 4 * H],
            )
            for factor in self.factors
        ]
        self.dz = self._new(4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        H = self.hidden_size
        cells = self.cells[steps]
        factors, tanh_c = self.factors[: len(cells)], self.tanh_c[: len(cells)]
        gates, oif, g, c = (
            factors[:, : 4 * H],
            factors[:, : 3 * H],
            factors[:, 3 * H : 4 * H],
            factors[:, 4 * H :],
        )
        np.multiply(cells[:, : 4 * H], cells[:, : 4 * H], out=gates)
        np.subtract(cells[:, : 3 * H], oif, out=oif)
        np.subtract(1, g, out=g)
        # To compute it again is cheaper than to keep it for every step.
        np.tanh(self.cells[steps.start + 1 : steps.stop + 1, 4 * H :], out=tanh_c)
        np.multiply(tanh_c, tanh_c, out=c)
        np.subtract(1, c, out=c)
        np.multiply(c, cells[:, :H], out=c)
        np.multiply(factors[:, :H], tanh_c, out=factors[:, :H])
        np.multiply(factors[:, H : 3 * H], cells[:, 3 * H :], out=factors[:, H : 3 * H])
        np.multiply(g, cells[:, H : 2 * H], out=g)

    def _backward(self, dy: Array, dstate: Array) -> Array:
        dh, dc = dstate.copy()
        tmp = self.products[: len(dh)]
        Wh_T, dh_blocks = in_blocks(self.Wh_T, self.rows_back), in_blocks(dh, self.rows_back)
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                factor = self.factor_steps[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, factor.c, out=tmp)
                np.add(dc, tmp, out=dc)
                np.multiply(dh, factor.o, out=factor.o)
                np.multiply(dc, factor.ifg, out=factor.ifg)
                np.multiply(dc, self.steps[t].f, out=dc)
                np.matmul(Wh_T, factor.dz, out=dh_blocks)
            swap_time(self.factors[: block.stop - start, : 4 * len(dh)], self.dz[:, block])
        return np.stack([dh, dc])


class GRUStep(NamedTuple):
    """One step's views of the buffers of a TimeGRU."""

    xh: Array
    x1: Array
    h_prev: Array
    z_ru: Array  # in blocks of rows, like z_n and z_nh
    ru: Array
    r: Array
    u: Array
    z_n: Array
    n: Array
    z_nh: Array
    nh: Array
    h: Array


class TimeGRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), in the form of cuDNN and PyTorch.

    The reset gate comes after the product with ``h``, so that a step's products need no gate; the
    new state has a bias ``b_n`` inside the reset gate's reach::

        [r; u] = sigmoid(Wx x[t] + b + Wh h[t-1])        (rows 0 to 2H)
        nh   = Wh h[t-1] + b_n                           (rows 2H to 3H)
        n    = tanh(Wx x[t] + b + r * nh)                (rows 2H to 3H)
        h[t] = n + u * (h[t-1] - n)

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz_n  = dh * (1 - u) (1 - n^2)
        dz_nh = dh * (1 - u) (1 - n^2) r
        dz_r  = dh * (1 - u) (1 - n^2) nh r (1 - r)
        dz_u  = dh * (h[t-1] - n) u (1 - u)
        dh    = dh * u + Wh^T [dz_r; dz_u; dz_nh]
    """

    gates = 3

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(), "b_n": (self.hidden_size,)}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        super().bind(values, grads)
        self.b_n, self.db_n = values["b_n"], grads["b_n"]

    def initialise(self, rng: np.random.Generator) -> None:
        super().initialise(rng)
        self.b_n[...] = 0

    def _allocate(self, T: int, N: int) -> None:
        H, D = self.hidden_size, self.input_size
        self.rows_ru = rows_per_block(2 * H, self.W.shape[1], N)
        self.rows_n = rows_per_block(H, D + 1, N)
        self.rows_nh = rows_per_block(H, H, N)
        self.run = self._new(T, 3 * H, N)
        self.nh = self._new(T, H, N)
        self.tmp = self._new(H, N)
        self.steps = [
            GRUStep(
                xh=self.xh[t],
                x1=self.xh[t, : D + 1],
                h_prev=self.h[t],
                z_ru=in_blocks(run[: 2 * H], self.rows_ru),
                ru=run[: 2 * H],
                r=run[:H],
                u=run[H : 2 * H],
                z_n=in_blocks(run[2 * H :], self.rows_n),
                n=run[2 * H :],
                z_nh=in_blocks(self.nh[t], self.rows_nh),
                nh=self.nh[t],
                h=self.h[t + 1],
            )
            for t, run in enumerate(self.run)
        ]

    def _forward(self, state: Array) -> tuple[Array, ...]:
        H, D = self.hidden_size, self.input_size
        W_ru = in_blocks(self.W[: 2 * H], self.rows_ru)
        W_n = in_blocks(self.W[2 * H :, : D + 1], self.rows_n)
        W_nh = in_blocks(self.Wh[2 * H :], self.rows_nh)
        b_n, tmp = self.b_n[:, np.newaxis], self.tmp
        for s in self.steps:
            np.matmul(W_ru, s.xh, out=s.z_ru)
            sigmoid_(s.ru)
            np.matmul(W_nh, s.h_prev, out=s.z_nh)
            np.add(s.nh, b_n, out=s.nh)
            np.matmul(W_n, s.x1, out=s.z_n)
            np.multiply(s.r, s.nh, out=tmp)
            np.add(s.n, tmp, out=s.n)
            np.tanh(s.n, out=s.n)
            np.subtract(s.h_prev, s.n, out=tmp)
            np.multiply(s.u, tmp, out=tmp)
            np.add(s.n, tmp, out=s.h)
        return (self.h[-1],)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows_back = rows_per_block(H, 3 * H, N)
        self.block = self._steps_at_once(4 * H * N * self.W.itemsize)
        self.factors = self._new(self.block, 4, H, N)  # of dz_r, dz_u, dz_nh and dz_n
        self.dz = self._new(4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        H = self.hidden_size
        run, nh, h_prev = self.run[steps], self.nh[steps], self.h[:-1][steps]
        r, u, n = run[:, :H], run[:, H : 2 * H], run[:, 2 * H :]
        of_r, of_u, of_nh, of_n = self.factors[: len(run)].transpose(1, 0, 2, 3)
        np.subtract(1, u, out=of_u)
        np.multiply(n, n, out=of_n)
        np.subtract(1, of_n, out=of_n)
        np.multiply(of_n, of_u, out=of_n)
        np.multiply(of_n, r, out=of_nh)
        np.subtract(1, r, out=of_r)
        np.multiply(of_r, of_nh, out=of_r)
        np.multiply(of_r, nh, out=of_r)
        np.multiply(of_u, u, out=of_u)
        np.subtract(h_prev, n, out=nh)  # nh has served; its place is free
        np.multiply(of_u, nh, out=of_u)

    def _backward(self, dy: Array, dstate: Array) -> Array:
        H, N = self.hidden_size, dy.shape[-1]
        dh: Array = dstate[0].copy()
        tmp = self.tmp
        Wh_T, tmp_blocks = in_blocks(self.Wh_T, self.rows_back), in_blocks(tmp, self.rows_back)
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                factor = self.factors[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, factor, out=factor)
                np.multiply(dh, self.steps[t].u, out=dh)
                np.matmul(Wh_T, factor[:3].reshape(3 * H, N), out=tmp_blocks)
                np.add(dh, tmp, out=dh)
            factors = self.factors[: block.stop - start].reshape(-1, 4 * H, N)
            swap_time(factors, self.dz[:, block])
        return dh[np.newaxis]

    def _weight_gradients(self, xh: Array) -> Array:
        H, D = self.hidden_size, self.input_size
        dz: Array = self.dz.reshape(4 * H, -1)
        ru, nh, n = dz[: 2 * H], dz[2 * H : 3 * H], dz[3 * H :]
        np.matmul(ru, xh.T, out=self.dW[: 2 * H])
        self.dW[2 * H :, : D + 1] = n @ xh[: D + 1].T
        self.dW[2 * H :, D + 1 :] = nh @ xh[D + 1 :].T
        np.sum(nh, axis=1, out=self.db_n)
        nh[...] = n  # Wx feeds r, u and n
        return dz[: 3 * H]


CELLS: dict[Cell, type[Recurrent]] = {
    "rnn": TimeRNN,
    "lstm": TimeLSTM,
    "gru": TimeGRU,
}
