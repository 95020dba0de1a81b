"""Predictions from counts that are updated as a text is scored: Kneser-Ney, cache, words, matches.

Interpolated modified Kneser-Ney (see ``kneser_ney_probabilities``) has several lengths of context.
Its discounts come from the training part, and its counts are updated after each scored symbol. The
cache is the same on the scored text alone, starting empty. Word contexts back off to Kneser-Ney.
All counts are exact at every symbol; blocks only save time.

Dimensions
    n training symbols, m scored symbols, V vocabulary size, E predictors, B symbols in a block.
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
"""Context lengths of Kneser-Ney; short ones help on prose and long ones on code."""
CACHE_ORDERS = (3, 5, 8)
MATCHES = (10, 20)
"""Shortest match of each match model, in symbols: below the longest order, and twice that."""
WORD_ORDER = 5
"""Context length of Kneser-Ney that word contexts back off to."""
CACHE_DISCOUNTS, WORD_DISCOUNTS = (0, 0.6, 0.8, 0.9), (0, 0.6, 0.85, 1)
"""Discounts of counts 0, 1, 2, and 3 or more; the counts are too few to estimate them."""
NUM_PREDICTORS = len(ORDERS) + len(CACHE_ORDERS) + KINDS + len(MATCHES)
"""E."""


class CountPredictions(NamedTuple):
    """Predictions of the counts for a block.

    Attributes
    ----------
    probabilities : (E, B, V) float32 array
        From Kneser-Ney, the cache, words and matches, each ordered from short to long contexts.
    known : (B,) int array
        One plus the length of the longest context that has occurred before; 0 if not even the empty
        one has.
    matched : (B,) int array
        The length of the match in the first match model.
    """

    probabilities: npt.NDArray[np.float32]
    known: npt.NDArray[np.int64]
    matched: npt.NDArray[np.int64]


class GrowingCounts:
    """Counts of a training part that are updated with the scored text.

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

    def read(self, first: int, stop: int) -> CountPredictions:
        """Predict the symbols from ``first`` to ``stop``, which follow those read before."""
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
        return CountPredictions(p, known, self._matches[0].lengths[first:stop])

    def _chain(
        self,
        entries: Entries,
        tops: Shares,
        lower: Shares,
        wanted: tuple[int, ...],
        p: npt.NDArray[np.float32],
    ) -> None:
        """Fill the first rows of p (E, B, V) with Kneser-Ney of the given orders."""
        low = np.full(p.shape[1:], 1 / self._vocab_size, np.float32)
        for order in range(max(wanted) + 1):
            if order in wanted:
                p[wanted.index(order)] = tops.mixed(order, entries, low)
            if order < max(wanted):
                low = lower.mixed(order, entries, low)


class _Predecessors(NamedTuple):
    """The number of distinct symbols that precede each n-gram.

    Attributes
    ----------
    counts : (G,) int array
        In the training part, whose beginning counts as one.
    new, new_to_scored : (m,) bool arrays
        Whether a scored symbol ends an n-gram whose predecessor is new, in both texts together or
        in the scored one alone.
    """

    counts: Small
    new: Flags
    new_to_scored: Flags


def _predecessors(kind: Kind, longer: Kind, n: int) -> _Predecessors:
    """Count predecessors of the n-grams of a kind, from contexts of one more symbol."""
    suffix = np.zeros(longer.num_grams, np.int32)
    suffix[longer.grams] = kind.grams
    first = first_places(longer.grams, longer.num_grams)
    counts = np.bincount(suffix[first < n], minlength=kind.num_grams)
    scored = longer.grams[n:]
    places = np.arange(len(scored))
    new_to_scored = first_places(scored, longer.num_grams)[scored] == places
    return _Predecessors(counts.astype(np.int32), first[scored] == n + places, new_to_scored)
