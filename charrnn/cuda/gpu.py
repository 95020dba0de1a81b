"""A GPU through CuPy: its memory, kernels, CUDA streams and graphs."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.cuda.backend import DeviceArray, Precision, Size
from charrnn.cuda.blas import WORKSPACE, Blas, load
from charrnn.cuda.device import Gpu, gpu_errors
from charrnn.cuda.lanes import LANES
from charrnn.cuda.source import Kernel, Sources, cast, options

USUAL_SHARED = 48 << 10
"""Bytes of shared memory per block that need no opt-in."""
NULL = np.uintp(0)
Compiled = tuple[str, tuple[str, ...]]
"""A kernel or a file, and the options that it is compiled with."""


class CupyBackend:
    """See ``Backend``.

    Parameters
    ----------
    gpu : Gpu
        The GPU.
    precision : {"float32", "tf32", "bf16"}
        Precision of the operands of matrix products.
    """

    def __init__(self, gpu: Gpu, precision: Precision) -> None:
        import cupy

        self.precision, self._cupy = precision, cupy
        self.multiprocessors, self.shared_memory = gpu.multiprocessors, gpu.shared_memory
        with gpu_errors():
            cupy.cuda.Device(gpu.index).use()
            self._streams = [cupy.cuda.Stream(non_blocking=True) for _ in range(LANES)]
            library = load(cupy.cuda.runtime.runtimeGetVersion() // 1000)
            self._blas = [
                Blas(library, stream.ptr, cupy.empty(WORKSPACE, np.uint8), precision)
                for stream in self._streams
            ]
        self._lane = 0
        self._sources = Sources.read()
        self._modules: dict[Compiled, Any] = {}
        self._kernels: dict[Compiled, Any] = {}

    def zeros(self, shape: Size, dtype: DTypeLike = np.float32) -> DeviceArray:
        with gpu_errors(), self._streams[0]:
            return self._cupy.zeros(shape, dtype)

    def upload(self, to: DeviceArray, values: NDArray[Any]) -> None:
        if to.shape != values.shape or to.dtype != values.dtype:
            raise TypeError(f"{values.dtype} {values.shape} does not fit {to.dtype} {to.shape}")
        with gpu_errors():
            to.set(np.ascontiguousarray(values), stream=self._streams[self._lane])

    def download(self, array: DeviceArray) -> NDArray[Any]:
        with gpu_errors():
            self.synchronize()
            found: NDArray[Any] = array.get(stream=self._streams[0])
            return found

    def fill(self, array: DeviceArray, value: float = 0) -> None:
        with gpu_errors(), self._streams[self._lane]:
            byte = _byte_of(array, value)
            if byte is None:
                array.fill(value)
            else:
                array.data.memset_async(byte, array.nbytes, self._streams[self._lane])

    def copy(self, to: DeviceArray, array: DeviceArray) -> None:
        with gpu_errors():
            to.data.copy_from_device_async(array.data, array.nbytes, self._streams[self._lane])

    def launch(
        self,
        name: str,
        grid: Size,
        block: Size,
        *args: Any,
        defines: Mapping[str, int] | None = None,
        shared: int = 0,
        cooperative: bool = False,
    ) -> None:
        kernel, about = self._kernel(name, defines or {}, shared, cooperative)
        values = [NULL if value is None else value for value in cast(about, args)]
        with gpu_errors(), self._streams[self._lane]:
            kernel(_size(grid), _size(block), tuple(values), shared_mem=shared)

    def product(
        self,
        out: DeviceArray,
        A: DeviceArray,
        B: DeviceArray,
        *,
        ta: bool = False,
        tb: bool = False,
        add: bool = False,
    ) -> None:
        self._blas[self._lane].product(out, A, B, ta, tb, add)

    def products(
        self, out: DeviceArray, A: DeviceArray, B: DeviceArray, *, tb: bool = False
    ) -> None:
        self._blas[self._lane].products(out, A, B, tb)

    @contextmanager
    def on(self, lane: int) -> Iterator[None]:
        before, self._lane = self._lane, lane % LANES
        try:
            yield
        finally:
            self._lane = before

    def wait(self, lane: int, for_lane: int) -> None:
        lane, for_lane = lane % LANES, for_lane % LANES
        if lane != for_lane:
            with gpu_errors():
                event = self._cupy.cuda.Event(disable_timing=True)
                event.record(self._streams[for_lane])
                self._streams[lane].wait_event(event)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        with gpu_errors():
            work()  # compiles the kernels, and fails if work cannot be recorded
            self.synchronize()
            stream = self._streams[0]
            stream.begin_capture()
            work()
            graph = stream.end_capture()

        def again() -> None:
            with gpu_errors():
                graph.launch(stream)

        return again

    def synchronize(self) -> None:
        with gpu_errors():
            for stream in self._streams:
                stream.synchronize()

    def _kernel(
        self, name: str, defines: Mapping[str, int], shared: int, cooperative: bool
    ) -> tuple[Any, Kernel]:
        """Return a kernel, compiled on first use, and its signature."""
        about, given = self._sources.kernel(name), options(defines)
        key, unit = (name, given), (about.file, given)
        if key not in self._kernels:
            with warnings.catch_warnings(), gpu_errors():
                warnings.simplefilter("ignore")
                if unit not in self._modules:
                    self._modules[unit] = self._cupy.RawModule(
                        code=self._sources.text(about.file),
                        options=("-std=c++17", *given),
                        enable_cooperative_groups=cooperative,
                    )
                self._kernels[key] = self._modules[unit].get_function(name)
        kernel = self._kernels[key]
        if shared > USUAL_SHARED and kernel.max_dynamic_shared_size_bytes < shared:
            kernel.max_dynamic_shared_size_bytes = shared
        return kernel, about


def _byte_of(array: DeviceArray, value: float) -> int | None:
    """Return the byte that an array filled with a value repeats, or None."""
    if value == 0:
        return 0
    if array.dtype.kind == "u" and value == np.iinfo(array.dtype).max:
        return 0xFF
    return None


def _size(size: Size) -> tuple[int, ...]:
    return size if isinstance(size, tuple) else (size,)
