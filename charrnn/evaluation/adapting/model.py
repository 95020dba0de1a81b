"""The adapting model: a learned mixture of updated counts and networks.

In one pass, a full distribution over each symbol is predicted before anything is learned from it.

Dimensions
    n training symbols, m scored symbols, V vocabulary size, B symbols in a block, N networks.
"""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Array, Ids
from charrnn.evaluation.adapting.counting import (
    CACHE_ORDERS,
    MATCHES,
    NUM_PREDICTORS,
    ORDERS,
    WORD_ORDER,
    GrowingCounts,
)
from charrnn.evaluation.adapting.mixing import Mixer
from charrnn.evaluation.adapting.words import KINDS, letters_of
from charrnn.parallel.team import Team
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes

MAX_SYMBOLS = 3_000_000
"""Most symbols of a training part that are counted, the last ones: each takes about 300 bytes."""
BLOCK, NUMBERS = 64, 2**17
"""Largest B, and most probabilities in a block."""
LEAST = 1e-9
"""Lower bound on probabilities, so that no single symbol changes a weight much."""
MATCH_LENGTHS = (1, 16, 24)
"""Borders between the classes of match length that select weights."""
ENTROPIES, PER_NAT = 16, 4
"""Number of entropy classes that select weights, and classes per nat."""

Floats = npt.NDArray[np.float32]
Windows = Iterator[Array]
"""Log-probabilities (V, T) of successive windows of a text, starting with its second symbol."""


def adapting_nats(
    train: Codes, scored: Ids, vocabulary: Vocabulary, networks: Sequence[Windows] = ()
) -> npt.NDArray[np.float64]:
    """Return the nats (m,) of each symbol of a text; see ``adapting_predictions``."""
    nats = np.full(len(scored), log(len(vocabulary)))
    place = 1
    with Team([]):  # products of a few columns gain nothing from threads
        for predictions in adapting_predictions(train, scored, vocabulary, networks):
            stop = place + predictions.shape[1]
            nats[place:stop] = -predictions[scored[place:stop], np.arange(stop - place)]
            place = stop
    return nats


def adapting_predictions(
    train: Codes, scored: Ids, vocabulary: Vocabulary, networks: Sequence[Windows] = ()
) -> Iterator[Floats]:
    """Yield log-probabilities (V, B) of successive blocks of a text, from its second symbol.

    Parameters
    ----------
    train : (n,) int array
        The codes of the training part.
    scored : (m,) int array
        The ids of the text.
    vocabulary : Vocabulary
        The model's.
    networks : sequence of N iterators
        The networks' predictions, the best network first.
    """
    V = len(vocabulary)
    counted = vocabulary.encode(train[-MAX_SYMBOLS:])
    counts = GrowingCounts(counted, scored, V, letters_of(vocabulary))
    readers = [_Reader(windows) for windows in networks]
    sizes = ((max(ORDERS) + 2) * (len(MATCH_LENGTHS) + 1), V, ENTROPIES, V)
    mixer = Mixer(_first_weights(len(readers)), sizes, len(MATCH_LENGTHS) + 1)
    counts.read(0, 1)
    B = max(1, min(BLOCK, NUMBERS // V))
    for first in range(1, len(scored), B):
        stop = min(first + B, len(scored))
        logs = np.empty((len(readers) + NUM_PREDICTORS, stop - first, V), np.float32)
        said = counts.read(first, stop)
        logs[len(readers) :] = said.probabilities
        np.maximum(logs, LEAST, out=logs)
        np.log(logs[len(readers) :], out=logs[len(readers) :])
        for number, reader in enumerate(readers):
            logs[number] = np.maximum(reader.read(stop - first), log(LEAST)).T
        guide = logs[0 if readers else ORDERS.index(WORD_ORDER)]
        entropy = -(np.exp(guide) * guide).sum(axis=1)
        lengths = np.digitize(said.matched, MATCH_LENGTHS)
        chosen = np.stack(
            [
                said.known * (len(MATCH_LENGTHS) + 1) + lengths,
                scored[first - 1 : stop - 1],
                np.minimum(entropy * PER_NAT, ENTROPIES - 1).astype(np.int64),
                guide.argmax(axis=1),
            ]
        )
        yield mixer.read(logs, chosen, lengths, scored[first:stop])


def _first_weights(networks: int) -> Floats:
    """Return the initial weights (N + E,), higher for networks than for counts."""
    counts = dict.fromkeys(ORDERS, 0.05) | {5: 0.3, 8: 0.2}
    shares = [*counts.values(), *[0.0] * len(CACHE_ORDERS), *[0.05] * (KINDS + len(MATCHES))]
    of_networks = {0: [], 1: [0.6], 2: [0.5, 0.15]}[networks]
    return np.array([*of_networks, *(np.array(shares) * (1 - sum(of_networks)))], np.float32)


class _Reader:
    """Reads columns of windows in requested numbers."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._rest: list[Array] = []

    def read(self, count: int) -> Array:
        """Return the next log-probabilities (V, count)."""
        parts = self._rest
        while sum(part.shape[1] for part in parts) < count:
            parts.append(next(self._windows))
        whole = np.concatenate(parts, axis=1)
        self._rest = [whole[:, count:]]
        return whole[:, :count]
