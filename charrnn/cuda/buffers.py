"""GPU buffers that are shared by windows of different shapes."""

from math import prod

import numpy as np

from charrnn.cuda.backend import Backend, DeviceArray

BF16 = np.uint16
"""The type of a bf16 array on the host."""


class Buffers:
    """Named memory; a window that needs less than another uses its beginning.

    Memory that became too small is kept, as recorded work still reads and writes it.

    Parameters
    ----------
    backend : Backend
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._memory: dict[str, DeviceArray] = {}
        self._outgrown: list[DeviceArray] = []

    def take(self, name: str, *shape: int, dtype: type[np.generic] = np.float32) -> DeviceArray:
        """Return an array of this shape with undefined content.

        The least memory is used if the largest window comes first.
        """
        size = prod(shape)
        memory = self._memory.get(name)
        if memory is None:
            memory = self._memory[name] = self._backend.zeros(size, dtype)
        elif memory.size < size:  # twice as large, so that growing windows do not fill the GPU
            self._outgrown.append(memory)
            memory = self._memory[name] = self._backend.zeros(max(size, 2 * memory.size), dtype)
        return memory[:size].reshape(shape)

    def operand(self, name: str, *shape: int) -> "Operand":
        """Return an array for the operands of matrix products."""
        shadow = None
        if self._backend.precision == "bf16":
            shadow = self.take(f"{name} in bf16", *shape, dtype=BF16)
        return Operand(self.take(name, *shape), shadow)


class Operand:
    """A float32 array that matrix products read, with a bf16 copy if that is the precision.

    Attributes
    ----------
    values : float32 array
    shadow : uint16 array or None
        The copy in bf16; code that writes ``values`` must write it too.
    """

    def __init__(self, values: DeviceArray, shadow: DeviceArray | None) -> None:
        self.values, self.shadow = values, shadow

    @property
    def read(self) -> DeviceArray:
        """The array that products read."""
        return self.values if self.shadow is None else self.shadow

    def __getitem__(self, part: int | slice) -> "Operand":
        return Operand(self.values[part], None if self.shadow is None else self.shadow[part])

    def reshape(self, *shape: int) -> "Operand":
        """Return a view with another shape."""
        shadow = None if self.shadow is None else self.shadow.reshape(shape)
        return Operand(self.values.reshape(shape), shadow)
