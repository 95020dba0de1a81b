"""The exchange between machines: gradient terms go to the ranks that sum them, weights back.

Dimensions
    P parameters, M machines, L ranks per machine.

Within a machine, all ranks share memory. Between machines, each rank communicates with the ranks of
the same local index: for each of them, it sums its machine's terms of the parameters which that
rank owns, and sends them; after the update, it sends the parameters that it owns. A machine sends
P (M - 1) / M numbers in each direction if it has whole groups of shards (see ``summing``), as in a
ring all-reduce.
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
"""Message tags."""


class MachineSums(Sums):
    """Sums gradients; each machine has those of its own shards.

    Parameters
    ----------
    grads : sequence of (P,) array
        The gradients of the shards; those of other machines are not filled here. The first one
        becomes the sum, for the parts that this rank owns.
    layout : Layout
        The layout of the working ranks.
    machines : sequence of int
        The machine of each shard.
    parts : sequence of sequence of slice
        The parts of the parameters that each rank owns.
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
        """Return the state that is the same on all ranks; each rank creates the rest."""
        own = ("_ranks", "_starts", "_received")
        kept = {name: value for name, value in self.__dict__.items() if name not in own}
        return {**kept, "_received": {}}

    @property
    def is_spread(self) -> bool:
        """Whether the gradients are on several machines: always true."""
        return True

    @property
    def is_away(self) -> bool:
        """Whether this rank is on a different machine than rank 0."""
        return self._machine != 0

    @property
    def bytes_sent(self) -> int:
        """Average number of bytes that a machine sends per step."""
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
        """The start of each own part in a message, by its start in the vector."""
        starts, at = {}, 0
        for part in self.parts[self._ranks.number]:
            starts[part.start] = at
            at += part.stop - part.start
        return starts

    def _partners(self, *, share: bool) -> Iterator[tuple[int, int]]:
        """Yield the machine and the number of ranks on other machines.

        With ``share``, all ranks that this one sends terms to and receives weights from; without
        it, the one rank of each machine that it receives terms from and sends weights to.
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
        """Abort all ranks if an error occurs here."""
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
        """Return this machine's terms for the parts that a rank owns, one per row."""
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
        """Send the weights that this rank has updated to the other machines, and receive theirs."""
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
