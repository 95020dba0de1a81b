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
"""Limit on Newton steps, of which about ten are needed."""
HALVINGS = 30
PRIOR = 10.0
"""Strength of the prior of a mixture, relative to the weight of each part alone."""
LEAST = 1e-3
"""The weight of a model alone that is no better than chance: its labels stay the same."""


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
    """Fit the weights of ``mix`` by maximum likelihood of the correct labels.

    No part may have been trained on the texts. A prior keeps weights that are fitted on few texts
    near the mean of all parts, each with the weight that calibrates it alone: naive Bayes is far
    too sure of itself, so equal weights would leave everything to it. A part that is no better than
    chance alone gets no weight. Other weights may be negative, which corrects for what several
    parts have in common. The weight of a single part is positive.

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
    alone = np.array([_calibrated(part, gold) for part in _stack(parts)])
    if len(parts) == 1:
        return alone
    right = np.eye(parts[0].shape[1])[gold]
    return _fit(parts, right, alone / len(parts), PRIOR / alone**2)


def _calibrated(part: Floats, gold: NDArray[np.integer]) -> float:
    """Return the weight of a model (k, C) alone, an inverse temperature.

    The correct labels are smoothed as by Platt (1999), as if one more text had any label. On a few
    texts that are all labelled correctly, the weight would otherwise be unlimited.
    """
    k, C = part.shape
    possible = (part > IMPOSSIBLE).any(axis=0) | (k == 0)
    right = np.eye(C)[gold] * (1 - 1 / (k + 2)) + possible / possible.sum() / (k + 2)
    one = np.ones(1)
    return max(LEAST, float(_fit([part], right, one, one)[0]))


def _fit(parts: Sequence[Floats], right: Floats, prior: Floats, strength: Floats) -> Floats:
    """Return the weights that minimize the cross-entropy with labels (k, C), by Newton's method.

    The loss includes a Gaussian prior (P,) of some strength (P,). It is convex in the weights.
    """
    stacked = _stack(parts)
    observed = (stacked * right).sum(axis=(1, 2))
    weights = prior

    def loss(at: Floats) -> float:
        apart = at - prior
        return float((strength * apart**2).sum() / 2 - (mix(parts, at) * right).sum())

    least = loss(weights)
    for _ in range(STEPS):
        shares = np.exp(mix(parts, weights))
        means = (stacked * shares).sum(axis=2)  # (P, k)
        centred = stacked - means[:, :, None]
        curvature = np.einsum("ikc,jkc,kc->ij", centred, centred, shares, optimize=True)
        slope = means.sum(axis=1) - observed + strength * (weights - prior)
        step = np.linalg.solve(curvature + np.diag(strength), slope)
        for halving in range(HALVINGS):
            ahead = weights - step / 2**halving
            if (found := loss(ahead)) < least:
                break
        else:
            break
        weights, least = ahead, found
    return weights


def _stack(parts: Sequence[Floats]) -> Floats:
    """Return all parts in one array (P, k, C), without infinities."""
    return np.maximum(np.stack(parts).astype(np.float64), IMPOSSIBLE)
