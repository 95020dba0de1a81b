"""One flat vector of parameters with a named view of each weight.

Gradient clipping, optimizers and the sum over workers use the vector. Layers and checkpoints use
the views. Both refer to the same memory, so nothing is copied between them.
"""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from charrnn.backend.arrays import Array


class Parameters(Mapping[str, Array]):
    """Named arrays that share one flat vector.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        The name and shape of every weight, in the order of the vector.
    dtype : dtype
        float32 or float64.
    vector : (P,) array, optional
        The memory to use, for example shared memory. If omitted, a new vector of zeros.

    Attributes
    ----------
    vector : (P,) float array
        All values, concatenated.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike,
        vector: Array | None = None,
    ) -> None:
        self.shapes = dict(shapes)
        size = sum(map(prod, self.shapes.values()))
        self.vector: Array = np.zeros(size, dtype) if vector is None else vector
        self._views: dict[str, Array] = {}
        self._below: dict[str, dict[str, Array]] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + prod(shape)
            self._views[name] = self.vector[start:stop].reshape(shape)
            start = stop

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def fill(self, values: Mapping[str, Array]) -> None:
        """Copy the values of all weights from another mapping."""
        for name, view in self._views.items():
            view[...] = values[name]

    def below(self, prefix: str) -> dict[str, Array]:
        """Return the views whose names start with ``prefix + "."``, by the rest of their names."""
        if prefix not in self._below:
            self._below[prefix] = {
                name.removeprefix(f"{prefix}."): view
                for name, view in self._views.items()
                if name.startswith(f"{prefix}.")
            }
        return self._below[prefix]
