"""Batches of items, such as names, poems or documents, each trained on from a zero state.

Dimensions
    T steps per window, N items per batch, L lanes, n characters.

Items that fit in a window are shuffled and trained on whole, N at a time. Longer items are read in
windows of T steps with the state carried over: they are placed one after another in lanes, which
are separate streams; there are as many lanes as can be about equally long. So the cost of a batch
depends on its characters, and one long item among many short ones costs only its own length.
"""

from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import NamedTuple

import numpy as np

from charrnn.data.batching import NONE, Numbers, batches_by_length
from charrnn.data.windows import Window
from charrnn.text import Vocabulary
from charrnn.text.codes import LINE_END, Codes

STEPS_MULTIPLE = 4
"""T is a multiple of this, so that buffers of the same shape are reused."""


class Batch(NamedTuple):
    """The positions that the streams of a step read.

    Attributes
    ----------
    items, offsets : (N,) or (L,) int arrays
        The item of each stream, and the symbol in it where the window starts.
    carried : bool
        Whether the streams are lanes, which continue in the next batch of lanes.
    """

    items: Numbers
    offsets: Numbers
    carried: bool


@dataclass(frozen=True, eq=False)
class Layout:
    """How the items of an epoch are distributed over batches; independent of their order.

    Attributes
    ----------
    short, long : (k,) int arrays
        Items that fit in a window together with their end, and items that do not.
    windows : (k,) int array
        Number of windows of each long item.
    short_batches : int
        Number of batches of whole items.
    lanes : int
        L, at most N: as many as can be about equally long, given the longest item.
    rows : int
        Number of windows in the longest lane.
    """

    short: Numbers
    long: Numbers
    windows: Numbers
    short_batches: int
    lanes: int
    rows: int

    @classmethod
    def of(cls, lengths: Numbers, batch_size: int, seq_len: int) -> "Layout":
        """Lay out items of these lengths (k,), which include their ends."""
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
        """Training steps per epoch."""
        return self.short_batches + self.rows


