"""Scoring rows with one model, or with several for comparison."""

from collections.abc import Iterable, Iterator, Sequence
from math import log
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation.cost import mean_of, perplexity_of
from charrnn.evaluation.lines.corrections import Corrector
from charrnn.evaluation.lines.parts import text_of
from charrnn.evaluation.lines.rows import BLOCK, Division, Row, check_same_rows
from charrnn.evaluation.lines.scoring import NoPrompt, RowScore, RowScorer
from charrnn.evaluation.pieces import WARM_UP
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Corpus
from charrnn.text.codes import Codes
from charrnn.text.sources import show_path


class Figures(NamedTuple):
    """The loss of a row, or of a part of one.

    Attributes
    ----------
    nats : float
    characters : int
        Number of characters that the nats are divided by.
    unknown : int
        Number of unknown symbols.
    """

    nats: float
    characters: int
    unknown: int

    @property
    def bits(self) -> float:
        """The loss in bits."""
        return self.nats / log(2)

    @property
    def bits_per_char(self) -> float:
        """Bits per character; NaN without characters."""
        return mean_of(self.bits, self.characters)

    @property
    def perplexity(self) -> float:
        """``exp`` of the nats per character."""
        return perplexity_of(mean_of(self.nats, self.characters))


class Scored(NamedTuple):
    """A row with its scores.

    Attributes
    ----------
    row : Row
    text : str
        The text of the row.
    figures : tuple of Figures
        One per model.
    score : RowScore, optional
        The first model's score of each symbol; None for a whole file.
    """

    row: Row
    text: str
    figures: tuple[Figures, ...]
    score: RowScore | None = None


