"""Discounting repeated surprises: a name that recurs in a text is not a typo.

Dimensions
    n rows, m symbols in all rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.scoring import RowScore

CONTEXT = 2
"""Context length of the n-grams counted in the text itself."""
SHARE = 0.5
"""Weight of these n-grams in the probability."""
NEXT = 0.5
"""Share of the next symbol's loss that is added: the symbol after a typo is unlikely too."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = NDArray[np.uint64]


def surprises(scores: Sequence[RowScore]) -> list[NDArray[np.float64]]:
    """Return the surprise of each symbol of each row (k,) in nats.

    Parameters
    ----------
    scores : sequence of RowScore
        Rows of one text. The probability of a symbol is the mean of the model's and of how often it
        follows the same ``CONTEXT`` symbols elsewhere in these rows. To its nats the share ``NEXT``
        of those of the next symbol is added.
    """
    lengths = np.array([len(score.codes) for score in scores], np.int64)
    if not lengths.sum():
        return [np.empty(0)] * len(scores)
    codes = np.concatenate([score.codes for score in scores]).astype(np.uint64)
    nats = np.concatenate([score.nats for score in scores])
    own = SHARE * _elsewhere(codes, lengths)
    adapted = -np.logaddexp(np.log1p(-SHARE) - nats, np.log(np.maximum(own, 1e-300)))
    owner = np.repeat(np.arange(len(scores)), lengths)
    adapted[:-1] += np.where(owner[:-1] == owner[1:], NEXT * adapted[1:], 0.0)
    return np.split(adapted, np.cumsum(lengths)[:-1])


def _elsewhere(codes: Hashes, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each symbol (m,) follows its context elsewhere, as a probability."""
    place = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    contexts = np.zeros(len(codes), np.uint64)
    for back in range(CONTEXT, 0, -1):
        # The position before a row has a symbol of its own.
        before = np.where(place >= back, np.roll(codes, back) + np.uint64(1), np.uint64(0))
        contexts = _mixed(contexts, before)
    grams = _counts(_mixed(contexts, codes + np.uint64(1)))
    return (grams - 1) / np.maximum(_counts(contexts) - 1, 1)


def _mixed(hashes: Hashes, symbols: Hashes) -> Hashes:
    mixed: Hashes = (hashes ^ symbols) * _FACTOR
    return mixed ^ (mixed >> np.uint64(29))


def _counts(hashes: Hashes) -> NDArray[np.int64]:
    """Return the number of occurrences of each hash (m,)."""
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[places]
