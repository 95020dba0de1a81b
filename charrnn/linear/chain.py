"""Linear-chain conditional random fields: a distribution over whole sequences of labels.

The score of a sequence of labels y is the sum of ``scores[t, y_t]`` and of the ``transitions``
between successive labels. Its probability is the softmax over all sequences (Lafferty et al. 2001).

Dimensions
    T positions, N sequences, C labels. ``transitions`` are (C+1, C): row 0 scores the first label
    of a sequence, row 1 + a the label after label a.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

IMPOSSIBLE = -1e4
"""Stands for minus infinity, in nats."""
TINY = 1e-290


class Expectations(NamedTuple):
    """Expectations under a chain's distribution.

    Attributes
    ----------
    log_partition : (N,) float64 array
        The logarithm of the normalizing sum over all sequences of labels.
    marginals : (T, N, C) float64 array
        The probability of each label at each position; zero past the end of a sequence.
    pairs : (C+1, C) float64 array
        The expected number of uses of each transition, summed over all sequences.
    """

    log_partition: Floats
    marginals: Floats
    pairs: Floats


def expectations(scores: Array, lengths: Numbers, transitions: Array) -> Expectations:
    """Compute expectations with the forward-backward algorithm (Rabiner 1989).

    Parameters
    ----------
    scores : (T, N, C) array
        The score of each label at each position.
    lengths : (N,) int array
        Sequence n has the first ``lengths[n]`` positions, between 1 and T.
    transitions : (C+1, C) array
        Scores of the first label, and of each pair of successive labels.
    """
    T, N, C = scores.shape
    inside = np.arange(T)[:, np.newaxis] < lengths
    first, after = np.asarray(transitions[0], np.float64), np.asarray(transitions[1:], np.float64)
    peaks = scores.max(axis=2).astype(np.float64)
    tops = first.max(), after.max()  # subtracted, so that exp cannot overflow
    local = np.exp(scores - peaks[:, :, np.newaxis])
    step = np.exp(after - tops[1])
    forward, sums = np.empty((T, N, C)), np.empty((T, N))
    ahead = np.tile(np.exp(first - tops[0]), (N, 1))
    for t in range(T):
        here = ahead * local[t]
        sums[t] = np.maximum(here.sum(axis=1), TINY)
        forward[t] = here / sums[t][:, np.newaxis]
        ahead = forward[t] @ step
    backward, pairs = np.ones((N, C)), np.zeros((C + 1, C))
    for t in range(T - 1, -1, -1):
        # Positions past the end of a sequence contribute nothing to earlier ones.
        weights = backward * local[t] / sums[t][:, np.newaxis] * inside[t][:, np.newaxis]
        marginal = forward[t] * backward * inside[t][:, np.newaxis]
        if t:
            pairs[1:] += step * (forward[t - 1].T @ weights)
            backward = np.where(inside[t][:, np.newaxis], weights @ step.T, 1.0)
        forward[t] = marginal / np.maximum(marginal.sum(axis=1, keepdims=True), TINY)
    pairs[0] = forward[0].sum(axis=0)
    logs = (np.log(sums) + peaks) * inside
    return Expectations(logs.sum(axis=0) + tops[0] + tops[1] * (lengths - 1), forward, pairs)


def loss_and_gradients(
    scores: Array, labels: Numbers, lengths: Numbers, transitions: Array
) -> tuple[Floats, Floats, Floats]:
    """Return the negative log-likelihood of the correct labels, and its gradients.

    Parameters
    ----------
    scores, lengths, transitions
        As for ``expectations``.
    labels : (T, N) int array
        The correct labels; values past the end of a sequence are ignored.

    Returns
    -------
    nats : (N,) float64 array
        The loss of each sequence.
    dscores : (T, N, C) float64 array
    dtransitions : (C+1, C) float64 array
    """
    T = len(scores)
    log_partition, dscores, dtransitions = expectations(scores, lengths, transitions)
    inside = np.arange(T)[:, np.newaxis] < lengths
    places, columns = np.nonzero(inside)
    right = np.zeros(inside.shape)
    right[places, columns] = scores[places, columns, labels[places, columns]]
    rows = np.concatenate([np.zeros((1, len(lengths)), np.int64), 1 + labels[:-1]])
    right += np.where(inside, transitions[rows, labels], 0)
    dscores[places, columns, labels[places, columns]] -= 1
    np.subtract.at(dtransitions, (rows[inside], labels[inside]), 1)
    return log_partition - right.sum(axis=0), dscores, dtransitions


def likeliest(scores: Array, lengths: Numbers, transitions: Array) -> Numbers:
    """Return the most likely sequences of labels (T, N), by the Viterbi algorithm.

    Past its end a sequence repeats its last label. For the parameters see ``expectations``.
    """
    T, N, _ = scores.shape
    first, after = np.asarray(transitions[0], np.float64), np.asarray(transitions[1:], np.float64)
    best = scores[0] + first
    came_from = np.empty(scores.shape, np.min_scalar_type(scores.shape[2]))
    for t in range(1, T):
        paths = best[:, :, np.newaxis] + after  # (N, C, C)
        came_from[t] = paths.argmax(axis=1)
        ahead = paths.max(axis=1) + scores[t]
        best = np.where((t < lengths)[:, np.newaxis], ahead, best)
    labels = np.empty((T, N), np.int64)
    labels[T - 1] = best.argmax(axis=1)
    everyone = np.arange(N)
    for t in range(T - 1, 0, -1):
        before = came_from[t, everyone, labels[t]]
        labels[t - 1] = np.where(t < lengths, before, labels[t])
    return labels
