"""Mixing a network with counts: how much to trust which of them, at every step.

The mean of both predictions, with a weight that follows from how unsure each of them is::

    p(x) = w p_network(x) + (1 - w) p_counts(x)      w = sigmoid(weights @ features)

Unsure is the network by the entropy of its prediction, and the counts by what their longest known
context leaves to shorter ones. The weights, and a temperature of the network, are fitted on text
that neither of them has learned from: the logarithm of p is made largest by expectation
maximization, of which each maximization is a step of Newton's for a logistic regression.

Dimensions: M predictions, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array

TEMPERATURES = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Those that are tried: after dropout a network is rather too unsure."""
FEATURES = 6
"""F."""
ROUNDS = 60
SMALLEST = 1e-9
RIDGE = 1.0
"""Pull of the weights to 0, as so many predictions that say nothing would have it: a short text
fits few weights."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """How a network and counts are mixed.

    Attributes
    ----------
    temperature : float
        Divides the network's logits.
    weights : tuple of F floats
        Of the features.
    """

    temperature: float
    weights: tuple[float, ...]

    def share(self, entropy: Floats, left: Floats) -> Floats:
        """Return w of each prediction."""
        return _sigmoid(np.tensordot(self.weights, features(entropy, left), 1))


EVEN = Mixture(1.0, (0.0,) * FEATURES)
"""Both sides weigh the same: what is taken where there is nothing to fit on."""


def features(entropy: Floats, left: Floats) -> Floats:
    """Return what w follows from: 1, both measures of being unsure, and their products.

    Parameters
    ----------
    entropy : float64 array
        Of the network's predictions, in nats.
    left : float64 array of the same shape
        What the counts leave to contexts that are shorter than the longest they know, in (0, 1].

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
    """Fit a mixture on predictions of text that neither side has learned from.

    Parameters
    ----------
    network : sequence of (nats, entropy)
        For each of ``TEMPERATURES``, what the targets (M,) cost the network, and the entropy of its
        predictions (M,).
    counts : (M,) float64 array
        The probability of each target by counts.
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
    """Return the weights (F,) with which ``w p + (1 - w) q`` is likeliest, and what that costs."""
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
            step /= 2  # a step of Newton's may go too far
        if now >= least:
            break
        weights, least = weights + step, now
    w = _sigmoid(weights @ x)
    return weights, float(-np.log(w * p + (1 - w) * q).mean())


def _sigmoid(x: Floats) -> Floats:
    return (1 + np.tanh(x / 2)) / 2
