"""What the engine asks of a GPU: memory, kernels, matrix products, and steps that are recorded.

All of the engine is written against ``Backend``. On a GPU that is ``charrnn.cuda.gpu.CupyBackend``;
the tests have one that runs the same kernels on the CPU.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Precision = Literal["float32", "tf32", "bf16"]
DeviceArray = Any
"""An array in the memory of the GPU: it has shape, dtype and size, and slices of it are views."""
Size = int | tuple[int, ...]


class Backend(Protocol):
    """A GPU, or what stands for one.

    What is called runs later, in the order of the calls, on the lane that is current; results are
    there after ``download`` or ``synchronize``.

    Attributes
    ----------
    precision : {"float32", "tf32", "bf16"}
        Of the operands of matrix products; sums are in float32.
    multiprocessors : int
        How many blocks run at once, at least.
    shared_memory : int
        Bytes of shared memory that a block may have.
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
        """Set every number of an array."""

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
            Of a kernel in ``kernels/``.
        grid, block : int or tuple of int
            How many blocks, and how many threads each has.
        *args
            As its signature says: arrays, None for a null pointer, and numbers.
        defines : dict of str to int, optional
            What a kernel that is compiled for sizes is compiled for.
        shared : int
            Bytes of shared memory of each block beside what the kernel declares.
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
        """Compute ``out = A B``, or ``out += A B``, with A or B transposed where asked.

        ``out`` (m, n) is float32; A and B are both float32, or both bf16 as uint16. The rows of
        each lie contiguous, any distance apart.
        """

    def products(
        self, out: DeviceArray, A: DeviceArray, B: DeviceArray, *, tb: bool = False
    ) -> None:
        """Compute ``out[b] = A[b] B[b]`` for float32 arrays (B, m, n), contiguous."""

    def on(self, lane: int) -> AbstractContextManager[None]:
        """Within the context, put work on a lane: lanes run side by side. 0 is the usual one."""

    def wait(self, lane: int, for_lane: int) -> None:
        """Let one lane go on only after what another was given so far."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what runs the work again, as one launch where the GPU can; it may run it now."""

    def synchronize(self) -> None:
        """Wait for all work."""


def blocks(count: int, block: int = 256) -> int:
    """Return how many blocks of threads cover ``count`` threads."""
    return max(1, -(-count // block))


def each(backend: Backend, name: str, count: int, *args: Any) -> None:
    """Launch a kernel with a thread for each of ``count`` numbers."""
    backend.launch(name, blocks(count), 256, *args)
