"""What an opponent says of texts, and what all opponents need: texts held out, texts in portions.

Dimensions: k texts, C labels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Train: TypeAlias = Sequence[tuple[str, str]]
"""Labels with their texts."""

LEARNED = 4_000_000
"""Opponents learn from about so many characters at most: each takes some hundred bytes."""
PORTION = 2**24
"""Numbers, one per character and label, that are held at once."""
HELD_OUT = 10
"""Of so many texts one is held out to choose by."""


class Labelling(NamedTuple):
    """The probabilities of labels, by an opponent.

    Attributes
    ----------
    labels : tuple of str
        All that it has learned, in their order.
    log_probabilities : (k, C) float64 array
        Of each label for each text; the probabilities of a text sum to 1.
    """

    labels: tuple[str, ...]
    log_probabilities: Floats

    @property
    def likeliest(self) -> list[str]:
        """The likeliest label of each text."""
        return [self.labels[place] for place in self.log_probabilities.argmax(axis=1)]


class Fitness(NamedTuple):
    """How good a choice is on held-out texts; of two, the greater one is better."""

    right: int
    nats: float

    @classmethod
    def of(cls, scores: Floats, gold: NDArray[np.int64]) -> "Fitness":
        """Judge log-probabilities (k, C), however scaled, by the right labels (k,)."""
        log_probabilities = log_normalized(scores)
        right = int((scores.argmax(axis=1) == gold).sum())
        return cls(right, float(log_probabilities[np.arange(len(gold)), gold].sum()))


def log_normalized(scores: Floats) -> Floats:
    """Return log-probabilities (k, C) from logarithms that lack a constant for each text."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def frequencies(train: Train) -> tuple[tuple[str, ...], Floats]:
    """Return the labels in their order and the logarithm (C,) of how frequent each is.

    Raises
    ------
    ValueError
        If there is nothing to learn from.
    """
    if not train:
        raise ValueError("there are no labelled texts to learn from")
    counts = Counter(label for label, _ in train)
    labels = tuple(sorted(counts))
    return labels, np.log([counts[label] / len(train) for label in labels])


def learned(train: Train) -> Train:
    """Return the texts to learn from: all, or some that are spread evenly where they are many."""
    size = sum(len(text) + 1 for _, text in train)
    return train[:: -(-size // LEARNED)] if size > LEARNED else train


def divide(train: Train, num_labels: int) -> tuple[Train, Train]:
    """Return nine tenths of the texts to learn from, and the others to choose by, spread evenly.

    The division is good whether or not the texts are sorted by their labels. Where a tenth is more
    than fits in a portion, fewer are chosen by. A single text is both.
    """
    kept = [item for place, item in enumerate(train) if place % HELD_OUT]
    held_out = train[::HELD_OUT]
    cells = sum(_places(text) for _, text in held_out) * num_labels
    return kept or train, held_out[:: max(1, -(-cells // PORTION))]


def portions(texts: Sequence[str], num_labels: int) -> Iterator[slice]:
    """Cut texts into portions that fit in memory, of one text at least."""
    begin = size = 0
    for place, text in enumerate(texts):
        size += _places(text) * num_labels
        if size > PORTION and place > begin:
            yield slice(begin, place)
            begin, size = place, _places(text) * num_labels
    yield slice(begin, len(texts))


def _places(text: str) -> int:
    """Return the length of a text with its borders."""
    return len(text) + 2


def numbers_of(labels: Sequence[str], train: Train) -> NDArray[np.int64]:
    """Return the number (k,) of each item's label."""
    index = {label: place for place, label in enumerate(labels)}
    return np.array([index[label] for label, _ in train], np.int64)
