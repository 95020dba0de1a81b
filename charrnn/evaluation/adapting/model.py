"""The adapting model: a learned mixture of updated counts and networks.

In one pass, a full distribution over each symbol is predicted before anything is learned from it.

Dimensions
    n training symbols, m scored symbols, V vocabulary size, B symbols in a block, N networks, D
    inputs of a network's output layers, E predictors.
"""

from collections.abc import Iterator, Sequence
from math import log

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.counting import (
    CACHE_ORDERS,
    MATCHES,
    NUM_PREDICTORS,
    ORDERS,
    WORD_ORDER,
    GrowingCounts,
)
from charrnn.evaluation.adapting.mixing import Mixer
from charrnn.evaluation.adapting.networks import Networks, Windows
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
    if len(scored) < 2:
        return
    V = len(vocabulary)
    counted = vocabulary.encode(train[-MAX_SYMBOLS:])
    counts = GrowingCounts(counted, scored, V, letters_of(vocabulary))
    counts.read(0, 1)
    reader = Networks(networks, V)
    start = _first_weights(len(networks))
    sizes = ((max(ORDERS) + 2) * (len(MATCH_LENGTHS) + 1), V, ENTROPIES, V)
    mixer = Mixer(start, sizes, len(MATCH_LENGTHS) + 1, reader.input_size)
    B = max(1, min(BLOCK, NUMBERS // V))
    for first in range(1, len(scored), B):
        stop = min(first + B, len(scored))
        symbols = scored[first:stop]
        logs = np.empty((len(start), stop - first, V), np.float32)
        said = counts.read(first, stop)
        of_networks, of_counts = np.split(logs, [-NUM_PREDICTORS])
        np.log(np.maximum(said.probabilities, LEAST, out=of_counts), out=of_counts)
        inputs = reader.read(symbols, of_networks)
        np.maximum(of_networks, log(LEAST), out=of_networks)
        guide = logs[0 if networks else ORDERS.index(WORD_ORDER)]
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
        yield mixer.read(logs, chosen, lengths, symbols, inputs)


def _first_weights(networks: int) -> Floats:
    """Return the initial weights (E,), higher for networks than for counts; they sum to 1.

    The predictors are N networks, the output layer that learns if there is one, and the counts.
    """
    counts = dict.fromkeys(ORDERS, 1.0) | {5: 6.0, 8: 4.0}
    shares = np.array(
        [*counts.values(), *[0.0] * len(CACHE_ORDERS), *[1.0] * (KINDS + len(MATCHES))]
    )
    others = {0: [], 1: [0.6, 0.05], 2: [0.5, 0.15, 0.05]}[networks]
    return np.array([*others, *(shares / shares.sum() * (1 - sum(others)))], np.float32)
