"""Restricting samples to a set of allowed characters.

Dimensions
    N samples, V vocabulary size, S states.

A character may consist of several symbols: its UTF-8 bytes, a letter and its marks, the jamo of a
syllable. The symbols of the allowed characters form a prefix tree. In each of its states a sample
may continue the current character, and where that is complete, start another.
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
"""Most unknown characters that an error names."""
BEGIN = 0
"""The state before the first character, and after each one that is no prefix of another."""


@dataclass(frozen=True, eq=False)
class Allowed:
    """The symbols that may be sampled in each state.

    Attributes
    ----------
    may : (S, V) bool array
        Whether a symbol may be sampled; at least one per state.
    after : (S, V) int array
        The state after a symbol that may be sampled.
    """

    may: NDArray[np.bool_]
    after: NDArray[np.intp]

    @classmethod
    def of(cls, vocabulary: Vocabulary, characters: str, end_id: int | None = None) -> Self:
        """Allow the characters of a text.

        Parameters
        ----------
        vocabulary : Vocabulary
            The model's.
        characters : str
            Each of them may occur any number of times.
        end_id : int, optional
            The id of a symbol that may follow any whole character, such as the end of an item.

        Raises
        ------
        ConfigError
            See ``symbols_of``.
        """
        symbols = symbols_of(vocabulary, characters)
        rows: list[dict[int, int]] = [{}]  # for each state, the next state by symbol
        whole = {BEGIN}
        for ids in symbols:
            state = BEGIN
            for symbol in ids:
                if symbol not in rows[state]:
                    rows[state][symbol] = len(rows)
                    rows.append({})
                state = rows[state][symbol]
            whole.add(state)
        # A row takes 9 V bytes, so only proper prefixes of characters become states.
        inner = [state for state, row in enumerate(rows) if row]
        number = {state: place for place, state in enumerate(inner)}
        begins = {} if end_id is None else {end_id: BEGIN}
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
        """Return the initial states (N,) of ``count`` samples."""
        return np.full(count, BEGIN, np.intp)


def allow_(logits: Array, may: NDArray[np.bool_]) -> Array:
    """Mask the rows of logits (V, N) that may not be sampled, given ``may`` (N, V)."""
    logits[~may.T] = -np.inf
    return logits


def symbols_of(vocabulary: Vocabulary, characters: str) -> list[list[int]]:
    """Return the ids of each distinct character of a text.

    Raises
    ------
    ConfigError
        If there is none, or the model does not know some; the message names them.
    """
    if not characters:
        raise ConfigError("--allow is empty, so nothing could be sampled: name characters")
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
            f"--allow: the model does not know {named}{more}, since the training text has no such "
            f"character: leave {'it' if len(missing) == 1 else 'them'} out"
        )
    return found
