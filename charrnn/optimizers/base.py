"""Optimisers, as updates of slices of one flat vector.

Every optimiser keeps its state in vectors as long as the parameters. ``update`` is given a slice
and touches nothing outside it, so that workers can share the work, and goes through it in blocks
that stay in the cache.

Dimensions
    P parameters, R rows and K columns of a part of a matrix.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from charrnn.nn.parameters import Array, Parameters

BLOCK = 2**14
"""Parameters updated at a time: with gradient and state they fill a part of the L2 cache."""
ROWS = 128
"""Rows of a matrix that are updated together, where its rows matter."""


@dataclass(frozen=True)
class HiddenRows:
    """Rows of a matrix (R, K) of the flat vector, some columns of which read hidden features.

    Attributes
    ----------
    part : slice
        Where they lie in the flat vector, row after row.
    width : int
        K.
    hidden : tuple of slice
        The columns whose input is a layer's output, as against one-hot columns and biases.
    """

    part: slice
    width: int
    hidden: tuple[slice, ...]

    @property
    def others(self) -> list[slice]:
        """The columns between and beside the hidden ones."""
        borders = [
            0,
            *(border for run in self.hidden for border in (run.start, run.stop)),
            self.width,
        ]
        between = zip(borders[::2], borders[1::2], strict=True)
        return [slice(start, stop) for start, stop in between if start < stop]


def hidden_rows(
    parameters: Parameters, hidden: Mapping[str, tuple[slice, ...]]
) -> list[HiddenRows]:
    """Cut the matrices that have ``hidden`` columns into runs of at most ``ROWS`` rows."""
    found, start = [], 0
    for name, shape in parameters.shapes.items():
        stop = start + prod(shape)
        if name in hidden:
            step = ROWS * shape[1]
            found += [
                HiddenRows(slice(first, min(first + step, stop)), shape[1], hidden[name])
                for first in range(start, stop, step)
            ]
        start = stop
    return found


def parts(size: int, rows: Sequence[HiddenRows] = ()) -> list[slice]:
    """Tile a flat vector: rows of a matrix that belong together, and blocks of all else."""
    tiles, start = [], 0
    for whole in [run.part for run in rows] + [slice(size, size)]:
        tiles += [*blocks(slice(start, whole.start)), *([whole] if whole.start < size else [])]
        start = whole.stop
    return tiles


def blocks(part: slice) -> Iterator[slice]:
    """Cut a slice into pieces of at most ``BLOCK``."""
    for start in range(part.start, part.stop, BLOCK):
        yield slice(start, min(start + BLOCK, part.stop))


class Optimizer(ABC):
    """Moves parameters against their gradient.

    Parameters
    ----------
    theta, grad : (P,) arrays
        The parameters and the gradient.
    zeros : callable
        Makes the state vectors.
    weight_decay : float
        Added to the gradient as ``weight_decay * theta`` (L2), except where a class decouples it.
    rows : sequence of HiddenRows
        The matrices among the parameters, for optimisers to which they are more than numbers.
        ``update`` gets each whole.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    default_learning_rate: ClassVar[float]
    default_weight_decay: ClassVar[float] = 0.0

    def __init__(
        self,
        theta: Array,
        grad: Array,
        *,
        zeros: Callable[[int, np.dtype[np.floating]], Array] = np.zeros,
        weight_decay: float = 0.0,
        rows: Sequence[HiddenRows] = (),
    ) -> None:
        self.theta, self.grad, self.weight_decay = theta, grad, weight_decay
        self.rows = {run.part.start: run for run in rows}
        self.state = {name: zeros(theta.size, theta.dtype) for name in self.slots}

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update ``theta[part]``; ``step`` counts from 1, ``scale`` multiplies the gradient."""
        scratch = np.empty(BLOCK, self.theta.dtype)  # its own: other workers may be threads
        for block in blocks(part):
            views = [vector[block] for vector in self._vectors]
            self._apply(
                *views,
                tmp=scratch[: views[0].size],
                learning_rate=learning_rate,
                step=step,
                scale=scale,
            )

    @property
    def _vectors(self) -> list[Array]:
        return [self.theta, self.grad, *self.state.values()]

    def _apply(
        self,
        theta: Array,
        grad: Array,
        *state: Array,
        tmp: Array,
        learning_rate: float,
        step: int,
        scale: float,
    ) -> None:
        """Update some parameters, of any shape, each by itself."""
        if scale != 1:
            np.multiply(grad, scale, out=grad)
        self._decay(theta, grad, tmp, learning_rate)
        self._update(theta, grad, tmp, *state, learning_rate=learning_rate, step=step)

    def _decay(self, theta: Array, grad: Array, tmp: Array, learning_rate: float) -> None:
        if self.weight_decay:
            np.multiply(theta, self.weight_decay, out=tmp)
            np.add(grad, tmp, out=grad)

    @abstractmethod
    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        """Update in place; ``tmp`` is scratch, ``grad`` may be overwritten."""
