"""Finding a GPU, or the reason why none can be used, in one line."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from charrnn.errors import DeviceError

OLDEST = (8, 0)
"""The compute capability that the kernels need: tf32 and bf16 in tensor cores."""
INSTALL = "pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]', as the driver supports"


@dataclass(frozen=True)
class Gpu:
    """A GPU that can be used.

    Attributes
    ----------
    index : int
        Its number.
    name : str
        Its name, from the driver.
    memory, free : int
        Its memory in bytes, and the part that was free when it was queried; ignored in comparisons.
    multiprocessors : int
    shared_memory : int
        Bytes of shared memory that a block may have.
    capability : (int, int)
        CUDA's compute capability.
    """

    index: int
    name: str
    memory: int
    free: int = field(compare=False)
    multiprocessors: int
    shared_memory: int
    capability: tuple[int, int]

    @property
    def device(self) -> str:
        """Its name for --device."""
        return f"cuda:{self.index}"


def has_driver() -> bool:
    """Return whether the driver of an NVIDIA GPU is installed."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def usable(device: str = "cuda") -> Gpu | str:
    """Return the GPU named by ``device`` ("cuda" or "cuda:N"), or the reason why it cannot be
    used."""
    if sys.platform == "darwin":
        return "there are no NVIDIA GPUs on macOS"
    if not has_driver():
        return "no NVIDIA driver is installed"
    if find_spec("cupy") is None:
        return f"CuPy is missing: {INSTALL}"
    index = int(device.partition(":")[2] or 0)
    try:
        return _look(index)
    except Exception as error:  # whatever CuPy and the driver may raise
        line = " ".join(str(error).split())
        return f"CuPy cannot use it: {line}"


def _look(index: int) -> Gpu | str:
    """Query a GPU with CuPy."""
    import cupy

    runtime = cupy.cuda.runtime
    driver, wanted = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver // 1000 < wanted // 1000:
        return (
            f"the NVIDIA driver supports CUDA {_version(driver)}, and CuPy needs "
            f"{_version(wanted)}: update the driver, or "
            f"pip install 'cupy-cuda{driver // 1000}x[ctk]'"
        )
    count = runtime.getDeviceCount()
    if index >= count:
        return (
            f"there are {count} GPUs, numbered from 0" if count > 1 else "there is one GPU: cuda:0"
        )
    about = runtime.getDeviceProperties(index)
    capability = int(about["major"]), int(about["minor"])
    name = bytes(about["name"]).decode(errors="replace")
    if capability < OLDEST:
        return (
            f"{name} is too old: it has compute capability {_dotted(capability)}, and 8.0 is "
            "required"
        )
    with cupy.cuda.Device(index):
        free, memory = runtime.memGetInfo()
        free += cupy.get_default_memory_pool().free_bytes()  # cached by this process
    return Gpu(
        index=index,
        name=name,
        memory=int(memory),
        free=int(free),
        multiprocessors=int(about["multiProcessorCount"]),
        shared_memory=int(about["sharedMemPerBlockOptin"]),
        capability=capability,
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


@contextmanager
def gpu_errors() -> Iterator[None]:
    """Turn errors of CuPy into a DeviceError of one line."""
    import cupy

    runtime: Any = cupy.cuda.runtime.CUDARuntimeError
    driver: Any = cupy.cuda.driver.CUDADriverError
    try:
        yield
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise DeviceError(
            "the GPU is out of memory: use a smaller --hidden-size, "
            "--num-layers, "
            "--batch-size or --seq-len, or --device cpu"
        ) from error
    except (runtime, driver, cupy.cuda.compiler.CompileException) as error:
        line = " ".join(str(error).split())[:300]
        raise DeviceError(f"the GPU failed: {line}") from error
