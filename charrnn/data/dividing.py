"""A text divided into items: lines, blocks between blank lines, files, or what a mark separates.

A divided text is its items one after another, each followed by one symbol, the *end*, that occurs
nowhere else in it. An item is read from a zero state: the end is its start symbol, and its own
end, which is predicted too, ends it. Empty items are none.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from charrnn.config import Unit
from charrnn.config.similar import did_you_mean
from charrnn.errors import ConfigError
from charrnn.text import Corpus
from charrnn.text.codes import LINE_END, Codes, to_codes, to_text
from charrnn.text.normalizing import normalized

SEPARATORS = {
    "line": re.compile(r"\n"),
    "blank-line": re.compile(r"(?:\A|\n)(?:[ \t\r]*(?:\n|\Z))+"),
    "file": re.compile(r"(?!)"),
}
"""What separates items within a file, by the names of divisions; any other division is a mark."""
ENDS: tuple[int, ...] = (0x1E, 0x1D, 0x1C, 0x1F, *range(9), *range(0x0E, 0x1B))
"""Candidates for the end: ASCII's separators, then other control characters."""
CHUNK = 1 << 20


def division_of(corpus: Corpus, items: str) -> str:
    r"""Return how the items of a corpus are divided, with nothing left open.

    A mark takes the normal form of the text. Where at least half of it stands on lines of its own,
    these alone divide: ``%`` becomes ``\n%\n``, so that a fortune may say 50 %.

    Parameters
    ----------
    corpus : Corpus
        The text.
    items : str
        "line", "blank-line", "file", or the mark between items.

    Raises
    ------
    ConfigError
        If the text does not have the mark.
    """
    if items in SEPARATORS:
        return items
    mark = normalized(items, corpus.normalize)
    line = mark if "\n" in mark else f"\n{mark}\n"
    of_mark, of_line = (_separator(division, corpus.unit) for division in (mark, line))
    counts = [0, 0]
    for text in _texts(corpus.codes, corpus.starts):
        counts[0] += len(of_mark.findall(text))
        counts[1] += len(of_line.findall(text))
    if not counts[0]:
        raise ConfigError(
            f"--items {items!r:.40} is not in the text{did_you_mean(items, SEPARATORS)}: give the "
            "mark that stands between the items as it is written there, or line, blank-line or file"
        )
    return line if 2 * counts[1] >= counts[0] else mark


def end_of(codes: Codes, items: str) -> int:
    """Return the end symbol of the items of a text: one that it does not have.

    Raises
    ------
    ConfigError
        If the text has all that could serve.
    """
    if items == "line":
        return LINE_END
    for end in ENDS:
        if not np.any(codes == end):
            return end
    raise ConfigError(
        f"--items {items.strip()} needs a control character that the text does not have, and it "
        "has all of them: remove one from the text"
    )


def divide(
    codes: Codes, items: str, end: int, *, starts: Sequence[int] = (0,), unit: Unit = "char"
) -> Codes:
    r"""Return a text as items, each followed by ``end``.

    Parameters
    ----------
    codes : (n,) int array
        The text.
    items : str
        From ``division_of``: "line", "blank-line", "file", or the mark between items. One that
        begins and ends with a line end is a line of its own, as ``\n%\n`` is.
    end : int
        From ``end_of``; one that another text has divides that too.
    starts : sequence of int
        Where each file begins: no item goes on from one to the next.
    unit : "char" or "byte"
        What a code is.

    Returns
    -------
    (m,) int array
        Line ends before and after an item are no part of it, and what is all space is none.
    """
    if items == "line":
        return as_items(codes)
    mark, separator = chr(end), _separator(items, unit)
    pieces = (
        part.strip("\r\n")
        for text in _texts(codes, starts)
        for piece in separator.split(text)
        for part in piece.split(mark)
    )
    joined = "".join(piece + mark for piece in pieces if piece and not piece.isspace())
    return to_codes(joined).astype(codes.dtype, copy=False)


def as_items(codes: Codes, end: int = LINE_END) -> Codes:
    """Return items, codes or ids, without the empty ones, every one with an end."""
    if not len(codes):
        return codes
    ends = codes == end
    after_end = np.concatenate([[True], ends[:-1]])
    kept: Codes = codes[~(ends & after_end)]
    if not len(kept) or kept[-1] == end:
        return kept
    return np.append(kept, kept.dtype.type(end))


def chunks_of_items(codes: Codes, end: int = LINE_END, size: int = CHUNK) -> Iterator[Codes]:
    """Yield a divided text in chunks of whole items of about so many characters."""
    start = 0
    while start < len(codes):
        stop = min(start + size, len(codes))
        while codes[stop - 1] != end:  # to the end of its last item
            ends = np.flatnonzero(codes[stop : stop + size] == end)
            stop += int(ends[0]) + 1 if len(ends) else size
        yield np.asarray(codes[start:stop])
        start = stop


def texts_of(codes: Codes, end: int = LINE_END) -> list[str]:
    """Return the items of a divided text, without their ends; bytes are decoded as Latin-1."""
    return to_text(codes).split(chr(end))[:-1]


def last_items(codes: Codes, fraction: float, end: int = LINE_END) -> int:
    """Return how many characters the last items take that are this fraction of all items."""
    ends = np.flatnonzero(codes == end)
    count = int(len(ends) * fraction)
    return len(codes) - 1 - int(ends[-1 - count]) if count else 0


def _texts(codes: Codes, starts: Sequence[int]) -> Iterator[str]:
    """Yield the text of each file; bytes are decoded as Latin-1."""
    for start, stop in pairwise([*starts, len(codes)]):
        # In chunks: the way to text takes four bytes for each character.
        places = range(start, stop, CHUNK)
        yield "".join(to_text(codes[place : min(place + CHUNK, stop)]) for place in places)


def _separator(items: str, unit: Unit) -> re.Pattern[str]:
    """Return what separates items within a file."""
    if items in SEPARATORS:
        return SEPARATORS[items]
    mark = items.encode().decode("latin-1") if unit == "byte" else items
    if is_line(mark):
        return re.compile(rf"^{re.escape(mark[1:-1])}[ \t\r]*$", re.MULTILINE)
    return re.compile(re.escape(mark))


def is_line(mark: str) -> bool:
    """Return whether a mark is a line of its own."""
    return re.fullmatch(r"\n[^\n]+\n", mark) is not None
