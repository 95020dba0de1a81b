"""Log-linear mixtures of several models of the same labels.

Dimensions: k texts, C labels, P models.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.labels.labelling import Floats, log_normalized

IMPOSSIBLE = -1e4
"""Stands for minus infinity, in nats, for which weights have no effect."""
STEPS = 50
"""Limit on Newton steps, of which fewer than ten are needed."""
HALVINGS = 30
LEAST = 1e-3
"""The least weight of a model alone, if it is no better than chance: its labels stay the same."""


def mix(parts: Sequence[Floats], weights: Sequence[float] | Floats) -> Floats:
    """Return the log-linear mixture of models, the normalized product of powers of probabilities.

    Parameters
    ----------
    parts : sequence of (k, C) float arrays
        The log-probabilities of each model.
    weights : (P,) floats
        One weight per model.

    Returns
    -------
    (k, C) float64 array
        Log-probabilities, normalized for each text.
    """
    return log_normalized(np.tensordot(np.asarray(weights, np.float64), _stack(parts), axes=1))


def fit_mixture(parts: Sequence[Floats], gold: NDArray[np.integer]) -> Floats:
    """Fit the weights of ``mix`` by maximum likelihood of the correct labels, with Newton's method.

    No part may have been trained on the texts. The loss is convex in the weights. Initially all
    parts have equal weights, and a prior as strong as one text pulls towards them, so that the
    weights are defined for few texts or identical parts. Some may be negative, which corrects for
    what several parts have in common. The weight of a single part is positive.

    Parameters
    ----------
    parts : sequence of (k, C) float arrays
        The log-probabilities of a few models.
    gold : (k,) int array
        The correct label of each text.

    Returns
    -------
    (P,) float64 array
    """
    stacked = _stack(parts)
    P, k, _ = stacked.shape
    prior = np.full(P, 1 / P)
    right = stacked[:, np.arange(k), gold].sum(axis=1)
    weights = prior

    def loss(at: Floats) -> float:
        nats = mix(parts, at)[np.arange(k), gold]
        return float(((at - prior) ** 2).sum() / 2 - nats.sum())

    least = loss(weights)
    for _ in range(STEPS):
        shares = np.exp(mix(parts, weights))
        means = (stacked * shares).sum(axis=2)  # (P, k)
        centred = stacked - means[:, :, None]
        curvature = np.einsum("ikc,jkc,kc->ij", centred, centred, shares, optimize=True)
        slope = means.sum(axis=1) - right + weights - prior
        step = np.linalg.solve(curvature + np.eye(P), slope)
        for halving in range(HALVINGS):
            ahead = weights - step / 2**halving
            if (found := loss(ahead)) < least:
                break
        else:
            break
        weights, least = ahead, found
    return weights if P > 1 else np.maximum(weights, LEAST)


def _stack(parts: Sequence[Floats]) -> Floats:
    """Return all parts in one array (P, k, C), without infinities."""
    return np.maximum(np.stack(parts).astype(np.float64), IMPOSSIBLE)
