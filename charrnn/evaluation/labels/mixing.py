"""Several models of the same labels as one: their log-probabilities, weighted and summed.

Dimensions: k texts, C labels, P models.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.labels.labelling import Floats, log_normalized

IMPOSSIBLE = -1e4
"""Nats that stand for minus infinity, which no weight could outweigh."""
STEPS = 50
"""Newton's method needs fewer than ten."""
HALVINGS = 30


def mix(parts: Sequence[Floats], weights: Sequence[float] | Floats) -> Floats:
    """Return the log-linear mixture of models: probabilities to the power of weights, multiplied.

    Parameters
    ----------
    parts : sequence of (k, C) float arrays
        The log-probabilities of each model.
    weights : (P,) floats
        One for each.

    Returns
    -------
    (k, C) float64 array
        Log-probabilities; those of a text sum to 1.
    """
    return log_normalized(np.tensordot(np.asarray(weights, np.float64), _stack(parts), axes=1))


def fit_mixture(parts: Sequence[Floats], gold: NDArray[np.integer]) -> Floats:
    """Find the weights of ``mix`` that make the right labels the likeliest, by Newton's method.

    The texts are ones that no part has learned from. The loss is convex in the weights, which may
    be negative. It begins with each part counting alike, and is held to that as strongly as one
    text weighs: so a few texts, or parts that say the same, give weights too.

    Parameters
    ----------
    parts : sequence of (k, C) float arrays
        The log-probabilities of each model, a handful.
    gold : (k,) int array
        The right label of each text.

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
    return weights


def _stack(parts: Sequence[Floats]) -> Floats:
    """Return all parts as one array (P, k, C), without infinities."""
    return np.maximum(np.stack(parts).astype(np.float64), IMPOSSIBLE)
