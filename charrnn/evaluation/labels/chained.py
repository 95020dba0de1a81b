"""A network that labels symbols, mixed with a linear-chain n-gram model.

The network gives the probability of each label at each position. The linear model
(``charrnn.linear``) scores labels by the n-grams around a position, and transitions between labels.
Their weighted scores add up to one chain, whose most likely labels are consistent.

Dimensions
    m labelled positions in k texts; C labels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.evaluation.labels.bio import allowed_transitions
from charrnn.linear.chain import IMPOSSIBLE, expectations, likeliest, loss_and_gradients
from charrnn.linear.model import Numbers, padded

Floats = NDArray[np.float64]

FIRST_WEIGHTS = (0.5, 0.5, 1.0)
STEPS = 8
"""Newton steps to fit three weights."""
HALVINGS = 10
FITTED_ON = 50_000
"""Most positions that weights are fitted on."""
NUDGE = 1e-4
PRIOR = 1.0
"""Strength of the prior that keeps each weight near its initial value."""


def forbidden_transitions(labels: tuple[str, ...]) -> NDArray[np.float32]:
    """Return scores (C+1, C) that rule out impossible transitions."""
    first, after = allowed_transitions(labels)
    return np.where(np.vstack([first, after]), 0, IMPOSSIBLE).astype(np.float32)


class Chain(NamedTuple):
    """The chains of some texts.

    Attributes
    ----------
    network : (m, C) array
        The log-probabilities of the network.
    strings : (m, C) array
        The scores of the linear model.
    transitions : (C+1, C) array
        The transitions of the linear model.
    lengths : (k,) int array
        The number of positions in each text.
    """

    network: Array
    strings: Array
    transitions: Array
    lengths: Numbers

    def weighted(self, weights: tuple[float, ...]) -> tuple[Floats, Floats]:
        """Return weighted scores (m, C) and transitions (C+1, C), impossible ones unweighted."""
        network, strings, steps = weights
        scores = network * self.network.astype(np.float64) + strings * self.strings
        possible = self.transitions > IMPOSSIBLE / 2
        return scores, np.where(possible, steps * self.transitions, self.transitions)

    def predicted(self, weights: tuple[float, ...]) -> tuple[Floats, Numbers]:
        """Return marginal log-probabilities (m, C), and the most likely sequence of labels (m,)."""
        scores, transitions = self.weighted(weights)
        logs, labels = np.empty(scores.shape), np.empty(len(scores), np.int64)
        for side in padded(self.lengths, scores.shape[1]):
            mine, at = scores[side.at], side.at[side.inside]
            marginals = expectations(mine, side.lengths, transitions).marginals
            logs[at] = np.log(np.maximum(marginals[side.inside], np.finfo(np.float32).tiny))
            labels[at] = likeliest(mine, side.lengths, transitions)[side.inside]
        return logs, labels

    def loss(self, weights: Floats, gold: Numbers) -> tuple[float, Floats]:
        """Return the nats of the correct labels (m,), and the gradient (3,) of the weights."""
        scores, transitions = self.weighted(tuple(weights))
        possible = self.transitions > IMPOSSIBLE / 2
        nats, gradient = 0.0, np.zeros(3)
        for side in padded(self.lengths, scores.shape[1]):
            cost, dscores, dtransitions = loss_and_gradients(
                scores[side.at], gold[side.at], side.lengths, transitions
            )
            at, dplaces = side.at[side.inside], dscores[side.inside]
            nats += float(cost.sum())
            gradient += [
                float(np.vdot(dplaces, self.network[at])),
                float(np.vdot(dplaces, self.strings[at])),
                float(np.vdot(dtransitions[possible], self.transitions[possible])),
            ]
        return nats, gradient

    def fitted(self, gold: Numbers) -> tuple[float, float, float]:
        """Return the weights that maximize the likelihood of correct held-out labels (m,).

        The loss is convex in the weights. Newton's method estimates the curvature from finite
        differences of the gradient.
        """
        some = self._of_texts()
        gold = gold[: len(some.network)]
        prior = np.array(FIRST_WEIGHTS)

        def loss(weights: Floats) -> tuple[float, Floats]:
            nats, gradient = some.loss(weights, gold)
            apart = PRIOR * (weights - prior)
            return nats + float(apart @ (weights - prior)) / 2, gradient + apart

        weights = prior
        least, slope = loss(weights)
        for _ in range(STEPS):
            rows = [(loss(weights + NUDGE * axis)[1] - slope) / NUDGE for axis in np.eye(3)]
            step = np.linalg.solve((np.array(rows) + np.array(rows).T) / 2 + np.eye(3), slope)
            for halving in range(HALVINGS):
                nats, ahead = loss(weights - step / 2**halving)
                if nats < least:
                    break
            else:
                break
            weights, gained = weights - step / 2**halving, least - nats
            least, slope = nats, ahead
            if gained < NUDGE * len(gold):
                break
        network, strings, steps = weights.tolist()
        return network, strings, steps

    def _of_texts(self) -> "Chain":
        """Return the chains of the first texts with up to ``FITTED_ON`` positions in total."""
        ends = np.cumsum(self.lengths)
        count = max(1, int(np.searchsorted(ends, FITTED_ON, side="right")))
        m = int(ends[count - 1])
        return self._replace(
            network=self.network[:m], strings=self.strings[:m], lengths=self.lengths[:count]
        )


def rows_with_labels(labels: list[list[str | None]]) -> tuple[Numbers, Numbers]:
    """Return the symbols of all texts that have a label (m,), and their number per text (k,)."""
    has = [[label is not None for label in some] for some in labels]
    lengths = np.array([sum(some) for some in has], np.int64)
    flat = np.fromiter(_flattened(has), np.bool_)
    return np.flatnonzero(flat), lengths


def _flattened(rows: list[list[bool]]) -> Iterator[bool]:
    for row in rows:
        yield from row
