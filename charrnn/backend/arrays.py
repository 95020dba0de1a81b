"""Array types, reusable buffers, and arrays in shared memory."""

import sys
from math import prod

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.memory import is_opened, new_memory

Array = NDArray[np.floating]
Ids = NDArray[np.integer]

CACHE_BYTES = 2**18
"""The part of a core's L2 cache that one buffer may fill."""

FORKS = sys.platform == "linux" and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether workers are forked processes, which inherit memory shared before the fork."""


def shared_zeros(size: int, dtype: np.dtype[np.floating]) -> Array:
    """Return a zero vector (size,) shared with processes forked later, or with all ranks."""
    if size == 0 or not (FORKS or is_opened()):
        return np.zeros(size, dtype)
    return np.frombuffer(new_memory(size * dtype.itemsize), dtype)


class Workspace:
    """Named buffers that grow on demand; requesting a name again reuses its buffer."""

    def __init__(self) -> None:
        self._flat: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> Array:
        """Return the buffer with this name in this shape; its content is undefined."""
        size = prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size:
            flat = self._flat[name] = np.empty(size, dtype)
        return flat[:size].reshape(shape)


def swap_time(x: Array, out: Array | None = None) -> Array:
    """Copy an array (T, F, N) as (F, T, N), or the reverse, to ``out`` or to a new array.

    The N numbers of a row are copied as one item, twice as fast as one by one.
    """
    if out is None:
        out = np.empty((x.shape[1], x.shape[0], x.shape[2]), x.dtype)
    if len(x) == 1:  # as in sampling, where the overhead of each call matters
        out[:, 0] = x[0]
        return out
    item = np.dtype((np.void, x.shape[-1] * x.itemsize))
    out.view(item)[..., 0] = x.view(item)[..., 0].T
    return out


def steps_in_cache(T: int, bytes_per_step: int) -> int:
    """Return how many of the T steps of a buffer fit into ``CACHE_BYTES``, at least 1."""
    return max(1, min(T, CACHE_BYTES // bytes_per_step))
