"""The inputs of a window on the GPU.

Dimensions
    T steps, N streams, M predictions: T*N, or N if each stream has one.
"""

from dataclasses import dataclass

import numpy as np

from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, DeviceArray, each
from charrnn.cuda.buffers import Buffers

STREAMS = 16
"""N is padded to a multiple of this with streams that do not count."""


@dataclass(frozen=True)
class Shape:
    """The shape of a window.

    Attributes
    ----------
    T, N : int
        Steps, and streams including padding.
    """

    T: int
    N: int


class Read:
    """The inputs of a window, at fixed addresses across steps.

    Parameters
    ----------
    buffers : Buffers
    shape : Shape
    architecture : Architecture

    Attributes
    ----------
    ids : (T*N,) int32 array
    ids_back : (T*N,) int32 array
        Each stream reversed within its length, for backward layers.
    targets : (M,) int32 array
    weight : (M,) float32 array
        0 for targets that do not count.
    keep : (N,) float32 array
        0 for streams that start from a zero state.
    lengths : (N,) int32 array
        Number of symbols of each stream.
    inputs : (..) int32 array
        All of these but ``ids_back``, concatenated for the upload.
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
        """Fill ``ids_back``, if there is one."""
        if self.ids_back is not None:
            T, N = self.shape.T, self.shape.N
            each(backend, "turn_ids", T * N, self.ids_back, self.ids, self.lengths, T, N)
