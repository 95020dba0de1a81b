"""The verdict on a run, from its measurements."""

import numpy as np

from charrnn.config.words import with_noun
from charrnn.evaluation.ngrams import entropy_of, unigram_of_counts
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.training.advice import of_labels, of_run
from charrnn.training.setup import Setup


def verdict(setup: Setup, steps_per_epoch: float, run: str) -> str:
    """Return the verdict on a run; empty if there is nothing to say.

    Parameters
    ----------
    setup : Setup
        The parts of the run, with its history.
    steps_per_epoch : float
        Steps per epoch.
    run : str
        The name with which the run can be resumed; empty if it is in memory.
    """
    history, train, task = setup.history, setup.train, setup.task
    model = setup.architecture
    held = task.counts(setup.sides.held, setup.vocabulary)
    enough = train.max_epochs if setup.held_out else 0.0
    ended = 0 < enough <= history.step / steps_per_epoch
    if task.labels:
        return of_labels(
            history.accuracy,
            tested=int(np.count_nonzero(held[setup.counts > 0])),
            most_frequent=float(held[setup.counts.argmax()]) / max(1, int(held.sum())),
            at_end=history.best_step == history.step,
            minutes=train.minutes or None,
            steps=train.steps or None,
            epochs=setup.epochs,
            capped=ended,
            run=run,
        )
    unigram = unigram_of_counts(setup.counts, held) / max(1, int(held.sum()))
    usual = not setup.reasons or "learning_rate" in setup.reasons
    words = of_run(
        history.rows,
        entropy=entropy_of(task.counts(setup.sides.learned, setup.vocabulary)),
        dropout=model.dropout,
        hidden_size=None if setup.same_shape else model.hidden_size,
        learning_rate=None if usual else train.learning_rate,
        steps=train.steps or None,
        minutes=train.minutes or None,
        epochs=setup.epochs,
        unigram=unigram,
        shared=setup.overlap,
        capped=ended and enough >= MAX_EPOCHS,
        max_epochs=enough if ended else 0.0,
        run=run,
        other_split=task.other_split if train.split_mode == "contiguous" else "",
        unlike=setup.unlike,
        counts_help=history.mixed_nats is not None and history.mixed_nats < unigram,
    )
    return with_noun(words, setup.vocabulary.noun)
