"""Batches of items, such as names, poems or documents: each is learned from a zero state.

Dimensions
    T steps of a window, N items of a batch, L lanes, n characters.

Items that fit into a window are shuffled and learned whole, N at a time. Longer ones run through
windows of T steps with their state carried: they are laid one after another into lanes, which are
streams of their own, as many as keep all lanes about equally long. So a batch costs what its
characters cost, and one long item among many short ones takes its own length and no more.
"""

from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heapreplace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.data.windows import Window
from charrnn.text import Vocabulary
from charrnn.text.codes import LINE_END, Codes

Numbers = npt.NDArray[np.int64]

SORTED_BATCHES = 8
"""Batches whose items are sorted by length together, so that few steps are spent on padding."""
STEPS_MULTIPLE = 4
"""T is a multiple of this: buffers that keep their shape are used again."""
NONE = -1
"""The number of no item: a lane that has come to its end."""


class Batch(NamedTuple):
    """Where the streams of a step read.

    Attributes
    ----------
    items, offsets : (N,) or (L,) int arrays
        Which items, and from which of their symbols on.
    carried : bool
        Whether the streams are lanes, which go on in the next batch of lanes.
    """

    items: Numbers
    offsets: Numbers
    carried: bool


@dataclass(frozen=True, eq=False)
class Layout:
    """How the items of an epoch are cut into batches; the same for every order of them.

    Attributes
    ----------
    short, long : (k,) int arrays
        Items that fit into a window with their end, and those that do not.
    windows : (k,) int array
        How many windows each long one takes.
    short_batches : int
        Batches of whole items.
    lanes : int
        L, at most N: so many that the longest item alone would fill none of them much longer than
        the others.
    rows : int
        Windows of the longest lane.
    """

    short: Numbers
    long: Numbers
    windows: Numbers
    short_batches: int
    lanes: int
    rows: int

    @classmethod
    def of(cls, lengths: Numbers, batch_size: int, seq_len: int) -> "Layout":
        """Lay out items of these lengths, ends counted in."""
        short, long = np.flatnonzero(lengths <= seq_len), np.flatnonzero(lengths > seq_len)
        windows: Numbers = -(-lengths[long] // seq_len)
        lanes = rows = 0
        if len(long):
            lanes = max(1, min(batch_size, int(windows.sum()) // int(windows.max())))
            lengths_of_lanes = [0] * lanes  # a heap: the shortest comes first
            for count in np.sort(windows)[::-1].tolist():
                heapreplace(lengths_of_lanes, lengths_of_lanes[0] + count)
            rows = max(lengths_of_lanes)
        return cls(short, long, windows, -(-len(short) // batch_size), lanes, rows)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.short_batches + self.rows


class Items:
    """Every item once an epoch, in an order of its own.

    The order follows from the seed and the epoch, so that a run that is resumed needs no more.

    Parameters
    ----------
    codes : (n,) int array
        A divided text.
    vocabulary : Vocabulary
        Knows every character of the text, the end among them.
    batch_size : int
        N, the items of a batch; the last batch of an epoch may have fewer.
    seq_len : int
        T, the longest window, rounded up to a multiple of ``STEPS_MULTIPLE``.
    random_seed : int
        Shuffles the items.
    end : int
        The code that ends an item.
    """

    def __init__(
        self,
        codes: Codes,
        vocabulary: Vocabulary,
        batch_size: int,
        seq_len: int,
        random_seed: int,
        end: int = LINE_END,
    ) -> None:
        self.codes, self.vocabulary = codes, vocabulary
        self.batch_size, self.seq_len = batch_size, steps_of(seq_len)
        self._random_seed = random_seed
        self.lengths = lengths_of(codes, end)
        self._starts: Numbers = np.cumsum(self.lengths) - self.lengths
        self._end = id_of(vocabulary, end)
        self.layout = Layout.of(self.lengths, batch_size, self.seq_len)
        self.steps_per_epoch = self.layout.steps
        self._epoch = lru_cache(maxsize=1)(self._shuffle)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.lengths)

    @property
    def symbols_per_step(self) -> float:
        """How many symbols a batch has on average, ends among them."""
        return len(self.codes) / self.steps_per_epoch

    def symbols(self, step: int) -> int:
        """Return how many symbols the batch of a step has; steps count from 1."""
        return int(np.minimum(self._left(self._batch(step)), self.seq_len).sum())

    def steps(self, step: int) -> int:
        """Return T: what the longest item of the batch of a step takes."""
        return min(steps_of(int(self._left(self._batch(step)).max())), self.seq_len)

    def streams(self, step: int) -> int:
        """Return how many items the batch of a step has."""
        return len(self._batch(step).items)

    def window(self, step: int, columns: slice) -> Window:
        """Return the part of a step's batch that falls to some of N columns.

        Where a batch has fewer items than N, every part gets its share of them. Behind the end of
        an item nothing is scored.
        """
        batch = self._batch(step)
        T, count = self.steps(step), len(batch.items)
        start, stop, _ = columns.indices(self.batch_size)
        mine = slice(count * start // self.batch_size, count * stop // self.batch_size)
        items, offsets = batch.items[mine], batch.offsets[mine]
        lengths = np.where(items == NONE, 0, self.lengths[items])
        places = offsets + np.arange(-1, T)[:, np.newaxis]  # before the first symbol is an end
        read = np.minimum(self._starts[items] + np.maximum(places, 0), len(self.codes) - 1)
        symbols = self.vocabulary.encode(self.codes[read].reshape(-1)).reshape(read.shape)
        symbols[(places < 0) | (places >= lengths)] = self._end
        return Window(
            ids=symbols[:-1],
            targets=symbols[1:],
            scored=places[1:] < lengths,
            begins=offsets == 0,
            carried=batch.carried,
        )

    def _left(self, batch: Batch) -> Numbers:
        """Return how many symbols each item has from its offset on."""
        left: Numbers = np.where(batch.items == NONE, 0, self.lengths[batch.items] - batch.offsets)
        return left

    def _batch(self, step: int) -> Batch:
        epoch, number = divmod(step - 1, self.steps_per_epoch)
        return self._epoch(epoch)[number]

    def _shuffle(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch."""
        rng = np.random.default_rng([self._random_seed, epoch])
        short = self._batches_of_short(rng)
        if not self.layout.rows:
            return short
        rows = self._rows_of_lanes(rng)
        # Whole items are learned between the windows of long ones.
        is_row = np.zeros(self.steps_per_epoch, np.bool_)
        is_row[rng.permutation(self.steps_per_epoch)[: len(rows)]] = True
        kinds = (iter(short), iter(rows))
        return [next(kinds[kind]) for kind in is_row.astype(int).tolist()]

    def _batches_of_short(self, rng: np.random.Generator) -> list[Batch]:
        """Return the batches of whole items: similar lengths side by side."""
        N, short = self.batch_size, self.layout.short
        order = np.full(self.layout.short_batches * N, NONE, np.int64)
        order[: len(short)] = short[rng.permutation(len(short))]
        for start in range(0, len(order), SORTED_BATCHES * N):
            chunk = order[start : start + SORTED_BATCHES * N]
            lengths = np.where(chunk == NONE, 0, self.lengths[chunk])
            batches = chunk[np.argsort(lengths, kind="stable")].reshape(-1, N)
            order[start : start + SORTED_BATCHES * N] = rng.permutation(batches).reshape(-1)
        batches_of_items = (items[items != NONE] for items in order.reshape(-1, N))
        return [Batch(items, np.zeros_like(items), carried=False) for items in batches_of_items]

    def _rows_of_lanes(self, rng: np.random.Generator) -> list[Batch]:
        """Return the windows of the long items, laid into lanes.

        The longest comes first and each goes to the shortest lane, so that the lanes are as long
        in every epoch, whatever the order of equals.
        """
        long, windows = self.layout.long, self.layout.windows
        order = rng.permutation(len(long))
        order = order[np.argsort(-windows[order], kind="stable")]
        lanes: list[list[int]] = [[] for _ in range(self.layout.lanes)]
        heap = [(0, lane) for lane in range(len(lanes))]
        heapify(heap)
        for number in order.tolist():
            length, lane = heap[0]
            lanes[lane].append(number)
            heapreplace(heap, (length + int(windows[number]), lane))
        items = np.full((self.layout.rows, len(lanes)), NONE, np.int64)
        offsets = np.zeros_like(items)
        for lane, numbers in enumerate(lanes):
            row = 0
            for number in rng.permutation(numbers).tolist():
                rows = slice(row, row + int(windows[number]))
                items[rows, lane] = long[number]
                offsets[rows, lane] = np.arange(windows[number]) * self.seq_len
                row = rows.stop
        return [Batch(*row, carried=True) for row in zip(items, offsets, strict=True)]


def lengths_of(codes: Codes, end: int = LINE_END) -> Numbers:
    """Return the symbols of each item of a divided text, its end counted in."""
    lengths: Numbers = np.diff(np.flatnonzero(codes == end), prepend=-1)
    return lengths


def steps_per_epoch(codes: Codes, batch_size: int, seq_len: int, end: int = LINE_END) -> int:
    """Return how many batches ``Items`` makes of a divided text."""
    return Layout.of(lengths_of(codes, end), batch_size, steps_of(seq_len)).steps


def id_of(vocabulary: Vocabulary, code: int) -> int:
    """Return the id of a symbol that a vocabulary has."""
    return int(vocabulary.encode(np.array([code], np.uint32))[0])


def steps_of(symbols: int) -> int:
    """Return T for items of at most so many symbols, their end counted in."""
    return -(-symbols // STEPS_MULTIPLE) * STEPS_MULTIPLE
