"""Workers as bytes for other processes, the large arrays in them beside these bytes.

A view of shared memory stays one: what is packed is the region and the place in it. Any other
large array is copied once into such a region, so that the ranks of a machine read one text. They
map it copy-on-write: what one writes there is its own, as after a fork.
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
"""Bytes from which an array is not sent with the rest."""


@dataclass(frozen=True)
class Region:
    """A region that workers use, as other processes are told of it.

    Attributes
    ----------
    size : int
        In bytes.
    file : int
        Its descriptor in the process that packed; -1 where it has none.
    written : bool
        Whether it has other numbers than zeros.
    private : bool
        Whether what a process writes there is to be seen by no other.
    path : str
        The file that it maps, from ``offset`` on; empty for memory.
    offset : int
    """

    size: int
    file: int = -1
    written: bool = True
    private: bool = False
    path: str = ""
    offset: int = 0


class Packer:
    """Packs the workers of a team.

    Attributes
    ----------
    memories : list of buffer
        The regions, held for as long as others may open them.
    regions : list of Region
        What others are told of them.
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
        """Return how others find an array; None where it is to be sent with the rest."""
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
        """Put an array into a region of its own: where it is of a file, into none."""
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
    """Return what was packed, its large arrays in these regions."""
    return _Unpickler(packed, memories).load()


def _file_of(array: NDArray[np.generic]) -> tuple[str, int] | None:
    """Return the file whose numbers an array maps, if it is there, and where it begins in it."""
    outer: np.memmap[Any, Any] | None = None
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            outer = owner
        owner = owner.base
    if outer is None or outer.mode != "r":  # any other may have numbers that the file has not
        return None
    if outer.filename is None or not Path(outer.filename).is_file():
        return None
    return str(outer.filename), int(outer.offset) + address(array) - address(outer)
