"""What the networks of a model read in a window, on the GPU.

Dimensions
    T steps, N streams, M predictions: T*N, or N where each stream has one.
"""

from dataclasses import dataclass

import numpy as np

from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, DeviceArray, each
from charrnn.cuda.buffers import Buffers

STREAMS = 16
"""N is a multiple of it: streams that count for nothing fill it up."""


@dataclass(frozen=True)
class Shape:
    """The shape of a window.

    Attributes
    ----------
    T, N : int
        Steps, and streams with those that fill up.
    """

    T: int
    N: int


class Read:
    """The inputs of a window, which stay where they are from step to step.

    Parameters
    ----------
    buffers : Buffers
    shape : Shape
    architecture : Architecture

    Attributes
    ----------
    ids : (T*N,) int32 array
    ids_back : (T*N,) int32 array
        Each stream turned around within its length; for layers that read it from the end.
    targets : (M,) int32 array
    weight : (M,) float32 array
        0 for targets that do not count.
    keep : (N,) float32 array
        0 for streams that begin from a zero state.
    lengths : (N,) int32 array
        The symbols of each stream.
    inputs : (..) int32 array
        All of these but ``ids_back`` one after another, as they are uploaded.
    """

    def __init__(self, buffers: Buffers, shape: Shape, architecture: Architecture) -> None:
        self.shape = shape
        T, N = shape.T, shape.N
        M = N if architecture.head == "item" else T * N
        self.inputs = buffers.take("inputs", T * N + 2 * M + 2 * N, dtype=np.int32)
        borders = np.cumsum([T * N, M, M, N]).tolist()
        self.ids, self.targets = self.inputs[: borders[0]], self.inputs[borders[0] : borders[1]]
        self.weight = self.inputs[borders[1] : borders[2]].view(np.float32)
        self.keep = self.inputs[borders[2] : borders[3]].view(np.float32)
        self.lengths = self.inputs[borders[3] :]
        self.ids_back: DeviceArray = None
        if architecture.directions == 2:
            self.ids_back = buffers.take("ids_back", T * N, dtype=np.int32)

    def turn(self, backend: Backend) -> None:
        """Fill ``ids_back``, where there is one."""
        if self.ids_back is not None:
            T, N = self.shape.T, self.shape.N
            each(backend, "turn_ids", T * N, self.ids_back, self.ids, self.lengths, T, N)
