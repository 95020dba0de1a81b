"""What counting predicts of a text while it is read: Kneser-Ney, a cache, words, matches.

Interpolated modified Kneser-Ney (see ``kneser_ney_probabilities``) with several lengths of context:
its discounts are those of the training part, and its counts go on with each symbol that was scored.
The cache is the same of the scored text alone, from nothing on. Word contexts fall back on
Kneser-Ney. All counts are exact at every symbol; blocks only save time.

Dimensions
    n training symbols, m scored ones, V vocabulary size, E predictors, B symbols of a block.
"""

from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.counts.estimating import discounts
from charrnn.evaluation.adapting.growing import Entries, Growing, Shares
from charrnn.evaluation.adapting.match import doubled, find_matches
from charrnn.evaluation.adapting.numbering import Flags, Kind, Small, Stack, first_places, orders
from charrnn.evaluation.adapting.words import KINDS, Keys, word_kinds

ORDERS = (2, 3, 5, 8, 12)
"""Symbols of the contexts of Kneser-Ney; prose gains by the short ones and code by the long."""
CACHE_ORDERS = (3, 5, 8)
MATCHES = (10, 20)
"""Symbols of the shortest match of each match model: an order below the longest, and twice it."""
WORD_ORDER = 5
"""What word contexts fall back on."""
CACHE_DISCOUNTS, WORD_DISCOUNTS = (0, 0.6, 0.8, 0.9), (0, 0.6, 0.85, 1)
"""Of counts of 0, 1, 2, and 3 or more; too few are counted to estimate them."""
NUM_PREDICTORS = len(ORDERS) + len(CACHE_ORDERS) + KINDS + len(MATCHES)
"""E."""


class Said(NamedTuple):
    """What counting says of a block.

    Attributes
    ----------
    probabilities : (E, B, V) float32 array
        By Kneser-Ney, the cache, words and matches, each with its contexts from short to long.
    known : (B,) int array
        How many symbols, one more, the longest context has that was followed by something; 0 where
        not even the empty one was.
    matched : (B,) int array
        How many symbols match, by the first match model.
    """

    probabilities: npt.NDArray[np.float32]
    known: npt.NDArray[np.int64]
    matched: npt.NDArray[np.int64]


class GrowingCounts:
    """Counts of a training part that go on with the text that is scored.

    Parameters
    ----------
    train, scored : (n,) and (m,) int arrays
        The texts, in [0, V).
    vocab_size : int
        V.
    letters : (V,) uint64 array
        From ``letters_of``.
    """

    def __init__(self, train: Ids, scored: Ids, vocab_size: int, letters: Keys) -> None:
        n, text = len(train), np.concatenate([train, scored])
        self._vocab_size = vocab_size
        kinds: list[Kind] = []
        occurrences, predecessors = [], []
        shorter: Kind | None = None
        for kind in chain(
            orders(text, n, vocab_size, max(ORDERS)), word_kinds(text, n, letters, vocab_size)
        ):
            if shorter is not None and len(kinds) <= max(ORDERS):
                predecessors.append(_predecessors(shorter, kind, n))
            if len(kinds) == MATCHES[0]:
                self._matches = [
                    find_matches(text, n, kind.contexts, MATCHES[0]),
                    find_matches(text, n, doubled(kind.contexts, MATCHES[0]), MATCHES[1]),
                ]
            counts = np.bincount(kind.grams[:n], minlength=kind.num_grams)
            occurrences.append(counts.astype(np.int32))
            kinds.append(kind.scored(n))
            shorter = kind
        self._stack = stack = Stack(kinds)
        least, shortest, longest = min(ORDERS), min(CACHE_ORDERS), max(CACHE_ORDERS)
        none = np.zeros(stack.borders[longest + 1], np.int32)
        cached = np.array([CACHE_DISCOUNTS] * (longest + 1))
        self._tops = Growing(
            stack,
            least,
            np.concatenate(occurrences[least:]),
            np.stack(
                [discounts(counts) for counts in occurrences[least:-KINDS]]
                + [np.array(WORD_DISCOUNTS)] * KINDS
            ),
        )
        self._lower = Growing(
            stack,
            0,
            np.concatenate([pair.counts for pair in predecessors]),
            np.stack([discounts(pair.counts) for pair in predecessors]),
            np.stack([pair.new for pair in predecessors]),
        )
        self._cache_tops = Growing(
            stack, shortest, none[stack.borders[shortest] :], cached[shortest:]
        )
        self._cache_lower = Growing(
            stack,
            0,
            none[: stack.borders[longest]],
            cached[:-1],
            np.stack([pair.new_to_scored for pair in predecessors[:longest]]),
        )

    def read(self, first: int, stop: int) -> Said:
        """Predict the symbols from ``first`` to ``stop``, which follow on those read before."""
        entries = Entries.of(self._stack, first, stop, self._vocab_size)
        counters = (self._tops, self._lower, self._cache_tops, self._cache_lower)
        tops, lower, *cache = (counter.shares(entries, first) for counter in counters)
        p = np.empty((NUM_PREDICTORS, stop - first, self._vocab_size), np.float32)
        self._chain(entries, tops, lower, ORDERS, p)
        self._chain(entries, cache[0], cache[1], CACHE_ORDERS, p[len(ORDERS) :])
        words = len(ORDERS) + len(CACHE_ORDERS)
        for kind in range(KINDS):
            low = p[ORDERS.index(WORD_ORDER)]
            p[words + kind] = tops.mixed(max(ORDERS) + 1 + kind, entries, low)
        for number, match in enumerate(self._matches, words + KINDS):
            p[number] = match.probabilities(first, stop, self._vocab_size)
        known = (lower.left < 1).sum(axis=0) + (tops.left[max(ORDERS) - min(ORDERS)] < 1)
        for counter in counters:
            counter.count(first, stop)
        return Said(p, known, self._matches[0].lengths[first:stop])

    def _chain(
        self,
        entries: Entries,
        tops: Shares,
        lower: Shares,
        wanted: tuple[int, ...],
        p: npt.NDArray[np.float32],
    ) -> None:
        """Fill the first of p (E, B, V) with Kneser-Ney of the orders that are wanted."""
        low = np.full(p.shape[1:], 1 / self._vocab_size, np.float32)
        for order in range(max(wanted) + 1):
            if order in wanted:
                p[wanted.index(order)] = tops.mixed(order, entries, low)
            if order < max(wanted):
                low = lower.mixed(order, entries, low)


class _Predecessors(NamedTuple):
    """How many different symbols stand before each gram.

    Attributes
    ----------
    counts : (G,) int array
        In the training part; its beginning is one of them.
    new, new_to_scored : (m,) bool arrays
        Whether a scored symbol ends a gram after a symbol that did not stand before it, in both
        texts or in the scored one.
    """

    counts: Small
    new: Flags
    new_to_scored: Flags


def _predecessors(kind: Kind, longer: Kind, n: int) -> _Predecessors:
    """Count predecessors of the grams of a kind, by contexts of one symbol more."""
    suffix = np.zeros(longer.num_grams, np.int32)
    suffix[longer.grams] = kind.grams
    first = first_places(longer.grams, longer.num_grams)
    counts = np.bincount(suffix[first < n], minlength=kind.num_grams)
    scored = longer.grams[n:]
    places = np.arange(len(scored))
    new_to_scored = first_places(scored, longer.num_grams)[scored] == places
    return _Predecessors(counts.astype(np.int32), first[scored] == n + places, new_to_scored)
