"""Opponents for tags and restored texts: the most likely label of a token, a word, or a window.

Dimensions: n positions of all sequences, concatenated, G distinct windows, C labels.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from charrnn.evaluation.labels.matches import flatten
from charrnn.evaluation.labels.restoration import NOTHING, Kind
from charrnn.evaluation.labels.strings import Codes, Numbers, Pairs, count_kinds, longer

Tokens: TypeAlias = Sequence[str]
"""The tokens of a sentence, or the characters of a text as a str."""
Tagged: TypeAlias = Sequence[tuple[Tokens, Sequence[str]]]
"""Sequences with the label of each of their tokens."""

WIDE = ((4, 4), (3, 4), (4, 3), (3, 3), (2, 3), (3, 2), (2, 2))
WINDOWS = (*WIDE, (1, 2), (2, 1), (1, 1), (0, 1), (1, 0), (0, 0))
"""Numbers of tokens before and after the position in each window, the widest first."""
WIDEST = 4
SEEN = 2
"""Fewest occurrences in training for a window to be used."""
WORD = re.compile(r"\w+")


def likeliest_tag(train: Tagged, sentences: Sequence[Tokens]) -> list[list[str]]:
    """Give each token its most frequent tag, and unknown tokens the most frequent tag overall.

    Parameters
    ----------
    train : sequence of (sequence of str, sequence of str)
        Sentences, each as its tokens and their tags.
    sentences : sequence of sequences of str
        The sentences to tag.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tokens, tags in train:
        for token, tag in zip(tokens, tags, strict=True):
            counts[token][tag] += 1
    best = {token: found.most_common(1)[0][0] for token, found in counts.items()}
    default = _labels(train)[0]
    return [[best.get(token, default) for token in tokens] for tokens in sentences]


def backoff_tagger(train: Tagged, sentences: Sequence[Tokens]) -> list[list[str]]:
    """Give each token the most likely label of the widest window around it that was seen twice.

    Windows include up to 4 tokens before and 4 after, also borders. Windows with a tie between
    labels are skipped. Unknown tokens get the most frequent label overall.

    Parameters
    ----------
    train : sequence of (sequence of str, sequence of str)
        Sequences, each as its tokens, or a str of characters, and their labels.
    sentences : sequence of sequences of str
        The sequences to label.
    """
    labels = _labels(train)
    codes = Codes.of(tokens for tokens, _ in train)
    every = [*(tokens for tokens, _ in train), *sentences]
    sizes = np.array([len(tokens) for tokens in every], np.int64)
    # A window that extends beyond its sequence contains borders there.
    symbols = codes.encode(every, WIDEST, WIDEST)
    shift = WIDEST * (2 * np.arange(len(every)) + 1)
    place = np.arange(sizes.sum()) + np.repeat(shift, sizes)
    n_train = int(sizes[: len(train)].sum())
    index = {label: number for number, label in enumerate(labels)}
    gold = flatten(index, [tags for _, tags in train])
    strings = [symbols]
    while len(strings) <= 2 * WIDEST:
        strings.append(longer(strings[-1], symbols[len(strings) :], codes.count))
    found = np.full(len(place) - n_train, -1)
    for before, after in WINDOWS:
        windows = strings[before + after][place - before]
        least = 1 if before == after == 0 else SEEN
        likeliest = _likeliest(windows[:n_train], gold, count_kinds(windows), len(labels), least)
        found = np.where(found < 0, likeliest[windows[n_train:]], found)
    names = [labels[number] for number in np.maximum(found, 0).tolist()]
    ends = np.cumsum(sizes[len(train) :]).tolist()
    return [names[end - len(tokens) : end] for end, tokens in zip(ends, sentences, strict=True)]


def unchanged(kind: Kind, texts: Sequence[str]) -> list[list[str]]:
    """Restore nothing: return labels that leave texts unchanged.

    Parameters
    ----------
    kind : str
        What was removed.
    texts : sequence of str
        The texts after removal.
    """
    return [[NOTHING[kind]] * len(text) for text in texts]


def likeliest_form(
    kind: Kind, train: Sequence[tuple[str, Sequence[str]]], texts: Sequence[str]
) -> list[list[str]]:
    """Give each word its most frequent labels, and restore nothing in unknown words.

    A word is a run of letters and digits; between words nothing is restored. This opponent cannot
    restore spaces, since a text without spaces has no words.

    Parameters
    ----------
    kind : str
        What was removed: "case", "marks" or "accents".
    train : sequence of (str, sequence of str)
        The texts after removal, and the label of each of their characters.
    texts : sequence of str
        The texts to restore.
    """
    counts: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for text, labels in train:
        for word in WORD.finditer(text):
            counts[word[0]][tuple(labels[word.start() : word.end()])] += 1
    best = {word: found.most_common(1)[0][0] for word, found in counts.items()}
    restored = unchanged(kind, texts)
    for text, labels in zip(texts, restored, strict=True):
        for word in WORD.finditer(text):
            if word[0] in best:
                labels[word.start() : word.end()] = best[word[0]]
    return restored


def _labels(train: Tagged) -> list[str]:
    """Return the labels, the most frequent first.

    Raises
    ------
    ValueError
        If there is nothing to train on.
    """
    counts = Counter(tag for _, tags in train for tag in tags)
    if not counts:
        raise ValueError("there are no tags to train on")
    return [label for label, _ in counts.most_common()]


def _likeliest(windows: Numbers, gold: Numbers, kinds: int, num_labels: int, least: int) -> Numbers:
    """Return the most likely label (G,) of each window; -1 if there is a tie.

    It is also -1 if a window was seen fewer than ``least`` times.
    """
    pairs = Pairs.of(windows, gold, kinds, num_labels)
    owners = np.repeat(np.arange(kinds), np.diff(pairs.starts))
    seen = np.bincount(owners, weights=pairs.counts, minlength=kinds)
    most = np.zeros(kinds, np.int64)
    np.maximum.at(most, owners, pairs.counts)
    best = pairs.counts == most[owners]
    found = np.full(kinds, -1)
    found[owners[best]] = pairs.labels[best]
    found[np.bincount(owners[best], minlength=kinds) > 1] = -1
    return np.where(seen >= least, found, -1)
