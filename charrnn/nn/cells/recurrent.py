"""The common part of all recurrent layers: state, input, weights and their gradients.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, G gates,
    S state arrays (1, or 2 for the LSTM's h and c), R features of each of them and columns of
    ``Wh``, K = D + 1 + R. R is H wherever h is the state.

Activations are (features, streams), so a step is the textbook's column-vector equation for N
columns at once. The weights are one matrix, ``W = [Wx b Wh]``. What the input gives to a step,
``Wx x[t] + b``, needs no recurrence and is computed a few steps ahead (see ``nn.inputs``). Each
step adds ``Wh h[t-1]``. A layer that carries something else than h has that in the place of h.

``dX`` is the gradient of the loss with respect to ``X``. A layer owns the buffers of one window,
so ``backward`` belongs to the ``forward`` just before it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import ClassVar

import numpy as np

from charrnn.backend.arrays import Array, Workspace, steps_in_cache, swap_time
from charrnn.backend.products import Product, for_one_column, product_of, transpose
from charrnn.config import Architecture
from charrnn.nn.initialisers import orthogonal
from charrnn.nn.inputs import Columns, Features, Symbols
from charrnn.nn.layers import SPENT
from charrnn.nn.layers.dropout import WeightDropout

ONE = np.array(1, np.float32)
"""As an array: with Python's 1 an operation on one step takes 1.5 us, not 1."""


