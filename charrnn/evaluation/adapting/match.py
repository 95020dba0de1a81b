"""A match model: predicts the symbol that followed the last occurrence of the context.

As in Mahoney's PAQ: once the last symbols have occurred before, the symbol that followed there is
predicted, and then the ones after it for as long as they are correct. The confidence is estimated
from how often matches of the same length were correct.

Dimensions
    n training symbols, m scored symbols.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.numbering import Small
from charrnn.evaluation.ngrams import number

LONGEST = 32
"""Longest match length with its own statistics; longer ones share them."""
MEMORY = 400.0
"""Approximate number of matches per length that the statistics remember."""


class Matches(NamedTuple):
    """Predictions of a match model at each scored position.

    Attributes
    ----------
    symbols : (m,) int array
        The predicted symbol; -1 for none.
    lengths : (m,) int array
        The length of the match, at most ``LONGEST``; 0 for no match.
    confidence : (m,) float array
        The probability of the predicted symbol.
    """

    symbols: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]

    def probabilities(self, first: int, stop: int, vocab_size: int) -> npt.NDArray[np.float32]:
        """Return the probabilities (B, V) of all symbols, from ``first`` to ``stop``."""
        found = np.flatnonzero(self.symbols[first:stop] >= 0)
        sure, symbols = self.confidence[first:stop][found], self.symbols[first:stop][found]
        p = np.full((stop - first, vocab_size), 1 / vocab_size, np.float32)
        p[found] = ((1 - sure) / max(1, vocab_size - 1))[:, np.newaxis]
        p[found, symbols] = sure
        return p


def find_matches(text: Ids, n: int, contexts: Small, shortest: int) -> Matches:
    """Match each position of a scored text with earlier text.

    Parameters
    ----------
    text : (n + m,) int array
        The training text and the scored text.
    n : int
        n.
    contexts : (n + m,) int array
        The number of the string of ``shortest`` symbols before each symbol.
    shortest : int
        Length of the shortest match.
    """
    m = len(text) - n
    candidates, text = _latest(contexts)[n:].tolist(), text.tolist()
    right, seen = [1.0] * (LONGEST + 1), [2.0] * (LONGEST + 1)
    symbols, lengths, confidence = [-1] * m, [0] * m, [0.0] * m
    place, length = -1, 0
    for t in range(m):
        if place < 0 and candidates[t] >= 0:
            place, length = candidates[t], shortest
            most = min(LONGEST, place, t)
            while length < most and text[place - 1 - length] == text[n + t - 1 - length]:
                length += 1
        if place < 0:
            continue
        symbols[t], lengths[t], confidence[t] = text[place], length, right[length] / seen[length]
        is_right = text[place] == text[n + t]
        seen[length] += 1
        right[length] += is_right
        if seen[length] > MEMORY:
            seen[length] /= 2
            right[length] /= 2
        place, length = (place + 1, min(length + 1, LONGEST)) if is_right else (-1, 0)
    return Matches(np.array(symbols), np.array(lengths), np.array(confidence))


def doubled(contexts: Small, length: int) -> Small:
    """Return the numbers of contexts of 2 ``length`` symbols, given those of ``length`` symbols."""
    before = np.zeros_like(contexts)
    before[length:] = contexts[: max(0, len(contexts) - length)]
    kinds = int(contexts.max(initial=0)) + 1
    return number(before * np.int64(kinds) + contexts).at


def _latest(contexts: Small) -> npt.NDArray[np.int64]:
    """Return the last earlier position (n + m,) with the same context, or -1."""
    places = np.argsort(contexts, kind="stable")
    same = contexts[places[1:]] == contexts[places[:-1]]
    found = np.full(len(contexts), -1)
    found[places[1:][same]] = places[:-1][same]
    return found
