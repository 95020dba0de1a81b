"""The likeliest tags that are well-formed: an I-X stands only after a B-X or an I-X.

A network gives each place a distribution of its own, so that the likeliest tag of each place may
begin an entity in its middle. Viterbi's algorithm finds the likeliest of the well-formed sequences.

Dimensions: T places, N sentences, C tags; R tags before which only some may stand, P at most.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.evaluation.labels.entities import BEGIN, INSIDE, has_entities

IMPOSSIBLE = -1e6
"""Nats that stand for minus infinity, so that even sentences without a possible tag are decoded."""


class Transitions(NamedTuple):
    """Which tags may stand where.

    Attributes
    ----------
    first : (C,) bool array
        Whether a sentence may begin with the tag.
    after : (C, C) bool array
        Whether the tag of the column may stand after the tag of the row.
    """

    first: NDArray[np.bool_]
    after: NDArray[np.bool_]


def allowed_transitions(labels: Sequence[str]) -> Transitions:
    """Return the grammar of tags: strict IOB2 where they mark entities, none where they do not."""
    C = len(labels)
    first, after = np.ones(C, bool), np.ones((C, C), bool)
    if has_entities(labels):
        for place, label in enumerate(labels):
            if label.startswith(INSIDE):
                first[place] = False
                after[:, place] = [before in (label, BEGIN + label[2:]) for before in labels]
    return Transitions(first, after)


def decode(log_probabilities: Array, grammar: Sequence[str] | Transitions) -> NDArray[np.int64]:
    """Return the likeliest well-formed tags (T,) of one sentence.

    Parameters
    ----------
    log_probabilities : (T, C) array
        Of each tag at each place.
    grammar : sequence of str or Transitions
        The C tags, or what ``allowed_transitions`` made of them.
    """
    lengths = np.array([len(log_probabilities)])
    return decode_all(log_probabilities[:, None], lengths, grammar)[:, 0]


def decode_all(
    log_probabilities: Array, lengths: NDArray[np.int64], grammar: Sequence[str] | Transitions
) -> NDArray[np.int64]:
    """Return the likeliest well-formed tags of many sentences.

    Parameters
    ----------
    log_probabilities : (T, N, C) array
        Of each tag at each place of each sentence.
    lengths : (N,) int array
        Sentence n has the first ``lengths[n]`` places, from 0 to T of them.
    grammar : sequence of str or Transitions
        The C tags, or what ``allowed_transitions`` made of them.

    Returns
    -------
    (T, N) int array
        The place of each tag in the grammar. Behind its end a sentence has its last tag again.
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
        # Behind its end a sentence waits with its last tag.
        tags[t - 1] = np.where(t < lengths, before, tags[t])
    return tags


def _predecessors(after: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tags (R,) that may not stand after every other, and after which (R, P) they may.

    Of the rows the short ones repeat their first tag.
    """
    restricted = np.flatnonzero(~after.all(axis=0))
    rows = [np.flatnonzero(after[:, tag]) for tag in restricted]
    width = max(map(len, rows))
    table = [np.append(row, np.full(width - len(row), row[0])) for row in rows]
    return restricted, np.array(table)