def sigmoid_(x: Array) -> None:
    """Apply the logistic function in place.

    By ``exp``: without AVX-512, NumPy's ``tanh`` takes twice as long (AMD EPYC). Where it
    overflows, the result is 0, as it should be.
    """
    np.negative(x, out=x)
    np.exp(x, out=x)
    np.add(x, ONE, out=x)
    np.divide(ONE, x, out=x)


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
    h : (T + 1, H, N) array
        The output of step t is ``h[t + 1]``. The arrays of a layer have room for the longest window
        so far of so many streams; a shorter one fills the first steps.
    z : (T, G*H, N) array
        What holds ``Wx x[t] + b`` when step t begins.
    W : (G*H, K) array
        Input weights, bias and recurrent weights side by side. ``Wx (G*H, D)``, ``b (G*H,)`` and
        ``Wh (G*H, R)`` are views of it and have PyTorch's shapes.
    used : (G*H, K) array
        The weights of the last ``forward``: ``W``, or a copy with dropped weights.
    dz : (G*H, T, N) array
        The gradient of ``Wx x + b + Wh h`` of each step.
    product, product_back, product_x : Product
        Of ``Wh``, of its transpose and of ``[Wx b]`` with the columns of a step.
    reads_symbols : bool
        Whether the layer can read symbols, or features alone.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    reads_symbols: ClassVar[bool] = True
    z: Array
    dz: Array
    product: Product
    product_back: Product

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
        self.own = Workspace()
        self.window = self._room = self._room_back = (0, 0)
        self._fixed = False
        self._rows: Array = np.empty((0, 0))
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
        # Of symbols, with up to 2 * D of them where they are vectors, and its gradient.
        table = 2 * self.gates * self.hidden_size * 2 * self.input_size
        return recurrent + table + (dropped if self.weight_dropout.rate else 0)

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradients."""
        D = self.input_size
        self.W, self.dW = values["W"], grads["W"]
        self._fixed, self._rows = False, np.empty((0, 0))
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
        self, x: Array | Symbols, state: Array, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Read one window.

        Parameters
        ----------
        x : (T, D, N) array or Symbols
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
        self.input = self._input(x)
        T, N = self.window = self.input.window
        self._make_room(T, N)
        for buffer, before in zip(self._carried, state, strict=True):
            buffer[0] = before
        self._from_zero = not state.any()
        D = self.input_size
        self.used = self.weight_dropout.forward(self.W, D + 1, rng)
        with np.errstate(over="ignore"):  # of a sigmoid's exp; for each step it would cost 1 us
            self._forward(self.used[:, D + 1 :], self._products())
        self._spent = False
        after = np.empty_like(state)
        for index, buffer in enumerate(self._carried):
            after[index] = buffer[T]
        return self.output, after

    @property
    def output(self) -> Array:
        """The output (T, H, N) of each step of the last window."""
        return self.h[1 : self.window[0] + 1]

    def backward(
        self,
        dy: Array,
        dstate: Array,
        *,
        input_gradient: bool = True,
        state_gradient: bool = True,
    ) -> tuple[Array | None, Array | None]:
        """Fill the gradients of the weights from those of the last ``forward``'s results.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output. It may share memory with ``dx``.
        dstate : (S, R, N) array
            The gradient of the state after the window, zeros if backpropagation is truncated.
        input_gradient : bool
            Whether to compute ``dx``. A one-hot input does not need it.
        state_gradient : bool
            Whether to compute the gradient of the state before the window. Truncated, it is not
            needed.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input; of symbols, that of their vectors (V, D). The next
            ``backward`` with this workspace overwrites it.
        dstate : (S, R, N) array or None
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
        if self._room_back != (T, N):
            self._room_back = T, N
            self._allocate_backward(T, N)
        D, Wh = self.input_size, self.used[:, self.input_size + 1 :]
        dstate, self.state_gradient = dstate.copy(), state_gradient
        self._backward(dy, dstate, transpose(Wh, self._workspace("Wh_T", *Wh.shape[::-1])))
        # What was read of a state of zeros adds nothing.
        read = self._carried[0][int(self._from_zero) : T, : self.carried_size]
        steps, R, _ = read.shape
        columns = swap_time(read, self._workspace("columns", R, steps, N)).reshape(R, steps * N)
        dz_x = self._weight_gradients(columns)
        self.weight_dropout.backward(self.dW)
        self.input.weight_gradient(dz_x, self.dW[:, : D + 1], self.workspace)
        return (
            self._source_gradient(dz_x) if input_gradient else None,
            dstate if state_gradient else None,
        )

    def for_one_stream(self) -> None:
        """Read windows of one stream faster from now on; the weights stay what they are."""
        self.W = for_one_column(self.W)
        self._fixed = True

    def _input(self, x: Array | Symbols) -> Features | Columns:
        """Return how this layer reads a window."""
        if isinstance(x, Symbols) and self.reads_symbols and (self._fixed or x.has_short_table):
            return Columns(x)
        return Features(x, self.own, self.W.dtype)

    def _products(self) -> Iterator[Product]:
        """Fill ``z`` and yield the product of ``Wh`` of each step.

        ``z`` is filled a few steps ahead, so that it is in the cache when a step reads it. A state
        of zeros needs no product.
        """
        (T, N), W1 = self.window, self.used[:, : self.input_size + 1]
        ahead = steps_in_cache(T, len(W1) * N * W1.itemsize)
        project = self._projection(W1)
        for start in range(0, T, ahead):
            stop = min(start + ahead, T)
            project(slice(start, stop), self.z[start:stop])
            for t in range(start, stop):
                yield self.product if t or not self._from_zero else zeros

    def _projection(self, W1: Array) -> Callable[[slice, Array], None]:
        """Return what fills a part (t, G*H, N) of ``z`` with ``Wx x + b`` of these steps."""
        if isinstance(self.input, Features):
            return partial(self.input.project, W1, self.product_x)
        if not self._fixed:
            return partial(self.input.project, self.input.table(W1))
        if not self._rows.size:
            self._rows = np.ascontiguousarray(self.input.table(W1).T)
        return partial(self.input.project_rows, self._rows)

    def _make_room(self, T: int, N: int) -> None:
        """Make room for T steps of N streams, unless there is."""
        room, streams = self._room
        if streams == N and room >= T:
            return
        self._room, self._room_back = (T, N), (0, 0)
        rows = self.gates * self.hidden_size
        self.product_x = product_of(rows, self.input_size + 1, N)
        self.h: Array = self._new(T + 1, self.hidden_size, N)
        self._allocate(T, N)
        self._carried: list[Array] = [getattr(self, name) for name in self.states]

    @abstractmethod
    def _allocate(self, T: int, N: int) -> None:
        """Make ``z``, ``product``, and what else ``_forward`` has for windows of up to T steps."""

    @abstractmethod
    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        """Fill ``h[1:]`` and the other states step by step from ``z``.

        Parameters
        ----------
        Wh : (G*H, R) array
            The recurrent weights.
        products : iterable of Product
            Of ``Wh`` with what each of the T steps carries. Taking the one of step t fills
            ``z[t]``.
        """

    @abstractmethod
    def _allocate_backward(self, T: int, N: int) -> None:
        """Make ``dz``, ``product_back``, and what else ``_backward`` has for such windows."""

    @abstractmethod
    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        """Fill ``dz`` and replace ``dstate`` with the gradient of the state before the window.

        Without ``state_gradient`` whatever is in ``dstate`` at the end is right.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output.
        dstate : (S, R, N) array
            The gradient of the state after the window, changed in place.
        Wh_T : (R, G*H) array
            The recurrent weights, transposed.
        """

    def _weight_gradients(self, carried: Array) -> Array:
        """Fill the gradient of ``Wh`` from ``dz`` and what the steps read of the state (R, t*N).

        These are all T steps or, where the state before the window is zero, the last T - 1. Return
        the gradient (G*H, T*N) of ``Wx x + b``.
        """
        dz: Array = self.dz.reshape(len(self.dz), -1)[: len(self.W)]
        steps = dz[:, dz.shape[1] - carried.shape[1] :]
        np.matmul(steps, carried.T, out=self.dW[:, self.input_size + 1 :])
        return dz

    def _source_gradient(self, dz_x: Array) -> Array:
        """Return the gradient of what ``forward`` read from that (G*H, T*N) of ``Wx x + b``."""
        if isinstance(self.input, Columns):
            return self.input.gradient(self.Wx)
        return self.input.source_gradient(self._input_gradient(self.input, dz_x), self.workspace)

    def _input_gradient(self, features: Features, dz_x: Array) -> Array:
        """Return dx (T, D, N) from the gradient (G*H, T*N) of ``Wx x + b``."""
        return features.gradient(self.Wx, dz_x, self.workspace)

    def _new(self, *shape: int) -> Array:
        return np.empty(shape, self.W.dtype)

    def _workspace(self, name: str, *shape: int) -> Array:
        return self.workspace.array(name, shape, self.W.dtype)


def zeros(W: Array, x: Array, /, *, out: Array) -> None:
    """Fill ``out`` (M, N) as the product of W (M, K) and columns of zeros x (K, N)."""
    out[...] = 0
