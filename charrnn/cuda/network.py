"""A network on the GPU: forward and backward over a window.

Dimensions
    T steps, N streams, M = T*N, D input features, H hidden units, F features of a level's output:
    H for each direction, Vp symbols padded to a multiple of 8.

Stacked layers run concurrently: while one reads the second part of a window, the layer above it
reads the first. The two directions of a level also run concurrently.
"""

from collections.abc import Iterator
from itertools import pairwise

from charrnn.config import Architecture
from charrnn.cuda.backend import DeviceArray, each
from charrnn.cuda.buffers import Buffers, Operand
from charrnn.cuda.head import Head
from charrnn.cuda.layer import Bound, Layer, MakeCell
from charrnn.cuda.level import Level
from charrnn.cuda.weights import padded
from charrnn.cuda.window import Read

Part = tuple[int, int]
"""A range of steps: start and stop."""


def parts_of(T: int, count: int) -> list[Part]:
    """Split T steps into parts of about the same length."""
    count = min(count, T)
    return list(pairwise(T * index // count for index in range(count + 1)))


class Network:
    """One member of a model, for windows of one shape.

    Parameters
    ----------
    bound : Bound
        Weights and gradients.
    architecture : Architecture
    vocab_size : int
        V.
    prefix : str
        Prefix of the names of its weights.
    read : Read
        The window.
    buffers : Buffers
    seeds : iterator of int
        A seed for each mask.
    parts : int
        Number of parts of the window for stacked layers.
    make_cell : callable, optional
        Creates the recurrence of a layer.
    """

    def __init__(
        self,
        bound: Bound,
        architecture: Architecture,
        vocab_size: int,
        prefix: str,
        read: Read,
        buffers: Buffers,
        seeds: Iterator[int],
        *,
        parts: int = 1,
        make_cell: MakeCell | None = None,
    ) -> None:
        T, N = read.shape.T, read.shape.N
        self.bound, self._backend, self.read = bound, bound.backend, read
        self.T, self.N = T, N
        self._embedding = architecture.embedding_size
        self._table = f"{prefix}encoder.E"
        rate = architecture.dropout if bound.learns else 0.0
        self.levels: list[Level] = []
        for index in range(architecture.num_layers):
            names = [f"{prefix}layers.{index}{end}" for end in ("", ".reverse")]
            layers = [
                Layer(bound, architecture, name, T, N, buffers, next(seeds), make_cell)
                for name in names[: architecture.directions]
            ]
            self.levels.append(Level(layers, bound, rate, buffers, next(seeds)))
        top = self.levels[-1]
        classes = architecture.num_labels or vocab_size
        self.head = Head(bound, architecture, classes, f"{prefix}head", read, top.F, buffers)
        self._both = architecture.directions == 2
        alone = len(self.levels) == 1 or self._both
        self._parts = parts_of(T, 1 if alone else parts)
        self._take(buffers, prefix, vocab_size)

    def _take(self, buffers: Buffers, prefix: str, vocab_size: int) -> None:
        """Allocate the buffers of the inputs, and of reversed inputs."""
        T, N, D = self.T, self.N, self._embedding
        learns = self.bound.learns
        self._x: list[Operand] = []
        self._one_hot: list[Operand] = []
        for back in range(2 if self._both else 1):
            if D:
                self._x.append(buffers.operand(f"{prefix}x {back}", T, N, D))
            if learns and not (D and back):
                Vp = padded(vocab_size)
                self._one_hot.append(buffers.operand(f"{prefix}one-hot {back}", T * N, Vp))
        self._turned = [
            buffers.operand(f"{prefix}turned {index}", T, N, below.F) if self._both else None
            for index, below in enumerate(self.levels[:-1])
        ]
        self._dx_back = self._dx_sum = None
        if learns and D:
            self._dx_sum = buffers.operand(f"{prefix}dx", T, N, D)
        if learns and self._both:
            widest = max([D, *(level.F for level in self.levels[:-1])])
            self._dx_back = buffers.take(f"{prefix}dx from the end", T * N * widest)

    @property
    def layers(self) -> list[Layer]:
        """All recurrent layers, lowest first, in the order of the state."""
        return [layer for level in self.levels for layer in level.layers]

    def forward(self, lane: int = 0) -> None:
        """Compute the logits; the layers' ``h[0]`` (and ``c[0]``) are the state before.

        ``lane`` is the first lane that it uses.
        """
        backend, top = self._backend, len(self.levels) - 1
        with backend.on(lane):
            for layer in self.layers:
                layer.thin()
            self._encode()
        for index in range(1, len(self.levels)):
            backend.wait(self._lane(lane, index), lane)
        for first, stop in self._parts:
            for index, level in enumerate(self.levels):
                own = self._lane(lane, index)
                if index:
                    backend.wait(own, self._lane(lane, index - 1))
                with backend.on(own):
                    self._begin_level(index, first, stop)
                    self._run(level, lane, first, stop)
                    level.join(self.read, first, stop)
        backend.wait(lane, self._lane(lane, top))
        with backend.on(lane):
            self.head.forward(self.levels[-1].y)

    def backward(self, lane: int = 0) -> None:
        """Fill the gradients of all weights from the gradient of the logits."""
        backend, top = self._backend, len(self.levels) - 1
        with backend.on(lane):
            self.head.backward(self.levels[-1].y, self.levels[-1].dy)
            for layer in self.layers:
                layer.cell.begin_backward()
        for index in range(1, len(self.levels)):
            backend.wait(self._lane(lane, index), lane)
        for first, stop in reversed(self._parts):
            for index in range(top, -1, -1):
                own = self._lane(lane, index)
                if index < top:
                    backend.wait(own, self._lane(lane, index + 1))
                with backend.on(own):
                    level = self.levels[index]
                    level.part(self.read, first, stop)
                    self._run(level, lane, first, stop, back=True)
                    if index:
                        self._input_gradient(index, first, stop)
        for index, level in enumerate(self.levels):
            with backend.on(self._lane(lane, index)):
                self._weight_gradients(index, level)
        for index in range(1, len(self.levels)):
            backend.wait(lane, self._lane(lane, index))

    def _lane(self, first: int, index: int) -> int:
        """Return the lane of a level."""
        return first + index if len(self._parts) > 1 else first

    def _run(self, level: Level, lane: int, first: int, stop: int, *, back: bool = False) -> None:
        """Run the recurrences of a level, both directions concurrently."""
        run = [layer.backward if back else layer.forward for layer in level.layers]
        if self._both:
            self._backend.wait(lane + 1, lane)
            with self._backend.on(lane + 1):
                run[1](first, stop)
        run[0](first, stop)
        if self._both:
            self._backend.wait(lane, lane + 1)

    def _encode(self) -> None:
        """Look up the embedded inputs."""
        if not self._embedding:
            return
        E, D, M = self.bound.theta[self._table], self._embedding, self.T * self.N
        for x, ids in zip(self._x, (self.read.ids, self.read.ids_back), strict=False):
            each(self._backend, "gather", M * D, x.values, x.shadow, E, ids, M, D)

    def _begin_level(self, index: int, first: int, stop: int) -> None:
        """Compute the input part of the layers of a level."""
        layers = self.levels[index].layers
        for number, layer in enumerate(layers):
            if index:
                layer.read(self._input(index, number, fill=True), first, stop)
            elif self._embedding:
                layer.read(self._x[number], first, stop)
            else:
                ids = self.read.ids_back if number else self.read.ids
                layer.look_up(ids, first, stop)

    def _input(self, index: int, number: int, *, fill: bool = False) -> Operand:
        """Return the input of a layer of an upper level, reversed for a backward layer."""
        below = self.levels[index - 1]
        turned = self._turned[index - 1]
        if not number:
            return below.y
        assert turned is not None
        if fill:
            args = below.y.values, self.read.lengths, 0, self.T, self.N, below.F
            each(self._backend, "turn", below.y.values.size, turned.values, turned.shadow, *args)
        return turned

    def _input_gradient(self, index: int, first: int, stop: int) -> None:
        """Fill the gradient of the output of the level below."""
        layers, dy = self.levels[index].layers, self.levels[index - 1].dy
        layers[0].input_gradient(dy, first, stop)
        if len(layers) > 1:
            self._add_turned(layers[1], dy)

    def _add_turned(self, layer: Layer, dx: DeviceArray) -> None:
        """Add the input gradient of a backward layer."""
        T, N, D = dx.shape
        assert self._dx_back is not None
        back = self._dx_back[: dx.size].reshape(T, N, D)
        layer.input_gradient(back, 0, T)
        args = back, self.read.lengths, 1, T, N, D
        each(self._backend, "turn", dx.size, dx, None, *args)

    def _weight_gradients(self, index: int, level: Level) -> None:
        M = self.T * self.N
        for number, layer in enumerate(level.layers):
            layer.weight_gradients()
            if index:
                x = self._input(index, number)
                layer.input_weight_gradient(x.reshape(M, x.values.shape[-1]))
            elif self._embedding:
                layer.input_weight_gradient(self._x[number].reshape(M, self._embedding))
            else:
                ids = self.read.ids_back if number else self.read.ids
                layer.input_weight_gradient(self._expand(number, ids))
        if not index and self._embedding:
            self._embedding_gradient(level)

    def _expand(self, number: int, ids: DeviceArray) -> Operand:
        """Return ids as one-hot rows (M, Vp)."""
        x = self._one_hot[number]
        M, Vp = x.values.shape
        each(self._backend, "one_hot", M * Vp, x.values, x.shadow, ids, M, Vp)
        return x

    def _embedding_gradient(self, level: Level) -> None:
        dx, D, M = self._dx_sum, self._embedding, self.T * self.N
        assert dx is not None
        level.layers[0].input_gradient(dx.values, 0, self.T)
        if len(level.layers) > 1:
            self._add_turned(level.layers[1], dx.values)
        if dx.shadow is not None:
            each(self._backend, "copy_bf16", dx.values.size, dx.shadow, dx.values, dx.values.size)
        x = self._expand(0, self.read.ids)
        grad = self.bound.grad[self._table]
        self._backend.product(grad, x.read, dx.reshape(M, D).read, ta=True)
