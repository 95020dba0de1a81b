"""Buffers on the GPU that windows of different shapes share."""

from math import prod

import numpy as np

from charrnn.cuda.backend import Backend, DeviceArray

BF16 = np.uint16
"""How a bf16 array is kept on the host's side."""


class Buffers:
    """Named memory: a window that needs less of it than another uses the beginning.

    What a larger window outgrows stays where it is, for recorded work still reads and writes there.

    Parameters
    ----------
    backend : Backend
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._memory: dict[str, DeviceArray] = {}
        self._outgrown: list[DeviceArray] = []

    def take(self, name: str, *shape: int, dtype: type[np.generic] = np.float32) -> DeviceArray:
        """Return an array of this shape; what it holds is not defined.

        Least memory is taken where the largest window asks first.
        """
        size = prod(shape)
        memory = self._memory.get(name)
        if memory is None:
            memory = self._memory[name] = self._backend.zeros(size, dtype)
        elif memory.size < size:  # twice as large, so that windows that grow do not fill the GPU
            self._outgrown.append(memory)
            memory = self._memory[name] = self._backend.zeros(max(size, 2 * memory.size), dtype)
        return memory[:size].reshape(shape)

    def operand(self, name: str, *shape: int) -> "Operand":
        """Return an array that matrix products read."""
        shadow = None
        if self._backend.precision == "bf16":
            shadow = self.take(f"{name} in bf16", *shape, dtype=BF16)
        return Operand(self.take(name, *shape), shadow)


class Operand:
    """An array of float32 that matrix products read, in bf16 where that is the precision.

    Attributes
    ----------
    values : float32 array
    shadow : uint16 array or None
        The same in bf16; code that writes ``values`` writes it too.
    """

    def __init__(self, values: DeviceArray, shadow: DeviceArray | None) -> None:
        self.values, self.shadow = values, shadow

    @property
    def read(self) -> DeviceArray:
        """What products read."""
        return self.values if self.shadow is None else self.shadow

    def __getitem__(self, part: int | slice) -> "Operand":
        return Operand(self.values[part], None if self.shadow is None else self.shadow[part])

    def reshape(self, *shape: int) -> "Operand":
        """Return a view of another shape."""
        shadow = None if self.shadow is None else self.shadow.reshape(shape)
        return Operand(self.values.reshape(shape), shadow)
