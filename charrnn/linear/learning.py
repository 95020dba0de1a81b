"""Training the weights of n-grams: a few epochs of AdaGrad with sparse updates.

Dimensions
    k sequences with n positions in total, F kinds of n-grams, G n-grams, C labels; m positions in
    a batch of N sequences.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.linear.chain import loss_and_gradients
from charrnn.linear.model import NgramModel, Numbers, Padded, cut, rows_of, scales
from charrnn.linear.ngrams import NONE, Keys, Places
from charrnn.nn.loss import cross_entropy_

CHAIN_MIN_COUNT, TEXT_MIN_COUNT = 1, 2
"""Fewest occurrences of an n-gram that has a weight. In a chain even single occurrences help: the
F1 on KLUE's named entities is 76.6 % instead of 75.1 %."""
MOST_WEIGHTS = 2**22
"""Limit on the number of weights; the most frequent n-grams are kept."""
CHAIN_EPOCHS, TEXT_EPOCHS, STEPS = 3, 6, 100
"""Epochs, but at least this many steps: more do not lower the held-out loss."""
CHAIN_RATE, TEXT_RATE = 0.15, 0.2
"""Initial learning rates, for chains and for labels of whole texts; they decay linearly to zero."""
CHAIN_BATCH, TEXT_BATCH = 32, 64
MOST_POSITIONS = 2**16
"""Positions in a batch of several sequences, so that its arrays stay small where texts are long."""
SIMILAR = 8
"""Sequences are batched with others of the same length, up to differences smaller than this."""
BIAS_RATE = 0.1
"""Learning rate of the biases, relative to that of the weights."""
EPSILON = 1e-8


