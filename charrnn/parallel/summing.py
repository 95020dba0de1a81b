"""The sum of the gradients of all shards, in an order that depends only on their number.

Floating-point addition is not associative, so a different order gives different bits. Here every
number is the sum over groups of ``GROUP`` consecutive shards; a group is summed shard by shard::

    (g0 + g1 + ... + g15) + (g16 + ... + g31) + ...

A machine with a whole group sums it locally, and sends one sum instead of 16 gradients.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from charrnn.backend.arrays import Array

GROUP = 16
"""Shards per group: 512 streams, the work of a machine with 16 cores. Up to this many shards, the
sum is simply sequential."""


@dataclass(frozen=True)
class Term:
    """One term of the sum of a group.

    Attributes
    ----------
    machine : int
        The machine that has the gradients.
    shards : range
        The shards that are summed there; several only at the beginning of a group.
    """

    machine: int
    shards: range


def terms_of(machines: Sequence[int]) -> list[list[Term]]:
    """Return the terms of each group, in order.

    Parameters
    ----------
    machines : sequence of int
        The machine of each shard.
    """
    groups = []
    for start in range(0, len(machines), GROUP):
        group = range(start, min(start + GROUP, len(machines)))
        stop = start
        while stop < group.stop and machines[stop] == machines[start]:
            stop += 1
        first = Term(machines[start], range(start, stop))
        rest = [Term(machines[shard], range(shard, shard + 1)) for shard in group[stop - start :]]
        groups.append([first, *rest])
    return groups


class Sums:
    """Sums gradients that are all in the memory of this machine.

    Parameters
    ----------
    grads : sequence of (P,) array
        The gradients of the shards; the first one becomes the sum.
    """

    def __init__(self, grads: Sequence[Array]) -> None:
        self.grads = grads

    @property
    def is_spread(self) -> bool:
        """Whether the gradients are on several machines."""
        return False

    @property
    def is_away(self) -> bool:
        """Whether this process does not share memory with the one that saves."""
        return False

    @property
    def bytes_sent(self) -> int:
        """Bytes that a machine sends to others per step."""
        return 0

    def or_abort(self) -> AbstractContextManager[None]:
        """Return a context manager for code during which others may wait for this process."""
        return nullcontext()

    def fetch(self) -> None:
        """Fetch the terms of other machines: there are none."""

    def spread(self, theta: Array) -> None:
        """Send the updated weights to other machines: there are none."""

    def total(self, part: slice) -> Array:
        """Sum a part into the first gradient, and return it."""
        total = self.grads[0][part]
        for number, (first, *rest) in enumerate(self._groups(part, total)):
            of_group = first.copy() if number else total
            if not number and first is not total:
                np.copyto(total, first)
            for values in rest:
                np.add(of_group, values, out=of_group)
            if number:
                np.add(total, of_group, out=total)
        return total

    def _groups(self, part: slice, total: Array) -> list[list[Array]]:
        """Return the terms of a part by groups; ``total`` is the gradient of the first shard."""
        values = [total, *(grad[part] for grad in self.grads[1:])]
        return [values[start : start + GROUP] for start in range(0, len(values), GROUP)]
