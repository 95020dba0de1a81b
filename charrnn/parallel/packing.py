"""Serializing workers for other processes, with their large arrays kept separate.

A view of shared memory stays a view: only the region and the offset are serialized. Any other large
array is copied once into such a region, so that the ranks of a machine share one text. They map it
copy-on-write, so that writes are private, as after a fork.
"""

import io
import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.memory import Memory, address, new_memory, region_of, whole

LARGE = 2**16
"""Arrays of at least this many bytes are not serialized with the rest."""


@dataclass(frozen=True)
class Region:
    """The description of a memory region, for other processes.

    Attributes
    ----------
    size : int
        Size in bytes.
    file : int
        Its descriptor in the packing process; -1 if it has none.
    written : bool
        Whether it has anything but zeros.
    private : bool
        Whether writes are visible only to the process that makes them.
    path : str
        The file that it maps, from ``offset`` on; empty for memory.
    offset : int
        The first byte in the file.
    """

    size: int
    file: int = -1
    written: bool = True
    private: bool = False
    path: str = ""
    offset: int = 0


class Packer:
    """Serializes the workers of a team.

    Attributes
    ----------
    memories : list of buffer
        The regions, kept alive as long as others may open them.
    regions : list of Region
        The descriptions of the regions.
    """

    def __init__(self) -> None:
        self.memories: list[Any] = []
        self.regions: list[Region] = []
        self._numbers: dict[tuple[int, int, int], int] = {}

    def pack(self, workers: Sequence[Any]) -> bytes:
        """Return workers without their large arrays."""
        stream = io.BytesIO()
        _Pickler(stream, self).dump(workers)
        return stream.getvalue()

    def place(self, array: NDArray[np.generic]) -> tuple[Any, ...] | None:
        """Return where others find an array; None if it is serialized with the rest."""
        region = region_of(array)
        if isinstance(region, Memory):
            start = address(array) - address(whole(region))
            number = self._number(region, (id(region), 0, 0))
            return number, start, array.shape, array.strides, array.dtype, array.flags.writeable
        if array.nbytes < LARGE or not array.flags.c_contiguous or array.dtype.hasobject:
            return None
        key = address(array), array.nbytes, 1
        number = self._numbers.get(key, -1)
        if number < 0:
            number = self._put(array, region, key)
        return number, 0, array.shape, array.strides, array.dtype, array.flags.writeable

    def _number(self, memory: Memory, key: tuple[int, int, int], *, private: bool = False) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.regions)
            self.memories.append(memory)
            self.regions.append(Region(len(memory), memory.file, memory.written, private))
        return self._numbers[key]

    def _put(self, array: NDArray[np.generic], region: object, key: tuple[int, int, int]) -> int:
        """Copy an array into a new region; an array that maps a file is not copied."""
        mapped = _file_of(array) if isinstance(region, mmap.mmap) else None
        if mapped is None:
            memory = new_memory(array.nbytes)
            whole(memory)[:] = np.frombuffer(array.reshape(-1).view(np.uint8), np.uint8)
            return self._number(memory, key, private=True)
        self._numbers[key] = len(self.regions)
        self.memories.append(np.asarray(array).reshape(-1).view(np.uint8))
        self.regions.append(Region(array.nbytes, path=mapped[0], offset=mapped[1]))
        return self._numbers[key]


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, packer: Packer) -> None:
        super().__init__(stream, protocol=5)
        self._packer = packer

    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        return self._packer.place(value) if isinstance(value, np.ndarray) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, packed: bytes, memories: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(packed))
        self._memories = memories

    def persistent_load(self, place: tuple[Any, ...]) -> NDArray[np.generic]:
        number, start, shape, strides, dtype, writable = place
        array: NDArray[np.generic] = np.ndarray(
            shape, dtype, buffer=self._memories[number], offset=start, strides=strides
        )
        if not writable:
            array.flags.writeable = False
        return array


def unpack(packed: bytes, memories: Sequence[Any]) -> Any:
    """Return the packed workers, with their large arrays in these regions."""
    return _Unpickler(packed, memories).load()


def _file_of(array: NDArray[np.generic]) -> tuple[str, int] | None:
    """Return the file that an array maps, if it still exists, and the offset in it."""
    outer: np.memmap[Any, Any] | None = None
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            outer = owner
        owner = owner.base
    if outer is None or outer.mode != "r":  # in other modes the array may differ from the file
        return None
    if outer.filename is None or not Path(outer.filename).is_file():
        return None
    return str(outer.filename), int(outer.offset) + address(array) - address(outer)
