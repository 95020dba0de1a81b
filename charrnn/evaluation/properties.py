"""Human-readable properties of a text at each position: inside quotes, digits, ...

Each property is a number per character that depends only on the text up to that character, like
the state of a network.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BRACKETS = {"(": ")", "[": "]", "{": "}"}
QUOTES = {"“": "”", "„": "“", "«": "»", "「": "」", "『": "』"}
SENTENCE_ENDS = ".!?\u3002\uff01\uff1f"
FARTHEST = {"line": 80, "sentence": 200, "paragraph": 10, "word": 12, "indent": 40}
"""Limits of positions and lengths: otherwise a few long ones would outweigh all others."""
BEGINNING = 3
"""Characters that count as the beginning of a line."""


class Reader:
    """Reads a text character by character; the attributes describe the current position."""

    def __init__(self) -> None:
        self.character = self.before = "\n"
        self.column = self.indent = self.lines = self.sentence = 0
        self.word, self.last_word = "", 0
        self.open_quote, self.brackets, self.comment = "", 0, False
        self.in_indent = True
        self._line_ends = 0

    def read(self, character: str) -> None:
        """Read the next character."""
        self.before, self.character = self.character, character
        self._place(character)
        self._word(character)
        self._enclosed(character)

    def _place(self, character: str) -> None:
        self.sentence = 0 if self.before in SENTENCE_ENDS else self.sentence + 1
        if self.before == "\n":
            self.column, self.indent, self.in_indent = 0, 0, True
            self.lines += 1
        else:
            self.column += 1
        if self.in_indent and character in " \t":
            self.indent += 1
        else:
            self.in_indent = False
        self._line_ends = self._line_ends + 1 if character == "\n" else 0
        if self._line_ends == 2:  # unclosed quotes and brackets end with the paragraph
            self.lines, self.open_quote, self.brackets, self.sentence = 0, "", 0, 0

    def _word(self, character: str) -> None:
        if character.isalpha():
            self.word += character
        else:
            self.last_word = len(self.word) or self.last_word
            self.word = ""

    def _enclosed(self, character: str) -> None:
        if self.open_quote:
            if character == self.open_quote:
                self.open_quote = ""
        elif character == '"':
            self.open_quote = '"'
        else:
            self.open_quote = QUOTES.get(character, "")
        if character in BRACKETS:
            self.brackets += 1
        elif character in BRACKETS.values():
            self.brackets = max(0, self.brackets - 1)
        starts = character == "#" or (character == "/" and self.before == "/")
        self.comment = character != "\n" and (self.comment or starts)


Property = Callable[[Reader], float]
PROPERTIES: dict[str, Property] = {
    "inside quotes": lambda at: at.open_quote != "",
    "inside brackets": lambda at: at.brackets > 0,
    "inside a comment": lambda at: at.comment,
    "a digit": lambda at: at.character.isdigit(),
    "a space or a line end": lambda at: at.character.isspace(),
    "a capital": lambda at: at.character.isupper(),
    "in a word that begins with a capital": lambda at: at.word[:1].isupper(),
    "in a word in capitals": lambda at: len(at.word) > 1 and at.word.isupper(),
    "at the beginning of a line": lambda at: at.column < BEGINNING,
    "position in the line": lambda at: min(at.column, FARTHEST["line"]),
    "indentation of the line": lambda at: min(at.indent, FARTHEST["indent"]),
    "position in the word": lambda at: min(len(at.word), FARTHEST["word"]),
    "length of the last word": lambda at: min(at.last_word, FARTHEST["word"]),
    "position in the sentence": lambda at: min(at.sentence, FARTHEST["sentence"]),
    "lines since the last blank one": lambda at: min(at.lines, FARTHEST["paragraph"]),
}
"""F properties, each a function of the reader after the last character."""


def properties_of(text: str) -> NDArray[np.float64]:
    """Return the properties (F, n) of the n characters of a text."""
    reader, values = Reader(), np.empty((len(PROPERTIES), len(text)))
    rules = list(PROPERTIES.values())
    for place, character in enumerate(text):
        reader.read(character)
        values[:, place] = [rule(reader) for rule in rules]
    return values
