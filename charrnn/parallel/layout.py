"""Which rank is on which machine, and what of the work is dealt to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.parallel.sharding import shard_columns


@dataclass(frozen=True)
class Layout:
    """The ranks by machine, in their order; rank 0 is the first of the first machine.

    Attributes
    ----------
    machines : tuple of tuple of int
        The ranks of each machine. Those of one machine share memory.
    """

    machines: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(heads: Sequence[int]) -> "Layout":
        """Return the layout from the first rank of the machine of each rank."""
        order = sorted(set(heads))
        return Layout(
            tuple(tuple(r for r, own in enumerate(heads) if own == head) for head in order)
        )

    def first(self, count: int) -> "Layout":
        """Return the layout of so many ranks."""
        kept = (tuple(rank for rank in ranks if rank < count) for ranks in self.machines)
        return Layout(tuple(ranks for ranks in kept if ranks))

    @property
    def size(self) -> int:
        """The number of ranks."""
        return sum(map(len, self.machines))

    def seat(self, rank: int) -> tuple[int, int]:
        """Return the machine of a rank, and its place there."""
        for machine, ranks in enumerate(self.machines):
            if rank in ranks:
                return machine, ranks.index(rank)
        raise ValueError(f"rank {rank} is not in the layout")

    def shards(self, count: int) -> list[range]:
        """Deal shards to the ranks: those of a machine lie in a row, so that it adds them up."""
        order = [rank for ranks in self.machines for rank in ranks]
        dealt = [range(0)] * len(order)
        for rank, part in zip(order, shard_columns(count, len(order)), strict=True):
            dealt[rank] = range(part.start, part.stop)
        return dealt

    def machines_of(self, dealt: Sequence[range]) -> list[int]:
        """Return the machine of each shard."""
        found = {shard: self.seat(rank)[0] for rank, own in enumerate(dealt) for shard in own}
        return [found[shard] for shard in range(len(found))]
