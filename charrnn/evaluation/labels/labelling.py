"""Predictions of opponents, and helpers that they share: holding out texts, batching texts.

Dimensions: k texts, C labels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Train: TypeAlias = Sequence[tuple[str, str]]
"""Pairs of label and text."""

LEARNED = 4_000_000
"""Most characters, about, that opponents are trained on: each takes some hundred bytes."""
PORTION = 2**24
"""Most elements, one per character and label, that are held at once."""
HELD_OUT = 10
"""One in ``HELD_OUT`` texts is held out for model selection."""


class Labelling(NamedTuple):
    """An opponent's probabilities of labels.

    Attributes
    ----------
    labels : tuple of str
        All labels that it was trained on, in order.
    log_probabilities : (k, C) float64 array
        For each text and label; the probabilities of a text sum to 1.
    """

    labels: tuple[str, ...]
    log_probabilities: Floats

    @property
    def likeliest(self) -> list[str]:
        """The most likely label of each text."""
        return [self.labels[place] for place in self.log_probabilities.argmax(axis=1)]


class Fitness(NamedTuple):
    """How well a choice does on held-out texts; greater is better."""

    right: int
    nats: float

    @classmethod
    def of(cls, scores: Floats, gold: NDArray[np.int64]) -> "Fitness":
        """Compare unnormalized log-probabilities (k, C) with the correct labels (k,)."""
        log_probabilities = log_normalized(scores)
        right = int((scores.argmax(axis=1) == gold).sum())
        return cls(right, float(log_probabilities[np.arange(len(gold)), gold].sum()))


def log_normalized(scores: Floats) -> Floats:
    """Return log-probabilities (k, C), normalized for each text."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def frequencies(train: Train) -> tuple[tuple[str, ...], Floats]:
    """Return the labels in order, and the logarithm (C,) of their frequencies.

    Raises
    ------
    ValueError
        If there is nothing to train on.
    """
    if not train:
        raise ValueError("there are no labelled texts to train on")
    counts = Counter(label for label, _ in train)
    labels = tuple(sorted(counts))
    return labels, np.log([counts[label] / len(train) for label in labels])


def learned(train: Train) -> Train:
    """Return the texts to train on: all, or evenly spread ones if there are too many."""
    kept = spread([len(text) + 1 for _, text in train], LEARNED)
    return train if len(kept) == len(train) else [train[number] for number in kept]


def spread(sizes: Sequence[int], most: int) -> Sequence[int]:
    """Return the indices of all texts or, if they are too long, of evenly spread ones.

    Parameters
    ----------
    sizes : sequence of int
        The size of each text.
    most : int
        About the size that the chosen texts have in total, if all have more.
    """
    total = sum(sizes)
    if total <= most:
        return range(len(sizes))
    before = np.arange(len(sizes) + 1) * most // total
    return np.flatnonzero(np.diff(before)).tolist() or [0]


def divide(train: Train, num_labels: int) -> tuple[Train, Train]:
    """Return nine tenths of the texts for training, and the others, evenly spread, for selection.

    This works whether or not the texts are sorted by label. If a tenth does not fit in a portion,
    fewer are used for selection. A single text is used for both.
    """
    kept = [item for place, item in enumerate(train) if place % HELD_OUT]
    held_out = train[::HELD_OUT]
    cells = sum(_places(text) for _, text in held_out) * num_labels
    return kept or train, held_out[:: max(1, -(-cells // PORTION))]


def portions(texts: Sequence[str], num_labels: int) -> Iterator[slice]:
    """Yield portions of texts that fit in memory, each of at least one text."""
    begin = size = 0
    for place, text in enumerate(texts):
        size += _places(text) * num_labels
        if size > PORTION and place > begin:
            yield slice(begin, place)
            begin, size = place, _places(text) * num_labels
    yield slice(begin, len(texts))


def _places(text: str) -> int:
    """Return the length of a text including its borders."""
    return len(text) + 2


def numbers_of(labels: Sequence[str], train: Train) -> NDArray[np.int64]:
    """Return the index (k,) of each text's label."""
    index = {label: place for place, label in enumerate(labels)}
    return np.array([index[label] for label, _ in train], np.int64)
