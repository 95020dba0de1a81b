"""Surprises that a text repeats are none: a name that the model never read is no typo.

Dimensions
    n rows, m symbols of all of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.lines.scoring import RowScore

CONTEXT = 2
"""Symbols before one, of the n-gram of the text itself."""
SHARE = 0.5
"""Its share of the probability."""
NEXT = 0.5
"""Of what the symbol behind one costs, the share that is added: what follows on a typo is unlikely
too."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = NDArray[np.uint64]


def surprises(scores: Sequence[RowScore]) -> list[NDArray[np.float64]]:
    """Return how unlikely each symbol of each row is (k,), in nats.

    Parameters
    ----------
    scores : sequence of RowScore
        Rows of one text. The probability of a symbol is a mean of the model's, and of how often it
        follows the same ``CONTEXT`` symbols elsewhere in these rows. To its nats is added the share
        ``NEXT`` of those of the one behind it.
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
    """Return of each symbol (m,) how often it comes where its context comes elsewhere."""
    place = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    contexts = np.zeros(len(codes), np.uint64)
    for back in range(CONTEXT, 0, -1):
        # Before a row there is nothing, which is a symbol of its own.
        before = np.where(place >= back, np.roll(codes, back) + np.uint64(1), np.uint64(0))
        contexts = _mixed(contexts, before)
    grams = _counts(_mixed(contexts, codes + np.uint64(1)))
    return (grams - 1) / np.maximum(_counts(contexts) - 1, 1)


def _mixed(hashes: Hashes, symbols: Hashes) -> Hashes:
    mixed: Hashes = (hashes ^ symbols) * _FACTOR
    return mixed ^ (mixed >> np.uint64(29))


def _counts(hashes: Hashes) -> NDArray[np.int64]:
    """Return how often each of them occurs (m,)."""
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[places]