class Models:
    """Scores rows with one or more models; must be closed.

    Parameters
    ----------
    checkpoints : mapping of str to Checkpoint
        The models by name. The first one determines how a text is read and divided.
    context : str
        See ``RowScorer``.
    counts : bool
        Whether networks are mixed with their n-gram counts.
    threads : int
        Number of workers; no effect on the result.

    Raises
    ------
    ConfigError
        If one of them predicts labels, or they divide texts differently.
    """

    def __init__(
        self,
        checkpoints: dict[str, Checkpoint],
        *,
        context: str = "",
        counts: bool = False,
        threads: int = 1,
    ) -> None:
        (first, leading), *others = checkpoints.items()
        for name, checkpoint in others:
            check_same_rows(leading, checkpoint, (first, name))
        self.names = tuple(checkpoints)
        self.divisions = [Division(model.task, model.vocabulary) for model in checkpoints.values()]
        # All models are charged for the same text, including its end.
        with_end = True if others else None
        self._scorers: list[RowScorer] = []
        self._seen, self._knows = False, [False] * len(checkpoints)
        try:
            for name, checkpoint in checkpoints.items():
                try:
                    network = checkpoint.model()
                    model = checkpoint.with_counts(network) if counts else network
                    scorer = RowScorer(
                        checkpoint, model, context=context, with_end=with_end, threads=threads
                    )
                except ConfigError as error:
                    raise ConfigError(f"{name}: {error}" if others else str(error)) from None
                self._scorers.append(scorer)
        except BaseException:
            self.close()
            raise

    @property
    def division(self) -> Division:
        """How the first model divides a text."""
        return self.divisions[0]

    @property
    def corrector(self) -> Corrector:
        """A corrector of rows that the first model scored."""
        return Corrector(self._scorers[0])

    @property
    def notices(self) -> Iterator[str]:
        """Notices about parts of the context that models do not know."""
        for name, scorer in zip(self.names, self._scorers, strict=True):
            if scorer.unread:
                whose = name if len(self.names) > 1 else "the model"
                yield f"left out of the context: {scorer.unread}, which {whose} does not know"

    @property
    def strangers(self) -> Iterator[str]:
        """Notices about models that know none of the scored characters."""
        for name, knows in zip(self.names, self._knows, strict=True):
            if self._seen and not knows:
                who = name if len(self.names) > 1 else "the model"
                yield (
                    f"{who} knows none of the characters of this text, so every character has the "
                    "loss of an unknown one: use --model to name one that was trained on such text"
                )

    def _note(self, number: int, codes: Codes, known: NDArray[np.bool_]) -> None:
        """Record whether a model knows any of the scored symbols, apart from ends of rows."""
        inner = codes != self.divisions[number].task.end
        self._seen = self._seen or bool(inner.any())
        self._knows[number] = self._knows[number] or bool((inner & known).any())

    def close(self) -> None:
        """End the workers."""
        for scorer in self._scorers:
            scorer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def rows(self, blocks: Iterable[Sequence[Row]]) -> Iterator[list[Scored]]:
        """Score rows, block by block; raises like ``RowScorer.score``."""
        vocabulary = self.division.vocabulary
        for block in blocks:
            texts = [text_of(vocabulary, row.codes) for row in block]
            own = [row.codes for row in block]
            found = []
            for number, scorer in enumerate(self._scorers):
                codes = own if number == 0 else self._others(number, own, texts)
                try:
                    found.append(scorer.score(codes))
                    self._note(number, found[-1].codes, found[-1].known)
                except NoPrompt as error:
                    raise _no_prompt(block[error.row], error) from None
            many = len(found) > 1
            sizes = [len(text) + 1 for text in texts] if many else found[0].characters.tolist()
            yield [
                Scored(
                    row,
                    texts[place],
                    tuple(
                        Figures(float(each.total[place]), sizes[place], int(each.unknown[place]))
                        for each in found
                    ),
                    None if many else found[0][place],
                )
                for place, row in enumerate(block)
            ]

    def files(self, corpus: Corpus) -> Iterator[Scored]:
        """Score each file of a corpus as a whole: as one text, or all its items."""
        stops = (*corpus.starts[1:], len(corpus))
        files = zip(corpus.sources, corpus.starts, stops, strict=True)
        for number, (source, start, stop) in enumerate(files, 1):
            name = show_path(source.path)
            codes = corpus.codes[start:stop]
            figures = tuple(self._file(model, codes, name) for model in range(len(self._scorers)))
            yield Scored(Row(codes[:0], number, name), name, figures)

    def _file(self, model: int, codes: Codes, source: str) -> Figures:
        """Return a model's score of a file."""
        scorer, vocabulary = self._scorers[model], self.division.vocabulary
        nats, known, unknown, characters = 0.0, 0, 0, 0
        for parts, read in self._parts_of_file(codes, source):
            rows = [part.codes for part in parts]
            texts = [text_of(vocabulary, row) for row in rows]
            before = [text_of(vocabulary, row[:size]) for row, size in zip(rows, read, strict=True)]
            characters += sum(map(len, texts)) - sum(map(len, before))
            characters += len(rows) * self.division.task.separate
            if model:
                read = [len(codes) for codes in self._others(model, [], before)]
                rows = self._others(model, rows, texts)
            try:
                found = scorer.score(rows, read=None if self.division.task.separate else read)
            except NoPrompt as error:
                raise _no_prompt(parts[error.row], error) from None
            self._note(model, found.codes, found.known)
            nats += float(found.nats.sum())
            unknown += int(found.unknown.sum())
            known += len(found.nats) - int(found.unknown.sum())
        if len(self._scorers) == 1:
            characters = known + unknown
        return Figures(nats + scorer.reserved(known, unknown), characters, unknown)

    def _parts_of_file(self, codes: Codes, source: str) -> Iterator[tuple[list[Row], list[int]]]:
        """Yield a text as parts, each with its warm-up, or as its items."""
        task = self.division.task
        if task.separate:
            divided = task.divided(codes, (0,), self.division.vocabulary.unit)
            for block in self.division.blocks_of_items(divided, source):
                yield block, [0] * len(block)
            return
        for start in range(0, len(codes), BLOCK):
            first = max(0, start - WARM_UP)
            yield [Row(codes[first : start + BLOCK], 1, source)], [start - first]

    def _others(self, number: int, own: Sequence[Codes], texts: Sequence[str]) -> list[Codes]:
        """Return rows in another model's form."""
        division, leading = self.divisions[number], self.division.vocabulary
        vocabulary = division.vocabulary
        alike = (vocabulary.unit, vocabulary.normalize) == (leading.unit, leading.normalize)
        if alike and own and not any(vocabulary.unknown(codes) for codes in own):
            return list(own)
        return [division.codes(text, "keep") for text in texts]


def _no_prompt(row: Row, error: NoPrompt) -> CorpusError:
    """Return the error for a row without a prompt, with its position."""
    return CorpusError(
        f"{row.place} has no prompt, which this model reads first and which ends with "
        f"{error.border}: give each line one"
    )
