"""The base class of all recurrent layers: state, input, weights and their gradients.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, G gates,
    S state arrays (1, or 2 for the LSTM's h and c), R features per state array and columns of
    ``Wh``, K = D + 1 + R columns of ``W``. R equals H if the state is h.

Activations are laid out as (features, streams), so a step is the textbook's column-vector equation,
applied to N columns at once. The weights are one matrix, ``W = [Wx b Wh]``. The input projection
``Wx x[t] + b`` needs no recurrence and is computed a few steps ahead (see ``nn.inputs``). Each step
adds ``Wh h[t-1]``. In a layer whose state is not h, ``Wh`` multiplies that state instead.

``dX`` is the gradient of the loss with respect to ``X``. A layer keeps the activations of one
window, so ``backward`` always refers to the most recent ``forward``.
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
"""An array, because an operation on one step takes 1.5 us with Python's 1 and 1 us with this."""


def sigmoid_(x: Array) -> None:
    """Apply the logistic function in place.

    It uses ``exp`` because NumPy's ``tanh`` takes twice as long without AVX-512 (AMD EPYC). If
    ``exp`` overflows, the result is 0, which is the correct limit.
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
        D, the number of input features per step.
    architecture : Architecture
        Supplies ``hidden_size``, ``weight_dropout`` and the options of the cell.
    workspace : Workspace, optional
        Buffers for ``backward``. Layers that run one after another may share one workspace.

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
        The output of step t is ``h[t + 1]``. The buffers of a layer hold the longest window so far
        with this number of streams. A shorter window uses the first steps.
    z : (T, G*H, N) array
        The pre-activations: ``z[t]`` holds ``Wx x[t] + b`` when step t starts.
    W : (G*H, K) array
        Input weights, bias and recurrent weights side by side. ``Wx (G*H, D)``, ``b (G*H,)`` and
        ``Wh (G*H, R)`` are views of it and have PyTorch's shapes.
    used : (G*H, K) array
        The weights that the last ``forward`` used: ``W``, or a copy after weight dropout.
    dz : (G*H, T, N) array
        The gradient of the pre-activations ``Wx x + b + Wh h`` of each step.
    product, product_back, product_x : Product
        Multiply the N columns of a step by ``Wh``, by its transpose and by ``[Wx b]``.
    reads_symbols : bool
        Whether the layer can read symbols. If not, it reads features only.
    has_step : bool
        Whether the layer has ``step``: it can read symbols, and ``_forward`` depends only on its
        arguments, ``z`` and the states.
    is_frozen : bool
        Whether the layer has copies of the weights that are fast for one stream.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    reads_symbols: ClassVar[bool] = True
    has_step: ClassVar[bool] = True
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
        self.window = self._capacity = self._capacity_back = (0, 0)
        self.is_frozen = False
        self._rows: Array = np.empty((0, 0))
        self._spent = True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight by name."""
        return {"W": (self.gates * self.hidden_size, self.input_size + 1 + self.carried_size)}

    def hidden_columns(self, *, one_hot: bool) -> tuple[slice, ...]:
        """Return the columns of ``W`` for learned features: h, and x unless it is one-hot."""
        D = self.input_size
        x, h = slice(0, D), slice(D + 1, D + 1 + self.carried_size)
        return (h,) if one_hot else (x, h)

    @property
    def floats_per_character(self) -> tuple[int, int]:
        """The approximate number of floats in the buffers for one step of one stream.

        The first number counts the layer's own buffers, the second the workspace and temporary
        arrays.
        """
        D, H, R = self.input_size, self.hidden_size, self.carried_size
        inside = (self.gates + 1) * H
        return D + 1 + R + inside, inside + 2 * D + 1 + R

    @property
    def floats_of_weights(self) -> int:
        """The approximate number of floats in the copies of the weights."""
        recurrent = self.gates * self.hidden_size * self.carried_size
        dropped = self.shapes()["W"][1] * self.gates * self.hidden_size + 2 * recurrent
        # The table of symbols and its gradient; an embedding has up to 2 * D symbols in it.
        table = 2 * self.gates * self.hidden_size * 2 * self.input_size
        return recurrent + table + (dropped if self.weight_dropout.rate else 0)

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradients."""
        D = self.input_size
        self.W, self.dW = values["W"], grads["W"]
        self.is_frozen, self._rows = False, np.empty((0, 0))
        self.Wx, self.b, self.Wh = self.W[:, :D], self.W[:, D], self.W[:, D + 1 :]

    def initialise(self, rng: np.random.Generator) -> None:
        """Initialize: uniform input weights, an orthogonal matrix per gate, zero biases."""
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
            Samples the weights to drop. Without it, no weights are dropped.

        Returns
        -------
        y : (T, H, N) array
            The output of each step. The next ``forward`` overwrites it.
        state : (S, R, N) array
            The state after the window, a new array.
        """
        self.input = self._input(x)
        T, N = self.window = self.input.window
        self._reserve(T, N)
        for buffer, before in zip(self._carried, state, strict=True):
            buffer[0] = before
        self._zero_state = not state.any()
        D = self.input_size
        self.used = self.weight_dropout.forward(self.W, D + 1, rng)
        with np.errstate(over="ignore"):  # in sigmoid_; entering it at each step would take 1 us
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
        """Compute the weight gradients from the gradients of the last ``forward``'s outputs.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output. It may share memory with ``dx``.
        dstate : (S, R, N) array
            The gradient of the state after the window: zeros if backpropagation is truncated.
        input_gradient : bool
            Whether to compute ``dx``. A one-hot input does not need it.
        state_gradient : bool
            Whether to compute the gradient of the state before the window. Truncated
            backpropagation does not need it.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input, or the gradient (V, D) of the embedding vectors if the input
            is symbols. The next ``backward`` with this workspace overwrites it.
        dstate : (S, R, N) array or None
            The gradient of the state before the window, a new array.

        Raises
        ------
        RuntimeError
            If ``forward`` was not called since the last ``backward``.
        """
        if self._spent:
            raise RuntimeError(SPENT)
        self._spent = True
        T, N = self.window
        if self._capacity_back != (T, N):
            self._capacity_back = T, N
            self._allocate_backward(T, N)
        D, Wh = self.input_size, self.used[:, self.input_size + 1 :]
        dstate, self.state_gradient = dstate.copy(), state_gradient
        self._backward(dy, dstate, transpose(Wh, self._workspace("Wh_T", *Wh.shape[::-1])))
        # A zero initial state contributes nothing to the gradient of Wh.
        read = self._carried[0][int(self._zero_state) : T, : self.carried_size]
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
        """Optimize ``forward`` for one stream; the weights must not change afterwards."""
        D = self.input_size
        self.W = for_one_column(self.W)
        self.is_frozen = True
        self._W1, self._Wh = self.W[:, : D + 1], self.W[:, D + 1 :]
        self._x1: Array = np.ones((D + 1, 1), self.W.dtype)

    def step(self, x: Array | Symbols, state: Array, after: Array) -> Array:
        """Read one symbol of one stream, as ``forward`` does, without the overhead of a window.

        It requires ``has_step`` and ``for_one_stream``. ``output`` stays that of the last window.

        Parameters
        ----------
        x : (D, 1) array or Symbols
            The input.
        state, after : (S, R, 1) arrays
            The state before the step, and where to write the state after it.

        Returns
        -------
        h : (H, 1) array
            The output, which the next ``step`` overwrites.
        """
        self._reserve(1, 1)
        z = self.z[0]
        if isinstance(x, Symbols):
            z[:, 0] = self._rows_of(x)[x.ids[0, 0]]
        else:
            self._x1[:-1] = x
            self.product_x(self._W1, self._x1, out=z)
        for buffer, before in zip(self._carried, state, strict=True):
            buffer[0] = before
        self._forward(self._Wh, (self.product,))
        for row, buffer in zip(after, self._carried, strict=True):
            row[...] = buffer[1]
        h: Array = self.h[1]
        return h

    def _input(self, x: Array | Symbols) -> Features | Columns:
        """Wrap the input of a window in the form that this layer projects fastest."""
        if isinstance(x, Symbols) and self.reads_symbols and (self.is_frozen or x.has_short_table):
            return Columns(x)
        return Features(x, self.own, self.W.dtype)

    def _products(self) -> Iterator[Product]:
        """Fill ``z`` and yield, for each step, the product that multiplies by ``Wh``.

        ``z`` is filled a few steps ahead, so that it is still in the cache when a step reads it. A
        zero state needs no product.
        """
        (T, N), W1 = self.window, self.used[:, : self.input_size + 1]
        ahead = steps_in_cache(T, len(W1) * N * W1.itemsize)
        project = self._projection(W1)
        for start in range(0, T, ahead):
            stop = min(start + ahead, T)
            project(slice(start, stop), self.z[start:stop])
            for t in range(start, stop):
                yield self.product if t or not self._zero_state else zeros

    def _projection(self, W1: Array) -> Callable[[slice, Array], None]:
        """Return a function that fills a slice (t, G*H, N) of ``z`` with ``Wx x + b``."""
        if isinstance(self.input, Features):
            return partial(self.input.project, W1, self.product_x)
        if not self.is_frozen:
            return partial(self.input.project, self.input.table(W1))
        return partial(self.input.project_rows, self._rows_of(self.input.symbols))

    def _rows_of(self, symbols: Symbols) -> Array:
        """Return the input projection of each symbol (V, G*H) for frozen weights."""
        if not self._rows.size:
            self._rows = np.ascontiguousarray(Columns(symbols).table(self._W1).T)
        return self._rows

    def _reserve(self, T: int, N: int) -> None:
        """Allocate buffers for T steps of N streams, unless the current ones are large enough."""
        steps, streams = self._capacity
        if streams == N and steps >= T:
            return
        self._capacity, self._capacity_back = (T, N), (0, 0)
        rows = self.gates * self.hidden_size
        self.product_x = product_of(rows, self.input_size + 1, N)
        self.h: Array = self._new(T + 1, self.hidden_size, N)
        self._allocate(T, N)
        self._carried: list[Array] = [getattr(self, name) for name in self.states]

    @abstractmethod
    def _allocate(self, T: int, N: int) -> None:
        """Allocate ``z``, ``product`` and the other buffers of ``_forward`` for up to T steps."""

    @abstractmethod
    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        """Fill ``h[1:]`` and the other states step by step from ``z``.

        Parameters
        ----------
        Wh : (G*H, R) array
            The recurrent weights.
        products : iterable of Product
            For each of the T steps, the product that multiplies ``Wh`` by the state before the
            step. ``z[t]`` is filled when the product of step t is taken from the iterable.
        """

    @abstractmethod
    def _allocate_backward(self, T: int, N: int) -> None:
        """Allocate ``dz``, ``product_back`` and the other buffers of ``_backward``."""

    @abstractmethod
    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        """Fill ``dz`` and overwrite ``dstate`` with the gradient of the state before the window.

        If ``state_gradient`` is false, the final content of ``dstate`` is ignored.

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
        """Fill the gradient of ``Wh`` and return the gradient (G*H, T*N) of ``Wx x + b``.

        ``carried`` (R, t*N) is the state that each step read: of all T steps or, if the state
        before the window is zero, of the last T - 1.
        """
        dz: Array = self.dz.reshape(len(self.dz), -1)[: len(self.W)]
        steps = dz[:, dz.shape[1] - carried.shape[1] :]
        np.matmul(steps, carried.T, out=self.dW[:, self.input_size + 1 :])
        return dz

    def _source_gradient(self, dz_x: Array) -> Array:
        """Return the gradient of ``forward``'s input, given that (G*H, T*N) of ``Wx x + b``."""
        if isinstance(self.input, Columns):
            return self.input.gradient(self.Wx)
        return self.input.source_gradient(self._input_gradient(self.input, dz_x), self.workspace)

    def _input_gradient(self, features: Features, dz_x: Array) -> Array:
        """Return dx (T, D, N), given the gradient (G*H, T*N) of ``Wx x + b``."""
        return features.gradient(self.Wx, dz_x, self.workspace)

    def _new(self, *shape: int) -> Array:
        return np.empty(shape, self.W.dtype)

    def _workspace(self, name: str, *shape: int) -> Array:
        return self.workspace.array(name, shape, self.W.dtype)


def zeros(W: Array, x: Array, /, *, out: Array) -> None:
    """Fill ``out`` (M, N) with the product of W (M, K) and zero columns x (K, N)."""
    out[...] = 0
