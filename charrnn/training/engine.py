"""The GPU engine, imported lazily; the only module that imports it."""

import time
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from charrnn.config import Architecture, Precision, TrainingSettings
from charrnn.data.windows import Batches
from charrnn.nn.model import CharModel
from charrnn.nn.predictor import Predictor
from charrnn.trainer import Trainer

if TYPE_CHECKING:
    from charrnn.cuda.device import Gpu
    from charrnn.cuda.gpu import CupyBackend

PEAK_SIZE, PRODUCTS = 4096, 10
"""Size of a large square matrix, and products per measurement."""


def usable(device: str) -> "Gpu | str":
    """Return the GPU with a given name, or a few words on why it cannot be used; never raises."""
    from charrnn.cuda import device as devices

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns of duplicate installations
        return devices.usable(device)


@cache
def backend(gpu: "Gpu", precision: Precision) -> "CupyBackend":
    """Return the backend of a GPU, of which a process has one."""
    from charrnn.cuda.gpu import CupyBackend

    return CupyBackend(gpu, precision)


def check_supported(model: Architecture) -> None:
    """Reject a model that the engine does not support.

    Raises
    ------
    ConfigError
        If it is not supported; the message names the setting.
    """
    from charrnn.cuda import trainer

    trainer.check_supported(model)


def megabytes(
    model: Architecture, train: TrainingSettings, vocab_size: int, precision: Precision
) -> float:
    """Return the approximate GPU memory of training, in MB."""
    from charrnn.cuda import plan

    return plan.megabytes(model, train, vocab_size, precision)


def gpu_trainer(
    model: CharModel, batches: Batches, *, gpu: "Gpu", precision: Precision, **settings: Any
) -> Trainer:
    """Return a trainer on a GPU; the settings are those of ``CudaTrainer``."""
    from charrnn.cuda.trainer import CudaTrainer

    return CudaTrainer(model, batches, backend(gpu, precision), **settings)


def peak_gflops(gpu: "Gpu", precision: Precision, seconds: float) -> float:
    """Return the GFLOP/s at which a GPU multiplies large matrices."""
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


def gpu_model(model: CharModel, gpu: "Gpu", precision: Precision) -> Predictor:
    """Return a copy of a model on a GPU, for scorers and samplers.

    Raises
    ------
    ConfigError
        If the engine does not support such a model.
    """
    from charrnn.cuda.model import CudaModel

    check_supported(model.config)
    return CudaModel(model, backend(gpu, precision))
