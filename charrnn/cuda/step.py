"""A training step on the GPU, from an uploaded window to updated weights.

Dimensions
    T steps, N streams, H hidden units, L layers of all members, S state arrays of a layer.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.cuda.backend import Backend, DeviceArray, blocks, each
from charrnn.cuda.buffers import BF16, Buffers
from charrnn.cuda.lanes import layers_at_once, parts_of_window
from charrnn.cuda.layer import Bound, Layer, MakeCell
from charrnn.cuda.network import Network
from charrnn.cuda.persistent import cell_for
from charrnn.cuda.weights import Layout, Vector
from charrnn.cuda.window import STREAMS, Read, Shape
from charrnn.nn.model import CharModel

SQUARES = 1024
"""Number of blocks that sum the squares of the gradient."""


class Networks:
    """The ensemble members of a model on the GPU, for windows of several shapes.

    Parameters
    ----------
    backend : Backend
    model : CharModel
        The model, whose weights are copied.
    learns : bool
        Whether there are gradients, and therefore dropout.
    random_seed : int
        The random seed of the dropout masks.
    """

    def __init__(
        self, backend: Backend, model: CharModel, *, learns: bool, random_seed: int = 0
    ) -> None:
        self.backend, self.model = backend, model
        self.layout = Layout(model)
        self.theta = Vector(backend, self.layout)
        self.grad = Vector(backend, self.layout) if learns else None
        bf16 = backend.precision == "bf16"
        self._shadow = Vector(backend, self.layout, BF16) if bf16 else None
        self.control = backend.zeros(4, np.int32)
        self.bound = Bound(backend, self.theta, self.grad, self._shadow, self.control)
        self.buffers = Buffers(backend)
        self._random_seed = random_seed
        self.take_weights()

    def take_weights(self) -> None:
        """Copy the weights of the model to the GPU."""
        self.backend.upload(self.theta.array, self.layout.to_gpu(self.model.parameters.vector))
        self.copy_weights()

    def give_weights(self) -> None:
        """Copy the weights back to the model."""
        vector = self.layout.from_gpu(self.backend.download(self.theta.array))
        self.model.parameters.vector[...] = vector

    def copy_weights(self) -> None:
        """Round the weights to bf16, if products read them in bf16."""
        if self._shadow is not None:
            n = self.layout.size
            each(self.backend, "copy_bf16", n, self._shadow.array, self.theta.array, n)

    def networks(
        self, read: Read, *, parts: int = 1, make_cell: MakeCell | None = None
    ) -> list[Network]:
        """Return the members for windows of a shape, split into ``parts``."""
        if make_cell is None:
            at_once = layers_at_once(self.model.config, parts)
            make_cell = partial(
                cell_for, side_by_side=at_once, parts=parts, learns=self.bound.learns
            )
        seeds = self.seeds()
        return [
            Network(
                self.bound,
                self.model.config,
                self.model.vocab_size,
                prefix,
                read,
                self.buffers,
                seeds,
                parts=parts,
                make_cell=make_cell,
            )
            for prefix in self.model.members
        ]

    def seeds(self) -> Iterator[int]:
        """Yield a seed for each mask of the model."""
        rng = np.random.default_rng([self._random_seed, 0])
        while True:
            yield int(rng.integers(2**31))


class State:
    """The state of the streams between windows.

    Parameters
    ----------
    networks : Networks
    N : int
        Streams, including padding.
    count : int
        Number of streams without padding.
    """

    def __init__(self, networks: Networks, N: int, count: int) -> None:
        self._backend, self._count = networks.backend, count
        L, S, H, _ = networks.model.zero_state(0).shape
        self._shape, self.N = (L, S, H), N
        self.arrays = [[self._backend.zeros((N, H)) for _ in range(S)] for _ in range(L)]

    def begin(self, layers: list[Layer], read: Read) -> None:
        """Set the state before a window; zero for streams that start."""
        for layer, own in zip(layers, self.arrays, strict=True):
            cell = layer.cell
            for array, state in zip(cell.states, own, strict=True):
                shadow = cell.h[0].shadow if array is cell.states[0] else None
                args = array[0], shadow, state, read.keep, cell.N, cell.H
                each(self._backend, "begin", cell.N * cell.H, *args)

    def carry(self, layers: list[Layer], control: DeviceArray) -> None:
        """Store the state after a window."""
        for layer, own in zip(layers, self.arrays, strict=True):
            for array, state in zip(layer.cell.states, own, strict=True):
                n = layer.cell.N * layer.cell.H
                each(self._backend, "carry", n, state, array[layer.cell.T], control, n)

    def clear(self) -> None:
        """Reset all streams to a zero state."""
        for own in self.arrays:
            for state in own:
                self._backend.fill(state)

    def download(self) -> Array:
        """Return the state (L, S, H, count) in the layout of ``CharModel``."""
        L, S, H = self._shape
        out = np.zeros((L, S, H, self._count), np.float32)
        for index, own in enumerate(self.arrays):
            for number, state in enumerate(own):
                out[index, number] = self._backend.download(state)[: self._count].T
        return out

    def upload(self, values: Array) -> None:
        """Upload a state (L, S, H, count)."""
        for of_layer, own in zip(values, self.arrays, strict=True):
            for value, state in zip(of_layer, own, strict=True):
                rows = np.zeros((self.N, value.shape[0]), np.float32)
                rows[: self._count] = value.T
                self._backend.upload(state, rows)


class Gradient:
    """Loss and gradient of a window: forward and backward of all members.

    Parameters
    ----------
    networks : Networks
    read : Read
    symbols_per_step : float
        The number of targets that the gradient is divided by.
    parts : int, optional
        See ``Network``; by default chosen automatically.
    make_cell : callable, optional
        Creates the recurrence of a layer; by default chosen automatically.
    """

    def __init__(
        self,
        networks: Networks,
        read: Read,
        symbols_per_step: float,
        *,
        parts: int | None = None,
        make_cell: MakeCell | None = None,
    ) -> None:
        self._backend, self._scale, self._read = networks.backend, 1 / symbols_per_step, read
        if parts is None:
            parts = parts_of_window(networks.model.config, read.shape.T)
        self.members = networks.networks(read, parts=parts, make_cell=make_cell)
        self._directions = networks.model.config.directions
        self._vector = networks.bound.grad.array
        self.layers = [layer for member in self.members for layer in member.layers]
        self.nats = networks.buffers.take("summed nats", 1)
        self.squares = networks.buffers.take("summed squares", 1)
        self._part = networks.buffers.take("parts of squares", SQUARES)

    def compute(self) -> None:
        """Fill the gradient, ``nats`` (summed over members too) and ``squares``."""
        backend = self._backend
        self._read.turn(backend)
        lanes = [index * self._directions for index in range(len(self.members))]
        for lane in lanes:  # before the first member starts, or they would wait for it
            backend.wait(lane, 0)
        for lane, member in zip(lanes, self.members, strict=True):
            with backend.on(lane):
                member.forward(lane)
                member.head.loss(self._scale)
                member.backward(lane)
        for lane in lanes[1:]:
            backend.wait(0, lane)
        for index, member in enumerate(self.members):
            nats = member.head.nats
            backend.launch("total", 1, 1024, self.nats, nats, nats.size, int(index > 0))
        n = self._vector.size
        grid = min(SQUARES, blocks(n))
        backend.launch("squares", grid, 256, self._part, self._vector, n)
        backend.launch("total", 1, 1024, self.squares, self._part, grid, 0)


def shape_of(T: int, streams: int) -> Shape:
    """Return the shape of a window, padded with streams."""
    return Shape(T, -(-streams // STREAMS) * STREAMS)
