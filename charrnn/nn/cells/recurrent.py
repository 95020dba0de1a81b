"""What the recurrent layers have in common: the buffers of a window and the two large products.

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
from typing import ClassVar

import numpy as np

from charrnn.backend.arrays import Array, Workspace, swap_time
from charrnn.nn.layers import WeightDropout
from charrnn.nn.parameters import orthogonal

CACHE_BYTES = 2**18
"""What fits beside other buffers into the second-level cache of a core."""


HALF = np.array(0.5, np.float32)
"""For operations on one step, of a microsecond each: with Python's 0.5 NumPy takes another half."""

TRANSPOSED_AT_ONCE = 128
"""Rows of a matrix, so that their columns stay in the cache until they are written."""


class Recurrent(ABC):
    """A layer that reads a window of T steps and carries its state from window to window.

    To add a cell: subclass in a module of its own, give ``gates``, ``states`` and the four abstract
    methods, and add a line to ``cells.CELLS``; the tests run over ``CELLS``.

    Parameters
    ----------
    input_size : int
        D, the features of a step's input.
    hidden_size : int
        H, the features of its output.
    weight_dropout : float
        The share of the recurrent weights that is dropped in training.

    Attributes
    ----------
    W : (G*H, D + 1 + H) array
        Input weights, bias and recurrent weights side by side. ``Wx (G*H, D)``, ``b (G*H,)`` and
        ``Wh (G*H, H)`` are views of it and have PyTorch's shapes.
    used : (G*H, D + 1 + H) array
        ``W`` as the last ``forward`` used it: with dropped weights, or itself.
    workspace : Workspace
        Of ``backward``. Layers that work one after another may have the same.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    dz: Array

    def __init__(self, input_size: int, hidden_size: int, *, weight_dropout: float = 0.0) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_dropout = WeightDropout(weight_dropout)
        self.window = self._window_back = (0, 0)
        self.workspace = Workspace()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, by name."""
        return {"W": (self.gates * self.hidden_size, self.input_size + 1 + self.hidden_size)}

    def hidden_columns(self, *, one_hot: bool) -> tuple[slice, ...]:
        """Return the columns of ``W`` that read learned features: h, and x if not ``one_hot``."""
        D = self.input_size
        x, h = slice(0, D), slice(D + 1, D + 1 + self.hidden_size)
        return (h,) if one_hot else (x, h)

    @property
    def floats_per_character(self) -> tuple[int, int]:
        """About how many numbers the buffers hold for one step of one stream.

        Those of the layer's own, and those of ``workspace`` and of passing arrays.
        """
        D, H = self.input_size, self.hidden_size
        inside = (self.gates + 1) * H
        return D + 1 + H + inside, inside + 2 * D + 1 + H

    @property
    def floats_of_weights(self) -> int:
        """About how many numbers the copies of the weights have that a window is computed with."""
        recurrent = self.gates * self.hidden_size**2
        dropped = self.shapes()["W"][1] * self.gates * self.hidden_size + 2 * recurrent
        return recurrent + (dropped if self.weight_dropout.rate else 0)

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and as the place for their gradients."""
        D = self.input_size
        self.W, self.dW = values["W"], grads["W"]
        self.Wx, self.b, self.Wh = self.W[:, :D], self.W[:, D], self.W[:, D + 1 :]

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw uniform input weights and an orthogonal recurrent block per gate; the bias is 0."""
        H = self.hidden_size
        limit = H**-0.5
        self.Wx[...] = rng.uniform(-limit, limit, self.Wx.shape)
        self.b[...] = 0
        for gate in range(self.gates):
            self.Wh[gate * H : (gate + 1) * H] = orthogonal(rng, H, H)

    def forward(
        self, x: Array, state: Array, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Read one window.

        Parameters
        ----------
        x : (T, D, N) array
            The input of each step.
        state : (S, H, N) array
            The state before the window.
        rng : Generator, optional
            Draws which weights are dropped; without it none is.

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
            # h[0] is the incoming state, h[t + 1] the output of step t.
            self.h: Array = self.xh[:, D + 1 :]
            self._allocate(T, N)
        self.used = self.weight_dropout.forward(self.W, D + 1, rng)
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
            The gradient of each step's output; it may lie in the buffer of ``dx``.
        dstate : (S, H, N) array
            The gradient of the state after the window: zeros where backpropagation is truncated.
        input_gradient : bool
            Whether ``dx`` is wanted. Nothing below a one-hot input needs it.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input, in a buffer that the next ``backward`` with this workspace
            overwrites.
        dstate : (S, H, N) array
            The gradient of the state before the window.
        """
        T, N = self.window
        if self._window_back != self.window:
            self._window_back = self.window
            self._allocate_backward(T, N)
        dstate = self._backward(dy, dstate, self._transposed())
        D, K = self.input_size, self.W.shape[1]
        columns = self._workspace("columns", K, T, N)
        dz_x = self._weight_gradients(swap_time(self.xh[:-1], columns).reshape(K, T * N))
        self.weight_dropout.backward(self.dW)
        if not input_gradient:
            return None, dstate
        dx = np.matmul(self.Wx.T, dz_x, out=columns[:D].reshape(D, T * N))
        return swap_time(dx.reshape(D, T, N), self._workspace("dx", T, D, N)), dstate

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
    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> Array:
        """Fill ``dz``, the gradient before the squashing; return that of the incoming state."""

    def _transposed(self) -> Array:
        """Return a copy of the recurrent weights, transposed.

        BLAS multiplies by it up to 1.7 times faster than by a transposed view.
        """
        Wh_T = self._workspace("Wh_T", self.hidden_size, len(self.W))
        for start in range(0, len(self.W), TRANSPOSED_AT_ONCE):
            part = slice(start, start + TRANSPOSED_AT_ONCE)
            Wh_T[:, part] = self.used[part, self.input_size + 1 :].T
        return Wh_T

    def _weight_gradients(self, xh: Array) -> Array:
        """Fill ``dW`` from ``dz`` and xh (K, T*N); return the rows of ``dz`` that ``Wx`` feeds.

        The gradient of the weights is one large product over all steps and streams.
        """
        dz: Array = self.dz.reshape(len(self.W), -1)
        np.matmul(dz, xh.T, out=self.dW)
        return dz

    def _new(self, *shape: int) -> Array:
        return np.empty(shape, self.W.dtype)

    def _workspace(self, name: str, *shape: int) -> Array:
        return self.workspace.array(name, shape, self.W.dtype)

    def _steps_at_once(self, bytes_per_step: int) -> int:
        """Return how many steps of a buffer fit into the part of the cache that is theirs."""
        return max(1, min(self.window[0], CACHE_BYTES // bytes_per_step))
