"""Counting opponents: character frequencies and n-grams.

Every function scores each symbol of a held-out text exactly once, given a training text, and
returns a *total* in nats, so that the caller can divide all opponents by the same number.

Dimensions: n training symbols, m held-out symbols, V vocabulary size, K longest context; for
n-grams of one length, G distinct ones and C distinct contexts (the same without the last symbol).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.counts.estimating import discounts

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

MAX_CONTEXT = 16
"""The longest context tried; for most texts the search ends before 10."""
MAX_SYMBOLS = 5_000_000
"""Most symbols that the n-gram model trains on, the last ones, and that it scores at a time: each
takes about 80 bytes."""


def uniform(vocab_size: int, m: int) -> float:
    """Score `m` symbols with the uniform distribution: m ln V nats."""
    return m * math.log(vocab_size)


def unigram(train: Ids, held_out: Ids, vocab_size: int) -> float:
    """Score the held-out text by the symbol frequencies of the training text, without context.

    Half an occurrence is added to every symbol (Krichevsky and Trofimov, 1981), so that a symbol
    never seen in training has a high but finite loss:
    ``p(x) = (count(x) + 1/2) / (n + V/2)``.

    Parameters
    ----------
    train, held_out : (n,) and (m,) integer arrays
        Symbols in [0, `vocab_size`).
    vocab_size : int
        The number of symbols that share the probability.

    Returns
    -------
    float
        Nats for the whole held-out text.
    """
    _check_range(train, held_out, vocab_size)
    counts = (np.bincount(ids, minlength=vocab_size) for ids in (train, held_out))
    return unigram_of_counts(*counts)


def unigram_of_counts(train: Counts, held_out: Counts) -> float:
    """Score a text given only the counts (V,) of its symbols; see ``unigram``."""
    weights = train + 0.5
    nats = np.log(weights.sum()) - np.log(weights)
    return float(nats @ held_out)


def entropy_of(counts: Counts) -> float:
    """Return the entropy in nats per symbol of the frequencies ``counts`` (V,)."""
    shares = counts[counts > 0] / counts.sum()
    return float((shares * np.log(1 / shares)).sum())


def best_ngram(
    train: Ids,
    held_out: Ids,
    vocab_size: int,
    *,
    only_read: npt.NDArray[np.bool_] | None = None,
) -> tuple[str, float]:
    """Score the held-out text by the n-gram model whose length suits the training text best.

    Parameters
    ----------
    train, held_out : (n,) and (m,) integer arrays
        Symbols in [0, `vocab_size`).
    vocab_size : int
        The number of symbols that share the probability.
    only_read : (m,) bool array, optional
        Which symbols are only context.

    Returns
    -------
    name : str
    nats : float
        The total for the held-out text.
    """
    fitted = train[-MAX_SYMBOLS:]
    context = choose_context(fitted, vocab_size)
    name = f"Kneser-Ney {context + 1}-gram"
    if len(fitted) < len(train):
        name += f" of the last {len(fitted):,} symbols"
    nats = 0.0
    for start in range(0, len(held_out), MAX_SYMBOLS):  # in parts, to limit the memory
        before = max(0, start - context)
        part = held_out[before : start + MAX_SYMBOLS]
        *_, last = kneser_ney_probabilities(fitted, part, vocab_size, max_context=context)
        scored = last[start - before :]
        if only_read is not None:
            scored = scored[~only_read[start : start + MAX_SYMBOLS]]
        nats -= float(np.log(scored).sum())
    return name, nats


def kneser_ney(
    train: Ids, held_out: Ids, vocab_size: int, *, max_context: int = MAX_CONTEXT
) -> Floats:
    """Score the held-out text by the best classical n-gram models, one per length of context.

    The model is in `kneser_ney_probabilities`. Taking the smallest of these sums would select the
    context on the test text; `choose_context` selects it fairly.

    Parameters
    ----------
    train, held_out : (n,) and (m,) integer arrays
        Symbols in [0, `vocab_size`).
    vocab_size : int
        The number of symbols that share the probability.
    max_context : int
        The longest context K, in symbols; a context of 5 is a 6-gram.

    Returns
    -------
    (K+1,) float64 array
        The totals in nats for the held-out text with contexts of 0, 1, ..., K symbols.
    """
    orders = kneser_ney_probabilities(train, held_out, vocab_size, max_context=max_context)
    return np.array([-np.log(probabilities).sum() for probabilities in orders])


def choose_context(train: Ids, vocab_size: int, *, max_context: int = MAX_CONTEXT) -> int:
    """Choose the length of the context without looking at the held-out text.

    The first 90 % of the training text are counted and the last 10 % scored. Longer contexts are
    tried until two in a row bring no gain, since the loss is nearly flat beyond its minimum.

    Parameters
    ----------
    train : (n,) integer array
        Symbols in [0, `vocab_size`).
    vocab_size : int
        The number of symbols that share the probability.
    max_context : int
        The longest context to try, in symbols.

    Returns
    -------
    int
        The context with the lowest loss on the tail of the training text.
    """
    cut = len(train) * 9 // 10
    orders = kneser_ney_probabilities(train[:cut], train[cut:], vocab_size, max_context=max_context)
    best, best_nats = 0, math.inf
    for context, probabilities in enumerate(orders):
        nats = -np.log(probabilities).sum()
        if nats < best_nats:
            best, best_nats = context, nats
        elif context - best == 2:
            break
    return best


def kneser_ney_probabilities(
    train: Ids, held_out: Ids, vocab_size: int, *, max_context: int
) -> Iterator[Floats]:
    """Return the probability of each held-out symbol by interpolated modified Kneser-Ney.

    With h the context, h' the same without its first symbol, and c(hx) a count::

        p(x | h) = (c(hx) - D[c(hx)]) / c(h.)  +  (sum over y of D[c(hy)]) / c(h.) * p'(x | h')

    and p(x | h) = p'(x | h') if h never occurred. D is 0 for a count of zero, and has three values
    per order, for counts of 1, 2, and 3 or more. In p, c counts occurrences. In p', which has the
    same form and ends in the uniform distribution, it counts the distinct symbols that precede the
    n-gram (the beginning of the text is one of them). So each longer context needs one new p and
    one new p', and a single pass computes all orders.

    A held-out symbol with fewer than k symbols before it is predicted from those.

    Parameters
    ----------
    train, held_out : (n,) and (m,) integer arrays
        Symbols in [0, `vocab_size`).
    vocab_size : int
        The number of symbols that share the probability.
    max_context : int
        The longest context K, in symbols.

    Yields
    ------
    (m,) float64 array
        Probabilities in (0, 1], one array per length of context, 0 to K.

    References
    ----------
    S. F. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling",
    TR-10-98, Harvard University, 1998, section 3.
    """
    _check_range(train, held_out, vocab_size)
    n = len(train)
    text = np.concatenate([train, held_out])
    contexts = Strings(np.zeros(len(text) + 1, np.int32), 1)  # strings of k symbols
    grams = number(text)  # strings of k + 1 symbols
    lower = np.full(len(held_out), 1 / vocab_size)
    probabilities = lower.copy()
    for k in range(max_context + 1):
        fitted = grams.at[: max(n - k, 0)]
        context_of = np.zeros(grams.kinds, np.int32)
        context_of[fitted] = contexts.at[: len(fitted)]
        asked = grams.at[n:], contexts.at[n:-1], contexts.kinds
        occurrences = np.bincount(fitted, minlength=grams.kinds)
        probabilities[k:] = _interpolate(occurrences, context_of, *asked, lower)
        yield probabilities.copy()
        if k == max_context:
            return
        longer = number(grams.at[:-1] * np.int64(vocab_size) + text[k + 1 :])
        predecessors = _count_predecessors(fitted, grams.kinds, longer)
        lower = _interpolate(predecessors, context_of, *asked, lower)[1:]
        contexts, grams = grams, longer


class Strings(NamedTuple):
    """All strings of one length in a text, where equal strings have equal numbers."""

    at: npt.NDArray[np.int32]  # the number, in [0, kinds), of the string at each position
    kinds: int


def number(keys: Ids) -> Strings:
    """Number the distinct keys, which must not be negative, in ascending order.

    A key for k + 1 symbols is made of the number of a string of k symbols and one more symbol, so
    it stays far below 2**63 for any vocabulary and length.
    """
    bits = max(0, len(keys) - 1).bit_length()
    ascending: Ids
    if keys.dtype == np.int64 and int(keys.max(initial=0)) < 2 ** (63 - bits):
        # Sorting a key packed with its position takes a fifth of the time of argsort.
        packed = np.sort((keys << bits) | np.arange(len(keys)))
        order, ascending = packed & (2**bits - 1), packed >> bits
    else:
        order = np.argsort(keys)
        ascending = keys[order]
    is_new = np.zeros(len(keys), bool)
    np.not_equal(ascending[1:], ascending[:-1], out=is_new[1:])
    numbers = np.empty(len(keys), np.int32)
    numbers[order] = np.cumsum(is_new, dtype=np.int32)
    return Strings(numbers, int(numbers.max(initial=-1)) + 1)


def _count_predecessors(fitted: Ids, kinds: int, longer: Strings) -> npt.NDArray[np.int64]:
    """Count the distinct symbols (G,) that precede each n-gram of the training text, `fitted`.

    The first symbol of each distinct string of one more symbol is a predecessor of the n-gram that
    follows it. The beginning of the text is a predecessor too.
    """
    extended = longer.at[: max(len(fitted) - 1, 0)]
    place = np.full(longer.kinds, -1, np.int32)  # any position of each string in training
    place[extended] = np.arange(len(extended), dtype=np.int32)
    counts = np.bincount(fitted[place[place >= 0] + 1], minlength=kinds)
    counts[fitted[:1]] += 1
    return counts


def _interpolate(
    counts: npt.NDArray[np.int64],
    context_of: Ids,
    grams: Ids,
    contexts: Ids,
    num_contexts: int,
    lower: Floats,
) -> Floats:
    """Interpolate discounted counts of n-grams with the probabilities of the lower order.

    Parameters
    ----------
    counts, context_of : (G,) integer arrays
        The count of each n-gram, and the number of its context.
    grams, contexts : (m,) integer arrays
        The n-gram that each held-out symbol completes, and its context.
    num_contexts : int
        The number of distinct contexts, C.
    lower : (m,) float64 array
        The probabilities of the same symbols with one symbol less of context.
    """
    taken = discounts(counts)[np.minimum(counts, 3)]  # (G,)
    total = np.bincount(context_of, weights=counts, minlength=num_contexts)[contexts]  # (m,)
    freed = np.bincount(context_of, weights=taken, minlength=num_contexts)[contexts]  # (m,)
    kept = counts[grams] - taken[grams]
    return np.where(total > 0, (kept + freed * lower) / np.maximum(total, 1), lower)


def _check_range(train: Ids, held_out: Ids, vocab_size: int) -> None:
    """Reject symbols outside the vocabulary, whose keys would collide with other strings."""
    for name, ids in (("train", train), ("held_out", held_out)):
        if ids.size and not 0 <= ids.min() <= ids.max() < vocab_size:
            raise ValueError(f"{name} has symbols outside the vocabulary, [0, {vocab_size})")
