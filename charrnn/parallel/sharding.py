"""Splitting streams into shards, and assigning shards to workers.

The sums of a step depend on the split, so a run stores it: no result depends on the number of
workers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

Term = TypeVar("Term", bound=Any)

LEAST_STREAMS = 16
"""Streams of a shard: fewer waste more of a core than another core gains."""
MOST_STREAMS = 32
SHARD_BYTES = 2**27


def shard_count(streams: int, stream_bytes: int = 0, cores: int = 1) -> int:
    """Return the number of shards for a number of streams.

    There are at least two shards if that leaves 8 streams in each, to occupy two cores, and as many
    as there are cores, as far as each keeps ``LEAST_STREAMS``. A shard has at most 32 streams, to
    occupy more cores; larger products are not faster. The maximum is 16 if the buffers of 32
    streams would take more than ``SHARD_BYTES``. On a processor without AVX-512 (AMD EPYC), an LSTM
    of 2 x 512 trains 1.27 times as fast with 32 as with 16, and takes 45 MB more.

    Leave ``cores`` at 1 for a result that must not depend on the machine.
    """
    limit = MOST_STREAMS // (2 if MOST_STREAMS * stream_bytes > SHARD_BYTES else 1)
    least = max(1 if streams < 16 else 2, min(cores, streams // LEAST_STREAMS))
    return max(least, -(-streams // limit))


def shard_columns(streams: int, shards: int) -> list[slice]:
    """Split streams into shards whose sizes differ by at most one."""
    borders = [streams * index // shards for index in range(shards + 1)]
    return [slice(*border) for border in pairwise(borders)]


def deal(shards: range, threads: int) -> list[range]:
    """Assign shards to at most ``threads`` workers, round-robin."""
    workers = max(1, min(threads, len(shards)))
    return [shards[worker::workers] for worker in range(workers)]


def in_order(dealt: Sequence[range], results: Sequence[Sequence[Term]]) -> list[Term]:
    """Return the results of the workers in the order of the shards."""
    found = {
        shard: value
        for own, result in zip(dealt, results, strict=True)
        for shard, value in zip(own, result, strict=True)
    }
    return [found[shard] for shard in sorted(found)]


def collect(results: Sequence[Sequence[Term]], total: Term) -> Term:
    """Add the results of the workers to ``total``, in the order of the round-robin assignment."""
    for turn in range(max(map(len, results))):
        for result in results:
            if turn < len(result):
                total = total + result[turn]
    return total
