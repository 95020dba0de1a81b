"""The sum of the shards' gradients, in an order that follows from their number alone.

Floating-point numbers that are added in another order add up to other bits. Here every number is
the sum of groups of ``GROUP`` shards in a row, and a group is added up shard by shard::

    (g0 + g1 + ... + g15) + (g16 + ... + g31) + ...

A machine that has a whole group adds it up alone and sends one sum, not 16 gradients.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from charrnn.backend.arrays import Array

GROUP = 16
"""Shards that are added up first: 512 streams, what a machine of 16 cores has. Up to so many, the
sum is that of all shards, one after another."""


@dataclass(frozen=True)
class Term:
    """What is added to the sum of a group at once.

    Attributes
    ----------
    machine : int
        Has the gradients.
    shards : range
        Added up there; several only where a group begins with them.
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
    """Sums gradients that are all in this machine's memory.

    Parameters
    ----------
    grads : sequence of (P,) array
        The gradients of the shards; the first becomes the sum.
    """

    def __init__(self, grads: Sequence[Array]) -> None:
        self.grads = grads

    @property
    def is_spread(self) -> bool:
        """Whether the gradients are on several machines."""
        return False

    @property
    def is_away(self) -> bool:
        """Whether this process shares no memory with the one that saves."""
        return False

    @property
    def bytes_sent(self) -> int:
        """What a machine sends to others in a step."""
        return 0

    def or_abort(self) -> AbstractContextManager[None]:
        """Return what is around all between two calls in which others may wait for this one."""
        return nullcontext()

    def fetch(self) -> None:
        """Bring here what is needed for the sums: nothing."""

    def spread(self, theta: Array) -> None:
        """Bring the weights that were moved to where they are not: nowhere."""

    def total(self, part: slice) -> Array:
        """Sum a part into the first gradient, and return it there."""
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
        """Return what is added up of a part, by groups; ``total`` is that of the first shard."""
        values = [total, *(grad[part] for grad in self.grads[1:])]
        return [values[start : start + GROUP] for start in range(0, len(values), GROUP)]
