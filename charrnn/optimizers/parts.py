"""Splitting a flat vector of parameters into the parts that are updated one by one.

Dimensions
    P parameters, R rows and K columns of a piece of a matrix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from charrnn.nn.parameters import Parameters

BLOCK = 2**14
"""Parameters updated at a time; with their gradient and state they fit in the L2 cache."""
ROWS = 128
"""Most rows of a matrix that are updated together, if the update depends on other rows."""


@dataclass(frozen=True)
class HiddenRows:
    """Rows of a matrix (R, K) in the flat vector, some columns of which read learned features.

    Attributes
    ----------
    part : slice
        Their range in the flat vector, in row-major order.
    width : int
        K, the number of columns.
    hidden : tuple of slice
        The columns that read learned features, as opposed to one-hot columns and biases.
    """

    part: slice
    width: int
    hidden: tuple[slice, ...]

    @property
    def others(self) -> list[slice]:
        """The columns that are not hidden."""
        inner = [border for columns in self.hidden for border in (columns.start, columns.stop)]
        borders = [0, *inner, self.width]
        between = zip(borders[::2], borders[1::2], strict=True)
        return [slice(start, stop) for start, stop in between if start < stop]


def hidden_rows(
    parameters: Parameters, hidden: Mapping[str, tuple[slice, ...]]
) -> list[HiddenRows]:
    """Split the matrices with ``hidden`` columns into even pieces of at most ``ROWS`` rows."""
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
    """Split a slice into pieces of at most ``BLOCK``."""
    for start in range(part.start, part.stop, BLOCK):
        yield slice(start, min(start + BLOCK, part.stop))
