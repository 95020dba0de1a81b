"""What came of a run, from what it has measured."""

from charrnn.config.words import with_noun
from charrnn.evaluation.ngrams import entropy_of, unigram_of_counts
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.training.advice import of_labels, of_run
from charrnn.training.plan import Plan
from charrnn.training.setup import Setup


def verdict(setup: Setup, plan: Plan, per_pass: float) -> str:
    """Say in words what came of a run; empty where there is nothing to say.

    Parameters
    ----------
    setup : Setup
        What the run is made of, with its history.
    plan : Plan
        What it was to do.
    per_pass : float
        The steps that read the training part once.
    """
    history, train, task = setup.history, setup.train, setup.task
    held = task.counts(setup.sides.held, setup.vocabulary)
    if task.labels:
        return of_labels(
            history.best_accuracy,
            most_frequent=float(held.max()) / max(1, int(held.sum())),
            at_end=history.best_step == history.step,
            minutes=train.minutes or None,
            steps=train.steps or None,
        )
    usual = not setup.reasons or "learning_rate" in setup.reasons
    enough = train.max_epochs if setup.held_out else 0.0
    words = of_run(
        history.rows,
        entropy=entropy_of(task.counts(setup.sides.learned, setup.vocabulary)),
        dropout=plan.model.dropout,
        hidden_size=None if setup.same_shape else plan.model.hidden_size,
        learning_rate=None if usual else train.learning_rate,
        steps=train.steps or None,
        minutes=train.minutes or None,
        unigram=unigram_of_counts(setup.counts, held) / max(1, int(held.sum())),
        shared=setup.overlap,
        capped=MAX_EPOCHS <= enough <= history.step / per_pass,
    )
    return with_noun(words, setup.vocabulary.noun)