class Items:
    """Batches with every item once per epoch, in a new random order.

    The order depends only on the seed and the epoch, so a resumed run needs no other state.

    Parameters
    ----------
    codes : (n,) int array
        A divided text.
    vocabulary : Vocabulary
        Has every character of the text, including the end.
    batch_size : int
        N, the items of a batch; the last batch of an epoch may have fewer.
    seq_len : int
        T, the longest window, rounded up to a multiple of ``STEPS_MULTIPLE``.
    random_seed : int
        Shuffles the items.
    end : int
        The code that ends an item.
    border : int, optional
        The code that ends the prompt of an item, which is read and not predicted; an item without
        it is predicted whole.
    """

    def __init__(
        self,
        codes: Codes,
        vocabulary: Vocabulary,
        batch_size: int,
        seq_len: int,
        random_seed: int,
        end: int = LINE_END,
        border: int | None = None,
    ) -> None:
        self.codes, self.vocabulary = codes, vocabulary
        self.batch_size, self.seq_len = batch_size, steps_of(seq_len)
        self._random_seed = random_seed
        self.lengths = lengths_of(codes, end)
        self._starts: Numbers = np.cumsum(self.lengths) - self.lengths
        self.prompts = prompts_of(codes, end, border)
        self._end = id_of(vocabulary, end)
        self.layout = Layout.of(self.lengths, batch_size, self.seq_len)
        self.steps_per_epoch = self.layout.steps
        self._shuffled: tuple[int, list[Batch]] | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.lengths)

    @property
    def symbols_per_step(self) -> float:
        """Average number of predicted symbols per batch, including ends."""
        return (len(self.codes) - int(self.prompts.sum())) / self.steps_per_epoch

    def symbols(self, step: int) -> int:
        """Return the number of predicted symbols in the batch of a step; steps count from 1."""
        batch = self._batch(step)
        stops = batch.offsets + np.minimum(self._left(batch), self.seq_len)
        prompts = np.where(batch.items == NONE, 0, self.prompts[batch.items])
        return int(np.maximum(stops - np.maximum(batch.offsets, prompts), 0).sum())

    def steps(self, step: int) -> int:
        """Return T for a step: enough for the longest item of its batch."""
        return min(steps_of(int(self._left(self._batch(step)).max())), self.seq_len)

    def streams(self, step: int) -> int:
        """Return the number of items in the batch of a step."""
        return len(self._batch(step).items)

    def window(self, step: int, columns: slice) -> Window:
        """Return the part of a step's batch in the given ones of N columns.

        If a batch has fewer than N items, they are divided evenly. Nothing is scored after the end
        of an item.
        """
        batch = self._batch(step)
        T, count = self.steps(step), len(batch.items)
        start, stop, _ = columns.indices(self.batch_size)
        mine = slice(count * start // self.batch_size, count * stop // self.batch_size)
        items, offsets = batch.items[mine], batch.offsets[mine]
        lengths = np.where(items == NONE, 0, self.lengths[items])
        places = offsets + np.arange(-1, T)[:, np.newaxis]  # an end precedes the first symbol
        read = np.minimum(self._starts[items] + np.maximum(places, 0), len(self.codes) - 1)
        symbols = self.vocabulary.encode(self.codes[read].reshape(-1)).reshape(read.shape)
        symbols[(places < 0) | (places >= lengths)] = self._end
        return Window(
            ids=symbols[:-1],
            targets=symbols[1:],
            scored=(places[1:] < lengths) & (places[1:] >= self.prompts[items]),
            begins=offsets == 0,
            carried=batch.carried,
        )

    def _left(self, batch: Batch) -> Numbers:
        """Return the number of symbols of each item after its offset."""
        left: Numbers = np.where(batch.items == NONE, 0, self.lengths[batch.items] - batch.offsets)
        return left

    def _batch(self, step: int) -> Batch:
        epoch, number = divmod(step - 1, self.steps_per_epoch)
        return self._epoch(epoch)[number]

    def _epoch(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch; the last epoch is cached."""
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = epoch, self._shuffle(epoch)
        return self._shuffled[1]

    def _shuffle(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch."""
        rng = np.random.default_rng([self._random_seed, epoch])
        short = self._batches_of_short(rng)
        if not self.layout.rows:
            return short
        rows = self._rows_of_lanes(rng)
        # Batches of whole items are interleaved with windows of long ones.
        is_row = np.zeros(self.steps_per_epoch, np.bool_)
        is_row[rng.permutation(self.steps_per_epoch)[: len(rows)]] = True
        kinds = (iter(short), iter(rows))
        return [next(kinds[kind]) for kind in is_row.astype(int).tolist()]

    def _batches_of_short(self, rng: np.random.Generator) -> list[Batch]:
        """Return the batches of whole items, with similar lengths in the same batch."""
        rows = batches_by_length(self.layout.short, self.lengths, self.batch_size, rng)
        return [Batch(items, np.zeros_like(items), carried=False) for items in rows]

    def _rows_of_lanes(self, rng: np.random.Generator) -> list[Batch]:
        """Return the windows of the long items, placed in lanes.

        Items are placed longest first, each in the shortest lane, so that the lengths of the lanes
        are the same in every epoch.
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
    """Return the number of symbols of each item of a divided text, including its end."""
    lengths: Numbers = np.diff(np.flatnonzero(codes == end), prepend=-1)
    return lengths


def prompts_of(codes: Codes, end: int, border: int | None) -> Numbers:
    """Return the number of symbols of each item that are read and not predicted."""
    lengths = lengths_of(codes, end)
    if border is None:
        return np.zeros_like(lengths)
    starts = np.cumsum(lengths) - lengths
    borders = np.flatnonzero(codes == border)
    found = np.searchsorted(borders, starts)
    first = np.append(borders, len(codes))[found]
    prompts: Numbers = np.where(first < starts + lengths - 1, first - starts + 1, 0)
    return prompts


def steps_per_epoch(codes: Codes, batch_size: int, seq_len: int, end: int = LINE_END) -> int:
    """Return the number of batches of ``Items`` for a divided text."""
    return Layout.of(lengths_of(codes, end), batch_size, steps_of(seq_len)).steps


def id_of(vocabulary: Vocabulary, code: int) -> int:
    """Return the id of a known symbol."""
    return int(vocabulary.encode(np.array([code], np.uint32))[0])


def steps_of(symbols: int) -> int:
    """Return T for items of at most ``symbols`` symbols, including their end."""
    return -(-symbols // STEPS_MULTIPLE) * STEPS_MULTIPLE
