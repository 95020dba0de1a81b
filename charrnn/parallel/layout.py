"""Which rank is on which machine, and which work is assigned to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.parallel.sharding import shard_columns


@dataclass(frozen=True)
class Layout:
    """The ranks by machine, in order; rank 0 is the first one of the first machine.

    Attributes
    ----------
    machines : tuple of tuple of int
        The ranks of each machine; ranks of the same machine share memory.
    """

    machines: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(heads: Sequence[int]) -> "Layout":
        """Return the layout, given for each rank the first rank of its machine."""
        order = sorted(set(heads))
        return Layout(
            tuple(tuple(r for r, own in enumerate(heads) if own == head) for head in order)
        )

    def first(self, count: int) -> "Layout":
        """Return the layout of the first ``count`` ranks."""
        kept = (tuple(rank for rank in ranks if rank < count) for ranks in self.machines)
        return Layout(tuple(ranks for ranks in kept if ranks))

    @property
    def size(self) -> int:
        """The number of ranks."""
        return sum(map(len, self.machines))

    def seat(self, rank: int) -> tuple[int, int]:
        """Return the machine of a rank, and its index there."""
        for machine, ranks in enumerate(self.machines):
            if rank in ranks:
                return machine, ranks.index(rank)
        raise ValueError(f"rank {rank} is not in the layout")

    def shards(self, count: int) -> list[range]:
        """Assign consecutive shards to the ranks of a machine, so that it can sum them locally."""
        order = [rank for ranks in self.machines for rank in ranks]
        dealt = [range(0)] * len(order)
        for rank, part in zip(order, shard_columns(count, len(order)), strict=True):
            dealt[rank] = range(part.start, part.stop)
        return dealt

    def machines_of(self, dealt: Sequence[range]) -> list[int]:
        """Return the machine of each shard."""
        found = {shard: self.seat(rank)[0] for rank, own in enumerate(dealt) for shard in own}
        return [found[shard] for shard in range(len(found))]
