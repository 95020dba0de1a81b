"""A model's loss on rows of text: lines, items, or texts given by a program.

Dimensions
    n rows, m symbols in all rows.

A row is scored as `Model.score` scores a text: all rows follow the same context, unknown symbols
are charged, and the score does not depend on other rows.
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
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import fitting_text
from charrnn.text.codes import LINE_END, Codes

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RowScore:
    """The score of one row.

    Attributes
    ----------
    codes : (k,) int array
        Its symbols, without a prompt, and with its end if that is scored.
    nats : (k,) float64 array
        The negative log-probability of each, given the text before it.
    known : (k,) bool array
        Whether the model knows each symbol.
    total : float
        Nats of the row, including the probability that known symbols lose to unknown ones.
    prompt : (p,) int array
        The symbols that were read but not scored.
    """

    codes: Codes
    nats: Floats
    known: Flags
    total: float
    prompt: Codes

    @property
    def unknown(self) -> int:
        """The number of unknown symbols."""
        return int(np.count_nonzero(~self.known))


@dataclass(frozen=True, eq=False)
class RowScores:
    """The scores of rows.

    Attributes
    ----------
    codes, nats, known : (m,) arrays
        The symbols of all rows, concatenated; see ``RowScore``.
    borders : (n + 1,) int array
        Where each row starts, and where the last one ends.
    total : (n,) float64 array
        Nats of each row.
    unknown : (n,) int array
        The number of unknown symbols of each row.
    prompts : sequence of int arrays
        The symbols of each row that were read but not scored.
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
        """The number of scored symbols of each row (n,)."""
        counts: Counts = np.diff(self.borders)
        return counts

    def __getitem__(self, row: int) -> RowScore:
        """Return the score of one row, as copies: a row that is kept does not keep the others."""
        some = slice(int(self.borders[row]), int(self.borders[row + 1]))
        return RowScore(
            codes=self.codes[some].copy(),
            nats=self.nats[some].copy(),
            known=self.known[some].copy(),
            total=float(self.total[row]),
            prompt=self.prompts[row],
        )

    def __iter__(self) -> Iterator[RowScore]:
        return (self[row] for row in range(len(self)))


class RowScorer:
    """Scores rows with a model; must be closed.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model's, with vocabulary and task.
    model : Predictor, optional
        Its network, if already loaded.
    context : str
        The text before every row; for a model of items, the beginning of each item. Without it,
        rows follow what samples follow.
    with_end : bool, optional
        Whether rows of running text end with a line end, which is scored; by default they do if the
        model knows it. Items always have their end, except that an item of only unknown symbols
        has it only if this is True.
    threads : int
        Number of workers; no effect on the result.

    Attributes
    ----------
    unread : str
        A list of the unknown symbols of the context, which the model does not read.

    Raises
    ------
    ConfigError
        If the model predicts labels, or the context is more than the beginning of an item.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: Predictor | None = None,
        *,
        context: str = "",
        with_end: bool | None = None,
        threads: int = 1,
    ) -> None:
        if checkpoint.labels:
            raise ConfigError(
                f"this model predicts {checkpoint.settings.predict}, not text: use charrnn predict "
                "to label texts with it, and charrnn eval to evaluate it"
            )
        vocabulary, task = checkpoint.vocabulary, checkpoint.task
        self._vocabulary, self._task = vocabulary, task
        before = vocabulary.text_to_codes(
            fitting_text(context, vocabulary, checkpoint.text.newlines)[0]
        )
        if task.separate and (before == task.end).any():
            raise ConfigError(
                "the context begins each item, so it cannot contain the end of an item: leave "
                "that out"
            )
        self._before = before if isinstance(task, PromptedItems) else before[:0]
        ids, unread = vocabulary.encode_known(before)
        self.unread = ", ".join(map(vocabulary.show, unread))
        self._begun = bool(len(ids))
        if task.separate:
            first = np.array([id_of(vocabulary, task.end)], vocabulary.dtype)
            ids = np.concatenate([first, ids])
        elif not len(ids):
            ids = vocabulary.before_all()
        self._always_ends = bool(with_end)
        if with_end is None:
            with_end = LINE_END in vocabulary.symbols
        self._ends = task.separate or with_end
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
            Their codes, without an end. For an empty row of running text only its end is scored;
            an empty item has a score of 0, since items are never empty.
        read : sequence of int, optional
            For rows that are parts of a text, without an end: how many symbols of each are read
            but not scored.

        Raises
        ------
        CheckpointError
            If the model's predictions are not finite.
        CorpusError
            If a row has no prompt although the model needs one.
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
                "the model's predictions are not finite because it diverged in training: "
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
        """Return the symbols of a scored row, without its end."""
        codes = score.codes
        ended = self._ends and len(codes) > 0 and codes[-1] == self._task.end
        return codes[:-1] if ended else codes

    def expected(self, prompt: Codes, codes: Codes, count: int) -> list[Codes]:
        """Return the model's predictions at each position of a row, and after it (k + 1).

        Each has the most likely symbols (count,), without an end. Unknown symbols of the row are
        not read.
        """
        read = np.concatenate([prompt, codes])
        known = np.isin(read, self._vocabulary.symbols)
        ids = np.concatenate([self._begin, self._vocabulary.encode(read[known])])
        symbols = self._vocabulary.symbols[likeliest(self._model, ids, count=count + 1).symbols]
        before = len(self._begin) - 1 + np.concatenate([[0], np.cumsum(known)])[len(prompt) :]
        return [row[row != self._task.end][:count] for row in symbols[before]]

    def reserved(self, known: int, new: int) -> float:
        """Return the nats that known symbols lose to unknown ones."""
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
            return row  # as eval does
        return np.append(row, row.dtype.type(self._task.end))

    def _prompts(self, rows: Sequence[Codes]) -> Counts:
        """Return how many symbols of each row are read but not scored."""
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
        The index of the row, from 0.
    border : str
        The name of the symbol that ends a prompt.
    """

    def __init__(self, row: int, border: str) -> None:
        self.row, self.border = row, border
        super().__init__(
            f"text {row + 1:,} has no prompt, which this model reads first and which ends with "
            f"{border}"
        )


def sums_of(nats: Floats, owner: Counts, count: int) -> Floats:
    """Return the sums (count,) of nats (m,) per row."""
    sums: Floats = np.bincount(owner, nats, minlength=count).astype(np.float64, copy=False)
    return sums


def _leading(lengths: Counts, sizes: Counts) -> Flags:
    """Return whether each symbol (m,) is among the first ``sizes`` (n,) symbols of its row."""
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flags: Flags = place < np.repeat(sizes, lengths)
    return flags
