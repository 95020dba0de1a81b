"""The rows of a text: its lines, or its items for a model of items."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.config import STDIN
from charrnn.data.task import Task
from charrnn.errors import ConfigError
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Corpus, Vocabulary, fitting_text
from charrnn.text.arriving import ArrivingLines
from charrnn.text.codes import LINE_END, Codes, to_text
from charrnn.text.sources import show_path

BLOCK = 2**18
"""Symbols in a block of rows that are scored together."""


class Row(NamedTuple):
    """A line or an item.

    Attributes
    ----------
    codes : (k,) int array
        Its symbols, without its end.
    number : int
        The number of the line or item in its file, from 1.
    source : str
        The file name for messages; empty for a given text.
    """

    codes: Codes
    number: int
    source: str = ""

    @property
    def place(self) -> str:
        """Its position in words."""
        return f"{self.source or '--text'}, line {self.number:,}"


@dataclass(frozen=True)
class Division:
    """How a model's texts are divided into rows.

    Attributes
    ----------
    task : Task
        The model's.
    vocabulary : Vocabulary
    """

    task: Task
    vocabulary: Vocabulary

    @property
    def is_lines(self) -> bool:
        """Whether rows are lines, as they also are for running text."""
        return self.task.items in ("", "line")

    @property
    def noun(self) -> str:
        """The name of a row: line, file or item."""
        return "line" if self.is_lines else "item"

    def of_corpus(self, corpus: Corpus) -> Iterator[list[Row]]:
        """Yield the rows of each file of a corpus, in blocks."""
        stops = (*corpus.starts[1:], len(corpus))
        for source, start, stop in zip(corpus.sources, corpus.starts, stops, strict=True):
            name = show_path(source.path)
            if self.is_lines:
                yield from _lines(_pieces(corpus.codes[start:stop]), name)
            else:
                divided = self.task.divided(corpus.codes[start:stop], (0,), corpus.unit)
                yield from self.blocks_of_items(divided, name)

    def blocks_of_items(self, divided: Codes, source: str) -> Iterator[list[Row]]:
        """Yield the items of a divided text, in blocks."""
        return _numbered(_items(divided, self.task.end), source)

    def of_texts(self, texts: Sequence[str], newlines: str) -> list[Row]:
        """Return the rows of given texts: their lines or items."""
        rows = []
        for text in texts:
            codes = self.codes(text, newlines)
            if self.is_lines:
                found = _split(codes, LINE_END)
            else:
                divided = self.task.divided(codes, (0,), self.vocabulary.unit)
                found = [*_items(divided, self.task.end)]
            rows += found
        return [Row(codes, number) for number, codes in enumerate(rows, 1)]

    def arriving(self, lines: ArrivingLines) -> Iterator[list[Row]]:
        """Yield arriving lines in blocks, in the model's form."""
        for block in _lines(iter(lines), show_path(STDIN)):
            yield [row._replace(codes=self._fitting(row.codes)) for row in block]

    def codes(self, text: str, newlines: str) -> Codes:
        """Return a text as codes in the model's form."""
        form, _ = fitting_text(text, self.vocabulary, newlines)  # type: ignore[arg-type]
        return self.vocabulary.text_to_codes(form)

    def _fitting(self, codes: Codes) -> Codes:
        if self.vocabulary.unit == "byte" or not self.vocabulary.unknown(codes):
            return codes
        return self.codes(to_text(codes), "keep")


def check_same_rows(first: Checkpoint, other: Checkpoint, names: tuple[str, str]) -> None:
    """Reject models that divide texts into different rows.

    Raises
    ------
    ConfigError
        If one scores lines and the other different items, or only one reads prompts.
    """
    kinds = [
        (model.settings.items or "line", bool(model.settings.prompted)) for model in (first, other)
    ]
    if kinds[0] != kinds[1]:
        words = [f"{items}s" + " after a prompt" * prompted for items, prompted in kinds]
        raise ConfigError(
            f"{names[0]} scores {words[0]} and {names[1]} {words[1]}: compare models that divide "
            "texts in the same way"
        )


def _pieces(codes: Codes) -> Iterator[Codes]:
    """Yield a text, which may be a memory map, in pieces that end with a line end."""
    start = 0
    while start < len(codes):
        stop = min(start + BLOCK, len(codes))
        while stop < len(codes) and codes[stop - 1] != LINE_END:
            ends = np.flatnonzero(codes[stop : stop + BLOCK] == LINE_END)
            stop = stop + int(ends[0]) + 1 if len(ends) else min(stop + BLOCK, len(codes))
        yield np.asarray(codes[start:stop])
        start = stop


def _lines(pieces: Iterator[Codes], source: str) -> Iterator[list[Row]]:
    """Yield the lines of a text in pieces; text after the last line end is a line if not empty."""
    number = 0
    for piece in pieces:
        lines = _split(piece, LINE_END)
        yield [Row(codes, number + place, source) for place, codes in enumerate(lines, 1)]
        number += len(lines)


def _numbered(items: Iterator[Codes], source: str) -> Iterator[list[Row]]:
    """Yield items in blocks."""
    block: list[Row] = []
    size = 0
    for number, codes in enumerate(items, 1):
        block.append(Row(codes, number, source))
        size += len(codes)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _items(divided: Codes, end: int) -> Iterator[Codes]:
    start = 0
    for stop in np.flatnonzero(divided == end).tolist():
        yield divided[start:stop]
        start = stop + 1


def _split(codes: Codes, end: int) -> list[Codes]:
    """Split codes at each end; no empty part follows an end that is the last symbol."""
    ends = np.flatnonzero(codes == end)
    parts = np.split(codes, ends + 1)
    rows = [part[:-1] for part in parts[:-1]]
    if len(parts[-1]) or not len(ends):
        rows.append(parts[-1])
    return rows
