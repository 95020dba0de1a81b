"""The common part of all recurrent layers: state, input, weights and the two large products.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, G gates,
    S state arrays (1, or 2 for the LSTM's h and c), R features of each of them and columns of
    ``Wh``, K = D + 1 + R. R is H wherever h is the state.

Activations are (features, streams), so a step is the textbook's column-vector equation for N
columns at once. A layer keeps the input, a constant 1 and the hidden state of a step in one block
of rows, ``[x; 1; h]``, and its weights in one matrix, ``W = [Wx b Wh]``. A step is then one product
``W @ [x; 1; h]``, bias included, and the gradient of all weights is one product too. A layer
that carries something else than h has that in the place of h.

``dX`` is the gradient of the loss with respect to ``X``. A layer owns the buffers of one window,
so ``backward`` belongs to the ``forward`` just before it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from charrnn.backend.arrays import Array, Workspace, swap_time
from charrnn.backend.products import transpose
from charrnn.config import Architecture
from charrnn.nn.initialisers import orthogonal
from charrnn.nn.layers import SPENT
from charrnn.nn.layers.dropout import WeightDropout

HALF = np.array(0.5, np.float32)
"""As an array: with Python's 0.5 an operation on one step takes 1.5 us, not 1."""


def sigmoid_(x: Array) -> None:
    """Apply the logistic function in place, as (1 + tanh(x / 2)) / 2, which cannot overflow."""
    np.multiply(x, HALF, out=x)
    np.tanh(x, out=x)
    np.multiply(x, HALF, out=x)
    np.add(x, HALF, out=x)


