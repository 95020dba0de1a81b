"""Memory that processes share: those that are forked later, or all of one machine that open it.

Processes that a launcher started have no common parent to inherit memory from. On Linux a region
can have a descriptor, and other processes of the same user open that by the number of its owner.
Its pages take memory when they are first written, so a vector of which a machine writes its own
parts alone takes no more than these.
"""

import mmap
import os
import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Memory(mmap.mmap):
    """A region of memory.

    Attributes
    ----------
    file : int
        The descriptor by which other processes open it; -1 where they cannot.
    """

    file: int = -1

    @property
    def written(self) -> bool:
        """Whether it has other numbers than zeros, as far as can be told without reading it."""
        return self.file < 0 or os.fstat(self.file).st_blocks > 0


@dataclass
class _Kind:
    """How regions are made from now on."""

    opened: bool = False


_kind = _Kind()


def let_others_open() -> None:
    """Make all shared memory from now on such that other processes can open it."""
    _kind.opened = True


def is_opened() -> bool:
    """Return whether other processes can open what is made."""
    return _kind.opened


def new_memory(size: int) -> Memory:
    """Return so many zero bytes, as one that others can open where that is wanted and possible."""
    if not _kind.opened or not hasattr(os, "memfd_create"):
        return Memory(-1, size)
    try:
        file = os.memfd_create("charrnn")
    except OSError:  # an old kernel, or a container that does not allow it
        return Memory(-1, size)
    os.ftruncate(file, size)
    memory = Memory(file, size)
    memory.file = file
    weakref.finalize(memory, os.close, file)
    return memory


def open_memory(process: int, file: int, size: int, *, private: bool = False) -> Memory:
    """Return a region of another process of this machine.

    Parameters
    ----------
    process, file : int
        Its owner, and the descriptor there.
    size : int
        In bytes.
    private : bool
        Whether what is written there is copied first, and seen by no other process.

    Raises
    ------
    OSError
        If it cannot be seen from here.
    """
    number = os.open(f"/proc/{process}/fd/{file}", os.O_RDWR)
    try:
        access = mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE
        return Memory(number, size, access=access)
    finally:
        os.close(number)


def region_of(array: NDArray[np.generic]) -> object:
    """Return what holds the numbers of an array: a ``Memory``, a file map, or an array."""
    owner: object = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner.obj if isinstance(owner, memoryview) else owner


def address(array: NDArray[np.generic]) -> int:
    """Return where the first number of an array lies."""
    return int(array.__array_interface__["data"][0])


def whole(memory: mmap.mmap, dtype: DTypeLike = np.uint8) -> NDArray[np.generic]:
    """Return all of a region as a vector."""
    return np.frombuffer(memory, dtype)
