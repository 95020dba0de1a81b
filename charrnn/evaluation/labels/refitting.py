"""Training the n-grams of a mixture on the held-out part too.

The weights of a mixture are fitted on the held-out part, which its n-grams must not have seen then.
To label new texts, they need not leave it out: afterwards they are trained once more, on both
parts. The held-out part itself is always scored with n-grams of the training part alone, which are
trained again for this. A later change of the n-grams must not change those of an older checkpoint.
"""

from dataclasses import replace

from charrnn.data.labels.task import LabelledTask
from charrnn.data.sides import Sides
from charrnn.evaluation.labels.mixture import learned_ngrams, reads_all
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes


def refitted(checkpoint: Checkpoint, sides: Sides) -> Checkpoint:
    """Return a fitted checkpoint whose n-grams, if it has any, are those of both parts."""
    task, ngrams, kept = checkpoint.task, checkpoint.ngrams, checkpoint.kept
    assert isinstance(task, LabelledTask)
    if ngrams is not None:
        learned, seed = task.parse(sides.learned), checkpoint.settings.random_seed
        if reads_all(task, learned):
            ngrams = learned_ngrams(task, learned, seed, more=task.parse(sides.held))
    if kept is not None:
        kept = sides.both
    is_mixed = ngrams is not None or kept is not None
    return replace(checkpoint, ngrams=ngrams, kept=kept, refitted=is_mixed)


def as_fitted(checkpoint: Checkpoint, learned: Codes) -> Checkpoint:
    """Return a checkpoint with the n-grams of the training part (n,) alone."""
    task, ngrams, kept = checkpoint.task, checkpoint.ngrams, checkpoint.kept
    assert isinstance(task, LabelledTask)
    if not checkpoint.refitted:
        return checkpoint
    if ngrams is not None:
        ngrams = learned_ngrams(task, task.parse(learned), checkpoint.settings.random_seed)
    if kept is not None:
        kept = learned
    return replace(checkpoint, ngrams=ngrams, kept=kept, refitted=False)
