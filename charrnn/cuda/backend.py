"""The interface of the engine to a GPU: memory, kernels, matrix products, and recorded steps.

The engine uses only ``Backend``. On a GPU that is ``charrnn.cuda.gpu.CupyBackend``; the tests have
one that runs the same kernels on the CPU.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Precision = Literal["float32", "tf32", "bf16"]
DeviceArray = Any
"""An array in GPU memory, with shape, dtype and size; slices are views."""
Size = int | tuple[int, ...]


class Backend(Protocol):
    """A GPU, or a substitute for tests.

    Calls are asynchronous and run in order on the current lane; results are available after
    ``download`` or ``synchronize``.

    Attributes
    ----------
    precision : {"float32", "tf32", "bf16"}
        Precision of the operands of matrix products; sums are in float32.
    multiprocessors : int
        Minimum number of blocks that run concurrently.
    shared_memory : int
        Most bytes of shared memory per block.
    """

    precision: Precision
    multiprocessors: int
    shared_memory: int

    def zeros(self, shape: Size, dtype: DTypeLike = np.float32) -> DeviceArray:
        """Return an array of zeros."""

    def upload(self, to: DeviceArray, values: NDArray[Any]) -> None:
        """Copy an array of the same shape and type to the GPU."""

    def download(self, array: DeviceArray) -> NDArray[Any]:
        """Wait for all work, and return a copy of an array."""

    def fill(self, array: DeviceArray, value: float = 0) -> None:
        """Set every element of an array."""

    def copy(self, to: DeviceArray, array: DeviceArray) -> None:
        """Copy one array on the GPU to another."""

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
        """Run a kernel.

        Parameters
        ----------
        name : str
            The name of a kernel in ``kernels/``.
        grid, block : int or tuple of int
            Number of blocks, and threads per block.
        *args
            Arguments that match its signature: arrays, None for a null pointer, and numbers.
        defines : dict of str to int, optional
            The sizes that the kernel is compiled for, if it depends on any.
        shared : int
            Bytes of dynamic shared memory per block.
        cooperative : bool
            Whether all blocks must run at the same time.
        """

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
        """Compute ``out = A B``, or ``out += A B``, optionally with A or B transposed.

        ``out`` (m, n) is float32; A and B are both float32, or both bf16 as uint16. Rows are
        contiguous, with any distance between them.
        """

    def products(
        self, out: DeviceArray, A: DeviceArray, B: DeviceArray, *, tb: bool = False
    ) -> None:
        """Compute ``out[b] = A[b] B[b]`` for float32 arrays (B, m, n), contiguous."""

    def on(self, lane: int) -> AbstractContextManager[None]:
        """Within the context, submit work to a lane. Lanes run concurrently; 0 is the default
        one."""

    def wait(self, lane: int, for_lane: int) -> None:
        """Make a lane wait for the work submitted to another one so far."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record work, which may run it once; return a function that replays it, if possible as one
        launch."""

    def synchronize(self) -> None:
        """Wait for all work."""


def blocks(count: int, block: int = 256) -> int:
    """Return the number of blocks that cover ``count`` threads."""
    return max(1, -(-count // block))


def each(backend: Backend, name: str, count: int, *args: Any) -> None:
    """Launch a kernel with one thread for each of ``count`` numbers."""
    backend.launch(name, blocks(count), 256, *args)
