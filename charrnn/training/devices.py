"""Choosing the device: the CPU, or a GPU if it was requested or is faster."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from charrnn.config import (
    Architecture,
    DeviceConfig,
    Precision,
    SampleConfig,
    TrainConfig,
    TrainingSettings,
)
from charrnn.errors import ConfigError, DeviceError
from charrnn.nn.model import CharModel
from charrnn.nn.predictor import Predictor
from charrnn.storage.history import CPU, Place
from charrnn.system.machine import available_cores
from charrnn.training import engine
from charrnn.training.recipe import Recipe

if TYPE_CHECKING:
    from charrnn.cuda.device import Gpu

FEWEST_PRODUCTS = 8_000
"""Weights times streams from which a GPU is at least twice as fast. One time step of one layer
takes 17 microseconds on the GPU, in kernels of its own (H100, GRU and LSTM 1 x 256, 64 streams). On
two cores it takes 30, and one more per 1,700 weights times streams (GRU of 8 to 256 units, 1 to 64
streams)."""


def is_faster(weights: int, streams: int) -> bool:
    """Return whether a GPU trains a network of this size faster than the CPU."""
    return weights * streams >= FEWEST_PRODUCTS


@dataclass(frozen=True)
class Device:
    """The device that trains a run; without a GPU it is the CPU.

    Attributes
    ----------
    gpu : Gpu or None
    precision : {"float32", "tf32", "bf16"}
        Precision of the matrix products.
    megabytes : float
        Approximate GPU memory that the run takes.
    """

    gpu: "Gpu | None" = None
    precision: Precision = "float32"
    megabytes: float = 0.0

    @property
    def place(self) -> Place:
        """Its name and precision, as stored in the history of a run."""
        return CPU if self.gpu is None else (self.gpu.name, self.precision)

    def model(self, model: CharModel) -> Predictor:
        """Return a model that computes on this device: itself on the CPU, a copy on a GPU."""
        if self.gpu is None:
            return model
        return engine.gpu_model(model, self.gpu, self.precision)


@dataclass(frozen=True)
class Work:
    """The network to train and its batch."""

    model: Architecture
    train: TrainingSettings
    vocab_size: int

    def on(self, gpu: "Gpu", precision: Precision) -> Device:
        """Return the device for this work on a GPU.

        Raises
        ------
        ConfigError
            If the engine does not support it.
        DeviceError
            If the GPU has too little memory for it.
        """
        engine.check_supported(self.model)
        needed = engine.megabytes(self.model, self.train, self.vocab_size, precision)
        if needed > gpu.free / 1e6:
            raise DeviceError(
                f"training needs about {needed:,.0f} MB and {gpu.name} has {gpu.free / 1e6:,.0f} "
                "MB free: lower --hidden-size, --num-layers, --batch-size or --seq-len, or give "
                "--device cpu"
            )
        return Device(gpu, precision, needed)


def decide(
    asked: DeviceConfig,
    train: TrainConfig,
    recipe_for: Callable[[bool], Recipe],
    vocab_size: int,
) -> tuple[Recipe, Device, str]:
    """Choose the device of a new run, and its settings, which depend on the device's speed.

    Parameters
    ----------
    asked : DeviceConfig
        The user's choice.
    train : TrainConfig
        The user's settings.
    recipe_for : callable
        ``recipe_for(gpu)`` returns the settings for a timed run on a GPU or on the CPU.
    vocab_size : int
        V.

    Returns
    -------
    recipe : Recipe
    device : Device
    why : str
        See ``choose``.

    Raises
    ------
    ConfigError, DeviceError
        As ``choose`` does.
    """
    timed = train.steps is None and train.epochs is None
    if timed and _may_be_gpu(asked):
        recipe = recipe_for(True)
        device, why = choose(asked, Work(recipe.model, recipe.train, vocab_size))
        if device.gpu is not None:
            return recipe, device, why
    recipe = recipe_for(False)
    return recipe, *choose(asked, Work(recipe.model, recipe.train, vocab_size))


def _may_be_gpu(asked: DeviceConfig) -> bool:
    """Return whether a GPU is requested, or allowed and usable."""
    return asked.is_gpu or (asked.may_be_gpu and not isinstance(engine.usable("cuda"), str))


def choose(asked: DeviceConfig, work: Work, before: Place | None = None) -> tuple[Device, str]:
    """Choose the device of a run.

    Parameters
    ----------
    asked : DeviceConfig
        The user's choice.
    work : Work
        What to train.
    before : Place, optional
        Where a resumed run was last trained; it stays there if possible.

    Returns
    -------
    device : Device
    why : str
        The reason for the choice; empty if the user made it.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If the device does not support the work or the precision.
    """
    stays = before if asked.device is None else None
    device = asked.device or "auto"
    kept: Precision = "tf32"
    if before is not None and before != CPU:
        kept = before[1]
    precision = asked.precision or kept
    if asked.is_gpu:
        return work.on(find(device), precision), ""
    if device == "cpu":
        return Device(), ""
    found, why = _automatic(work, precision, stays)
    if found.gpu is None:
        _check_precision(asked.precision, why)
    return found, why


def _automatic(work: Work, precision: Precision, stays: Place | None) -> tuple[Device, str]:
    """Return the default device of a run, and the reason."""
    weights = CharModel.size_of(work.model, work.vocab_size)
    if stays == CPU:
        return Device(), "as before"
    if stays is None and work.train.steps:
        return Device(), "the default for runs of --steps or --epochs; --device cuda uses a GPU"
    if stays is None and not is_faster(weights, work.train.batch_size):
        return Device(), "a network this small gains little from a GPU"
    gpu = engine.usable("cuda")
    if isinstance(gpu, str):
        return Device(), gpu
    try:
        return work.on(gpu, precision), "as before" if stays else "faster than the CPU"
    except (ConfigError, DeviceError) as error:
        return Device(), str(error)


def find(device: str) -> "Gpu":
    """Return the GPU with a given name.

    Raises
    ------
    DeviceError
        If it cannot be used.
    """
    gpu = engine.usable(device)
    if isinstance(gpu, str):
        raise DeviceError(f"--device {device}: {gpu}; --device cpu runs on the CPU")
    return gpu


def timed(asked: DeviceConfig, model: Architecture) -> "Gpu | None":
    """Return the GPU to benchmark with a network; None for the CPU.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If the device does not support the precision or the network.
    """
    if asked.is_gpu:
        engine.check_supported(model)
        return find(asked.device or "")
    gpu: Gpu | str = ""
    if asked.device == "auto":
        try:
            engine.check_supported(model)
            gpu = engine.usable("cuda")
        except ConfigError as error:
            gpu = str(error)
    if not isinstance(gpu, str):
        return gpu
    _check_precision(asked.precision, gpu)
    return None


def _check_precision(precision: Precision | None, why: str) -> None:
    """Reject a precision that the CPU does not support.

    Raises
    ------
    ConfigError
        If it is not float32.
    """
    if precision not in (None, "float32"):
        because = f" ({why})" if why else ""
        raise ConfigError(
            f"--precision {precision} needs a GPU, but this runs on the CPU{because}: leave it "
            "out, or give --device cuda on a machine with a GPU"
        )


def shown(place: Place) -> str:
    """Return how a message names a place."""
    name, precision = place
    return "the CPU" if place == CPU else f"{name} ({precision})"


def on_device(
    asked: DeviceConfig, model: CharModel, streams: int, threads: int
) -> tuple[Predictor, int]:
    """Return a model on the requested device, and the number of workers.

    On the CPU, it is the model itself. A GPU has one worker and computes in float32, since figures
    are reported.

    Parameters
    ----------
    asked : DeviceConfig
        The default is the CPU, so that figures are the same on every machine.
    model : CharModel
        The model to copy.
    streams : int
        Most streams that it reads or writes in parallel.
    threads : int
        Workers on the CPU.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If a GPU must be used and the engine does not support the model.
    """
    if asked.is_gpu:
        return engine.gpu_model(model, find(asked.device or ""), "float32"), 1
    if asked.device == "auto" and is_faster(model.num_parameters, streams):
        gpu = engine.usable("cuda")
        if not isinstance(gpu, str):
            with suppress(ConfigError, DeviceError):
                return engine.gpu_model(model, gpu, "float32"), 1
    return model, threads


def drawing_on_device(
    asked: DeviceConfig, model: CharModel, config: SampleConfig, threads: int | None
) -> tuple[Predictor, int]:
    """Return a model for sampling, and the number of workers; see ``on_device``.

    Raises
    ------
    ConfigError
        If a GPU or threads are requested for a single sample, which cannot be parallelized.
    """
    if config.num_samples == 1:
        if threads is not None:
            raise ConfigError(
                "--threads applies to many samples, and this generates one: give a number of "
                "samples, as in -n 100, or leave --threads out"
            )
        if asked.is_gpu:
            raise ConfigError(
                f"--device {asked.device} applies to many samples, which a GPU generates in "
                "parallel, and this generates one: give -n 1000, or leave --device out"
            )
        return model, 1
    return on_device(asked, model, config.num_samples, threads or available_cores())
