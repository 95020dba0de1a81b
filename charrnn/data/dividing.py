"""Dividing a text into items: lines, blocks between blank lines, files, or parts between marks.

A divided text is a sequence of items, each followed by one symbol, the *end*, that occurs nowhere
else in it. An item is read from a zero state. The end is its start symbol; its own end, which is
predicted too, closes it. Empty items do not count.
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
"""Patterns that separate items within a file, by name; any other name is a mark."""
ENDS: tuple[int, ...] = (0x1E, 0x1D, 0x1C, 0x1F, *range(9), *range(0x0E, 0x1B))
"""Candidates for the end: ASCII's separators, then other control characters."""
CHUNK = 1 << 20


def division_of(corpus: Corpus, items: str) -> str:
    r"""Return how exactly the items of a corpus are divided.

    A mark is converted to the normal form of the text. If at least half of its occurrences are on
    lines of their own, only these divide: ``%`` becomes ``\n%\n``, so that a fortune may contain
    50 %.

    Parameters
    ----------
    corpus : Corpus
        The text.
    items : str
        "line", "blank-line", "file", or the mark between items.

    Raises
    ------
    ConfigError
        If the mark does not occur in the text.
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
            "mark between the items exactly as in the text, or line, blank-line or file"
        )
    return line if 2 * counts[1] >= counts[0] else mark


def end_of(codes: Codes, items: str) -> int:
    """Return the end symbol for the items of a text: one that does not occur in it.

    Raises
    ------
    ConfigError
        If all candidates occur in the text.
    """
    if items == "line":
        return LINE_END
    for end in ENDS:
        if not np.any(codes == end):
            return end
    raise ConfigError(
        f"--items {items.strip()} needs an unused control character as a separator, and the text "
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
        From ``division_of``: "line", "blank-line", "file", or the mark between items. A mark that
        begins and ends with a newline, such as ``\n%\n``, is a line of its own.
    end : int
        From ``end_of``. If it occurs in the text, it divides there too.
    starts : sequence of int
        Where each file begins; no item continues across files.
    unit : "char" or "byte"
        What a code is.

    Returns
    -------
    (m,) int array
        The divided text. Items are stripped of newlines, and items that are all whitespace are
        dropped.
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
    """Return items, as codes or ids, without empty ones; each has an end."""
    if not len(codes):
        return codes
    ends = codes == end
    after_end = np.concatenate([[True], ends[:-1]])
    kept: Codes = codes[~(ends & after_end)]
    if not len(kept) or kept[-1] == end:
        return kept
    return np.append(kept, kept.dtype.type(end))


def chunks_of_items(codes: Codes, end: int = LINE_END, size: int = CHUNK) -> Iterator[Codes]:
    """Yield a divided text in chunks of whole items, of about ``size`` characters each."""
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
    """Return the number of characters in the last items that make up a fraction of all items."""
    ends = np.flatnonzero(codes == end)
    count = int(len(ends) * fraction)
    return len(codes) - 1 - int(ends[-1 - count]) if count else 0


def _texts(codes: Codes, starts: Sequence[int]) -> Iterator[str]:
    """Yield the text of each file; bytes are decoded as Latin-1."""
    for start, stop in pairwise([*starts, len(codes)]):
        # In chunks, as the conversion to text needs four bytes per character.
        places = range(start, stop, CHUNK)
        yield "".join(to_text(codes[place : min(place + CHUNK, stop)]) for place in places)


def _separator(items: str, unit: Unit) -> re.Pattern[str]:
    """Return the pattern that separates items within a file."""
    if items in SEPARATORS:
        return SEPARATORS[items]
    mark = items.encode().decode("latin-1") if unit == "byte" else items
    if is_line(mark):
        return re.compile(rf"^{re.escape(mark[1:-1])}[ \t\r]*$", re.MULTILINE)
    return re.compile(re.escape(mark))


def is_line(mark: str) -> bool:
    """Return whether a mark is a line of its own."""
    return re.fullmatch(r"\n[^\n]+\n", mark) is not None
