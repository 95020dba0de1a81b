"""How much of some texts may be copied from the training text, compared with held-out text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config.words import plural
from charrnn.evaluation.copied import NGRAMS, Copies, find_copies
from charrnn.evaluation.written import text_bytes
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes
from charrnn.views.numbers import percent
from charrnn.views.tables import table

SHOWN = 60
"""Most characters of a copied run in a table."""


@dataclass(frozen=True)
class CopiedFigures:
    """How much of one text, or of several, occurs verbatim in the training text.

    Attributes
    ----------
    symbols : int
        Length in symbols of the model: characters, bytes, or the parts of decomposed letters.
    longest : int
        Length of the longest run that occurs in the training text.
    run : str
        This run.
    ngrams : dict of int to int
        Number of n-grams in the text, counted at every position, by length.
    new : dict of int to int
        How many of them do not occur in the training text.
    """

    symbols: int
    longest: int
    run: str
    ngrams: dict[int, int]
    new: dict[int, int]

    def share(self, length: int) -> float | None:
        """Return the share of new n-grams of a length; None if there are none of that length."""
        ngrams = self.ngrams[length]
        return self.new[length] / ngrams if ngrams else None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {
            "symbols": self.symbols,
            "longest": self.longest,
            "run": self.run,
            "new_ngrams": {str(length): self.share(length) for length in NGRAMS},
        }

    @classmethod
    def of(cls, copies: Copies, codes: Codes, vocabulary: Vocabulary) -> "CopiedFigures":
        """Make the figures of a text from its ``Copies``."""
        run = text_bytes(codes[copies.start : copies.stop], vocabulary).decode("utf-8", "replace")
        ngrams, new = (dict(zip(NGRAMS, row, strict=True)) for row in (copies.ngrams, copies.new))
        return cls(copies.symbols, copies.longest, run, ngrams, new)

    @classmethod
    def all_of(cls, texts: Sequence["CopiedFigures"]) -> "CopiedFigures":
        """Return the joint figures of one or more texts."""
        longest = max(texts, key=lambda text: text.longest)
        return cls(
            sum(text.symbols for text in texts),
            longest.longest,
            longest.run,
            {length: sum(text.ngrams[length] for text in texts) for length in NGRAMS},
            {length: sum(text.new[length] for text in texts) for length in NGRAMS},
        )


@dataclass(frozen=True, eq=False, repr=False)
class Copied:
    """How much of some texts occurs verbatim in a model's training text.

    Notebooks show it as a table.

    Attributes
    ----------
    texts : tuple of CopiedFigures
        The figures of each text.
    all : CopiedFigures
        The joint figures: the longest run of any text, the n-grams of all.
    held_out : CopiedFigures or None
        The figures of as much held-out text, in evenly spread pieces of the same lengths, which
        overlap if there is less of it, or in as many items. None if nothing was held out.
    unit : str
        What is counted: "characters", "bytes", "jamo" or "code points".

    Examples
    --------
    >>> model = charrnn.load("runs/corpus")
    >>> found = model.copied(["pack my jugs"])
    >>> found.all.longest, found.all.run
    (8, 'pack my ')
    >>> found.texts[0].share(4)  # of the nine 4-grams, those that begin at y, space and m are new
    0.2222222222222222
    """

    texts: tuple[CopiedFigures, ...]
    all: CopiedFigures
    held_out: CopiedFigures | None
    unit: str

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows of a table: a name, the figure for the texts, and for held-out text."""
        columns = [self.all, *([self.held_out] if self.held_out else [])]
        yield (self.unit, *(f"{column.symbols:,}" for column in columns))
        yield ("longest run copied", *(f"{column.longest:,}" for column in columns))
        for length in (length for length in NGRAMS if any(c.ngrams[length] for c in columns)):
            yield (f"new {length}-grams", *(_percent(column.share(length)) for column in columns))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "texts": [text.to_json() for text in self.texts],
            "all": self.all.to_json(),
            "held_out": self.held_out.to_json() if self.held_out else None,
        }

    def __repr__(self) -> str:
        lines = []
        for name, figures in (("copied", self.all), ("held-out text", self.held_out)):
            if figures:
                new = ", ".join(f"{_percent(figures.share(n))} of {n}-grams" for n in NGRAMS)
                lines.append(
                    f"{name}: {figures.longest:,} of {figures.symbols:,} {self.unit} in one run; "
                    f"new: {new}"
                )
        return f"Copied({'; '.join(lines)})"

    def _repr_html_(self) -> str:
        return table(
            ("", "texts", *(["held-out text"] if self.held_out else [])),
            list(self.rows()),
            caption=f"longest run: {self.all.run[:SHOWN]}" if self.all.run else "",
        )


def copied_from_training(
    checkpoint: Checkpoint, texts: Sequence[Codes], *, cache_dir: Path | None = None
) -> Copied:
    """Compare texts, and as much held-out text, with a model's training text.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    texts : sequence of int arrays
        One or more texts, as codes of its vocabulary.
    cache_dir : Path, optional
        Where a corpus too large for memory is cached.

    Raises
    ------
    CorpusError
        If its corpus is gone or has changed.
    """
    own, _ = find_own_text(
        checkpoint,
        cache_dir=cache_dir,
        advice="put it next to the run or in the working folder to see what is copied from it",
    )
    sides, task, vocabulary = checkpoint.sides(own), checkpoint.task, checkpoint.vocabulary
    learned, held = task.predicted(sides.learned), task.predicted(sides.held)
    if task.separate:
        beside = _items(held, task.end, len(texts))
    else:
        beside = _pieces(held, [len(text) for text in texts])
    found = find_copies([*texts, *beside], learned)
    figures = [
        CopiedFigures.of(copies, codes, vocabulary)
        for copies, codes in zip(found, [*texts, *beside], strict=True)
    ]
    mine, others = figures[: len(texts)], figures[len(texts) :]
    return Copied(
        texts=tuple(mine),
        all=CopiedFigures.all_of(mine),
        held_out=CopiedFigures.all_of(others) if others else None,
        unit=plural(vocabulary.noun),
    )


def _pieces(held: Codes, lengths: Sequence[int]) -> list[Codes]:
    """Return pieces of these lengths, spread evenly over a text; none if it is empty."""
    if not len(held):
        return []
    places = (np.arange(len(lengths)) + 0.5) / len(lengths)
    starts = [
        int(place * max(0, len(held) - length))
        for place, length in zip(places, lengths, strict=True)
    ]
    return [
        np.asarray(held[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]


def _items(held: Codes, end: int, count: int) -> list[Codes]:
    """Return ``count`` evenly spread items of a divided text, or all, without their ends."""
    ends = np.flatnonzero(held == end)
    begins = np.append(0, ends[:-1] + 1)
    chosen = np.arange(len(ends))
    if len(ends) > count:
        chosen = np.linspace(0, len(ends) - 1, count).astype(np.int64)
    return [
        np.asarray(held[begin:stop])
        for begin, stop in zip(begins[chosen].tolist(), ends[chosen].tolist(), strict=True)
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else percent(share)
