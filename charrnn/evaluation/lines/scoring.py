"""What rows of text cost a model: lines, items, or texts that a program gives.

Dimensions
    n rows, m symbols of all of them.

A row is scored as `Model.score` scores a text: it follows on the same text as every other one, its
symbols that the model does not know are charged, and what it costs depends on no other row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from charrnn.data.items import id_of
from charrnn.data.tasks import PromptedItems
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.evaluation.likeliest import likeliest
from charrnn.evaluation.lines.symbols import SymbolReader
from charrnn.evaluation.novelty import Novelty
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import fitting_text
from charrnn.text.codes import LINE_END, Codes

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RowScore:
    """What one row costs.

    Attributes
    ----------
    codes : (k,) int array
        Its symbols, without a prompt, and with its end where that is scored.
    nats : (k,) float64 array
        Minus the logarithm of the probability of each, given what precedes it.
    known : (k,) bool array
        Which of them the model knows.
    total : float
        Of the row, with what the known symbols cost more where others are possible.
    prompt : (p,) int array
        What of it was read and not scored.
    """

    codes: Codes
    nats: Floats
    known: Flags
    total: float
    prompt: Codes

    @property
    def unknown(self) -> int:
        """How many symbols the model does not know."""
        return int(np.count_nonzero(~self.known))


@dataclass(frozen=True, eq=False)
class RowScores:
    """What rows cost.

    Attributes
    ----------
    codes, nats, known : (m,) arrays
        Of the symbols of all rows, one row after another; see ``RowScore``.
    borders : (n + 1,) int array
        Where each row begins, and where the last one ends.
    total : (n,) float64 array
        Nats of each row.
    unknown : (n,) int array
        How many symbols of each the model does not know.
    prompts : sequence of int arrays
        What of each was read and not scored.
    """

    codes: Codes
    nats: Floats
    known: Flags
    borders: Counts
    total: Floats
    unknown: Counts
    prompts: Sequence[Codes]

    def __len__(self) -> int:
        """Return n."""
        return len(self.total)

    @property
    def characters(self) -> Counts:
        """How many symbols of each row are scored (n,)."""
        counts: Counts = np.diff(self.borders)
        return counts

    def __getitem__(self, row: int) -> RowScore:
        """Return the score of one row."""
        some = slice(int(self.borders[row]), int(self.borders[row + 1]))
        total, prompt = float(self.total[row]), self.prompts[row]
        return RowScore(self.codes[some], self.nats[some], self.known[some], total, prompt)

    def __iter__(self) -> Iterator[RowScore]:
        return (self[row] for row in range(len(self)))


class RowScorer:
    """Scores rows with a model; to be closed.

    Parameters
    ----------
    checkpoint : Checkpoint
        Knows the vocabulary and the task.
    model : CharModel, optional
        Its network, where there is one already.
    context : str
        What every row follows on. Of a model of items, how each item begins; without it, a row
        follows on what samples do.
    end : bool, optional
        Whether rows of running text end with a line end, which is scored. If left out, they do
        where the model knows it. An item has its end, but for one of which the model can read
        nothing: that one has it if rows are to have one.
    threads : int
        Workers; no effect on the result.

    Attributes
    ----------
    unread : str
        The symbols of the context that the model does not know, and so does not read, listed.

    Raises
    ------
    ConfigError
        If the model predicts labels, or the context is more than the beginning of an item.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: CharModel | None = None,
        *,
        context: str = "",
        end: bool | None = None,
        threads: int = 1,
    ) -> None:
        if checkpoint.labels:
            raise ConfigError(
                f"this model predicts {checkpoint.settings.predict}, not text: charrnn predict "
                "labels texts with it, and charrnn eval scores it"
            )
        vocabulary, task = checkpoint.vocabulary, checkpoint.task
        self._vocabulary, self._task = vocabulary, task
        before = vocabulary.text_to_codes(
            fitting_text(context, vocabulary, checkpoint.text.newlines)[0]
        )
        if task.separate and (before == task.end).any():
            raise ConfigError("the context of an item is its beginning, and this one has an end")
        self._before = before if isinstance(task, PromptedItems) else before[:0]
        ids, unread = vocabulary.encode_known(before)
        self.unread = ", ".join(map(vocabulary.show, unread))
        self._begun = bool(len(ids))
        if task.separate:
            first = np.array([id_of(vocabulary, task.end)], vocabulary.dtype)
            ids = np.concatenate([first, ids])
        elif not len(ids):
            ids = vocabulary.before_all()
        self._always_ends = bool(end)
        if end is None:
            end = LINE_END in vocabulary.symbols
        self._ends = task.separate or end
        self._novelty = Novelty.of(checkpoint.counts, checkpoint.characters - checkpoint.held_out)
        self._model, self._begin = model or checkpoint.model(), ids
        self._reader = SymbolReader(self._model, ids, threads=threads)

    def close(self) -> None:
        """End the workers."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def score(self, rows: Sequence[Codes], *, read: Sequence[int] | None = None) -> RowScores:
        """Score rows.

        Parameters
        ----------
        rows : sequence of int arrays
            Their codes, without an end. An empty one costs its end in running text, and nothing
            where rows are items, which are never empty.
        read : sequence of int, optional
            That rows are parts of a text, without an end, and how many symbols of each are read
            and not scored.

        Raises
        ------
        CheckpointError
            If the model predicts nothing finite.
        CorpusError
            If a row lacks the prompt that it should have.
        """
        if read is None:
            prompts, whole = self._prompts(rows), [self._whole(row) for row in rows]
        else:
            prompts, whole = np.array(read, np.int64), list(rows)
        lengths = np.array([len(row) for row in whole], np.int64)
        codes = np.concatenate([np.empty(0, np.uint8), *whole])
        known = np.isin(codes, self._vocabulary.symbols)
        nats = np.full(len(codes), self._novelty.cost)
        nats[known] = self._costs(whole, codes, known, lengths)
        if not np.isfinite(nats).all():
            raise CheckpointError(
                "the model's predictions are not finite, it diverged in training: "
                "train again with a lower --learning-rate"
            )
        if prompts.any():
            codes, nats, known = (
                part[~_leading(lengths, prompts)] for part in (codes, nats, known)
            )
        lengths = lengths - prompts
        owner = np.repeat(np.arange(len(rows)), lengths)
        unknown = np.bincount(owner[~known], minlength=len(rows))
        reserved = [
            self.reserved(length - new, new)
            for length, new in zip(lengths.tolist(), unknown.tolist(), strict=True)
        ]
        return RowScores(
            codes=codes,
            nats=nats,
            known=known,
            borders=np.concatenate([[0], np.cumsum(lengths)]),
            total=sums_of(nats, owner, len(rows)) + np.array(reserved, np.float64),
            unknown=unknown,
            prompts=[row[:size] for row, size in zip(whole, prompts.tolist(), strict=True)],
        )

    def without_end(self, score: RowScore) -> Codes:
        """Return the symbols of a row that was scored, without its end."""
        codes = score.codes
        ended = self._ends and len(codes) > 0 and codes[-1] == self._task.end
        return codes[:-1] if ended else codes

    def expected(self, prompt: Codes, codes: Codes, count: int) -> list[Codes]:
        """Return what the model expects at each place of a row, and behind it (k + 1).

        Each is the likeliest symbols (count,), without an end; symbols that the model does not know
        are not read.
        """
        read = np.concatenate([prompt, codes])
        known = np.isin(read, self._vocabulary.symbols)
        ids = np.concatenate([self._begin, self._vocabulary.encode(read[known])])
        symbols = self._vocabulary.symbols[likeliest(self._model, ids, count=count + 1).symbols]
        before = len(self._begin) - 1 + np.concatenate([[0], np.cumsum(known)])[len(prompt) :]
        return [row[row != self._task.end][:count].astype(codes.dtype) for row in symbols[before]]

    def reserved(self, known: int, new: int) -> float:
        """Return what known symbols cost more where others are possible, as a text shows."""
        return self._novelty.charge(known, new) - new * self._novelty.cost

    def _costs(
        self, whole: Sequence[Codes], codes: Codes, known: Flags, lengths: Counts
    ) -> NDArray[np.float32]:
        """Return the nats of the known symbols of rows."""
        ids = self._vocabulary.encode(codes[known])
        if len(ids) < len(codes):
            owner = np.repeat(np.arange(len(whole)), lengths)
            lengths = np.bincount(owner[known], minlength=len(whole))
        return self._reader.costs(np.split(ids, np.cumsum(lengths)[:-1]) if len(whole) else [])

    def _whole(self, row: Codes) -> Codes:
        """Return a row with its end."""
        if not self._ends:
            return row
        may_lack_it = self._task.separate and not (self._begun or self._always_ends)
        if may_lack_it and not np.isin(row, self._vocabulary.symbols).any():
            return row  # as in an evaluation
        return np.append(row, row.dtype.type(self._task.end))

    def _prompts(self, rows: Sequence[Codes]) -> Counts:
        """Return how many symbols of each row are only read."""
        sizes = np.zeros(len(rows), np.int64)
        task = self._task
        if not isinstance(task, PromptedItems) or task.border in self._before:
            return sizes
        for number, row in enumerate(rows):
            borders = np.flatnonzero(row == task.border)
            if len(row) and not len(borders):
                raise NoPrompt(number, task.border_name)
            sizes[number] = borders[0] + 1 if len(borders) else 0
        return sizes


class NoPrompt(CorpusError):
    """A row has no prompt.

    Attributes
    ----------
    row : int
        Which of those that were to be scored, from 0.
    border : str
        What ends a prompt, in words.
    """

    def __init__(self, row: int, border: str) -> None:
        self.row, self.border = row, border
        super().__init__(
            f"text {row + 1:,} has no prompt, which this model reads first and which {border} ends"
        )


def sums_of(nats: Floats, owner: Counts, count: int) -> Floats:
    """Return the sums of nats (m,) over the rows that they belong to (count,)."""
    sums: Floats = np.bincount(owner, nats, minlength=count).astype(np.float64, copy=False)
    return sums


def _leading(lengths: Counts, sizes: Counts) -> Flags:
    """Return of each symbol of rows (m,) whether it is among the first so many of its row."""
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flags: Flags = place < np.repeat(sizes, lengths)
    return flags
