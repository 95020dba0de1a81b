"""Training the n-grams of a mixture on other texts, with the weights that were fitted.

The weights of a mixture are fitted on held-out texts, which the n-grams must not have seen then.
Afterwards the n-grams are trained once more, on these texts too, which adds 0.2 to 0.9 points
(docs/labels.md). The held-out part is always scored with n-grams of the training part alone.
"""

from dataclasses import replace

from charrnn.data.labels.task import LabelledTask
from charrnn.evaluation.labels.mixture import learned_ngrams
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes


def refitted(checkpoint: Checkpoint, codes: Codes) -> Checkpoint:
    """Return a checkpoint whose n-grams, if it has any, are those of other texts.

    Parameters
    ----------
    checkpoint : Checkpoint
        A model of labels, which may be mixed with n-grams.
    codes : (n,) int array
        The texts, whose labels it must know.
    """
    task, ngrams, kept = checkpoint.task, checkpoint.ngrams, checkpoint.kept
    assert isinstance(task, LabelledTask)
    if ngrams is not None:
        ngrams = learned_ngrams(task, task.parse(codes), checkpoint.settings.random_seed)
    if kept is not None:
        kept = codes
    return replace(checkpoint, ngrams=ngrams, kept=kept)
