"""The GPU engine, imported when something asks for it, and nowhere else."""

import time
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from charrnn.config import Architecture, Precision, TrainingSettings
from charrnn.data.windows import Batches
from charrnn.nn.model import CharModel
from charrnn.trainer import Trainer

if TYPE_CHECKING:
    from charrnn.cuda.device import Gpu
    from charrnn.cuda.gpu import CupyBackend

PEAK_SIZE, PRODUCTS = 4096, 10
"""Rows of a large matrix, and how many products are timed at once."""


def usable(device: str) -> "Gpu | str":
    """Return the GPU of that name, or in a few words why there is none: no error or warning."""
    from charrnn.cuda import device as devices

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of CuPy, of two installations of it
        return devices.usable(device)


@cache
def backend(gpu: "Gpu", precision: Precision) -> "CupyBackend":
    """Return the backend of a GPU: one serves all that this process does there."""
    from charrnn.cuda.gpu import CupyBackend

    return CupyBackend(gpu, precision)


def check_supported(model: Architecture) -> None:
    """Refuse what the engine does not compute.

    Raises
    ------
    ConfigError
        In a line that names it.
    """
    from charrnn.cuda import trainer

    trainer.check_supported(model)


def megabytes(
    model: Architecture, train: TrainingSettings, vocab_size: int, precision: Precision
) -> float:
    """Return about how many millions of bytes training takes on the GPU."""
    from charrnn.cuda import plan

    return plan.megabytes(model, train, vocab_size, precision)


def gpu_trainer(
    model: CharModel, batches: Batches, *, gpu: "Gpu", precision: Precision, **settings: Any
) -> Trainer:
    """Return what trains a model on a GPU; the settings are those of ``CudaTrainer``."""
    from charrnn.cuda.trainer import CudaTrainer

    return CudaTrainer(model, batches, backend(gpu, precision), **settings)


def peak_gflops(gpu: "Gpu", precision: Precision, seconds: float) -> float:
    """Return at how many billions of operations a second a GPU multiplies large matrices."""
    there, shape = backend(gpu, precision), (PEAK_SIZE, PEAK_SIZE)
    A = there.zeros(shape, np.uint16 if precision == "bf16" else np.float32)
    out = there.zeros(shape)
    best, stop = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < stop or not best:
        there.synchronize()
        start = time.perf_counter()
        for _ in range(PRODUCTS):
            there.product(out, A, A)
        there.synchronize()
        operations = 2 * PEAK_SIZE**3 * PRODUCTS
        best = max(best, operations / (time.perf_counter() - start) / 1e9)
    return best


def gpu_model(model: CharModel, gpu: "Gpu", precision: Precision) -> CharModel:
    """Return what predicts as a model does, on a GPU: scorers and samplers take it for one.

    Raises
    ------
    ConfigError
        If it is of a kind that the engine does not have.
    """
    from charrnn.cuda.model import CudaModel

    check_supported(model.config)
    return cast(CharModel, CudaModel(model, backend(gpu, precision)))
