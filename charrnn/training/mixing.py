"""The best state of a run of labels with a mixture fitted on what is held out."""

from dataclasses import replace

from charrnn.data.labels.task import LabelledTask
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.mixture import fitted, fitted_chain, learned_ngrams
from charrnn.storage.checkpoint import Checkpoint
from charrnn.training.setup import Setup


def with_mixture(setup: Setup, best: Checkpoint, threads: int) -> tuple[Checkpoint, float] | None:
    """Return a state with a linear model of n-grams, if it helps, and with fitted weights.

    It also has the training texts if n-grams are counted on them.

    Parameters
    ----------
    setup : Setup
        Of the run.
    best : Checkpoint
        Its best state.
    threads : int
        Workers; no effect on the result.

    Returns
    -------
    (Checkpoint, float) or None
        The state, and the share of the held-out labels that are right; None where there is nothing
        to fit, or to fit on.
    """
    task, train = setup.task, setup.train
    if not isinstance(task, LabelledTask) or not setup.held_targets:
        return None
    if task.head == "step" and not train.ngrams:
        return None
    held = task.parse(setup.sides.held)
    plain = replace(best, mixture=(), kept=None, ngrams=None)
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
    state = replace(plain, mixture=mixture.weights, kept=kept, ngrams=mixture.ngrams)
    return state, mixture.accuracy
