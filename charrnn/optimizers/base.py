"""The base class of optimizers, which update parts of one flat vector.

Every optimizer keeps its state in vectors of the same length as the parameters. ``update`` changes
only the part it is given, so that the parts can be distributed over workers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.optimizers.parts import BLOCK, HiddenRows, blocks


class Optimizer(ABC):
    """Updates parameters from their gradient.

    Parameters
    ----------
    theta, grad : (P,) arrays
        The parameters and the gradient.
    zeros : callable
        Allocates the state vectors.
    weight_decay : float
        Added to the gradient as ``weight_decay * theta`` (L2), except where a class decouples it.
    rows : sequence of HiddenRows
        The matrices among the parameters, in the order of the vector, for an optimizer that updates
        whole matrices.

    Attributes
    ----------
    parts : list of slice
        The slices to call ``update`` with; they partition the vector.
    default_learning_rate : float
        For at most 256 hidden units; halved for an RNN, except with Muon.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    default_learning_rate: ClassVar[float]
    default_weight_decay: ClassVar[float] = 0.0
    default_streams: ClassVar[int] = 32

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
        self.parts = self._cut(rows)
        self.state = {name: zeros(theta.size, theta.dtype) for name in self.slots}

    def _cut(self, rows: Sequence[HiddenRows]) -> list[slice]:
        return list(blocks(slice(0, self.theta.size)))

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update ``theta[part]``; ``step`` counts from 1, ``scale`` multiplies the gradient."""
        scratch = np.empty(BLOCK, self.theta.dtype)  # not shared, as other workers may be threads
        for block in blocks(part):
            theta, grad, *state = (vector[block] for vector in self._vectors)
            if scale != 1:
                np.multiply(grad, scale, out=grad)
            tmp = scratch[: theta.size]
            self._decay(theta, grad, tmp, learning_rate)
            self._update(theta, grad, tmp, *state, learning_rate=learning_rate, step=step)

    @property
    def _vectors(self) -> list[Array]:
        return [self.theta, self.grad, *self.state.values()]

    def _decay(self, theta: Array, grad: Array, tmp: Array, learning_rate: float) -> None:
        if self.weight_decay:
            np.multiply(theta, self.weight_decay, out=tmp)
            np.add(grad, tmp, out=grad)

    @abstractmethod
    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        """Update arrays of any shape in place; ``tmp`` is scratch, ``grad`` may be overwritten."""
