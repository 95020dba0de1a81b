"""Building an n-gram table from a text, and pruning it to a limit.

Dimensions: n symbols of a text, V vocabulary size, G distinct n-grams of one length.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.counts.counting import Grams, Numbers, bits_of, grams_of, longest_of
from charrnn.counts.table import STEPS, CountTable, symbol_type

LONGEST = 9
"""Symbols in the longest n-grams, where they fit in a key: on 1 MB of prose 8 are as good, on 2 MB
of code 9 gain 0.005 nats over 8."""
ONCE = 6
"""Symbols in the longest n-grams that are kept even if they occur once. Longer ones would take
space without lowering the loss of tiny Shakespeare or of Python code."""
BYTES_PER_SYMBOL, MOST_BYTES = 4, 2**26
"""Largest size of a table, per symbol of its text and in total."""
SHORT = 300_000
"""Texts of up to this many symbols have the length of their longest n-grams tuned."""
MOST_SYMBOLS = 10_000_000
"""At most this many symbols, the last ones of a text, are counted: each takes up to
``COUNTING_BYTES``."""
COUNTING_BYTES = 100
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""KenLM's --discount_fallback."""


def counted(
    ids: Ids,
    vocab_size: int,
    *,
    first: int | None = None,
    longest: int = LONGEST,
    most: int = MOST_SYMBOLS,
    limit: int | None = None,
) -> CountTable:
    """Count the n-grams of a text.

    Parameters
    ----------
    ids : (n,) int array
        The text, in [0, V).
    vocab_size : int
        V.
    first : int, optional
        The symbol that ends one item and begins the next: no n-gram crosses it.
    longest : int
        Symbols in the longest n-grams; fewer where they do not fit in a key.
    most : int
        Number of symbols to count, from the end of the text.
    limit : int, optional
        Largest size of the table in bytes. By default it follows from the length of the text.
    """
    ids = ids[-most:]
    longest = min(longest, longest_of(vocab_size))
    levels = list(_kept(grams_of(ids, vocab_size, longest, first=first), vocab_size))
    limit = limit or min(BYTES_PER_SYMBOL * len(ids), MOST_BYTES)
    return _table(_pruned(levels, vocab_size, limit), vocab_size)


def best_longest(ids: Ids, apart: Ids, vocab_size: int, *, first: int | None = None) -> int:
    """Choose the length of the longest n-grams by the loss on a text that is not counted.

    On a short text long n-grams overfit. Lengths are tried from short to long until two in a row
    bring no gain. A long text gets the largest length without a search.

    Parameters
    ----------
    ids, apart : (n,) and (m,) int arrays
        The text to count, and the one to measure the loss on.
    vocab_size : int
        V.
    first : int, optional
        See ``counted``.
    """
    if len(ids) > SHORT or not len(apart):
        return LONGEST
    text = apart[:, np.newaxis].astype(np.int64)
    best, least = 1, np.inf
    for longest in range(1, min(LONGEST, longest_of(vocab_size)) + 1):
        table = counted(ids, vocab_size, first=first, longest=longest)
        contexts = [nodes[:-1] for nodes in table.contexts(text)]
        nats = -float(np.log(table.probabilities(contexts, text[1:])[0]).sum())
        if nats < least:
            best, least = longest, nats
        elif longest - best == 2:
            break
    return best


class _Estimated:
    """Candidate n-grams of one length: keys, occurrences and shares (G,)."""

    def __init__(self, keys: NDArray[np.uint64], occurrences: Numbers, shares: Numbers) -> None:
        self.keys, self.occurrences, self.shares = keys, occurrences, shares

    def of(self, fewest: int) -> "_Estimated":
        """Return those that occur at least ``fewest`` times."""
        kept = self.occurrences >= fewest
        return _Estimated(self.keys[kept], self.occurrences[kept], self.shares[kept])


