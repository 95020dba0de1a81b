"""The best state of a run of labels with a mixture fitted on what is held out."""

from dataclasses import replace

from charrnn.data.labels.tasks import LabelTask
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.mixture import fitted
from charrnn.storage.checkpoint import Checkpoint
from charrnn.training.setup import Setup


def with_mixture(setup: Setup, best: Checkpoint, threads: int) -> tuple[Checkpoint, float] | None:
    """Return a state with fitted weights, and with the training texts if these are counted on.

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
    task = setup.task
    if not isinstance(task, LabelTask) or not setup.held_targets:
        return None
    held = task.parse(setup.sides.held)
    plain = replace(best, mixture=(), kept=None)
    found = Labeller(plain, threads=threads).log_probabilities(held)
    kept = setup.sides.learned if setup.train.counts else None
    weights, accuracy = fitted(task, found, held, kept)
    return replace(plain, mixture=weights, kept=kept), accuracy
