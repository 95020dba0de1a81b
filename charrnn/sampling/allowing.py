"""Which characters may be drawn, where a user allows some alone.

Dimensions
    N samples, V vocabulary size, S states.

A character may be several symbols: the bytes of its UTF-8, or a letter and its marks, a syllable
and its jamo. The symbols of the allowed characters make a tree, and a sample walks through it: in
each state it may draw the symbols that go on with a character, and where one is complete, those
that begin another.
"""

import unicodedata
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.errors import ConfigError
from charrnn.text import Vocabulary, fitting_text

LISTED = 10
"""Unknown characters that an error names."""
BEGIN = 0
"""The state before the first character, and after each that no other allowed one begins with."""


@dataclass(frozen=True, eq=False)
class Allowed:
    """What may be drawn in each state.

    Attributes
    ----------
    may : (S, V) bool array
        Whether a symbol may be drawn; at least one in each state.
    after : (S, V) int array
        The state after a symbol that may be drawn.
    """

    may: NDArray[np.bool_]
    after: NDArray[np.intp]

    @classmethod
    def of(cls, vocabulary: Vocabulary, characters: str, end: int | None = None) -> Self:
        """Allow the characters of a text.

        Parameters
        ----------
        vocabulary : Vocabulary
            The model's.
        characters : str
            Each of them may come any number of times.
        end : int, optional
            The id of a symbol that may follow on any whole character, such as the end of an item.

        Raises
        ------
        ConfigError
            See ``symbols_of``.
        """
        symbols = symbols_of(vocabulary, characters)
        rows: list[dict[int, int]] = [{}]  # of each state, the state after each symbol
        whole = {BEGIN}
        for ids in symbols:
            state = BEGIN
            for symbol in ids:
                if symbol not in rows[state]:
                    rows[state][symbol] = len(rows)
                    rows.append({})
                state = rows[state][symbol]
            whole.add(state)
        # A row takes 9 V bytes: only the beginnings of characters are states of their own.
        inner = [state for state, row in enumerate(rows) if row]
        number = {state: place for place, state in enumerate(inner)}
        begins = {} if end is None else {end: BEGIN}
        begins |= {symbol: number.get(after, BEGIN) for symbol, after in rows[BEGIN].items()}
        rows = [
            (begins if state in whole else {})
            | {symbol: number.get(after, BEGIN) for symbol, after in rows[state].items()}
            for state in inner
        ]
        may = np.zeros((len(rows), len(vocabulary)), np.bool_)
        after = np.zeros(may.shape, np.intp)
        for state, row in enumerate(rows):
            may[state, list(row)] = True
            after[state, list(row)] = list(row.values())
        return cls(may, after)

    def begin(self, count: int) -> NDArray[np.intp]:
        """Return the states (N,) of so many samples before anything is drawn."""
        return np.full(count, BEGIN, np.intp)


def allow_(logits: Array, may: NDArray[np.bool_]) -> Array:
    """Rule out the rows of logits (V, N) that may not be drawn, by ``may (N, V)``."""
    logits[~may.T] = -np.inf
    return logits


def symbols_of(vocabulary: Vocabulary, characters: str) -> list[list[int]]:
    """Return the ids of each different character of a text.

    Raises
    ------
    ConfigError
        If there is none, or the model does not know some: names them.
    """
    if not characters:
        raise ConfigError("--allow is empty, so that nothing could be drawn: name characters")
    characters, _ = fitting_text(characters, vocabulary, "keep")
    if vocabulary.normalize != "none":
        characters = unicodedata.normalize("NFC", characters)
    found, missing = [], []
    for character in dict.fromkeys(characters):
        codes = vocabulary.text_to_codes(character)
        ids, unknown = vocabulary.encode_known(codes)
        if unknown:
            missing.append(character)
        found.append(ids.tolist())
    if missing:
        more = f" and {len(missing) - LISTED:,} more" if len(missing) > LISTED else ""
        named = ", ".join(map(repr, missing[:LISTED]))
        raise ConfigError(
            f"--allow: the model cannot write {named}{more}, which its training text does not "
            f"have: leave {'it' if len(missing) == 1 else 'them'} out"
        )
    return found
