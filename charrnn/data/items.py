"""A text as items, one a line: names, titles, log lines.

Dimensions
    T steps of a batch's longest item and its end, N items of a batch, n characters.

An item is read from a zero state: a line end is its start symbol, and its own line end, which is
predicted too, ends it. Empty lines are no items.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from charrnn.data.windows import Window
from charrnn.text.vocabulary import LINE_END, Codes, Vocabulary

SORTED_BATCHES = 8
"""Batches whose items are sorted by length together, so that few steps are spent on padding."""
STEPS_MULTIPLE = 4
"""T is a multiple of this: buffers that keep their shape are used again."""


def as_lines(codes: Codes, line_end: int = LINE_END) -> Codes:
    """Return a text, codes or ids, without its empty lines, every line with an end."""
    if not len(codes):
        return codes
    ends = codes == line_end
    after_end = np.concatenate([[True], ends[:-1]])
    kept: Codes = codes[~(ends & after_end)]
    if not len(kept) or kept[-1] == line_end:
        return kept
    return np.append(kept, kept.dtype.type(line_end))


def chunks_of_lines(codes: Codes, size: int = 1 << 20) -> Iterator[Codes]:
    """Return a text as ``as_lines`` does, in chunks of whole lines of about so many characters."""
    start = 0
    while start < len(codes):
        stop = min(start + size, len(codes))
        while stop < len(codes) and codes[stop - 1] != LINE_END:  # to the end of its last line
            ends = np.flatnonzero(codes[stop : stop + size] == LINE_END)
            stop = stop + int(ends[0]) + 1 if len(ends) else min(stop + size, len(codes))
        lines = as_lines(np.asarray(codes[start:stop]))
        if len(lines):
            yield lines
        start = stop


def line_end_id(vocabulary: Vocabulary) -> int:
    """Return the id of the line end."""
    return int(vocabulary.encode(np.array([LINE_END], np.uint8))[0])


def lines_from_end(codes: Codes, fraction: float) -> int:
    """Return how many characters the last lines take that are this fraction of all lines."""
    ends = codes == LINE_END
    starts = np.flatnonzero(np.concatenate([[True], ends[:-1]]) & ~ends)
    count = int(len(starts) * fraction)
    return len(codes) - int(starts[-count]) if count else 0


class Items:
    """Batches of whole items: every item once an epoch, in an order of its own.

    The order follows from the seed and the epoch, so that a run that is resumed needs no more.

    Parameters
    ----------
    codes : (n,) int array
        From ``as_lines``.
    vocabulary : Vocabulary
        Knows every character of the text, the line end among them.
    batch_size : int
        N, the items of a batch; the last batch of an epoch may have fewer.
    random_seed : int
    """

    def __init__(
        self, codes: Codes, vocabulary: Vocabulary, batch_size: int, random_seed: int
    ) -> None:
        self.codes, self.vocabulary, self.batch_size = codes, vocabulary, batch_size
        self._random_seed = random_seed
        ends = np.flatnonzero(codes == LINE_END)
        self._starts = np.concatenate([[0], ends[:-1] + 1])
        self.lengths = ends - self._starts
        self.seq_len = steps_of(int(self.lengths.max(initial=0)))
        self._line_end = line_end_id(vocabulary)
        self.steps_per_epoch = -(-len(ends) // batch_size)
        self._epoch = lru_cache(maxsize=1)(self._shuffle)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.lengths)

    @property
    def symbols_per_step(self) -> float:
        """How many symbols a batch has in the mean, line ends among them."""
        return len(self.codes) / self.steps_per_epoch

    def symbols(self, step: int) -> int:
        """Return how many symbols the batch of a step has; steps count from 1."""
        items = self._batch(step)
        items = items[items >= 0]
        return int(self.lengths[items].sum()) + len(items)

    def steps(self, step: int) -> int:
        """Return T: what the longest item of the batch of a step takes."""
        items = self._batch(step)
        return steps_of(int(self.lengths[items[items >= 0]].max()))

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step; behind an item's end nothing is scored."""
        items = self._batch(step)
        T = self.steps(step)
        items = items[columns]
        lengths = np.where(items >= 0, self.lengths[items], -1)
        steps = np.arange(T)[:, np.newaxis]
        places = np.minimum(self._starts[items] + steps, len(self.codes) - 1)
        targets = self.vocabulary.encode(self.codes[places].reshape(-1)).reshape(places.shape)
        targets[steps >= lengths] = self._line_end
        ids = np.concatenate([np.full((1, len(items)), self._line_end), targets[:-1]])
        return Window(ids, targets, steps <= lengths)

    def _batch(self, step: int) -> npt.NDArray[np.int64]:
        """Return the numbers (N,) of the items of a step; -1 for none."""
        epoch, batch = divmod(step - 1, self.steps_per_epoch)
        items: npt.NDArray[np.int64] = self._epoch(epoch)[batch]
        return items

    def _shuffle(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the batches of an epoch, as numbers (steps_per_epoch, N) of items."""
        rng = np.random.default_rng([self._random_seed, epoch])
        order = np.full(self.steps_per_epoch * self.batch_size, -1, np.int64)
        order[: len(self)] = rng.permutation(len(self))
        size = SORTED_BATCHES * self.batch_size
        for start in range(0, len(order), size):
            chunk = order[start : start + size]
            chunk = chunk[np.argsort(np.where(chunk < 0, -1, self.lengths[chunk]), kind="stable")]
            batches = rng.permutation(chunk.reshape(-1, self.batch_size))
            order[start : start + size] = batches.reshape(-1)
        return order.reshape(-1, self.batch_size)


def steps_of(length: int) -> int:
    """Return T for items of at most so many characters, their end counted in."""
    return -(-(length + 1) // STEPS_MULTIPLE) * STEPS_MULTIPLE
