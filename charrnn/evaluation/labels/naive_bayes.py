"""Naive Bayes on the character 1- to 5-grams of a text, including its borders.

Dimensions: k texts, C labels, A values of alpha; m positions of all texts, concatenated.
"""

from collections.abc import Sequence

import numpy as np

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
from charrnn.evaluation.labels.strings import Codes, Numbers, Pairs, count_kinds, longer

LONGEST = 5
"""Characters in the longest n-grams."""
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates for additive smoothing, selected on a tenth of the training texts."""


def naive_bayes(train: Train, texts: Sequence[str]) -> Labelling:
    """Label texts by multinomial naive Bayes with additive smoothing.

    Each text is a bag of its 1- to 5-grams, including borders before and after it. N-grams that do
    not occur in training are ignored.

    Parameters
    ----------
    train : sequence of (str, str)
        Pairs of label and text.
    texts : sequence of str
        The texts to label.
    """
    labels, log_frequencies = frequencies(train)
    train = learned(train)
    kept, chosen_on = divide(train, len(labels))
    tried = log_likelihoods(kept, [text for _, text in chosen_on], labels, ALPHAS)
    gold = numbers_of(labels, chosen_on)
    fitness = [Fitness.of(scores + log_frequencies, gold) for scores in tried]
    alpha = ALPHAS[fitness.index(max(fitness))]
    scored = [
        log_likelihoods(train, texts[portion], labels, (alpha,))[0]
        for portion in portions(texts, len(labels))
    ]
    return Labelling(labels, log_normalized(np.concatenate(scored) + log_frequencies))


def log_likelihoods(
    train: Train, texts: Sequence[str], labels: Sequence[str], alphas: Sequence[float]
) -> Floats:
    """Return the log-likelihoods (A, k, C) of texts under each label.

    With c the count of an n-gram under a label, N the total count and G the number of distinct
    n-grams, ``log((c + a) / (N + a G)) = log(a) - log(N + a G) + log(1 + c / a)``. Only the last
    term, for pairs that occur, has to be summed pair by pair.
    """
    k, C, n_train = len(texts), len(labels), len(train)
    codes = Codes.of(text for _, text in train)
    every = [*(text for _, text in train), *texts]
    symbols = codes.encode(every, 1, 1)
    lengths = np.array([len(text) + 2 for text in every], np.int64)
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(len(every)), lengths)
    label_of = numbers_of(labels, train)
    room = ends[owner] - np.arange(len(symbols))
    border = int(ends[n_train - 1]) if n_train else 0
    distinct, totals = 0, np.zeros(C)
    known = np.zeros(k)  # known n-grams in each text
    gains = np.zeros((len(alphas), k * C))
    strings = symbols
    for length in range(1, LONGEST + 1):
        kinds = count_kinds(strings)
        places = np.flatnonzero(room[: len(strings)] >= length)
        fitted, asked = np.split(places, [np.searchsorted(places, border)])
        pairs = Pairs.of(strings[fitted], label_of[owner[fitted]], kinds, C)
        distinct += int(np.count_nonzero(np.diff(pairs.starts)))
        totals += np.bincount(pairs.labels, weights=pairs.counts, minlength=C)
        which, found = pairs.of_strings(strings[asked])
        text_of: Numbers = owner[asked] - n_train
        known += np.bincount(text_of, np.diff(pairs.starts)[strings[asked]] > 0, minlength=k)
        cells = text_of[which] * C + pairs.labels[found]
        for gain, alpha in zip(gains, alphas, strict=True):
            gain += np.bincount(cells, np.log1p(pairs.counts / alpha)[found], minlength=k * C)
        strings = longer(strings, symbols[length:], codes.count)
    base = [np.log(alpha) - np.log(totals + alpha * distinct) for alpha in alphas]
    return np.asarray(gains.reshape(len(alphas), k, C) + known[:, None] * np.array(base)[:, None])
