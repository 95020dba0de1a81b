"""Mixing a network with n-gram counts, with a weight that depends on the context.

The weighted mean of both predictions, where the weight depends on how uncertain each one is::

    p(x) = w p_network(x) + (1 - w) p_counts(x)      w = sigmoid(weights @ features)

The network's uncertainty is the entropy of its prediction; that of the counts is the weight which
their longest known context leaves to shorter ones. The weights, and a temperature for the network,
are fitted on text that neither was trained on: expectation maximization maximizes log p, and each
M step is one Newton step of a logistic regression.

Dimensions: M predictions, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array

TEMPERATURES = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Candidates, none above 1: a network trained with dropout tends to be underconfident."""
FEATURES = 6
"""F."""
ROUNDS = 60
SMALLEST = 1e-9
RIDGE = 1.0
"""L2 penalty on the weights: a short text overfits them without it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Fitted parameters that mix a network with counts.

    Attributes
    ----------
    temperature : float
        Divides the network's logits.
    weights : tuple of F floats
        One weight per feature.
    """

    temperature: float
    weights: tuple[float, ...]

    def share(self, entropy: Floats, left: Floats) -> Floats:
        """Return the weight w of the network for each prediction."""
        return _sigmoid(np.tensordot(self.weights, features(entropy, left), 1))


EVEN = Mixture(1.0, (0.0,) * FEATURES)
"""Equal weights, used where there is no text to fit on."""


def features(entropy: Floats, left: Floats) -> Floats:
    """Return the features of w: a constant 1, both uncertainties, and their products.

    Parameters
    ----------
    entropy : float64 array
        Of the network's predictions, in nats.
    left : float64 array of the same shape
        The weight that the longest known context leaves to shorter ones, in (0, 1].

    Returns
    -------
    (F, ...) float64 array
    """
    known = np.log(left)
    return np.stack([np.ones_like(known), entropy, known, entropy**2, known**2, entropy * known])


def log_probabilities(logits: Array, temperature: float) -> tuple[Floats, Floats]:
    """Return the log-probabilities (V, M) of logits, and the entropy (M,) of each column."""
    x = (logits - logits.max(axis=0)).astype(np.float64)
    x /= temperature
    odds = np.exp(x)
    total = odds.sum(axis=0)
    x -= np.log(total)
    odds *= x
    return x, -odds.sum(axis=0) / total


def fitted(network: Sequence[tuple[Floats, Floats]], counts: Floats, left: Floats) -> Mixture:
    """Fit a mixture on predictions for text that neither side was trained on.

    Parameters
    ----------
    network : sequence of (nats, entropy)
        For each of ``TEMPERATURES``, the network's loss (M,) on the targets, in nats, and the
        entropy (M,) of its predictions.
    counts : (M,) float64 array
        The probability that the counts give each target.
    left : (M,) float64 array
        See ``features``.
    """
    best: tuple[float, Mixture] | None = None
    for temperature, (nats, entropy) in zip(TEMPERATURES, network, strict=True):
        weights, cost = _fit(np.exp(-nats), counts, features(entropy, left))
        if best is not None and cost >= best[0]:
            break
        best = cost, Mixture(temperature, tuple(weights.tolist()))
    assert best is not None
    return best[1]


def _fit(p: Floats, q: Floats, x: Floats) -> tuple[Floats, float]:
    """Return the weights (F,) that maximize the likelihood of ``w p + (1 - w) q``, and the loss."""
    pull = RIDGE * np.eye(len(x))

    def cost(weights: Floats) -> float:
        w = _sigmoid(weights @ x)
        return float(-np.log(w * p + (1 - w) * q).sum() + weights @ pull @ weights / 2)

    weights = np.zeros(len(x))
    least = cost(weights)
    for _ in range(ROUNDS):
        w = _sigmoid(weights @ x)
        responsible = w * p / (w * p + (1 - w) * q)
        slope = x @ (responsible - w) - pull @ weights
        curve = (x * (w * (1 - w))) @ x.T + pull
        step = np.linalg.solve(curve, slope)
        while (now := cost(weights + step)) > least and np.abs(step).max() > SMALLEST:
            step /= 2  # a full Newton step may overshoot
        if now >= least:
            break
        weights, least = weights + step, now
    w = _sigmoid(weights @ x)
    return weights, float(-np.log(w * p + (1 - w) * q).mean())


def _sigmoid(x: Floats) -> Floats:
    return (1 + np.tanh(x / 2)) / 2
