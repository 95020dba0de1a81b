"""The recurrence of a layer: one product and one kernel per step.

Dimensions
    T steps per window, N streams, H hidden units, G gates.

The equations are the same as in ``nn/cells``; ``kernels/cells.cu`` implements one step.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, DeviceArray, each
from charrnn.cuda.buffers import Buffers, Operand


@dataclass
class Weights:
    """The weights of a recurrence: ``Wh`` (G*H, H) as it is used, b (G*H,) and the GRU's b_n."""

    Wh: Operand
    b: DeviceArray
    b_n: DeviceArray | None


class Cell(ABC):
    """The recurrence of one layer over a window.

    Parameters
    ----------
    backend : Backend
    architecture : Architecture
    T, N : int
        The window.
    buffers : Buffers
    name : str
        Of the layer.

    Attributes
    ----------
    z : Operand (T, N, G*H)
        The input part ``Wx x`` before ``forward``; the gates after it; after ``backward``, the
        gradient of that input part.
    dz_h : Operand (T, N, G*H)
        After ``backward``, the gradient of ``Wh h``.
    h : Operand (T + 1, N, H)
        h[0] is the state before the window.
    states : tuple of arrays (T + 1, N, H)
        All arrays of the state, h first.
    dy : (T, N, H) array
        The gradient of the outputs, for ``backward``.
    """

    gates: ClassVar[int]

    def __init__(
        self,
        backend: Backend,
        architecture: Architecture,
        T: int,
        N: int,
        buffers: Buffers,
        name: str,
    ) -> None:
        self.backend, self.T, self.N, self.H = backend, T, N, architecture.hidden_size
        self.relu = architecture.nonlinearity == "relu"
        self._buffers, self._name = buffers, name
        self.z = self.dz_h = buffers.operand(f"{name} z", T, N, self.gates * self.H)
        self.h = buffers.operand(f"{name} h", T + 1, N, self.H)
        self.dy = self._take("dy", T, N, self.H)
        self.dh = self._take("dh", N, self.H)
        self._allocate()

    @abstractmethod
    def _allocate(self) -> None:
        """Allocate the buffers that only this cell needs."""

    def _take(self, name: str, *shape: int) -> DeviceArray:
        return self._buffers.take(f"{self._name} {name}", *shape)

    @property
    def states(self) -> tuple[DeviceArray, ...]:
        return (self.h.values,)

    @abstractmethod
    def forward(self, weights: Weights, first: int, stop: int) -> None:
        """Compute ``h[first + 1]`` to ``h[stop]``."""

    def begin_backward(self) -> None:
        """Start at the end of the window, with zero gradients from later steps."""
        self.backend.fill(self.dh)

    @abstractmethod
    def backward(self, weights: Weights, first: int, stop: int) -> None:
        """Compute the gradients of steps ``stop - 1`` down to ``first`` from ``dy``."""


class Rnn(Cell):
    """See ``nn.cells.rnn.TimeRNN``."""

    gates = 1

    def _allocate(self) -> None:
        """Allocate nothing."""

    def forward(self, weights: Weights, first: int, stop: int) -> None:
        z, h, size = self.z, self.h, self.N * self.H
        for t in range(first, stop):
            self.backend.product(z.values[t], h[t].read, weights.Wh.read, tb=True, add=True)
            after = h[t + 1]
            args = weights.b, after.values, after.shadow, int(self.relu), self.N, self.H
            each(self.backend, "rnn_forward", size, z.values[t], *args)

    def backward(self, weights: Weights, first: int, stop: int) -> None:
        h, size = self.h.values, self.N * self.H
        for t in reversed(range(first, stop)):
            z = self.z[t]
            args = h[t + 1], self.dy[t], self.dh, int(self.relu), self.N, self.H
            each(self.backend, "rnn_backward", size, z.values, z.shadow, *args)
            if t:
                self.backend.product(self.dh, z.read, weights.Wh.read)


class Lstm(Cell):
    """See ``nn.cells.lstm.TimeLSTM``. ``c`` (T + 1, N, H) is its memory."""

    gates = 4

    def _allocate(self) -> None:
        self.c = self._take("c", self.T + 1, self.N, self.H)
        self.dc = self._take("dc", self.N, self.H)

    @property
    def states(self) -> tuple[DeviceArray, ...]:
        return self.h.values, self.c

    def forward(self, weights: Weights, first: int, stop: int) -> None:
        z, h, c, size = self.z, self.h, self.c, self.N * self.H
        for t in range(first, stop):
            self.backend.product(z.values[t], h[t].read, weights.Wh.read, tb=True, add=True)
            after = h[t + 1]
            args = c[t], c[t + 1], after.values, after.shadow, self.N, self.H
            each(self.backend, "lstm_forward", size, z.values[t], weights.b, *args)

    def begin_backward(self) -> None:
        super().begin_backward()
        self.backend.fill(self.dc)

    def backward(self, weights: Weights, first: int, stop: int) -> None:
        c, size = self.c, self.N * self.H
        for t in reversed(range(first, stop)):
            z = self.z[t]
            args = c[t], c[t + 1], self.dy[t], self.dh, self.dc, self.N, self.H
            each(self.backend, "lstm_backward", size, z.values, z.shadow, *args)
            if t:
                self.backend.product(self.dh, z.read, weights.Wh.read)


class Gru(Cell):
    """See ``nn.cells.gru.TimeGRU``. ``nh`` (T, N, H) is ``Wh h + b_n`` of its new state."""

    gates = 3

    def _allocate(self) -> None:
        self.nh = self._take("nh", self.T, self.N, self.H)
        self.zh = self._take("zh", self.N, 3 * self.H)
        self.dz_h = self._buffers.operand(f"{self._name} dz_h", self.T, self.N, 3 * self.H)

    def forward(self, weights: Weights, first: int, stop: int) -> None:
        h, size = self.h, self.N * self.H
        for t in range(first, stop):
            self.backend.product(self.zh, h[t].read, weights.Wh.read, tb=True)
            after = h[t + 1]
            args = h.values[t], after.values, after.shadow, self.nh[t], self.N, self.H
            before = self.z.values[t], weights.b, self.zh, weights.b_n
            each(self.backend, "gru_forward", size, *before, *args)

    def backward(self, weights: Weights, first: int, stop: int) -> None:
        size = self.N * self.H
        for t in reversed(range(first, stop)):
            z, dz_h = self.z[t], self.dz_h[t]
            args = self.nh[t], self.h.values[t], self.dy[t], self.dh, self.N, self.H
            out = z.values, z.shadow, dz_h.values, dz_h.shadow
            each(self.backend, "gru_backward", size, *out, *args)
            if t:
                self.backend.product(self.dh, dz_h.read, weights.Wh.read, add=True)


CELLS: Mapping[str, type[Cell]] = {"rnn": Rnn, "lstm": Lstm, "gru": Gru}
"""The cells that run on a GPU."""
