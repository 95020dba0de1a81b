"""Examples: texts as ids with their labels, and batches of them.

Dimensions
    k texts, n symbols in total, T steps per window, N texts per batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charrnn.data.batching import Numbers, batches_by_length
from charrnn.data.items import steps_of
from charrnn.data.windows import Window
from charrnn.text.codes import Codes
from charrnn.text.vocabulary import Ids

CONTEXT = 64
"""Symbols of context, read but not labelled, on both sides of a piece of a text that is too long
for one window."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Texts and their labels.

    Attributes
    ----------
    ids : (n,) int array
        The symbols of all texts, concatenated.
    lengths : (k,) int array
        Number of symbols in each text, at least 1.
    targets : (k,) or (n,) int array
        The label of each text, or of each symbol.
    scored : (k,) or (n,) bool array
        Whether there is a label.
    of_texts : bool
        Whether each text has one label.
    """

    ids: Ids
    lengths: Numbers
    targets: Numbers
    scored: npt.NDArray[np.bool_]
    of_texts: bool

    def __len__(self) -> int:
        """Return k, the number of texts."""
        return len(self.lengths)

    @property
    def starts(self) -> Numbers:
        """Where each text begins (k,)."""
        starts: Numbers = np.cumsum(self.lengths) - self.lengths
        return starts


@dataclass(frozen=True, eq=False)
class Pieces:
    """The piece of a text that a window reads: all of it, or a part of a long one.

    If a text has one label, only its beginning is read. A text with a label per symbol is split
    into pieces, each with ``CONTEXT`` symbols around it, so that every symbol is labelled once.

    Attributes
    ----------
    texts : (p,) int array
        The text of each piece.
    starts, lengths : (p,) int arrays
        The index, among all n symbols, where the window of each piece begins, and its length.
    first, stop : (p,) int arrays
        The range of the window that is labelled.
    """

    texts: Numbers
    starts: Numbers
    lengths: Numbers
    first: Numbers
    stop: Numbers

    @classmethod
    def of(cls, examples: Examples, seq_len: int) -> "Pieces":
        """Split texts that are longer than ``seq_len`` symbols."""
        return cls.of_lengths(examples.lengths, seq_len, cut=not examples.of_texts)

    @classmethod
    def of_lengths(cls, whole: Numbers, seq_len: int, *, cut: bool) -> "Pieces":
        """Split texts of these lengths; without ``cut``, only the beginning of each is read."""
        texts, starts = np.arange(len(whole)), np.cumsum(whole) - whole
        lengths = np.minimum(whole, seq_len)
        if not cut or (whole <= seq_len).all():
            return cls(texts, starts, lengths, np.zeros_like(lengths), lengths)
        rows = [
            (text, start + begin, stop - begin, first - begin, last - begin)
            for text, start, length in zip(
                texts.tolist(), starts.tolist(), whole.tolist(), strict=True
            )
            for begin, stop, first, last in _cut(length, seq_len)
        ]
        return cls(*np.array(rows, np.int64).T)


def _cut(length: int, seq_len: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the start and end of each window of a text, and of its labelled part."""
    if length <= seq_len:
        yield 0, length, 0, length
        return
    context = min(CONTEXT, seq_len // 4)
    inner = seq_len - 2 * context
    for first in range(0, length, inner):
        last = min(first + inner, length)
        yield max(0, first - context), min(length, last + context), first, last


class LabelledBatches:
    """Batches with every text once per epoch, in a new random order; see ``Batches``.

    Parameters
    ----------
    examples : Examples
        The training examples.
    codes : (m,) int array
        The text that they come from.
    batch_size : int
        N, texts per batch; the last one of an epoch may have fewer.
    seq_len : int
        T, the longest window.
    random_seed : int
        Shuffles the texts.
    """

    def __init__(
        self, examples: Examples, codes: Codes, batch_size: int, seq_len: int, random_seed: int
    ) -> None:
        self.examples, self.codes = examples, codes
        self.batch_size, self.seq_len = batch_size, steps_of(seq_len)
        self.pieces = Pieces.of(examples, self.seq_len)
        self.steps_per_epoch = -(-len(self.pieces.texts) // batch_size)
        self._random_seed = random_seed
        self._shuffled: tuple[int, Sequence[Numbers]] | None = None

    @property
    def symbols_per_step(self) -> float:
        """Average number of labels per batch."""
        return float(np.count_nonzero(self.examples.scored)) / self.steps_per_epoch

    def symbols(self, step: int) -> int:
        """Return the number of labels in the batch of a step; steps count from 1."""
        scored = self.window(step, slice(None)).scored
        assert scored is not None
        return int(np.count_nonzero(scored))

    def steps(self, step: int) -> int:
        """Return T for a step: enough for the longest text of its batch."""
        return steps_of(int(self.pieces.lengths[self._batch(step)].max()))

    def streams(self, step: int) -> int:
        """Return the number of texts in the batch of a step."""
        return len(self._batch(step))

    def window(self, step: int, columns: slice) -> Window:
        """Return the part of a step's batch in the given ones of N columns."""
        batch = self._batch(step)
        start, stop, _ = columns.indices(self.batch_size)
        mine = slice(len(batch) * start // self.batch_size, len(batch) * stop // self.batch_size)
        return window_of(self.examples, self.pieces, batch[mine], self.steps(step))

    def _batch(self, step: int) -> Numbers:
        epoch, number = divmod(step - 1, self.steps_per_epoch)
        return self._epoch(epoch)[number]

    def _epoch(self, epoch: int) -> Sequence[Numbers]:
        """Return the batches of an epoch; the last epoch is cached."""
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = epoch, self._shuffle(epoch)
        return self._shuffled[1]

    def _shuffle(self, epoch: int) -> Sequence[Numbers]:
        rng = np.random.default_rng([self._random_seed, epoch])
        pieces = np.arange(len(self.pieces.texts))
        return batches_by_length(pieces, self.pieces.lengths, self.batch_size, rng)


def window_of(examples: Examples, pieces: Pieces, batch: Numbers, T: int) -> Window:
    """Return the window (T, N) of some pieces; values after the end of a piece are ignored.

    Parameters
    ----------
    examples : Examples
        The texts.
    pieces : Pieces
        How the texts are split.
    batch : (N,) int array
        The numbers of the pieces.
    T : int
        Steps of the window; at least the length of each piece.
    """
    lengths = pieces.lengths[batch]
    steps = np.arange(T)[:, np.newaxis]
    places = np.minimum(pieces.starts[batch] + steps, len(examples.ids) - 1)
    if examples.of_texts:
        targets = examples.targets[pieces.texts[batch]][np.newaxis]
        scored = examples.scored[pieces.texts[batch]][np.newaxis]
    else:
        targets = examples.targets[places]
        inside = (steps >= pieces.first[batch]) & (steps < pieces.stop[batch])
        scored = examples.scored[places] & inside
    return Window(
        ids=examples.ids[places],
        targets=targets,
        scored=scored,
        begins=np.ones(len(batch), np.bool_),
        carried=False,
        lengths=lengths,
    )
