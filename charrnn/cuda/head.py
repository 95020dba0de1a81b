"""The head on the GPU: logits, loss and their gradients.

Dimensions
    T steps, N streams, F features, M predictions, C classes, Cp: C padded to a multiple of 8.
"""

from charrnn.config import Architecture
from charrnn.cuda.backend import DeviceArray, each
from charrnn.cuda.buffers import Buffers, Operand
from charrnn.cuda.layer import MOST_PARTS, Bound, column_sums
from charrnn.cuda.window import Read


class Head:
    """Predicts at every step, or once per stream.

    Parameters
    ----------
    bound : Bound
    architecture : Architecture
    classes : int
        C.
    name : str
        Its name in a checkpoint: "head".
    read : Read
        The window.
    features : int
        F.
    buffers : Buffers

    Attributes
    ----------
    logits : Operand (M, Cp)
        Without the bias; ``loss`` overwrites them with their gradient.
    nats : (M,) array
    """

    def __init__(
        self,
        bound: Bound,
        architecture: Architecture,
        classes: int,
        name: str,
        read: Read,
        features: int,
        buffers: Buffers,
    ) -> None:
        self.bound, self.name, self._read = bound, name, read
        self._backend, self.C, self.F = bound.backend, classes, features
        self.H, self._item = architecture.hidden_size, architecture.head == "item"
        T, N = read.shape.T, read.shape.N
        self.T, self.N = T, N
        self.M = N if self._item else T * N
        self.Cp = bound.theta[f"{name}.b"].size
        self.b = bound.theta[f"{name}.b"]
        self.logits = buffers.operand(f"{name} logits", self.M, self.Cp)
        self.nats = buffers.take(f"{name} nats", self.M)
        if self._item:
            self._ends = buffers.operand(f"{name} ends", N, features)
        if bound.learns:
            self._part = buffers.take(f"{name} parts of sums", MOST_PARTS * self.Cp)
            if self._item:
                self._dends = buffers.take(f"{name} dends", N, features)

    def forward(self, y: Operand) -> None:
        """Compute the logits from y (T, N, F)."""
        rows = self._rows(y)
        if self._item:
            args = y.values, self._read.lengths, self.N, self.F, self.H
            each(self._backend, "take_ends", rows.values.size, rows.values, rows.shadow, *args)
        Wy = self.bound.operand(f"{self.name}.Wy")
        self._backend.product(self.logits.values, rows.read, Wy.read, tb=True)

    def loss(self, scale: float) -> None:
        """Fill ``nats``, and overwrite the logits with ``scale`` times their gradient."""
        logits, read = self.logits, self._read
        args = self.b, read.targets, read.weight, self.nats, scale, self.M, self.C, self.Cp
        each(self._backend, "cross_entropy", 32 * self.M, logits.values, logits.shadow, *args)

    def cost(self) -> None:
        """Fill only ``nats``."""
        args = self.logits.values, self.b, self._read.targets, self.nats, self.M, self.C, self.Cp
        each(self._backend, "cross_entropy_alone", 32 * self.M, *args)

    def backward(self, y: Operand, dy: DeviceArray) -> None:
        """Fill the gradients of the weights, and dy (T, N, F)."""
        grad, name, backend = self.bound.grad, self.name, self._backend
        rows = self._rows(y)
        backend.product(grad[f"{name}.Wy"], self.logits.read, rows.read, ta=True)
        column_sums(backend, grad[f"{name}.b"], self.logits.values, self._part)
        Wy = self.bound.operand(f"{name}.Wy")
        if not self._item:
            backend.product(dy.reshape(self.M, self.F), self.logits.read, Wy.read)
            return
        backend.product(self._dends, self.logits.read, Wy.read)
        args = self._dends, self._read.lengths, self.T, self.N, self.F, self.H
        each(backend, "give_ends", dy.size, dy, *args)

    def _rows(self, y: Operand) -> Operand:
        return self._ends if self._item else y.reshape(self.M, self.F)
