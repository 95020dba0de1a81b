"""A Kneser-Ney n-gram model per label, combined by Bayes' rule.

The models are those of ``charrnn.evaluation.ngrams``, computed for all labels at once: strings are
numbered for all labels together, and pairs of string and label that never occur take no time. A
text is predicted from itself and the border before it, never from another text.

Dimensions: n training symbols, m held-out symbols, V distinct symbols, C labels, k texts; for one
length, G distinct strings, Q distinct pairs of string and label, D distinct held-out strings.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from charrnn.counts.estimating import FALLBACK_DISCOUNTS
from charrnn.evaluation.labels.labelling import (
    Fitness,
    Floats,
    Labelling,
    Train,
    divide,
    frequencies,
    learned,
    log_normalized,
    numbers_of,
    portions,
)
from charrnn.evaluation.labels.strings import (
    END,
    Codes,
    Numbers,
    Pairs,
    count_kinds,
    longer,
)

MAX_CONTEXT = 8
"""The longest context tried, in symbols."""


def kneser_ney_per_label(train: Train, texts: Sequence[str]) -> Labelling:
    """Label texts by the n-gram models of the labels and the labels' frequencies.

    The border after a text is predicted too. The length of the context is selected on a tenth of
    the training texts: longer ones are tried until two in a row bring no gain.

    Parameters
    ----------
    train : sequence of (str, str)
        Pairs of label and text.
    texts : sequence of str
        The texts to label.
    """
    labels, log_frequencies = frequencies(train)
    train = learned(train)
    context = _choose_context(train, labels, log_frequencies)
    scored = []
    for portion in portions(texts, len(labels)):
        *_, longest = text_scores(train, texts[portion], labels, context)
        scored.append(longest)
    return Labelling(labels, log_normalized(np.concatenate(scored) + log_frequencies))


def _choose_context(train: Train, labels: Sequence[str], log_frequencies: Floats) -> int:
    """Select the length of the context on a tenth of the training texts."""
    kept, chosen_on = divide(train, len(labels))
    gold, held_out = numbers_of(labels, chosen_on), [text for _, text in chosen_on]
    best, best_context = Fitness(-1, 0.0), 0
    for context, scores in enumerate(text_scores(kept, held_out, labels, MAX_CONTEXT)):
        fitness = Fitness.of(scores + log_frequencies, gold)
        if fitness > best:
            best, best_context = fitness, context
        elif context - best_context == 2:
            break
    return best_context


def text_scores(
    train: Train, texts: Sequence[str], labels: Sequence[str], max_context: int
) -> Iterator[Floats]:
    """Yield the log-probabilities of texts, including their final border, under each label.

    Parameters
    ----------
    train : sequence of (str, str)
        Pairs of label and text.
    texts : sequence of str
        The k texts to score.
    labels : sequence of str
        The C labels.
    max_context : int
        The longest context, in symbols.

    Yields
    ------
    (k, C) float64 array
        With contexts of 0, then 1, ..., then ``max_context`` symbols.
    """
    by_label: dict[str, list[str]] = {label: [] for label in labels}
    for label, text in train:
        by_label[label].append(text)
    codes = Codes.of(text for _, text in train)
    learned_by = [np.append(END, codes.encode(by_label[label], 0, 1)) for label in labels]
    held_out, C = codes.encode(texts, 1, 1), len(labels)
    sizes = np.array([len(text) + 2 for text in texts], np.int64)
    text_of = np.repeat(np.arange(len(texts)), sizes)
    depth = np.arange(len(held_out)) - (np.cumsum(sizes) - sizes)[text_of]
    counted = count_orders(learned_by, held_out, codes.count)
    settled = np.zeros((len(texts), C))  # sums of symbols without a longer context
    lower, row = np.full((1, C), 1 / codes.count), np.zeros(len(held_out), np.int64)
    for k, order in zip(range(max_context + 1), counted, strict=False):
        # The first border of a text is only context.
        deep = np.flatnonzero(depth >= max(k, 1))
        # Equal strings have equal probabilities, so each is computed once.
        kinds, same = np.unique(order.held_out[1][deep - k], return_inverse=True)
        example = np.empty(len(kinds), np.int64)
        example[same] = deep
        asked = order.held_out[0][example - k], order.held_out[1][example - k]
        lower = lower[row[example]]
        nats = np.log(_interpolate(order.grams.counts, order, asked, lower))
        lower = _interpolate(order.predecessors(), order, asked, lower)
        row[deep] = same
        yield settled + _sum_by_text(nats, same, text_of[deep], len(texts))
        last = deep[depth[deep] == k]
        settled[text_of[last]] += nats[row[last]]


def _sum_by_text(nats: Floats, rows: Numbers, text_of: Numbers, num_texts: int) -> Floats:
    """Return the sums (k, C) of nats over the symbols of each text, in ascending order."""
    totals = np.zeros((num_texts, nats.shape[1]))
    counts = np.bincount(text_of, minlength=num_texts)
    some = np.flatnonzero(counts)
    if len(some):
        totals[some] = np.add.reduceat(nats[rows], (np.cumsum(counts) - counts)[some])
    return totals


class Order(NamedTuple):
    """Strings of k and k + 1 symbols: contexts, and the n-grams that extend them.

    Attributes
    ----------
    contexts, grams : Pairs
    longer : Pairs
        Strings of k + 2 symbols.
    fitted : int array
        Positions in the training symbols where such a longer string starts.
    context_of : (Q,) int array
        The context's pair for each pair of an n-gram and a label.
    firsts : int array
        Where the training symbols of each label start, if an n-gram fits there.
    held_out : tuple of two int arrays
        The context and the n-gram that start at each position of the held-out text.
    """

    contexts: Pairs
    grams: Pairs
    longer: Pairs
    fitted: Numbers
    context_of: Numbers
    firsts: Numbers
    held_out: tuple[Numbers, Numbers]

    def predecessors(self) -> Numbers:
        """Count the distinct symbols (Q,) that precede each n-gram under each label.

        A longer string is a predecessor of the n-gram that starts one position later. The beginning
        of a label's training symbols is a predecessor too.
        """
        place = np.empty(len(self.longer.labels), np.int64)
        place[self.longer.at[self.fitted]] = self.fitted
        later = np.append(place + 1, self.firsts)
        return np.bincount(self.grams.at[later], minlength=len(self.grams.labels))


def count_orders(train: Sequence[Numbers], held_out: Numbers, num_codes: int) -> Iterator[Order]:
    """Count strings under their labels, and number those of the held-out text.

    Parameters
    ----------
    train : sequence of C int arrays
        The training symbols of each label, in [0, num_codes), at least one.
    held_out : (m,) int array
        Symbols in [0, num_codes).
    num_codes : int
        V, the number of symbols.

    Yields
    ------
    Order
        Orders with contexts of 0, 1, 2, ... symbols, without end.
    """
    C, n, sizes = len(train), sum(map(len, train)), np.array([len(each) for each in train])
    text = np.concatenate([*train, held_out])
    ends = np.cumsum(sizes)
    label_of = np.repeat(np.arange(C), sizes)
    room = ends[label_of] - np.arange(n)
    contexts = Pairs(np.array([0, C]), np.arange(C), np.zeros(C, np.int64), label_of)
    numbers = np.zeros(len(text), np.int64)
    following = longer(numbers, text, num_codes)
    grams, fitted = _fit(following, label_of, room, 1)
    for k in count():
        context_of = np.empty(len(grams.labels), np.int64)
        context_of[grams.at[fitted]] = contexts.at[fitted]
        more = longer(following, text[k + 1 :], num_codes)
        next_grams, fitted = _fit(more, label_of, room, k + 2)
        firsts = (ends - sizes)[sizes > k]
        held = numbers[n:], following[n:]
        yield Order(contexts, grams, next_grams, fitted, context_of, firsts, held)
        contexts, grams = grams, next_grams
        numbers, following = following, more


def _fit(strings: Numbers, label_of: Numbers, room: Numbers, length: int) -> tuple[Pairs, Numbers]:
    """Count the strings of a length that lie within the training symbols of one label.

    Returns
    -------
    Pairs
        With ``at`` for all n positions; undefined where no string fits.
    fitted : int array
        The positions where one fits.
    """
    fitted = np.flatnonzero(room >= length)
    names = label_of[fitted]
    num_labels = int(label_of[-1]) + 1
    pairs = Pairs.of(strings[fitted], names, count_kinds(strings), num_labels)
    at = np.zeros(len(label_of), np.int64)
    at[fitted] = pairs.at
    return pairs._replace(at=at), fitted


def _interpolate(
    counts: Numbers, order: Order, asked: tuple[Numbers, Numbers], lower: Floats
) -> Floats:
    """Interpolate discounted counts of n-grams with the probabilities of the lower order.

    Parameters
    ----------
    counts : (Q,) int array
        The count of each n-gram under its label.
    order : Order
        The n-grams and their contexts.
    asked : tuple of two (D,) int arrays
        The requested contexts and n-grams.
    lower : (D, C) float64 array
        The probabilities with one symbol less of context, under each label.
    """
    contexts, grams = order.contexts, order.grams
    size = len(contexts.labels)
    table = _discounts(counts, grams.labels, lower.shape[1])
    taken = table[grams.labels, np.minimum(counts, 3)]
    total = np.bincount(order.context_of, weights=counts, minlength=size)
    freed = np.bincount(order.context_of, weights=taken, minlength=size)
    kept = np.zeros_like(lower)
    which, pairs = grams.of_strings(asked[1])
    kept[which, grams.labels[pairs]] = (counts - taken)[pairs]
    mixed = lower.copy()
    which, pairs = contexts.of_strings(asked[0])
    goes_on = total[pairs] > 0
    which, pairs = which[goes_on], pairs[goes_on]
    cell = which, contexts.labels[pairs]
    mixed[cell] = (kept[cell] + freed[pairs] * lower[cell]) / total[pairs]
    return mixed


def _discounts(counts: Numbers, labels: Numbers, num_labels: int) -> Floats:
    """Estimate the discounts (C, 4) of counts 0, 1, 2, and 3 or more for each label.

    The formula and its fallback are those of ``charrnn.counts.estimating.discounts``.
    """
    few = counts < 5
    cells = labels[few] * 5 + counts[few]
    n = np.bincount(cells, minlength=num_labels * 5).reshape(num_labels, 5).astype(np.float64)
    found = np.tile(np.array([0.0, *FALLBACK_DISCOUNTS]), (num_labels, 1))
    for r in (1, 2, 3):
        known = (n[:, 1] > 0) & (n[:, 2] > 0) & (n[:, r] > 0) & (n[:, r + 1] > 0)
        one, two, here, above = (n[known, column] for column in (1, 2, r, r + 1))
        estimate = r - (r + 1) * one / (one + 2 * two) * above / here
        found[known, r] = np.where(estimate > 0, estimate, found[known, r])
    return found
