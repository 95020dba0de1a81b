"""Mixing the best state of a labelling run with n-grams, fitted on the held-out part."""

from dataclasses import replace

from charrnn.data.labels.task import LabelledTask
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.mixture import fitted, fitted_chain, learned_ngrams
from charrnn.storage.checkpoint import Checkpoint
from charrnn.training.setup import Setup
from charrnn.views.numbers import percent


def with_mixture(setup: Setup, best: Checkpoint, threads: int) -> tuple[Checkpoint, str] | None:
    """Return a checkpoint with fitted weights and, if it helps, a linear n-gram model.

    It includes the training texts if n-grams are counted on them. Its history has the accuracy of
    the mixture.

    Parameters
    ----------
    setup : Setup
        The run's.
    best : Checkpoint
        Its best checkpoint.
    threads : int
        Number of workers; no effect on the result.

    Returns
    -------
    (Checkpoint, str) or None
        The checkpoint, and a sentence on the gain if n-grams are mixed in; None if there is nothing
        to fit or no held-out part.
    """
    task, train = setup.task, setup.train
    if not isinstance(task, LabelledTask) or not setup.held_targets:
        return None
    if task.head == "step" and not train.ngrams:
        return None
    held = task.parse(setup.sides.held)
    plain = replace(best, mixture=(), kept=None, ngrams=None, refitted=False)
    found, labels = Labeller(plain, threads=threads).predictions(held)
    ngrams = None
    if train.ngrams:
        ngrams = learned_ngrams(task, task.parse(setup.sides.learned), train.random_seed)
    kept = setup.sides.learned if train.counts else None
    if task.head == "item":
        mixture = fitted(task, found, held, kept=kept, ngrams=ngrams)
    elif ngrams is None:
        return None
    else:
        mixture = fitted_chain(task, found, labels, held, ngrams)
    is_mixed = kept is not None or mixture.ngrams is not None
    state = replace(
        plain,
        mixture=mixture.weights,
        kept=kept,
        ngrams=mixture.ngrams,
        history=replace(best.history, mixed_accuracy=mixture.accuracy if is_mixed else None),
    )
    name, value, alone = mixture.figure, mixture.value, mixture.alone
    message = (
        f"mixed with n-grams of the training texts, {name} on the held-out part is "
        f"{percent(value)}, by the network alone {percent(alone)}; the weights are fitted there"
    )
    return state, message if is_mixed else ""
