"""Decoding the most likely well-formed tags, where I-X may only follow B-X or I-X.

A network predicts each tag independently, so the most likely tag at each position may begin an
entity in its middle. The Viterbi algorithm finds the most likely well-formed sequence.

Dimensions: T positions, N sentences, C tags; R tags with restricted predecessors, at most P each.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.evaluation.labels.entities import BEGIN, INSIDE, has_entities

IMPOSSIBLE = -1e6
"""Stands for minus infinity, in nats, so that even sentences without a possible tag are decoded."""


class Transitions(NamedTuple):
    """Which tags may follow which.

    Attributes
    ----------
    first : (C,) bool array
        Whether a sentence may start with the tag.
    after : (C, C) bool array
        Whether the tag of the column may follow the tag of the row.
    """

    first: NDArray[np.bool_]
    after: NDArray[np.bool_]


def allowed_transitions(labels: Sequence[str]) -> Transitions:
    """Return the grammar of tags: strict IOB2 if they mark entities, otherwise no restrictions."""
    C = len(labels)
    first, after = np.ones(C, bool), np.ones((C, C), bool)
    if has_entities(labels):
        for place, label in enumerate(labels):
            if label.startswith(INSIDE):
                first[place] = False
                after[:, place] = [before in (label, BEGIN + label[2:]) for before in labels]
    return Transitions(first, after)


def decode(log_probabilities: Array, grammar: Sequence[str] | Transitions) -> NDArray[np.int64]:
    """Return the most likely well-formed tags (T,) of one sentence.

    Parameters
    ----------
    log_probabilities : (T, C) array
        The log-probability of each tag at each position.
    grammar : sequence of str or Transitions
        The C tags, or what ``allowed_transitions`` made of them.
    """
    lengths = np.array([len(log_probabilities)])
    return decode_all(log_probabilities[:, None], lengths, grammar)[:, 0]


def decode_all(
    log_probabilities: Array, lengths: NDArray[np.int64], grammar: Sequence[str] | Transitions
) -> NDArray[np.int64]:
    """Return the most likely well-formed tags of many sentences.

    Parameters
    ----------
    log_probabilities : (T, N, C) array
        The log-probability of each tag at each position of each sentence.
    lengths : (N,) int array
        Sentence n has the first ``lengths[n]`` positions, between 0 and T.
    grammar : sequence of str or Transitions
        The C tags, or what ``allowed_transitions`` made of them.

    Returns
    -------
    (T, N) int array
        The index of each tag in the grammar. Past its end a sentence repeats its last tag.
    """
    first, after = grammar if isinstance(grammar, Transitions) else allowed_transitions(grammar)
    if first.all() and after.all():
        return np.asarray(log_probabilities.argmax(axis=2))
    T, N, C = log_probabilities.shape
    tags = np.zeros((T, N), np.int64)
    if T == 0:
        return tags
    restricted, table = _predecessors(after)
    scores = np.maximum(log_probabilities[0], IMPOSSIBLE).astype(np.float64)  # (N, C)
    scores[:, ~first] = -np.inf
    came_from = np.empty((T, N, C), np.min_scalar_type(C))
    for t in range(1, T):
        came_from[t] = scores.argmax(axis=1)[:, None]
        chosen = scores[:, table].argmax(axis=2)  # (N, R)
        came_from[t][:, restricted] = table[np.arange(len(restricted)), chosen]
        step = np.maximum(log_probabilities[t], IMPOSSIBLE)
        ahead = np.take_along_axis(scores, came_from[t].astype(np.int64), axis=1) + step
        scores = np.where((t < lengths)[:, None], ahead, scores)
    tags[T - 1] = scores.argmax(axis=1)
    everyone = np.arange(N)
    for t in range(T - 1, 0, -1):
        before = came_from[t, everyone, tags[t]]
        # Past its end a sentence keeps its last tag.
        tags[t - 1] = np.where(t < lengths, before, tags[t])
    return tags


def _predecessors(after: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tags (R,) with restricted predecessors, and their predecessors (R, P).

    Short rows are padded with their first tag.
    """
    restricted = np.flatnonzero(~after.all(axis=0))
    rows = [np.flatnonzero(after[:, tag]) for tag in restricted]
    width = max(map(len, rows))
    table = [np.append(row, np.full(width - len(row), row[0])) for row in rows]
    return restricted, np.array(table)
