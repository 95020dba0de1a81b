"""A run's verdict: what its losses mean, and the one option to try next."""

import shlex
from collections.abc import Sequence
from math import inf, isfinite

from charrnn.views.numbers import percent

Row = tuple[int, float, float | None]
"""A validation: its step, and the mean training and the validation loss, in nats."""

Scored = tuple[int, float, float]

MIN_ROWS, MIN_STEPS = 4, 100
"""Fewest validations and steps from which a verdict is given."""
ABOVE_ENTROPY = 0.1
LEARNED = 0.02
"""Nats below the entropy of the characters from which a model has learned more than frequencies."""
RISE = 0.01
"""Smallest relative change of a loss that counts as a rise or a fall."""
GAP = 0.15
"""Largest relative gap between validation and training loss that is no sign of overfitting; on tiny
Shakespeare the gap is 0.1 before any overfitting."""
MOST_DROPOUT = 0.5
MOSTLY_OVERLAP = 0.5
"""Share of the held-out text that also occurs in the training part from which the validation loss
mostly measures memorization."""


def of_run(
    rows: Sequence[Row],
    *,
    entropy: float,
    dropout: float,
    hidden_size: int | None,
    learning_rate: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    epochs: float = 0.0,
    unigram: float = inf,
    shared: float = 0.0,
    capped: bool = False,
    max_epochs: float = 0.0,
    run: str = "",
    other_split: str = "",
    unlike: bool = False,
    counts_help: bool = False,
) -> str:
    """Return what the losses of a run mean, and the one option to try next.

    Parameters
    ----------
    rows : sequence of (int, float, float or None)
        The validations in order: step, mean training loss since the previous one, and validation
        loss, in nats.
    entropy : float
        Entropy in nats of the character frequencies of the training part.
    dropout : float
        The run's dropout, so that a different one can be suggested.
    hidden_size : int or None
        Likewise; None where the shape is fixed by the model of --init-from.
    learning_rate : float, optional
        Likewise; only where the user set it.
    steps, minutes, epochs : number, optional
        The planned length of the run.
    unigram : float, optional
        Loss in nats of predicting held-out characters by their frequencies in the training part.
    shared : float, optional
        Share of the held-out text that also occurs in the training part.
    capped : bool, optional
        Whether the run ended after so many epochs that more do not lower the validation loss.
    max_epochs : float, optional
        The epochs after which the run ended, if that ended it: then it cannot be resumed.
    run : str, optional
        The name with which the run can be resumed.
    other_split : str, optional
        The split mode that holds out parts from all over the text, if its end was held out.
    unlike : bool, optional
        Whether that end is known to differ from the rest.
    counts_help : bool, optional
        Whether the network mixed with counts has a lower loss than ``unigram``. All losses here are
        those of the network alone.

    Returns
    -------
    str
        One or two sentences; empty if the run was too short to judge or nothing was held out.
    """
    if not rows or not entropy:  # nothing to learn from a single symbol
        return ""
    # The first row may come from weights that were trained on another text. In a short run the
    # first steps may overshoot; the last row shows whether that did harm.
    later = [row for row in rows[1:-1] if row[0] >= MIN_STEPS]
    highest = max(train for _, train, _ in (*later, rows[-1]))
    best = min((val for *_, val in rows if val is not None), default=inf)
    fine = len(rows) == 1 and best < min(unigram, entropy)  # its mean includes the first steps
    if not fine and highest > entropy + ABOVE_ENTROPY:
        return (
            f"the training loss was {highest:.2f} nats, above the {entropy:.2f} of predicting by "
            "character frequencies: train again with a lower --learning-rate"
        )
    if not all(isfinite(loss) for _, *losses in rows for loss in losses if loss is not None):
        return ""
    steps = steps or rows[-1][0]
    longer = longer_run(run, minutes, steps, epochs)
    if max_epochs:
        longer = f"--max-epochs {2 * max_epochs:g}"
    shorter = _length(0.5, minutes, steps, epochs)
    scored = [(step, train, val) for step, train, val in rows if val is not None]
    more_text = "More text of this kind would help most"
    if dropout < MOST_DROPOUT:
        firmer = f"Try --dropout {min(dropout + 0.2, MOST_DROPOUT):g}"
    elif hidden_size:
        firmer = f"Try --hidden-size {max(1, hidden_size // 2)}"
    else:
        firmer = f"Try {shorter}"
    if unlike:
        firmer = (
            "But the held-out end differs from the rest of the text: "
            f"--split-mode {other_split} holds out parts from all over it"
        )
    elsewhere = f"; or, if the end of the text differs from the rest, --split-mode {other_split}"
    measured = " (measured with dropout)" if dropout else ""
    lowest = min(train for _, train, _ in rows)
    if scored and best >= unigram:
        learned = rows[-1][1] < entropy - LEARNED
        return (
            f"useless{' without counts' if counts_help else ''}: the best validation loss, "
            f"{best:.3f} nats, is not below the {unigram:.3f} of predicting by character "
            "frequencies. "
            + (
                f"The training loss fell to {rows[-1][1]:.3f}, so it memorized its training part. "
                f"{firmer}{elsewhere if other_split and not unlike else ''}"
                if learned
                else f"Try {longer}, or another --learning-rate"
            )
        )
    if len(rows) < MIN_ROWS or rows[-1][0] < MIN_STEPS:
        return ""
    if shared >= MOSTLY_OVERLAP:
        return (
            f"{percent(shared, 0)} of the held-out text is also in the training part, so these "
            "losses measure how well the model memorizes, not how it does on new text: remove the "
            "copies"
        )
    if min(lowest, best) > entropy - LEARNED:
        other = longer if learning_rate is None else f"without --learning-rate {learning_rate:g}"
        return (
            f"nothing learned: a loss of {lowest:.3f} nats is hardly better than the "
            f"{entropy:.3f} of predicting by character frequencies. Try {other}"
        )
    if not scored:
        return ""
    best_step, train_at_best, best = min(scored, key=lambda row: row[2])
    _, train, val = scored[-1]
    if capped:
        return (
            f"as good as this text allows: after this many epochs the training loss is {train:.3f} "
            f"nats{measured}, and more training would not lower the best validation loss, "
            f"{best:.3f}. {more_text}"
        )
    if val > best * (1 + RISE) and train < train_at_best:
        return (
            f"overfitting: since step {best_step:,} the validation loss rose from {best:.3f} to "
            f"{val:.3f} nats while the training loss fell to {train:.3f}{measured}. {firmer}"
        )
    _, train_before, val_before = _half_way(scored)
    if val < val_before * (1 - RISE):
        return (
            f"not finished: the validation loss was still falling, from {val_before:.3f} nats "
            f"halfway to {val:.3f}, with a training loss of {train:.3f}{measured}. Try {longer}"
        )
    if train < train_before * (1 - RISE):
        return (
            f"overfitting begins: over the second half the training loss fell from "
            f"{train_before:.3f} to {train:.3f} nats{measured}, but the validation loss stayed at "
            f"{val:.3f}. {firmer}"
        )
    if val > train * (1 + GAP):
        return (
            f"overfitting: neither loss is falling any more, and the validation loss, {val:.3f} "
            f"nats, is far above the training loss, {train:.3f}{measured}. {firmer}"
        )
    return (
        f"at its limit: the training loss, {train:.3f} nats{measured}, and the validation loss, "
        f"{val:.3f}, are close and no longer falling. "
        + (f"Try --hidden-size {2 * hidden_size}" if hidden_size else "Try without --init-from")
    )


