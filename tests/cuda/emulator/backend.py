"""The backend of charrnn's GPU engine on NumPy arrays: kernels run in the emulator.

It refuses what a GPU would refuse or compute wrongly: arguments that do not fit a kernel's
signature, sizes beyond a GPU's limits, operands that cuBLAS does not take, and, in ``check``,
writes beside an array.
"""

from functools import cache
from math import prod

import numpy as np

from charrnn.cuda.source import Sources, cast
from emulator.building import Library
from emulator.lanes import Lanes
from emulator.numbers import floats

GUARD = 256
"""Bytes before and after each array; addresses are multiples of it, as on a GPU."""

POISON = 0xFF
"""What they hold: NaN as a float, -1 as an int."""

LIMITS = {"grid": (2**31 - 1, 65535, 65535), "block": (1024, 1024, 64)}
THREADS = 1024
"""The most threads of a block, where its kernel does not say less."""


class EmulatorError(Exception):
    """A kernel did what a GPU does not allow, or what no one should."""


@cache
def own_sources() -> Sources:
    """Return charrnn's own kernels."""
    return Sources.read()


@cache
def _library(common, file, text, defines, only):
    return Library(Sources(common, {file: text}), file, dict(defines), only)


class EmulatedBackend:
    """``charrnn.cuda.backend.Backend`` without a GPU.

    Parameters
    ----------
    sources : Sources, optional
        Other kernels than charrnn's own.
    descending : bool
        Whether the last block, warp and lane run ahead of the others instead of the first; of
        recorded work, the last CUDA stream too.
    only : collection of str
        The kernels that will be launched, where not all need be compiled.
    multiprocessors, shared_memory : int
        What the GPU has; by default an H100's.
    """

    def __init__(
        self,
        precision="float32",
        *,
        sources=None,
        descending=False,
        only=(),
        multiprocessors=132,
        shared_memory=232448,
    ):
        self.precision = precision
        self.multiprocessors = multiprocessors
        self.shared_memory = shared_memory
        self.sources = own_sources() if sources is None else sources
        self.descending = descending
        self.launched = set()
        self._only = frozenset(only)
        self._memory = []
        self._lanes = Lanes(descending)
        self.on, self.wait, self.record = self._lanes.on, self._lanes.wait, self._lanes.record

    # Memory

    def zeros(self, shape, dtype=np.float32):
        """Return an array of zeros between guard bytes that ``check`` looks at."""
        return self._allocate(shape, dtype, 0)

    def poisoned(self, shape, dtype=np.float32):
        """Return an array of NaN or -1, for what a kernel must write without reading it."""
        return self._allocate(shape, dtype, POISON)

    def array(self, values, dtype=None):
        """Return an array with the given values."""
        values = np.asarray(values, dtype)
        array = self.zeros(values.shape, values.dtype)
        array[...] = values
        return array

    def _allocate(self, shape, dtype, byte):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = prod(shape) * np.dtype(dtype).itemsize
        memory = np.full(size + 3 * GUARD, POISON, np.uint8)
        start = GUARD - memory.ctypes.data % GUARD + GUARD
        memory[start : start + size] = byte
        self._memory.append((memory, start, size, shape))
        return memory[start : start + size].view(dtype).reshape(shape)

    def check(self):
        """Raise EmulatorError if something was written just before or after an array."""
        for memory, start, size, shape in self._memory:
            wrong = np.flatnonzero(memory != POISON)
            wrong = wrong[(wrong < start) | (wrong >= start + size)]
            if len(wrong):
                at = int(wrong[0]) - start
                where = (
                    f"{at - size} bytes after the end"
                    if at >= 0
                    else f"{-at} bytes before the start"
                )
                raise EmulatorError(f"something was written {where} of an array of shape {shape}")

    def upload(self, to, values):
        """Copy to the device."""
        self._lanes.only_now("an upload")
        _same(to, values)
        to[...] = values

    def download(self, array):
        """Copy to the host."""
        self._lanes.only_now("a download")
        return array.copy()

    def fill(self, array, value=0):
        """Set all elements."""
        self._lanes.do(lambda: np.copyto(array, value))

    def copy(self, to, array):
        """Copy between arrays of the device."""
        _same(to, array)
        self._lanes.do(lambda: np.copyto(to, array))

    def synchronize(self):
        """Wait for all work."""
        self._lanes.only_now("waiting for the GPU")

    # Kernels

    def launch(self, name, grid, block, *args, defines=None, shared=0, cooperative=False):
        """Run a kernel to its end."""
        kernel = self.sources.kernel(name)
        sizes = {"grid": _three(grid), "block": _three(block)}
        bounds = _bounds(kernel, defines or {})
        self._check_sizes(name, bounds, **sizes, shared=shared, cooperative=cooperative)
        library = _library(
            self.sources.common,
            kernel.file,
            self.sources.files[kernel.file],
            tuple(sorted((defines or {}).items())),
            self._only,
        )
        self.launched.add(name)
        options = {"shared": shared, "cooperative": cooperative, "descending": self.descending}
        arguments = cast(kernel, args)

        def run():
            fault = library.launch(name, *sizes.values(), arguments, **options)
            if fault:
                raise EmulatorError(f"{name}: {fault}")

        self._lanes.do(run)

    def _check_sizes(self, name, bounds, grid, block, shared, cooperative):
        most, at_once = bounds[0], bounds[1] * self.multiprocessors
        for what, size in (("grid", grid), ("block", block)):
            if any(not 1 <= n <= limit for n, limit in zip(size, LIMITS[what], strict=True)):
                raise EmulatorError(f"{name}: no {what} can be {size}")
        if prod(block) > most:
            raise EmulatorError(f"{name}: a block has {prod(block)} threads, at most {most} fit")
        if shared > self.shared_memory:
            raise EmulatorError(f"{name}: a block cannot have {shared} bytes of shared memory")
        if cooperative and prod(grid) > at_once:
            raise EmulatorError(f"{name}: {prod(grid)} blocks do not run at once, {at_once} do")

    # Products

    def product(self, out, A, B, *, ta=False, tb=False, add=False):
        """``out = op(A) op(B)``, or added to it."""
        for x in (out, A, B):
            _matrix(x, 2)
        self._multiply(out, A.T if ta else A, B.T if tb else B, add)

    def products(self, out, A, B, *, tb=False):
        """One product for each matrix of a batch."""
        for x in (out, A, B):
            _matrix(x, 3)
        self._multiply(out, A, B.swapaxes(1, 2) if tb else B, False)

    def _multiply(self, out, A, B, add):
        if out.dtype != np.float32 or A.dtype != B.dtype or A.dtype not in (np.float32, np.uint16):
            raise TypeError(f"no product of {A.dtype} and {B.dtype} in {out.dtype}")
        if A.dtype == np.uint16 and self.precision != "bf16":
            raise TypeError(f"a product of bf16 with precision {self.precision}")
        *batch, m, k = A.shape
        if B.shape != (*batch, k, B.shape[-1]) or out.shape != (*batch, m, B.shape[-1]):
            raise ValueError(f"no product of {A.shape} and {B.shape} in {out.shape}")
        if any(np.may_share_memory(out, x) and np.shares_memory(out, x) for x in (A, B)):
            raise ValueError("a product cannot replace its operand")

        def run():
            result = np.matmul(*(floats(x) if x.dtype == np.uint16 else x for x in (A, B)))
            out[...] = out + result if add else result

        self._lanes.do(run)


def _three(size):
    size = (size,) if isinstance(size, int | np.integer) else tuple(size)
    return tuple(map(int, size + (1,) * (3 - len(size))))


def _bounds(kernel, defines):
    """Return the threads that a block has at most, and the blocks of a multiprocessor at least."""
    names = [name.strip() for name in kernel.bounds.split(",")]
    values = [int(name) if name.isdigit() else defines.get(name) for name in names]
    return values[0] or THREADS, values[1] or 1 if len(values) > 1 else 1


def _same(to, array):
    if to.shape != array.shape or to.dtype != array.dtype:
        raise ValueError(f"{array.dtype}{array.shape} is copied to {to.dtype}{to.shape}")


def _matrix(x, dimensions):
    if (
        x.ndim != dimensions
        or x.strides[-1] != x.itemsize
        or x.strides[-2] < x.shape[-1] * x.itemsize
    ):
        raise ValueError(f"no matrix for cuBLAS: shape {x.shape}, strides {x.strides}")
