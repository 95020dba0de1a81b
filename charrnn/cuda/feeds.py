"""Feeding windows to the GPU.

Dimensions
    T steps per window, N streams, K steps per chunk.

Running text is uploaded in chunks and split into windows on the GPU. All other windows are made on
the host and uploaded one by one.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.cuda.backend import Backend, DeviceArray, each
from charrnn.cuda.step import shape_of
from charrnn.cuda.weights import padded
from charrnn.cuda.window import Read, Shape
from charrnn.data.streams import Streams
from charrnn.data.windows import Batches

CHUNK_SYMBOLS = 2**22
"""Most characters of running text on the GPU, at 4 bytes each, twice."""
MOST_STEPS = 1024
"""The maximum of K."""
LENGTHS = 32
"""Most different T of windows without carried state, as each is recorded and few can be kept."""


class Feed(Protocol):
    """Provides the windows of a chunk of steps.

    Attributes
    ----------
    most_steps : int
        The maximum of K.
    largest : Shape
        The largest shape of all windows.
    """

    most_steps: int
    largest: Shape

    def prepare(self, first: int, count: int) -> None:
        """Prepare steps ``first`` to ``first + count - 1``."""

    def window(self, step: int) -> tuple[Shape, bool]:
        """Return the shape of the window of a step, and whether its state is carried."""

    def begin(self, read: Read) -> None:
        """Write the inputs that are the same in every step."""

    def put(self, step: int, read: Read) -> None:
        """Upload the window of a step, if it is made on the host."""

    def cut(self, read: Read, control: DeviceArray) -> None:
        """Launch the kernels that write the rest; the same for every step of a shape."""

    def look_ahead(self, first: int, count: int) -> None:
        """Prepare ``count`` steps from ``first`` on while the GPU works."""


class StreamFeed:
    """Feeds running text: each stream continues from chunk to chunk.

    Parameters
    ----------
    backend : Backend
    batches : Streams
    reset : float
        The probability that a stream starts a window from a zero state.
    seed : int
        The random seed of these resets.
    """

    def __init__(self, backend: Backend, batches: Streams, reset: float, seed: int) -> None:
        self._backend, self._batches, self._reset, self._seed = backend, batches, reset, seed
        self.largest = shape_of(batches.seq_len, batches.batch_size)
        per_step = self.largest.T * self.largest.N
        self.most_steps = max(1, min(MOST_STEPS, CHUNK_SYMBOLS // per_step))
        N, T = self.largest.N, self.largest.T
        self._text = backend.zeros((self.most_steps * T + 1, N), np.int32)
        self._next: tuple[int, NDArray[np.int32]] | None = None
        self._scored = np.zeros((T, N), np.float32)
        self._scored[:, : batches.batch_size] = 1

    def prepare(self, first: int, count: int) -> None:
        rows = count * self.largest.T + 1
        if self._next is None or self._next[0] != first or len(self._next[1]) < rows:
            self._next = first, self._read(first, rows)
        self._backend.upload(self._text[:rows], self._next[1][:rows])
        self._next = None

    def look_ahead(self, first: int, count: int) -> None:
        self._next = first, self._read(first, count * self.largest.T + 1)

    def window(self, step: int) -> tuple[Shape, bool]:
        return self.largest, True

    def put(self, step: int, read: Read) -> None:
        """Do nothing: the windows are made on the GPU."""

    def begin(self, read: Read) -> None:
        self._backend.upload(read.weight, self._scored.reshape(-1))
        # Padding streams start from zero: a ReLU that keeps reading one symbol may overflow.
        self._backend.upload(read.keep, self._scored[0])

    def cut(self, read: Read, control: DeviceArray) -> None:
        T, N = self.largest.T, self.largest.N
        args = self._text, control, read.ids, read.targets, T, N
        each(self._backend, "window", (T + 1) * N, *args)
        if self._reset:
            count = self._batches.batch_size
            draw = control, self._seed, self._reset, count
            each(self._backend, "draw_resets", count, read.keep, *draw)

    def _read(self, first: int, rows: int) -> NDArray[np.int32]:
        """Return the ids (rows, N) that the streams read from a step on."""
        batches, length = self._batches, len(self._batches.codes)
        codes = np.empty((batches.batch_size, rows), batches.codes.dtype)
        begins = (batches.starts + (first - 1) * batches.seq_len) % length
        for row, start in zip(codes, begins.tolist(), strict=True):
            done = 0
            while done < rows:
                part = batches.codes[start : start + rows - done]
                row[done : done + len(part)] = part
                done, start = done + len(part), 0
        out = np.zeros((rows, self.largest.N), np.int32)
        ids = batches.vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)
        out[:, : batches.batch_size] = ids.T
        return out


class WindowFeed:
    """Feeds items and labelled texts: windows of many shapes, made on the host.

    Parameters
    ----------
    backend : Backend
    batches : Batches
    item : bool
        Whether each stream has a single target.
    """

    def __init__(self, backend: Backend, batches: Batches, *, item: bool) -> None:
        self._backend, self._batches, self._item = backend, batches, item
        self.largest = shape_of(batches.seq_len, batches.batch_size)
        self.most_steps = max(1, min(MOST_STEPS, 2**16 // batches.seq_len))
        self._multiple = -(-batches.seq_len // LENGTHS)

    def prepare(self, first: int, count: int) -> None:
        """Do nothing: each window is made when it is uploaded."""

    def look_ahead(self, first: int, count: int) -> None:
        """Nothing."""

    def window(self, step: int) -> tuple[Shape, bool]:
        carried = self._batches.window(step, slice(0, 1)).carried
        T = self._batches.steps(step)
        if not carried:  # the end of such a window may be padding
            T = min(padded(T, self._multiple), self.largest.T)
        return shape_of(T, self._batches.streams(step)), carried

    def begin(self, read: Read) -> None:
        """Do nothing: no input is the same in every step."""

    def cut(self, read: Read, control: DeviceArray) -> None:
        """Do nothing: the host makes the windows."""

    def put(self, step: int, read: Read) -> None:
        T, N = read.shape.T, read.shape.N
        window = self._batches.window(step, slice(None))
        steps, count = window.ids.shape
        M = N if self._item else T * N
        inputs = np.zeros(read.inputs.size, np.int32)
        ids, targets, weight, keep, lengths = np.split(inputs, np.cumsum([T * N, M, M, N]).tolist())
        ids.reshape(T, N)[:steps, :count] = window.ids
        targets.reshape(-1, N)[: len(window.targets), :count] = window.targets
        scored = np.ones(window.targets.shape) if window.scored is None else window.scored
        weight.view(np.float32).reshape(-1, N)[: len(scored), :count] = scored
        begins = np.zeros(count, np.bool_) if window.begins is None else window.begins
        keep.view(np.float32)[:count] = ~begins
        lengths[...] = steps
        if window.lengths is not None:
            lengths[:count] = window.lengths
        self._backend.upload(read.inputs, inputs)


def feed_for(backend: Backend, batches: Batches, *, item: bool, reset: float, seed: int) -> Feed:
    """Return the feed for these batches."""
    if isinstance(batches, Streams):
        return StreamFeed(backend, batches, reset, seed)
    return WindowFeed(backend, batches, item=item)
