"""The characters and words of a scored row."""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.scoring import RowScore
from charrnn.text import Vocabulary
from charrnn.text.characters import whole_characters
from charrnn.text.codes import Codes, to_text
from charrnn.views.heat import Cell


class Part(NamedTuple):
    """A word or a character of a row.

    Attributes
    ----------
    text : str
    column : int
        Position of its first character in the row, from 1.
    nats : float
    symbols : int
        Number of predictions in it.
    unknown : int
        How many of these are of unknown symbols.
    """

    text: str
    column: int
    nats: float
    symbols: int
    unknown: int


def cells(
    vocabulary: Vocabulary,
    codes: Codes,
    nats: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> Iterator[Cell]:
    """Yield whole characters, joining the bytes of one, or the parts of a letter."""
    for start, stop in pairwise(whole_characters(vocabulary, codes)):
        yield Cell(
            text=text_of(vocabulary, codes[start:stop]),
            nats=float(nats[start:stop].sum()),
            symbols=stop - start,
            unknown=not known[start:stop].all(),
        )


def text_of(vocabulary: Vocabulary, codes: Sequence[int] | Codes) -> str:
    """Return symbols as text: bytes decoded as UTF-8, parts of letters composed."""
    array = np.asarray(codes)
    if vocabulary.unit == "byte":
        return array.astype(np.uint8).tobytes().decode("utf-8", "replace")
    text = to_text(array)
    return unicodedata.normalize("NFC", text) if vocabulary.normalize == "nfd" else text


def characters(vocabulary: Vocabulary, score: RowScore) -> Iterator[Part]:
    """Yield the characters of a row, including its end."""
    column = 1 + len(text_of(vocabulary, score.prompt))
    for cell in cells(vocabulary, score.codes, score.nats, score.known):
        yield Part(cell.text, column, cell.nats, cell.symbols, int(cell.unknown))
        column += 1


def words(vocabulary: Vocabulary, score: RowScore, end: int) -> Iterator[Part]:
    """Yield the words of a row, separated by white space.

    The loss of a word includes the white space or row end after it, which says that the word ends
    there; the first word also includes white space before it.

    Parameters
    ----------
    vocabulary : Vocabulary
        The model's.
    score : RowScore
        The score of the row.
    end : int
        The symbol that ends the row.
    """
    parts: list[Part] = []
    for part in characters(vocabulary, score):
        is_space = part.text.isspace() or part.text == chr(end)
        was_space = bool(parts) and parts[-1].text == ""
        if not is_space and was_space and any(before.text for before in parts):
            yield _joined(parts)
            parts = []
        parts.append(part._replace(text="" if is_space else part.text))
    if any(part.text for part in parts):
        yield _joined(parts)


def _joined(parts: Sequence[Part]) -> Part:
    return Part(
        "".join(part.text for part in parts),
        next(part.column for part in parts if part.text),
        sum(part.nats for part in parts),
        sum(part.symbols for part in parts),
        sum(part.unknown for part in parts),
    )
