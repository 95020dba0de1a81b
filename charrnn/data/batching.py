"""Batches of items: shuffled, with similar lengths in the same batch.

Dimensions
    k items, N items per batch.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

SORTED_BATCHES = 8
"""Number of batches whose items are sorted by length together, to reduce padding."""
NONE = -1
"""Marks an empty place in a batch."""


def batches_by_length(
    items: Numbers, lengths: Numbers, batch_size: int, rng: np.random.Generator
) -> list[Numbers]:
    """Return batches of items in a random order, each sorted by length.

    Parameters
    ----------
    items : (k,) int array
        The numbers of the items.
    lengths : int array
        The length of each item, indexed by its number.
    batch_size : int
        N; one batch may have fewer.
    rng : Generator
        Shuffles the items.
    """
    N = batch_size
    order = np.full(-(-len(items) // N) * N, NONE, np.int64)
    order[: len(items)] = items[rng.permutation(len(items))]
    for start in range(0, len(order), SORTED_BATCHES * N):
        chunk = order[start : start + SORTED_BATCHES * N]
        of_chunk = np.where(chunk == NONE, 0, lengths[chunk])
        batches = chunk[np.argsort(of_chunk, kind="stable")].reshape(-1, N)
        order[start : start + SORTED_BATCHES * N] = rng.permutation(batches).reshape(-1)
    return [batch[batch != NONE] for batch in order.reshape(-1, N)]
