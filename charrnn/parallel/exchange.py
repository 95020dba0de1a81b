"""The exchange between machines: terms of gradients go to who sums them, and new weights back.

Dimensions
    P parameters, M machines, L ranks of one of them.

Within a machine all ranks read one memory. Between machines, the rank of a place deals with the
ranks of the same place elsewhere: for each, it adds up its machine's terms of what that rank owns
of the parameters and sends them; when the weights have moved, it sends what it owns itself. A
machine sends P (M - 1) / M numbers each way where it has whole groups of shards (see ``summing``),
as a ring would.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.parallel.layout import Layout
from charrnn.parallel.present import current
from charrnn.parallel.ranks import Ranks
from charrnn.parallel.summing import Sums, Term, terms_of

TERMS, WEIGHTS = 1, 2
"""Tags of messages."""


class MachineSums(Sums):
    """Sums gradients of which each machine has its own shards'.

    Parameters
    ----------
    grads : sequence of (P,) array
        The gradients of the shards: those of other machines are not filled here. The first becomes
        the sum, of the parts that this rank owns.
    layout : Layout
        Of the ranks that work.
    machines : sequence of int
        The machine of each shard.
    parts : sequence of sequence of slice
        What of the parameters each rank owns.
    """

    def __init__(
        self,
        grads: Sequence[Array],
        layout: Layout,
        machines: Sequence[int],
        parts: Sequence[Sequence[slice]],
    ) -> None:
        super().__init__(grads)
        self.layout, self.groups, self.parts = layout, terms_of(machines), parts
        self._received: dict[int, Array] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return what is the same on all ranks: they are made alike, each for itself."""
        own = ("_ranks", "_starts", "_received")
        kept = {name: value for name, value in self.__dict__.items() if name not in own}
        return {**kept, "_received": {}}

    @property
    def is_spread(self) -> bool:
        """Whether the gradients are on several machines: they are."""
        return True

    @property
    def is_away(self) -> bool:
        """Whether this rank is on another machine than rank 0."""
        return self._machine != 0

    @property
    def bytes_sent(self) -> int:
        """What a machine sends in a step, in bytes, on the average."""
        layout, size = self.layout, self.grads[0].itemsize
        numbers = 0
        for machine, ranks in enumerate(layout.machines):
            away = [rank for rank in range(layout.size) if rank not in ranks]
            numbers += len(self._terms(machine)) * sum(map(self._length, away))
            numbers += (len(layout.machines) - 1) * sum(map(self._length, ranks))
        return numbers * size // len(layout.machines)

    @cached_property
    def _ranks(self) -> Ranks:
        ranks = current()
        assert ranks is not None
        return ranks

    @property
    def _machine(self) -> int:
        return self.layout.seat(self._ranks.number)[0]

    def _terms(self, machine: int) -> list[Term]:
        return [term for group in self.groups for term in group if term.machine == machine]

    def _length(self, rank: int) -> int:
        return sum(part.stop - part.start for part in self.parts[rank])

    @cached_property
    def _starts(self) -> dict[int, int]:
        """Where each own part begins in a message, by where it begins in the vector."""
        starts, at = {}, 0
        for part in self.parts[self._ranks.number]:
            starts[part.start] = at
            at += part.stop - part.start
        return starts

    def _partners(self, *, share: bool) -> Iterator[tuple[int, int]]:
        """Yield the machine and number of ranks elsewhere.

        With ``share``, all that this rank sends terms to and has weights from; without it, the one
        of each machine that it has terms from and sends weights to.
        """
        here, place = self.layout.seat(self._ranks.number)
        count = len(self.layout.machines[here])
        for machine, ranks in enumerate(self.layout.machines):
            if machine == here:
                continue
            if not share:
                yield machine, ranks[place % len(ranks)]
                continue
            for other, rank in enumerate(ranks):
                if other % count == place:
                    yield machine, rank

    def or_abort(self) -> AbstractContextManager[None]:
        """End all ranks if anything goes wrong here."""
        return self._ranks.or_abort()

    def fetch(self) -> None:
        """Exchange the terms of the gradients between machines."""
        ranks, mine = self._ranks, self._length(self._ranks.number)
        dtype = self.grads[0].dtype
        requests, self._received = [], {}
        for machine, rank in self._partners(share=False):
            terms = self._terms(machine)
            rows = np.empty((len(terms), mine), dtype)
            self._received |= {
                term.shards.start: row for term, row in zip(terms, rows, strict=True)
            }
            requests.append(ranks.comm.Irecv(rows, rank, TERMS))
        for _, rank in self._partners(share=True):
            requests.append(ranks.comm.Isend(self._packed_terms(rank), rank, TERMS))
        ranks.wait(requests)

    def _packed_terms(self, rank: int) -> Array:
        """Return this machine's terms of what a rank owns, a row each."""
        terms = self._terms(self._machine)
        rows = np.empty((len(terms), self._length(rank)), self.grads[0].dtype)
        for term, row in zip(terms, rows, strict=True):
            first, *rest = (self.grads[shard] for shard in term.shards)
            for part, values in _cut(row, self.parts[rank]):
                np.copyto(values, first[part])
                for grad in rest:
                    np.add(values, grad[part], out=values)
        return rows

    def spread(self, theta: Array) -> None:
        """Send the weights that this rank has moved to the other machines, and take theirs."""
        ranks = self._ranks
        own = self.parts[ranks.number]
        sent = np.concatenate([theta[part] for part in own]) if own else np.empty(0, theta.dtype)
        arriving = {
            rank: np.empty(self._length(rank), theta.dtype)
            for _, rank in self._partners(share=True)
        }
        requests = [ranks.comm.Irecv(rows, rank, WEIGHTS) for rank, rows in arriving.items()]
        for _, rank in self._partners(share=False):
            requests.append(ranks.comm.Isend(sent, rank, WEIGHTS))
        ranks.wait(requests)
        for rank, row in arriving.items():
            for part, values in _cut(row, self.parts[rank]):
                theta[part] = values

    def _groups(self, part: slice, total: Array) -> list[list[Array]]:
        here, start = self._machine, self._starts[part.start]
        there = slice(start, start + part.stop - part.start)
        groups = []
        for terms in self.groups:
            values: list[Array] = []
            for term in terms:
                if term.machine != here:
                    values.append(self._received[term.shards.start][there])
                    continue
                values += [total if s == 0 else self.grads[s][part] for s in term.shards]
            groups.append(values)
        return groups


def _cut(row: Array, parts: Sequence[slice]) -> Iterator[tuple[slice, Array]]:
    """Yield each part with its values in a message."""
    at = 0
    for part in parts:
        size = part.stop - part.start
        yield part, row[at : at + size]
        at += size
