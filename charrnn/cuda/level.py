"""The layers at one depth of a network on the GPU.

Dimensions
    T steps, N streams, H hidden units, F features of the output: H for each direction.
"""

from collections.abc import Sequence

from charrnn.cuda.backend import DeviceArray, each
from charrnn.cuda.buffers import Buffers
from charrnn.cuda.layer import Bound, Layer
from charrnn.cuda.window import Read


class Level:
    """The layers at one depth, and the dropout of their output.

    Attributes
    ----------
    layers : list of Layer
        One layer, or two for both directions.
    y : Operand (T, N, F)
        The output.
    dy : (T, N, F) array
        Its gradient.
    """

    def __init__(
        self, layers: Sequence[Layer], bound: Bound, rate: float, buffers: Buffers, seed: int
    ) -> None:
        first = layers[0]
        self.layers, self.bound, self._rate, self._seed = list(layers), bound, rate, seed
        self.T, self.N, self.H, self.F = first.T, first.N, first.H, first.H * len(layers)
        self._joins = rate > 0 or len(layers) > 1
        shape = self.T, self.N, self.F
        if self._joins:
            self.y = buffers.operand(f"{first.name} y", *shape)
        else:
            self.y = first.cell.h[1:]
        self.dy: DeviceArray = first.cell.dy
        if bound.learns and len(layers) > 1:
            self.dy = buffers.take(f"{first.name} dy of both", *shape)

    def join(self, read: Read, first: int, stop: int) -> None:
        """Fill ``y`` for these steps from the outputs of the layers."""
        if not self._joins:
            return
        back = self.layers[1].cell.h.values[1:] if len(self.layers) > 1 else None
        args = self.layers[0].cell.h.values[1:], back, read.lengths, self.bound.control
        sizes = self._seed, self._rate, first, stop, self.N, self.H
        count = (stop - first) * self.N * self.F
        each(self.bound.backend, "join", count, self.y.values, self.y.shadow, *args, *sizes)

    def part(self, read: Read, first: int, stop: int) -> None:
        """Compute the gradients of the layers' outputs from ``dy`` for these steps."""
        if not self._joins:
            return
        cells = [layer.cell for layer in self.layers]
        back = cells[1].dy if len(cells) > 1 else None
        sizes = self._seed, self._rate, first, stop, self.N, self.H
        args = cells[0].dy, back, self.dy, read.lengths, self.bound.control, *sizes
        each(self.bound.backend, "part", (stop - first) * self.N * self.F, *args)
