"""The best state of a run of labels with a mixture fitted on what is held out."""

from dataclasses import replace

from charrnn.data.labels.task import LabelledTask
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.mixture import fitted, fitted_chain, learned_ngrams
from charrnn.storage.checkpoint import Checkpoint
from charrnn.training.setup import Setup
from charrnn.views.numbers import percent


def with_mixture(setup: Setup, best: Checkpoint, threads: int) -> tuple[Checkpoint, str] | None:
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
    (Checkpoint, str) or None
        The state, and what n-grams gained, in a sentence, if they are mixed in; None where there is
        nothing to fit, or to fit on.
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
    name, value, alone = mixture.figure, mixture.value, mixture.alone
    message = (
        f"mixed with n-grams of the training texts, {name} on what is held out is "
        f"{percent(value)}, by the network alone {percent(alone)}; the weights are fitted there"
    )
    return state, message if kept is not None or mixture.ngrams is not None else ""
