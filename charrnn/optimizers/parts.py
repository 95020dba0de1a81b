"""How a flat vector of parameters is cut into the parts that are updated one by one.

Dimensions
    P parameters, R rows and K columns of a piece of a matrix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from charrnn.nn.parameters import Parameters

BLOCK = 2**14
"""Parameters updated at a time: with gradient and state they fill a part of the L2 cache."""
ROWS = 128
"""At most so many rows of a matrix are updated together, where rows matter to each other."""


@dataclass(frozen=True)
class HiddenRows:
    """Rows of a matrix (R, K) of the flat vector, some columns of which read learned features.

    Attributes
    ----------
    part : slice
        Where they lie in the flat vector, row after row.
    width : int
        K.
    hidden : tuple of slice
        The columns that read learned features, as against one-hot columns and biases.
    """

    part: slice
    width: int
    hidden: tuple[slice, ...]

    @property
    def others(self) -> list[slice]:
        """The columns between and beside the hidden ones."""
        inner = [border for columns in self.hidden for border in (columns.start, columns.stop)]
        borders = [0, *inner, self.width]
        between = zip(borders[::2], borders[1::2], strict=True)
        return [slice(start, stop) for start, stop in between if start < stop]


def hidden_rows(
    parameters: Parameters, hidden: Mapping[str, tuple[slice, ...]]
) -> list[HiddenRows]:
    """Cut the matrices that have ``hidden`` columns into even pieces of at most ``ROWS`` rows."""
    found, start = [], 0
    for name, shape in parameters.shapes.items():
        if name in hidden:
            rows, width = shape
            count = -(-rows // ROWS)
            borders = [start + width * (rows * index // count) for index in range(count + 1)]
            found += [
                HiddenRows(slice(first, stop), width, hidden[name])
                for first, stop in pairwise(borders)
            ]
        start += prod(shape)
    return found


def blocks(part: slice) -> Iterator[slice]:
    """Cut a slice into pieces of at most ``BLOCK``."""
    for start in range(part.start, part.stop, BLOCK):
        yield slice(start, min(start + BLOCK, part.stop))
