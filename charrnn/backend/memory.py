"""Shared memory, for processes that are forked later or that open it on the same machine.

Processes started by a launcher have no common parent from which to inherit memory. On Linux a
region can have a file descriptor, which other processes of the same user can open through the
process id of its owner. Pages are allocated when they are first written, so a vector takes only the
memory of the parts that this machine writes.
"""

import mmap
import os
import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Memory(mmap.mmap):
    """A region of shared memory.

    Attributes
    ----------
    file : int
        The descriptor through which other processes can open it, or -1 if they cannot.
    """

    file: int = -1

    @property
    def written(self) -> bool:
        """Whether it may hold nonzero values, found without reading the pages."""
        return self.file < 0 or os.fstat(self.file).st_blocks > 0


@dataclass
class _Kind:
    """How new regions are created."""

    opened: bool = False


_kind = _Kind()


def let_others_open() -> None:
    """Create all future shared memory so that other processes can open it."""
    _kind.opened = True


def is_opened() -> bool:
    """Return whether other processes can open new regions."""
    return _kind.opened


def new_memory(size: int) -> Memory:
    """Return a region of ``size`` zero bytes, which others can open if enabled and possible."""
    if not _kind.opened or not hasattr(os, "memfd_create"):
        return Memory(-1, size)
    try:
        file = os.memfd_create("charrnn")
    except OSError:  # an old kernel, or a container that forbids it
        return Memory(-1, size)
    os.ftruncate(file, size)
    memory = Memory(file, size)
    memory.file = file
    weakref.finalize(memory, os.close, file)
    return memory


def open_memory(process: int, file: int, size: int, *, private: bool = False) -> Memory:
    """Open a region of another process on this machine.

    Parameters
    ----------
    process, file : int
        The process id of its owner, and its file descriptor in that process.
    size : int
        The size of the region in bytes.
    private : bool
        Whether to copy on write, so that other processes do not see the changes.

    Raises
    ------
    OSError
        If this process cannot open it.
    """
    number = os.open(f"/proc/{process}/fd/{file}", os.O_RDWR)
    try:
        access = mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE
        return Memory(number, size, access=access)
    finally:
        os.close(number)


def region_of(array: NDArray[np.generic]) -> object:
    """Return the owner of an array's data: a ``Memory``, a file map, or an array."""
    owner: object = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner.obj if isinstance(owner, memoryview) else owner


def address(array: NDArray[np.generic]) -> int:
    """Return the memory address of an array's first element."""
    return int(array.__array_interface__["data"][0])


def whole(memory: mmap.mmap, dtype: DTypeLike = np.uint8) -> NDArray[np.generic]:
    """Return a whole region as a vector."""
    return np.frombuffer(memory, dtype)
