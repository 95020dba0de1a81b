"""Which device computes: the CPU, or a GPU that was asked for or that makes it faster."""

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
from charrnn.storage.history import CPU, Place
from charrnn.system.machine import available_cores
from charrnn.training import engine
from charrnn.training.recipe import Recipe

if TYPE_CHECKING:
    from charrnn.cuda.device import Gpu

FEWEST_PRODUCTS = 8_000
"""Weights times streams from which on a GPU is at least twice as fast. A step in time of one layer
costs it 17 microseconds in kernels of their own (H100, GRU and LSTM 1 x 256, 64 streams), and two
cores 30 and one for each 1,700 weights and streams (GRU of 8 to 256 units, 1 to 64 streams)."""


def is_faster(weights: int, streams: int) -> bool:
    """Return whether a GPU trains a network of so many weights on so many streams faster."""
    return weights * streams >= FEWEST_PRODUCTS


@dataclass(frozen=True)
class Device:
    """What trains a run; without a GPU it is the CPU.

    Attributes
    ----------
    gpu : Gpu or None
    precision : {"float32", "tf32", "bf16"}
        Of the numbers that are multiplied.
    megabytes : float
        What the run takes of the GPU's memory, about.
    """

    gpu: "Gpu | None" = None
    precision: Precision = "float32"
    megabytes: float = 0.0

    @property
    def place(self) -> Place:
        """Its name and precision, as the history of a run has them."""
        return CPU if self.gpu is None else (self.gpu.name, self.precision)

    def model(self, model: CharModel) -> CharModel:
        """Return what predicts as a model does, there."""
        if self.gpu is None:
            return model
        return engine.gpu_model(model, self.gpu, self.precision)


@dataclass(frozen=True)
class Work:
    """What is to be trained."""

    model: Architecture
    train: TrainingSettings
    vocab_size: int

    def on(self, gpu: "Gpu", precision: Precision) -> Device:
        """Return the device for it.

        Raises
        ------
        ConfigError
            If the engine does not train such a thing.
        DeviceError
            If the GPU has too little memory for it.
        """
        engine.check_supported(self.model)
        needed = engine.megabytes(self.model, self.train, self.vocab_size, precision)
        if needed > gpu.free / 1e6:
            raise DeviceError(
                f"training needs about {needed:,.0f} MB and {gpu.name} has {gpu.free / 1e6:,.0f} "
                "MB free: give a smaller --hidden-size, --num-layers, --batch-size or --seq-len, "
                "or --device cpu"
            )
        return Device(gpu, precision, needed)


def decide(
    asked: DeviceConfig,
    train: TrainConfig,
    recipe_for: Callable[[bool], Recipe],
    vocab_size: int,
) -> tuple[Recipe, Device, str]:
    """Choose the device of a new run and its settings, which follow from how fast that is.

    Parameters
    ----------
    asked : DeviceConfig
        What the user gave.
    train : TrainConfig
        What the user gave of the settings.
    recipe_for : callable
        Returns the settings for a run of minutes on a GPU, or else on the CPU.
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
    """Return whether a GPU is asked for, or may be taken and can be."""
    return asked.is_gpu or (asked.may_be_gpu and not isinstance(engine.usable("cuda"), str))


def choose(asked: DeviceConfig, work: Work, before: Place | None = None) -> tuple[Device, str]:
    """Choose the device of a run.

    Parameters
    ----------
    asked : DeviceConfig
        What the user gave.
    work : Work
        What is to be trained.
    before : Place, optional
        Where a run that is resumed was trained last: it stays there, if it can.

    Returns
    -------
    device : Device
    why : str
        Why it was chosen; empty where it was given.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If the GPU does not do what is asked for, or the CPU.
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
    """Return the device of a run whose user leaves the choice, and why."""
    weights = CharModel.size_of(work.model, work.vocab_size)
    if stays == CPU:
        return Device(), "as before"
    if stays is None and work.train.steps:
        return Device(), "as for every run of steps; --device cuda takes a GPU"
    if stays is None and not is_faster(weights, work.train.batch_size):
        return Device(), "so small a network gains little from a GPU"
    gpu = engine.usable("cuda")
    if isinstance(gpu, str):
        return Device(), gpu
    try:
        return work.on(gpu, precision), "as before" if stays else "faster than the CPU"
    except (ConfigError, DeviceError) as error:
        return Device(), str(error)


def find(device: str) -> "Gpu":
    """Return the GPU of that name.

    Raises
    ------
    DeviceError
        If it cannot be used.
    """
    gpu = engine.usable(device)
    if isinstance(gpu, str):
        raise DeviceError(f"--device {device}: {gpu}; --device cpu computes on the processor")
    return gpu


def timed(asked: DeviceConfig, model: Architecture) -> "Gpu | None":
    """Return the GPU whose speed with a network is to be measured; None for the CPU.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If the CPU is to compute as only a GPU does, or a GPU what it does not.
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
    """Refuse a precision that the CPU does not have.

    Raises
    ------
    ConfigError
        If it is not float32.
    """
    if precision not in (None, "float32"):
        because = f" ({why})" if why else ""
        raise ConfigError(
            f"--precision {precision} needs a GPU, and this runs on the CPU{because}: leave it "
            "out, or give --device cuda on a machine with a GPU"
        )


def shown(place: Place) -> str:
    """Return a place as a sentence names it."""
    name, precision = place
    return "the CPU" if place == CPU else f"{name} ({precision})"


def predictor(
    asked: DeviceConfig, model: CharModel, streams: int, threads: int
) -> tuple[CharModel, int]:
    """Return what predicts as a model does where the user wants it, and by how many workers.

    A GPU has one worker and computes in float32: what it is asked for here are figures.

    Parameters
    ----------
    asked : DeviceConfig
        Left open, it is the CPU, so that a figure is the same on every machine.
    model : CharModel
        What it is to predict as.
    streams : int
        How many it reads or writes at once, at most.
    threads : int
        The workers on the CPU.

    Raises
    ------
    DeviceError
        If a GPU must be used and none can.
    ConfigError
        If the engine does not have such a model, and a GPU must be used.
    """
    if asked.is_gpu:
        return engine.gpu_model(model, find(asked.device or ""), "float32"), 1
    if asked.device == "auto" and is_faster(model.num_parameters, streams):
        gpu = engine.usable("cuda")
        if not isinstance(gpu, str):
            with suppress(ConfigError, DeviceError):
                return engine.gpu_model(model, gpu, "float32"), 1
    return model, threads


def drawing_predictor(
    asked: DeviceConfig, model: CharModel, config: SampleConfig, threads: int | None
) -> tuple[CharModel, int]:
    """Return what draws samples, and by how many workers: see ``predictor``.

    Raises
    ------
    ConfigError
        If a GPU or threads are asked for and there is a single sample, which has nothing to compute
        at once.
    """
    if config.num_samples == 1:
        if threads is not None:
            raise ConfigError(
                "--threads share out many samples, and this draws one: give their number, as in "
                "-n 100, or leave --threads out"
            )
        if asked.is_gpu:
            raise ConfigError(
                f"--device {asked.device} needs many samples, which a GPU draws at once, and this "
                "draws one: give -n 1000, or leave --device out"
            )
        return model, 1
    return predictor(asked, model, config.num_samples, threads or available_cores())
