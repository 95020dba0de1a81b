"""Whole characters of a text whose symbols are bytes or parts of letters."""

from typing import Protocol

import numpy as np

from charrnn.text.codes import Codes
from charrnn.text.normalizing import may_split_before
from charrnn.text.vocabulary import Vocabulary


def whole_characters(vocabulary: Vocabulary, codes: Codes) -> list[int]:
    """Return the boundaries of the characters of a text.

    The bytes of a character, or the parts of a letter, stay together.

    Parameters
    ----------
    vocabulary : Vocabulary
        Defines the unit and the normal form.
    codes : (n,) int array
        The text.

    Returns
    -------
    list of int
        Ascending, from 0 to n; [0] for an empty text.
    """
    starts = np.ones(len(codes), np.bool_)
    if vocabulary.unit == "byte":
        starts[1:] = codes[1:] & 0xC0 != 0x80
    elif vocabulary.normalize == "nfd":
        starts[1:] = [may_split_before(chr(code)) for code in codes[1:].tolist()]
    return [*np.flatnonzero(starts).tolist(), len(codes)]


class Counter(Protocol):
    """Counts user-perceived characters in symbols that arrive one by one.

    Attributes
    ----------
    begun : int
        Characters so far; the last one may be incomplete.
    """

    begun: int

    @property
    def complete(self) -> bool:
        """Whether the last character is complete."""

    def add(self, code: int) -> None:
        """Count the next symbol."""


class SymbolCounter:
    """Counts symbols, each of which is a character."""

    complete = True

    def __init__(self) -> None:
        self.begun = 0

    def add(self, code: int) -> None:
        """Count the next symbol."""
        self.begun += 1


class LetterCounter:
    """Counts letters whose parts are symbols: a letter ends only where the next one begins."""

    complete = False

    def __init__(self) -> None:
        self.begun = 0

    def add(self, code: int) -> None:
        """Count the next symbol."""
        self.begun += may_split_before(chr(code))


class ByteCounter:
    """Counts UTF-8 characters, and invalid bytes as a decoder replaces them with U+FFFD."""

    def __init__(self) -> None:
        self.begun = 0
        self._left, self._range = 0, _CONTINUES

    @property
    def complete(self) -> bool:
        """Whether the last character is complete."""
        return self._left == 0

    def add(self, code: int) -> None:
        """Count the next byte."""
        if self._left and code in self._range:
            self._left, self._range = self._left - 1, _CONTINUES
            return
        self.begun += 1
        self._left = (0xC2 <= code <= 0xF4) + (0xE0 <= code <= 0xF4) + (0xF0 <= code <= 0xF4)
        self._range = _SECOND.get(code, _CONTINUES)


_CONTINUES = range(0x80, 0xC0)
_SECOND = {
    0xE0: range(0xA0, 0xC0),
    0xED: range(0x80, 0xA0),
    0xF0: range(0x90, 0xC0),
    0xF4: range(0x80, 0x90),
}
"""Allowed second bytes after certain first bytes (Unicode, table 3-7)."""


def counter_of(vocabulary: Vocabulary) -> Counter:
    """Return a counter of characters for the symbols of a vocabulary."""
    if vocabulary.unit == "byte":
        return ByteCounter()
    return LetterCounter() if vocabulary.normalize == "nfd" else SymbolCounter()
