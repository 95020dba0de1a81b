"""The GPU memory of a run."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import Architecture, TrainingSettings
from charrnn.cuda.backend import DeviceArray, Precision, Size
from charrnn.cuda.blas import WORKSPACE
from charrnn.cuda.feeds import CHUNK_SYMBOLS
from charrnn.cuda.lanes import LANES
from charrnn.cuda.optimizers import Optimizer
from charrnn.cuda.step import Gradient, Networks, State, shape_of
from charrnn.cuda.window import Read
from charrnn.nn.model import CharModel

CONTEXT = 600_000_000
"""Approximate bytes of CUDA for a process, its kernels and graphs (H100)."""


class Counting:
    """A ``Backend`` without a GPU that counts what would be allocated."""

    multiprocessors, shared_memory = 132, 232_448

    def __init__(self, precision: Precision) -> None:
        self.precision, self.bytes = precision, 0

    def zeros(self, shape: Size, dtype: DTypeLike = np.float32) -> DeviceArray:
        array = np.zeros(shape, dtype)  # its pages are never touched
        self.bytes += array.nbytes
        return array

    def upload(self, to: DeviceArray, values: NDArray[Any]) -> None:
        """Do nothing."""

    def fill(self, array: DeviceArray, value: float = 0) -> None:
        """Do nothing."""

    def launch(self, *args: Any, **options: Any) -> None:
        """Do nothing."""


class Planned(Networks):
    """Networks whose weights are not copied, as they may not fit in memory."""

    def take_weights(self) -> None:
        """Do nothing."""


def megabytes(
    model: Architecture, train: TrainingSettings, vocab_size: int, precision: Precision = "tf32"
) -> float:
    """Return the approximate GPU memory of training in MB, independent of the text.

    Parameters
    ----------
    model : Architecture
        The networks.
    train : TrainingSettings
        The windows and the optimizer.
    vocab_size : int
        V.
    precision : {"float32", "tf32", "bf16"}
        Precision of the operands of products.
    """
    counting: Any = Counting(precision)
    network = CharModel(model, vocab_size)
    networks = Planned(counting, network, learns=True)
    shape = shape_of(train.seq_len, train.batch_size)
    Gradient(networks, Read(networks.buffers, shape, model), 1.0)
    State(networks, shape.N, train.batch_size)
    assert networks.grad is not None
    vectors = networks.theta, networks.grad
    layout = networks.layout
    Optimizer(counting, train.optimizer, *vectors, layout.hidden, layout.others, 0.0)
    scoring = Planned(counting, network, learns=False)
    window = shape_of(64, 32)
    scoring.networks(Read(scoring.buffers, window, model))
    total = counting.bytes + LANES * WORKSPACE + 4 * CHUNK_SYMBOLS + CONTEXT
    return float(total) / 1e6