def _kept(levels: Iterator[Grams], vocab_size: int) -> Iterator[_Estimated]:
    """Yield the n-grams of each length with their shares, without long ones that occur once."""
    for length, grams in enumerate(levels, 1):
        shares = _shares(grams.predecessors, grams.keys >> np.uint64(bits_of(vocab_size)))
        found = _Estimated(grams.keys, grams.occurrences, shares)
        yield found.of(2) if length > ONCE else found


def _shares(counts: Numbers, contexts: NDArray[np.uint64]) -> Numbers:
    """Return a(hx) of n-grams in the stored form; contexts (G,) are in ascending order."""
    if not len(counts):
        return counts
    starts = np.flatnonzero(np.concatenate([[True], contexts[1:] != contexts[:-1]]))
    totals = np.repeat(np.add.reduceat(counts, starts), np.diff(starts, append=len(counts)))
    shares = (counts - discounts(counts)[np.minimum(counts, 3)]) / totals
    # Rounding a down, and never to 1, leaves shorter contexts a weight above 0.
    parts = np.clip(np.floor(-STEPS * np.log2(shares)) + 1, 1, np.iinfo(np.uint16).max)
    whole: Numbers = parts.astype(np.int64)
    return whole


def _pruned(levels: list[_Estimated], vocab_size: int, limit: int) -> list[_Estimated]:
    """Drop the rarest n-grams, the longest first, until the table fits the limit in bytes.

    An n-gram occurs at most as often as its context, so no context is dropped before it.
    """
    fewest = 1
    while _bytes_of(levels, vocab_size) > limit and any(len(level.keys) for level in levels[1:]):
        fewest += 1
        for number in range(len(levels) - 1, 0, -1):
            levels[number] = levels[number].of(fewest)
            if _bytes_of(levels, vocab_size) <= limit:
                break
    return levels


def _bytes_of(levels: list[_Estimated], vocab_size: int) -> int:
    """Return the size in bytes of a table of some n-grams."""
    sizes = [len(level.keys) for level in levels]
    of_symbol = symbol_type(vocab_size).itemsize
    return sum(sizes) * (of_symbol + 2) + sum(sizes[:-1]) * of_symbol


def _table(levels: list[_Estimated], vocab_size: int) -> CountTable:
    bits = np.uint64(bits_of(vocab_size))
    small = symbol_type(vocab_size)
    symbols, children = [], []
    nodes = np.zeros(1, np.uint64)
    for level in levels:
        owners = np.searchsorted(nodes, level.keys >> bits)
        children.append(np.bincount(owners, minlength=len(nodes)).astype(small))
        last = level.keys & np.uint64(2 ** int(bits) - 1)
        symbols.append((last - np.uint64(1)).astype(small))
        nodes = level.keys
    return CountTable(
        vocab_size,
        tuple(len(level.keys) for level in levels),
        np.concatenate(symbols),
        np.concatenate([level.shares.astype(np.uint16) for level in levels]),
        np.concatenate(children[1:]) if len(levels) > 1 else np.zeros(0, small),
    )


def discounts(counts: Ids) -> NDArray[np.float64]:
    """Estimate the discounts of counts 0, 1, 2, and 3 or more, by Chen and Goodman's formula.

    ``D[r] = r - (r + 1) Y n[r + 1] / n[r]`` with ``Y = n[1] / (n[1] + 2 n[2])`` and n[r] the number
    of n-grams that occur r times. In short texts some n[r] are 0; where the formula is undefined or
    not positive, KenLM's fallback is used. Every D is in (0, r], so no symbol has probability 0.
    """
    n = np.bincount(counts[counts < 5], minlength=5).tolist()
    found = [0.0, *FALLBACK_DISCOUNTS]
    for r in (1, 2, 3):
        if n[1] and n[2] and n[r] and n[r + 1]:
            estimate = r - (r + 1) * n[1] / (n[1] + 2 * n[2]) * n[r + 1] / n[r]
            found[r] = estimate if estimate > 0 else found[r]
    return np.array(found)