class Recurrent(ABC):
    """A layer that reads a window of T steps and returns the state for the next window.

    A cell is a subclass in its own module. It sets ``gates`` and ``states`` and implements the four
    abstract methods. CONTRIBUTING.md lists the steps.

    Parameters
    ----------
    input_size : int
        D, the features of a step's input.
    architecture : Architecture
        The layer reads ``hidden_size``, ``weight_dropout`` and the options of its cell.
    workspace : Workspace, optional
        The buffers of ``backward``. Layers that run one after another may share them.

    Attributes
    ----------
    gates : int
        G, the number of blocks of H rows in the weights.
    states : tuple of str
        The names of the state arrays, usually ``h`` first. Each is an attribute (T + 1, R, N):
        index 0 is the state before the window, index t + 1 the state after step t.
    state_shape : tuple of int
        S and R.
    xh : (T + 1, K, N) array
        ``[x; 1; h]`` of each step: x at step t and h before it.
    h : (T + 1, H, N) array
        The last H rows of ``xh``. The output of step t is ``h[t + 1]``.
    W : (G*H, K) array
        Input weights, bias and recurrent weights side by side. ``Wx (G*H, D)``, ``b (G*H,)`` and
        ``Wh (G*H, R)`` are views of it and have PyTorch's shapes.
    used : (G*H, K) array
        The weights of the last ``forward``: ``W``, or a copy with dropped weights.
    dz : (G*H, T, N) array
        The gradient of ``W @ [x; 1; h]`` of each step.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    dz: Array

    def __init__(
        self, input_size: int, architecture: Architecture, workspace: Workspace | None = None
    ) -> None:
        self.input_size = input_size
        self.architecture = architecture
        self.hidden_size = architecture.hidden_size
        self.state_shape = len(self.states), self.hidden_size
        self.carried_size = self.hidden_size
        self.weight_dropout = WeightDropout(architecture.weight_dropout)
        self.workspace = workspace or Workspace()
        self.window = self._window_back = (0, 0)
        self._spent = True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, by name."""
        return {"W": (self.gates * self.hidden_size, self.input_size + 1 + self.carried_size)}

    def hidden_columns(self, *, one_hot: bool) -> tuple[slice, ...]:
        """Return the columns of ``W`` that read learned features: h, and x unless one-hot."""
        D = self.input_size
        x, h = slice(0, D), slice(D + 1, D + 1 + self.carried_size)
        return (h,) if one_hot else (x, h)

    @property
    def floats_per_character(self) -> tuple[int, int]:
        """The approximate size of the buffers for one step of one stream, in numbers.

        The first counts the layer's own buffers, the second the workspace and temporary arrays.
        """
        D, H, R = self.input_size, self.hidden_size, self.carried_size
        inside = (self.gates + 1) * H
        return D + 1 + R + inside, inside + 2 * D + 1 + R

    @property
    def floats_of_weights(self) -> int:
        """The approximate size of the copies of the weights, in numbers."""
        recurrent = self.gates * self.hidden_size * self.carried_size
        dropped = self.shapes()["W"][1] * self.gates * self.hidden_size + 2 * recurrent
        return recurrent + (dropped if self.weight_dropout.rate else 0)

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradients."""
        D = self.input_size
        self.W, self.dW = values["W"], grads["W"]
        self.Wx, self.b, self.Wh = self.W[:, :D], self.W[:, D], self.W[:, D + 1 :]

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw uniform input weights and an orthogonal recurrent matrix per gate; zero the bias."""
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
        state : (S, R, N) array
            The state before the window.
        rng : Generator, optional
            Draws the dropped weights. Without it none is dropped.

        Returns
        -------
        y : (T, H, N) array
            The output of each step. The next ``forward`` overwrites it.
        state : (S, R, N) array
            The state after the window, a new array.
        """
        T, D, N = x.shape
        if self.window != (T, N):
            self.window, self._window_back = (T, N), (0, 0)
            self.xh: Array = self._new(T + 1, D + 1 + self.carried_size, N)
            self.xh[:, D] = 1
            self.h: Array = self.xh[:, D + 1 :]
            self._allocate(T, N)
            self._carried: list[Array] = [getattr(self, name) for name in self.states]
        self.xh[:-1, :D] = x
        for buffer, before in zip(self._carried, state, strict=True):
            buffer[0] = before
        self.used = self.weight_dropout.forward(self.W, D + 1, rng)
        self._forward(self.used)
        self._spent = False
        after = np.empty_like(state)
        for index, buffer in enumerate(self._carried):
            after[index] = buffer[-1]
        return self.h[1:], after

    def backward(
        self, dy: Array, dstate: Array, *, input_gradient: bool = True
    ) -> tuple[Array | None, Array]:
        """Fill the gradients of the weights from those of the last ``forward``'s results.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output. It may share memory with ``dx``.
        dstate : (S, R, N) array
            The gradient of the state after the window, zeros if backpropagation is truncated.
        input_gradient : bool
            Whether to compute ``dx``. A one-hot input does not need it.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input. The next ``backward`` with this workspace overwrites it.
        dstate : (S, R, N) array
            The gradient of the state before the window, a new array.

        Raises
        ------
        RuntimeError
            If there was no ``forward`` after the last ``backward``.
        """
        if self._spent:
            raise RuntimeError(SPENT)
        self._spent = True
        T, N = self.window
        if self._window_back != self.window:
            self._window_back = self.window
            self._allocate_backward(T, N)
        D, K = self.input_size, self.W.shape[1]
        Wh = self.used[:, D + 1 :]
        dstate = dstate.copy()
        self._backward(dy, dstate, transpose(Wh, self._workspace("Wh_T", *Wh.shape[::-1])))
        columns = swap_time(self.xh[:-1], self._workspace("columns", K, T, N)).reshape(K, T * N)
        dz_x = self._weight_gradients(columns)
        self.weight_dropout.backward(self.dW)
        if not input_gradient:
            return None, dstate
        dx = self._input_gradient(dz_x, columns[:D])  # x has served
        return swap_time(dx.reshape(D, T, N), self._workspace("dx", T, D, N)), dstate

    @abstractmethod
    def _allocate(self, T: int, N: int) -> None:
        """Make the buffers, views and products of ``_forward`` for windows of this size."""

    @abstractmethod
    def _forward(self, W: Array) -> None:
        """Fill ``h[1:]`` and the other states step by step from ``xh`` with weights W (G*H, K)."""

    @abstractmethod
    def _allocate_backward(self, T: int, N: int) -> None:
        """Make the buffers, views and products of ``_backward``, including ``dz``."""

    @abstractmethod
    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        """Fill ``dz`` and replace ``dstate`` with the gradient of the state before the window.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output.
        dstate : (S, R, N) array
            The gradient of the state after the window, changed in place.
        Wh_T : (R, G*H) array
            The recurrent weights, transposed.
        """

    def _weight_gradients(self, xh: Array) -> Array:
        """Fill ``dW`` from ``dz`` and xh (K, T*N) in one product over all steps and streams.

        Return the gradient (G*H, T*N) of ``Wx @ x``.
        """
        dz: Array = self.dz.reshape(len(self.W), -1)
        np.matmul(dz, xh.T, out=self.dW)
        return dz

    def _input_gradient(self, dz_x: Array, out: Array) -> Array:
        """Return dx (D, T*N) in ``out`` from the gradient (G*H, T*N) of ``Wx @ x``."""
        return np.matmul(self.Wx.T, dz_x, out=out)

    def _new(self, *shape: int) -> Array:
        return np.empty(shape, self.W.dtype)

    def _workspace(self, name: str, *shape: int) -> Array:
        return self.workspace.array(name, shape, self.W.dtype)
