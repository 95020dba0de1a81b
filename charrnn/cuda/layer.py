"""A recurrent layer on the GPU: its weights, its input and its recurrence.

Dimensions
    T steps, N streams, M = T*N, D input features, H hidden units, G gates.
"""

from collections.abc import Callable

from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, DeviceArray, blocks, each
from charrnn.cuda.buffers import Buffers, Operand
from charrnn.cuda.cells import CELLS, Cell, Weights
from charrnn.cuda.weights import Vector

MOST_PARTS = 64
ROWS_OF_PART = 64
"""Fewest rows that a block sums."""

MakeCell = Callable[[Backend, Architecture, int, int, Buffers, str], Cell]


class Bound:
    """The weights of a model with their bf16 copies and gradients.

    Attributes
    ----------
    theta, grad : Vector
    shadow : Vector or None
        theta in bf16.
    control : (4,) int32 array
        See ``kernels/windows.cu``.
    """

    def __init__(
        self,
        backend: Backend,
        theta: Vector,
        grad: Vector | None,
        shadow: Vector | None,
        control: DeviceArray,
    ) -> None:
        self.backend, self.theta, self._grad = backend, theta, grad
        self.shadow, self.control = shadow, control

    @property
    def grad(self) -> Vector:
        """The gradient vector."""
        assert self._grad is not None
        return self._grad

    @property
    def learns(self) -> bool:
        """Whether there are gradients, and therefore dropout."""
        return self._grad is not None

    def operand(self, name: str) -> Operand:
        """Return weights as an operand of products."""
        return Operand(self.theta[name], None if self.shadow is None else self.shadow[name])


class Layer:
    """One recurrent layer.

    Parameters
    ----------
    bound : Bound
    architecture : Architecture
    name : str
        Its name in a checkpoint, such as "layers.0".
    T, N : int
        The window.
    buffers : Buffers
    seed : int
        The random seed of the masks of recurrent weight dropout.

    Attributes
    ----------
    cell : Cell
    """

    def __init__(
        self,
        bound: Bound,
        architecture: Architecture,
        name: str,
        T: int,
        N: int,
        buffers: Buffers,
        seed: int,
        make_cell: MakeCell | None = None,
    ) -> None:
        backend = self._backend = bound.backend
        self.bound, self.name, self.T, self.N, self._seed = bound, name, T, N, seed
        self.H = architecture.hidden_size
        make = make_cell or CELLS[architecture.cell]
        self.cell = make(backend, architecture, T, N, buffers, name)
        self._rate = architecture.weight_dropout if bound.learns else 0.0
        self._thinned: Operand | None = None
        G = self.cell.gates
        if self._rate:
            self._thinned = buffers.operand(f"{name} Wh, thinned", G * self.H, self.H)
        if bound.learns:
            self._part = buffers.take(f"{name} parts of sums", MOST_PARTS * G * self.H)
            if f"{name}.b_n" in bound.theta:
                self._sum_h = buffers.take(f"{name} sum of dz_h", G * self.H)
        self.weights = Weights(
            Wh=self._thinned or bound.operand(f"{name}.Wh"),
            b=bound.theta[f"{name}.b"],
            b_n=bound.theta.get(f"{name}.b_n"),
        )

    def thin(self) -> None:
        """Sample the recurrent weights that are dropped in this step."""
        if self._thinned is not None:
            Wh, out = self.bound.theta[f"{self.name}.Wh"], self._thinned
            args = Wh, self.bound.control, self._seed, self._rate, Wh.size
            each(self._backend, "thin", Wh.size, out.values, out.shadow, *args)

    def look_up(self, ids: DeviceArray, first: int, stop: int) -> None:
        """Compute the input part for one-hot inputs: rows of the table."""
        N, F = self.N, self.cell.gates * self.H
        table, z = self.bound.theta[f"{self.name}.table"], self.cell.z.values[first:stop]
        ids, M = ids[first * N : stop * N], (stop - first) * N
        if F % 4:
            each(self._backend, "gather", M * F, z, None, table, ids, M, F)
        else:
            each(self._backend, "gather4", M * F // 4, z, table, ids, M, F)

    def read(self, x: Operand, first: int, stop: int) -> None:
        """Compute the input part for x (T, N, D)."""
        rows = (stop - first) * self.N
        z = self.cell.z.values[first:stop].reshape(rows, -1)
        part = x[first:stop].reshape(rows, x.values.shape[-1])
        Wx = self.bound.operand(f"{self.name}.Wx")
        self._backend.product(z, part.read, Wx.read, tb=True)

    def forward(self, first: int, stop: int) -> None:
        """Compute steps ``first`` to ``stop`` of the recurrence."""
        self.cell.forward(self.weights, first, stop)

    def backward(self, first: int, stop: int) -> None:
        """Compute the gradients of ``z`` for these steps, from the last one down."""
        self.cell.backward(self.weights, first, stop)

    def weight_gradients(self) -> None:
        """Fill the gradients of Wh and the biases."""
        cell, grad, name, backend = self.cell, self.bound.grad, self.name, self._backend
        M, F = self.T * self.N, cell.gates * self.H
        dz_h, h = cell.dz_h.reshape(M, F), cell.h[:-1].reshape(M, self.H)
        dWh = grad[f"{name}.Wh"]
        backend.product(dWh, dz_h.read, h.read, ta=True)
        if self._rate:
            args = self.bound.control, self._seed, self._rate, dWh.size
            each(backend, "thin", dWh.size, dWh, None, dWh, *args)
        column_sums(backend, grad[f"{name}.b"], cell.z.values.reshape(M, F), self._part)
        if self.weights.b_n is not None:
            column_sums(backend, self._sum_h, cell.dz_h.values.reshape(M, F), self._part)
            backend.copy(grad[f"{name}.b_n"], self._sum_h[2 * self.H :])

    def input_weight_gradient(self, x: Operand) -> None:
        """Fill the gradient of Wx from x (M, D), or of the table from one-hot x (M, Vp)."""
        M, F = self.T * self.N, self.cell.gates * self.H
        dz, grad = self.cell.z.reshape(M, F), self.bound.grad
        if f"{self.name}.table" in grad:
            self._backend.product(grad[f"{self.name}.table"], x.read, dz.read, ta=True)
        else:
            self._backend.product(grad[f"{self.name}.Wx"], dz.read, x.read, ta=True)

    def input_gradient(self, dx: DeviceArray, first: int, stop: int) -> None:
        """Compute ``dx`` (T, N, D) for these steps."""
        rows = (stop - first) * self.N
        dz = self.cell.z[first:stop].reshape(rows, self.cell.gates * self.H)
        Wx = self.bound.operand(f"{self.name}.Wx")
        self._backend.product(dx[first:stop].reshape(rows, -1), dz.read, Wx.read)


def column_sums(backend: Backend, out: DeviceArray, x: DeviceArray, part: DeviceArray) -> None:
    """Sum the rows of x (M, F) into out (F,); the rows are divided among blocks."""
    M, F = x.shape
    wide = blocks(F, 32)
    parts = max(1, min(MOST_PARTS, 2 * backend.multiprocessors // wide, M // ROWS_OF_PART))
    some = out if parts == 1 else part[: parts * F]
    backend.launch("column_sums", (wide, parts), (32, 32), some, x, M, F, F)
    if parts > 1:
        each(backend, "add_parts", F, out, some, parts, F)
