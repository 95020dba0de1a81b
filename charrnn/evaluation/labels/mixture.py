"""The network of a model of labels mixed with n-grams counted on its training texts.

A network and n-grams err differently, so their log-linear mixture is better than either. The
weights are fitted on texts that neither has learned from; that of a network alone is the inverse of
a temperature (Guo et al. 2017): it makes probabilities honest, and changes no label.

Dimensions
    k texts, C labels, P parts.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.evaluation.labels.labelling import Floats, Labelling
from charrnn.evaluation.labels.mixing import IMPOSSIBLE, fit_mixture, mix
from charrnn.evaluation.labels.naive_bayes import naive_bayes
from charrnn.evaluation.labels.per_label_ngrams import kneser_ney_per_label
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes


def fitted(
    task: LabelledTask, found: Array, held: Parsed, kept: Codes | None
) -> tuple[tuple[float, ...], float]:
    """Return the weights of the parts, and the share of the labels that are right with them.

    Parameters
    ----------
    task : LabelledTask
        What is predicted.
    found : (k, C) array
        The log-probabilities of the network for texts that are held out.
    held : Parsed
        These texts with their labels, all of them known.
    kept : (m,) int array, optional
        The training texts, where n-grams are counted on them.

    Returns
    -------
    weights : (P,) tuple of float
        P is 1, or 3: of the network, Kneser-Ney n-grams and naive Bayes.
    accuracy : float
    """
    numbers = {label: number for number, label in enumerate(task.labels)}
    gold = np.array([numbers[label] for label in cast(list[str], held.labels)], np.int64)
    parts = _parts(task, found, held.texts, kept)
    fair = np.ones(len(gold), np.bool_)
    if kept is not None:  # a label that was never counted is impossible by counts
        counted = set(cast(list[str], task.parse(kept).labels))
        fair = np.array([label in counted for label in held.labels], np.bool_)
    weights = fit_mixture([part[fair] for part in parts], gold[fair])
    accuracy = float((mix(parts, weights).argmax(axis=1) == gold).mean())
    return tuple(weights.tolist()), accuracy


def mixed(checkpoint: Checkpoint, task: LabelledTask, found: Array, texts: Sequence[str]) -> Floats:
    """Return the log-probabilities (k, C) of a model's mixture from those of its network."""
    parts = _parts(task, found, texts, checkpoint.kept)
    return mix(parts, checkpoint.mixture)


def _parts(
    task: LabelledTask, found: Array, texts: Sequence[str], kept: Codes | None
) -> list[Floats]:
    parts = [found.astype(np.float64)]
    if kept is not None:
        learned = task.parse(kept)
        pairs = list(zip(cast(list[str], learned.labels), learned.texts, strict=True))
        for counted in (kneser_ney_per_label, naive_bayes):
            parts.append(_aligned(counted(pairs, texts), task.labels))
    return parts


def _aligned(labelling: Labelling, labels: Sequence[str]) -> Floats:
    """Return log-probabilities for these labels, in this order."""
    places = {label: place for place, label in enumerate(labels)}
    aligned = np.full((len(labelling.log_probabilities), len(labels)), IMPOSSIBLE)
    columns = [places[label] for label in labelling.labels if label in places]
    known = [place for place, label in enumerate(labelling.labels) if label in places]
    aligned[:, columns] = labelling.log_probabilities[:, known]
    return aligned
