"""Codes: a text as an array of code points, or of bytes."""

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.unsignedinteger[Any]]
"""A text (n,), in the smallest unsigned type that holds its codes."""

CODE_POINTS = 0x110000
LINE_END = ord("\n")


def to_codes(text: str) -> Codes:
    """Return the code points of `text` (n,), as the smallest of uint8, uint16 and uint32.

    Raises
    ------
    UnicodeEncodeError
        If `text` has a lone surrogate.
    """
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        pass
    pairs = text.encode("utf-16-le")
    if len(pairs) == 2 * len(text):
        return np.frombuffer(pairs, "<u2").astype(np.uint16, copy=False)
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint32, copy=False)


def to_text(codes: npt.NDArray[Any]) -> str:
    """Inverse of `to_codes`."""
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def utf8_length(codes: Codes) -> int:
    """Return the number of UTF-8 bytes of the characters `codes (n,)`."""
    longer = (np.count_nonzero(codes >= first) for first in (0x80, 0x800, 0x10000))
    return len(codes) + sum(map(int, longer))


def show_character(code: int) -> str:
    r"""Name a code point for a message, safely: `'\\n' (U+000A)`, `'한' (U+D55C)`."""
    character = chr(code)
    if unicodedata.category(character).startswith("M"):  # would combine with the quote before it
        shown = "'" + character.encode("unicode_escape").decode("ascii") + "'"
    else:
        shown = repr(character)
    return f"{shown} (U+{code:04X})"
