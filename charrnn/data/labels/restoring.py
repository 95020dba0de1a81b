"""What can be removed from plain text and restored: spaces, case, punctuation marks, accents.

A model learns to restore it from labels that the text itself provides: for each remaining
character, what was removed there.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import ClassVar, Literal

from charrnn.text.normalizing import Normalizer

Restored = Literal["spaces", "case", "marks", "accents"]

MARKS = frozenset(
    ".,;:!?\u2026"
    "\u3002\u3001\uff0c\uff0e\uff1b\uff1a\uff01\uff1f\uff61\uff64"
    "\u060c\u061b\u061f\u06d4"
)
"""Punctuation that ends or divides sentences: Latin, Chinese and Japanese, Arabic and Urdu."""
MOST_MARKS = 3
"""Most marks that are removed after a character; a longer run, such as a line of dots, stays."""
_RUNS = re.compile(f"[{re.escape(''.join(sorted(MARKS)))}]+")

_STROKE, _DOTLESS = "\u0338", "\u0131"
_OWN = {
    **dict.fromkeys(["d\u0111", "D\u0110", "l\u0142", "L\u0141", "o\u00f8", "O\u00d8"], _STROKE),
    "i\u0131": _DOTLESS,
}
"""Letters that Unicode does not decompose, each after its base: đ ł ø and Turkish dotless i."""
_BASES = {pair[1]: (pair[0], label) for pair, label in _OWN.items()}
_LETTERS = {(pair[0], label): pair[1] for pair, label in _OWN.items()}
_MOST_ACCENTS = 4
"""Longer labels fit no letter and are ignored."""
_SCRIPTS = ("LATIN ", "GREEK ", "CYRILLIC ")


class Restorer(ABC):
    """Removes something from a text and restores it.

    ``restore(*remove(text))`` equals ``normal(text)`` for every text.

    Attributes
    ----------
    neutral : str
        The label of a character where nothing was removed.
    absent : str
        The message for a text that has nothing to remove.
    """

    neutral: ClassVar[str] = ""
    absent: ClassVar[str]

    def normal(self, text: str) -> str:
        """Return the form of a text that can be restored."""
        return text

    @abstractmethod
    def remove(self, text: str) -> tuple[str, list[str]]:
        """Return the bare text and the label of each of its characters."""

    def restore(self, bare: str, labels: Sequence[str]) -> str:
        """Restore what the labels say.

        A character with an impossible label, or with none, is left unchanged.
        """
        return "".join(map(self._put_back, bare, chain(labels, repeat(self.neutral))))

    @abstractmethod
    def _put_back(self, character: str, label: str) -> str:
        """Return the restored text for a character with a label."""

    def nothing_to_restore(self, texts: Iterable[str]) -> bool:
        """Return whether nothing can be removed from any of the texts."""
        return all(self.remove(text)[0] == self.normal(text) for text in texts)


class Spaces(Restorer):
    """The spaces between words; the label of the character before a space is a space.

    In normal form each run of whitespace is one space, and there is none at either end.
    """

    absent = "no line has a space between two words"

    def normal(self, text: str) -> str:
        """Return the words of a text with one space between them."""
        return " ".join(text.split())

    def remove(self, text: str) -> tuple[str, list[str]]:
        """Return a text without whitespace, and for each character whether a space follows."""
        words = text.split()
        labels: list[str] = []
        for word in words:
            labels += [""] * (len(word) - 1)
            labels.append(" ")
        if labels:
            labels[-1] = ""
        return "".join(words), labels

    def restore(self, bare: str, labels: Sequence[str]) -> str:
        """Insert spaces where the labels say, except after the last character."""
        return super().restore(bare[:-1], labels) + bare[-1:]

    def _put_back(self, character: str, label: str) -> str:
        return f"{character} " if label == " " else character


class Case(Restorer):
    """Uppercase letters, whose label is U; the label of every other character is L.

    A letter is lowercased only if that can be undone: İ, whose lowercase form has two characters,
    stays unchanged.
    """

    neutral = "L"
    absent = "no line has an uppercase letter"

    def remove(self, text: str) -> tuple[str, list[str]]:
        """Return a text in lowercase, and for each character whether it was uppercase."""
        bare = "".join(map(_small, text))
        return bare, ["L" if a == b else "U" for a, b in zip(text, bare, strict=True)]

    def _put_back(self, character: str, label: str) -> str:
        return _capital(character) if label == "U" else character


class Marks(Restorer):
    """Punctuation marks; the label of a character is the marks after it.

    Up to ``MOST_MARKS`` of the marks in ``MARKS`` are removed after a character. A longer run, or
    one at the beginning of the text, stays.
    """

    absent = "no line has a punctuation mark after a character"

    def remove(self, text: str) -> tuple[str, list[str]]:
        """Return a text without marks, and for each character the marks after it."""
        pieces: list[str] = []
        labels: list[str] = []
        start = 0
        for run in _RUNS.finditer(text):
            if run.start() == 0 or run.end() - run.start() > MOST_MARKS:
                continue
            pieces.append(text[start : run.start()])
            labels += [""] * len(pieces[-1])
            labels[-1] = run.group()
            start = run.end()
        pieces.append(text[start:])
        labels += [""] * len(pieces[-1])
        return "".join(pieces), labels

    def _put_back(self, character: str, label: str) -> str:
        are_marks = len(label) <= MOST_MARKS and MARKS.issuperset(label)
        return character + label if are_marks else character


class Accents(Restorer):
    """Accents on Latin, Greek and Cyrillic letters; the label is the combining marks.

    So a letter can get a mark that it never had in training. Only letters that are one code point
    together with their marks are changed, such as é and й. Letters that Unicode does not decompose
    (đ, ł, ø and Turkish dotless i) have their own labels. The normal form is NFC.
    """

    absent = "no line has a letter with an accent"

    def normal(self, text: str) -> str:
        """Return a text in NFC."""
        if text.isascii():
            return text
        normalizer = Normalizer("nfc")  # handles any number of combining marks
        return normalizer.feed(text) + normalizer.flush()

    def remove(self, text: str) -> tuple[str, list[str]]:
        """Return a text without accents, and for each character its accents."""
        if text.isascii():
            return text, [""] * len(text)
        pairs = list(map(_taken_apart, self.normal(text)))
        return "".join([base for base, _ in pairs]), [label for _, label in pairs]

    def _put_back(self, character: str, label: str) -> str:
        fits = 0 < len(label) <= _MOST_ACCENTS
        return _put_together(character, label) if fits else character


@lru_cache(1 << 16)
def _small(character: str) -> str:
    small = character.lower()
    return small if len(small) == 1 and small.upper() == character else character


@lru_cache(1 << 16)
def _capital(character: str) -> str:
    capital = character.upper()
    return capital if _small(capital) == character else character


@lru_cache(1 << 16)
def _taken_apart(character: str) -> tuple[str, str]:
    """Return the base and the label of a character, which is in NFC."""
    base, label = _decomposed(character)
    return (base, label) if label and _put_together(base, label) == character else (character, "")


@lru_cache(1 << 16)
def _put_together(base: str, label: str) -> str:
    """Return a base with its label as one code point, or the base alone if there is none."""
    if not unicodedata.name(base, "").startswith(_SCRIPTS):
        return base
    letter, marks = base, label
    if own := _LETTERS.get((base, label[:1])):
        letter, marks = own, label[1:]
    composed = unicodedata.normalize("NFC", letter + marks)
    fits = len(composed) == 1 and _decomposed(composed) == (base, label)
    return composed if fits else base


def _decomposed(character: str) -> tuple[str, str]:
    """Return the first code point of a character's canonical form (NFD), and the others."""
    apart = unicodedata.normalize("NFD", character)
    base, own = _BASES.get(apart[0], (apart[0], ""))
    return base, own + apart[1:]


RESTORERS: dict[Restored, Restorer] = {
    "spaces": Spaces(),
    "case": Case(),
    "marks": Marks(),
    "accents": Accents(),
}
"""The restorers, by their names in ``--predict``."""