def _half_way(scored: Sequence[Scored]) -> Scored:
    """Return the row nearest to half of the steps; validations are denser at the beginning."""
    last = scored[-1][0]
    return min(scored[:-1] or scored, key=lambda row: abs(2 * row[0] - last))


def of_labels(
    accuracy: float | None,
    *,
    tested: int,
    most_frequent: float,
    at_end: bool,
    minutes: float | None = None,
    steps: int | None = None,
    epochs: float = 0.0,
    capped: bool = False,
    run: str = "",
) -> str:
    """Return the verdict on a run that predicts labels, and the one option to try next.

    Parameters
    ----------
    accuracy : float or None
        The best share of correct held-out labels; None if nothing is held out.
    tested : int
        How many of the labels that were trained on occur among the held-out labels.
    most_frequent : float
        The accuracy of always predicting the label that is most frequent in training.
    at_end : bool
        Whether the last state is the best.
    steps, minutes, epochs : number, optional
        The planned length of the run.
    capped : bool, optional
        Whether the run has had all useful epochs, after which it cannot be resumed.
    run : str, optional
        The name with which the run can be resumed.

    Returns
    -------
    str
        A sentence; empty if there is nothing to say.
    """
    if accuracy is None:
        return ""
    if tested < 2:
        return (
            f"not judged: the held-out part has {'one' if tested else 'none'} of the labels that "
            "were trained on, so it does not show what was learned: hold out other texts"
        )
    longer = longer_run(run, minutes, steps or 1, epochs)
    attempt = "" if capped else f"{longer}, or "
    if accuracy <= most_frequent:
        return (
            f"useless: {percent(accuracy)} of the held-out labels are correct, no more than the "
            f"{percent(most_frequent)} of always predicting the one most frequent in training. Try "
            f"{attempt}more text"
        )
    if at_end and accuracy < 1 and not capped:
        return f"not finished: the last state is the best one. Try {longer}"
    return ""


def longer_run(run: str, minutes: float | None, steps: int, epochs: float = 0.0) -> str:
    """Return how to double a run's length: the command that resumes it, or an option."""
    length = _length(2, minutes, steps, epochs)
    return f"{shlex.join(['charrnn', 'train', '--resume', run])} {length}" if run else length


def _length(factor: float, minutes: float | None, steps: int, epochs: float) -> str:
    """Return the option that makes a run ``factor`` times as long."""
    if minutes:
        return f"--minutes {factor * minutes:g}"
    if epochs:
        return f"--epochs {factor * epochs:g}"
    return f"--steps {max(1, int(factor * steps))}"