def learn(
    places: Places,
    targets: NDArray[np.integer],
    num_labels: int,
    *,
    forbidden: NDArray[np.float32] | None = None,
    random_seed: int = 0,
) -> NgramModel:
    """Train a model that labels sequences.

    Parameters
    ----------
    places : Places
        The n-grams at each position of the sequences.
    targets : (n,) or (k,) int array
        The correct label of each position, or of each text.
    num_labels : int
        C.
    forbidden : (C+1, C) float32 array, optional
        Added to the transitions: zero, or a large negative number where one is impossible. With it
        each position has a label and the labels form a chain; without it each text has one label.
    random_seed : int
        For shuffling the sequences.
    """
    min_count = TEXT_MIN_COUNT if forbidden is None else CHAIN_MIN_COUNT
    keys = frequent_keys(places, min_count, MOST_WEIGHTS // num_labels)
    learner = Learner(places, targets, keys, num_labels, forbidden)
    rng = np.random.default_rng(random_seed)
    batches = learner.batches
    epochs = TEXT_EPOCHS if forbidden is None else CHAIN_EPOCHS
    total = max(epochs, -(-STEPS // max(1, len(batches)))) * len(batches)
    for step in range(total):
        if step % len(batches) == 0:
            batches = learner.shuffled(rng)
        learner.step(batches[step % len(batches)], 1 - step / total)
    return learner.model


def frequent_keys(places: Places, min_count: int, most: int) -> Keys:
    """Return the sorted keys (G,) of n-grams that occur ``min_count`` times, at most ``most``."""
    found, counted = [], []
    for column in places.columns():
        keys, counts = np.unique(column, return_counts=True)
        kept = (counts >= min_count) & (keys != NONE)
        found.append(keys[kept])
        counted.append(counts[kept])
    keys, counts = np.concatenate(found), np.concatenate(counted)
    if len(keys) > most:
        keys = keys[np.argsort(-counts, kind="stable")[:most]]
    return np.unique(keys)


@dataclass(frozen=True, eq=False)
class AdaGradArray:
    """An array with AdaGrad's state: each row has one sum of mean squared gradients."""

    values: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def zeros(cls, *shape: int) -> "AdaGradArray":
        """Return an array of zeros."""
        return cls(np.zeros(shape, np.float32), np.full((shape[0], 1), EPSILON, np.float32))

    def move(self, rows: Numbers | slice, gradient: Array, rate: float) -> None:
        """Update some rows from their gradient."""
        self.squares[rows] += np.square(gradient).mean(axis=1, keepdims=True)
        self.values[rows] -= rate * gradient / np.sqrt(self.squares[rows])


class Learner:
    """A model in training, with its data; for the parameters see ``learn``."""

    def __init__(
        self,
        places: Places,
        targets: NDArray[np.integer],
        keys: Keys,
        num_labels: int,
        forbidden: NDArray[np.float32] | None,
    ) -> None:
        C, self.keys, self.forbidden = num_labels, keys, forbidden
        self.targets: Numbers = np.asarray(targets, np.int64)
        self.lengths = places.lengths if forbidden is None else cut(places.lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.rows = rows_of(keys, places)
        self.weights = AdaGradArray.zeros(
            len(keys) + 1, C
        )  # the last row, for unknown n-grams, stays 0
        self.bias, self.transitions = AdaGradArray.zeros(1, C), AdaGradArray.zeros(1, (C + 1) * C)
        counts = np.log(np.bincount(targets, minlength=C) + 1.0)
        self.bias.values[0] = counts - counts.mean()
        self.scales = scales(self.rows, places, len(keys))
        self.rate, self.size = TEXT_RATE, TEXT_BATCH
        if forbidden is not None:
            self.rate, self.size = CHAIN_RATE, CHAIN_BATCH

    @property
    def batches(self) -> list[Numbers]:
        """The indices of the sequences in each batch, in order."""
        return self._cut(np.flatnonzero(self.lengths))

    @property
    def model(self) -> NgramModel:
        """The model trained so far."""
        transitions = None
        if self.forbidden is not None:
            transitions = self._transitions
        return NgramModel(self.keys, self.weights.values[:-1], self.bias.values[0], transitions)

    @property
    def _transitions(self) -> NDArray[np.float32]:
        assert self.forbidden is not None
        return self.transitions.values.reshape(self.forbidden.shape) + self.forbidden

    def shuffled(self, rng: np.random.Generator) -> list[Numbers]:
        """Return the batches of an epoch; for chains, each has sequences of similar length."""
        order = rng.permutation(np.flatnonzero(self.lengths))
        if self.forbidden is not None:
            order = order[np.argsort(self.lengths[order] // SIMILAR, kind="stable")]
        batches = self._cut(order)
        return [batches[number] for number in rng.permutation(len(batches))]

    def _cut(self, order: Numbers) -> list[Numbers]:
        ends = np.cumsum(self.lengths[order])
        batches, start = [], 0
        while start < len(order):
            before = ends[start] - self.lengths[order[start]]
            fitting = int(np.searchsorted(ends, before + MOST_POSITIONS, side="right"))
            stop = max(start + 1, min(start + self.size, fitting))
            batches.append(order[start:stop])
            start = stop
        return batches

    def step(self, batch: Numbers, share: float) -> None:
        """Train on a batch of sequences (N,) at a fraction of the initial rate."""
        side = Padded.of(batch, self.lengths[batch], self.starts[batch], len(self.rows))
        rows = self.rows[side.at[side.inside]]  # (m, F)
        found = self.weights.values[rows].sum(axis=1)
        rate = share * self.rate
        of_chain = self.forbidden is not None
        gradient = self._of_chain(side, found, rate) if of_chain else self._of_texts(side, found)
        self.bias.move(slice(None), gradient.sum(axis=0, keepdims=True), BIAS_RATE * rate)
        if not of_chain:
            owner = np.nonzero(side.inside)[1]
            gradient = (gradient * self.scales[batch][:, np.newaxis])[owner]
        self._move_weights(rows, gradient, rate)

    def _of_texts(self, side: Padded, found: Array) -> Array:
        """Return the gradient (N, C) of the texts' scores from the sums (m, C) at each position."""
        N, owner = len(side.which), np.nonzero(side.inside)[1]
        order = np.argsort(owner, kind="stable")
        ends = np.cumsum(side.lengths)
        totals = np.add.reduceat(found[order], ends - side.lengths, axis=0)
        scores = totals * self.scales[side.which][:, np.newaxis] + self.bias.values
        _, gradient = cross_entropy_(scores.T.copy(), self.targets[side.which])
        assert gradient.shape[1] == N
        return gradient.T

    def _of_chain(self, side: Padded, found: Array, rate: float) -> Array:
        """Return the gradient (m, C) of the positions' scores; update the transitions."""
        scores = np.zeros((*side.at.shape, found.shape[1]), np.float32)
        scores[side.inside] = found + self.bias.values
        _, dscores, dtransitions = loss_and_gradients(
            scores, self.targets[side.at], side.lengths, self._transitions
        )
        self.transitions.move(slice(None), dtransitions.reshape(1, -1), rate)
        return dscores[side.inside].astype(np.float32)

    def _move_weights(self, rows: NDArray[np.int32], gradient: Array, rate: float) -> None:
        """Update the weights of the n-grams (m, F) at some positions from the gradients (m, C)."""
        m, F = rows.shape
        # Sorted with the position in the low bits, each n-gram is one contiguous run to sum.
        bits = (m * F - 1).bit_length()
        packed = (rows.reshape(-1).astype(np.int64) << bits) + np.arange(m * F)
        packed.sort()
        strings, at = packed >> bits, (packed & (2**bits - 1)) // F
        first = np.flatnonzero(np.diff(strings, prepend=-1))
        sums = np.add.reduceat(gradient[at], first, axis=0)
        known = strings[first] != len(self.keys)
        self.weights.move(strings[first][known], sums[known], rate)
