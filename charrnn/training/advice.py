"""What came of a run, in words, and the one option to try next."""

import shlex
from collections.abc import Sequence
from math import inf, isfinite

from charrnn.views.numbers import percent

Row = tuple[int, float, float | None]
"""A validation: its step, and the mean training and the validation loss, in nats."""

Scored = tuple[int, float, float]

MIN_ROWS, MIN_STEPS = 4, 100
"""What a run must have for its losses to say anything."""
ABOVE_ENTROPY = 0.1
LEARNED = 0.02
"""Nats below the entropy of the characters at which a model begins to know something else."""
RISE = 0.01
"""Share of the validation loss: a rise that is not chance, a fall that is worth time."""
GAP = 0.15
"""Share by which the validation loss of a text that is only harder may exceed the training loss;
on tiny Shakespeare it does by 0.1 before any overfitting."""
MOST_DROPOUT = 0.5
MOSTLY_OVERLAP = 0.5
"""Share of the held-out text that is learned from too, from which on its loss is for the most part
one of remembering."""


def of_run(
    rows: Sequence[Row],
    *,
    entropy: float,
    dropout: float,
    hidden_size: int | None,
    learning_rate: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    unigram: float = inf,
    shared: float = 0.0,
    capped: bool = False,
    run: str = "",
    other_split: str = "",
    unlike: bool = False,
) -> str:
    """Say what the two losses of a run mean, and the one option to try next.

    Parameters
    ----------
    rows : sequence of (int, float, float or None)
        The validations, in order: step, training nats since the one before, validation nats.
    entropy : float
        Nats of the training part's characters by their frequencies alone.
    dropout : float
        What the run had, to name something else.
    hidden_size : int or None
        Likewise; None where it is that of the model from which the run started.
    learning_rate : float, optional
        Likewise, where it was not the rule's.
    steps, minutes : number, optional
        How long the run was to be.
    unigram : float, optional
        Nats of the held-out characters by the frequencies in the training part alone.
    shared : float, optional
        Share of the held-out text that is also in the training part.
    capped : bool, optional
        Whether the run ended because more epochs lower no validation loss.
    run : str, optional
        By which name the run can go on.
    other_split : str, optional
        The split that holds out parts from all over the text, where its end was held out.
    unlike : bool, optional
        Whether that end is known to be unlike the rest.

    Returns
    -------
    str
        A sentence or two; empty where the run was too short to judge, or nothing was held out.
    """
    if not rows or not entropy:  # a text of a single symbol leaves nothing to learn
        return ""
    # Only the first may be of weights that were learned from another text.
    # Of a short one, the first steps may overshoot: the last row tells whether that was harmful.
    later = [row for row in rows[1:-1] if row[0] >= MIN_STEPS]
    highest = max(train for _, train, _ in (*later, rows[-1]))
    best = min((val for *_, val in rows if val is not None), default=inf)
    fine = len(rows) == 1 and best < min(unigram, entropy)  # a mean from the first step on
    if not fine and highest > entropy + ABOVE_ENTROPY:
        return (
            f"the training loss was {highest:.2f} nats, above the {entropy:.2f} of how frequent "
            "each character is: train again with a lower --learning-rate"
        )
    if not all(isfinite(loss) for _, *losses in rows for loss in losses if loss is not None):
        return ""
    steps = steps or rows[-1][0]
    longer, shorter = longer_run(run, minutes, steps), _length(0.5, minutes, steps)
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
            "But the held-out end is unlike the rest: "
            f"--split-mode {other_split} holds out parts from all over the text"
        )
    elsewhere = f"; if the end of the text is unlike the rest, --split-mode {other_split}"
    measured = " (measured with dropout)" if dropout else ""
    lowest = min(train for _, train, _ in rows)
    if scored and best >= unigram:
        learned = rows[-1][1] < entropy - LEARNED
        return (
            f"useless: the best validation loss, {best:.3f} nats, is not below the {unigram:.3f} "
            "of how frequent each character is. "
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
            "losses tell how well the model remembers, not what it makes of new text: remove the "
            "copies"
        )
    if min(lowest, best) > entropy - LEARNED:
        other = longer if learning_rate is None else f"without --learning-rate {learning_rate:g}"
        return (
            f"nothing learned: a loss of {lowest:.3f} nats is hardly better than the "
            f"{entropy:.3f} of how frequent each character is. Try {other}"
        )
    if not scored:
        return ""
    best_step, train_at_best, best = min(scored, key=lambda row: row[2])
    _, train, val = scored[-1]
    if capped:
        return (
            f"as good as this text allows: after so many epochs the training loss is {train:.3f} "
            f"nats{measured}, and more time would not lower the best validation loss, {best:.3f}. "
            f"{more_text}"
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
            f"half-way to {val:.3f}, with a training loss of {train:.3f}{measured}. Try {longer}"
        )
    if train < train_before * (1 - RISE):
        return (
            f"overfitting begins: over the last half the training loss fell from "
            f"{train_before:.3f} to {train:.3f} nats{measured}, but the validation loss stayed at "
            f"{val:.3f}. {firmer}"
        )
    if val > train * (1 + GAP):
        return (
            f"overfitting: neither loss falls any more, and that of validation, {val:.3f} nats, is "
            f"far above that of training, {train:.3f}{measured}. {firmer}"
        )
    return (
        f"at its limit: the training loss, {train:.3f} nats{measured}, and the validation loss, "
        f"{val:.3f}, are close and no longer fall. "
        + (f"Try --hidden-size {2 * hidden_size}" if hidden_size else "Try without --init-from")
    )


def _half_way(scored: Sequence[Scored]) -> Scored:
    """Return the row nearest to half of the steps; rows are closer together at the beginning."""
    last = scored[-1][0]
    return min(scored[:-1] or scored, key=lambda row: abs(2 * row[0] - last))


def of_labels(
    accuracy: float | None,
    *,
    most_frequent: float,
    at_end: bool,
    minutes: float | None = None,
    steps: int | None = None,
    run: str = "",
) -> str:
    """Say what a run of labels has learned, and the one option to try next.

    Parameters
    ----------
    accuracy : float or None
        The best share of the held-out labels that is right; None where nothing is held out.
    most_frequent : float
        That of always predicting the most frequent one.
    at_end : bool
        Whether the last state is the best.
    minutes, steps : number, optional
        How long the run was to be.
    run : str, optional
        By which name the run can go on.

    Returns
    -------
    str
        A sentence; empty where there is nothing to say.
    """
    if accuracy is None:
        return ""
    longer = longer_run(run, minutes, steps or 1)
    if accuracy <= most_frequent:
        return (
            f"useless: {percent(accuracy)} of the held-out labels are right, and "
            f"{percent(most_frequent)} are the most frequent one. Try {longer}, or more text"
        )
    if at_end and accuracy < 1:
        return f"not finished: the last state is the best one. Try {longer}"
    return ""


def longer_run(run: str, minutes: float | None, steps: int) -> str:
    """Return what makes a run twice as long: the command that resumes it, or an option."""
    length = _length(2, minutes, steps)
    return f"{shlex.join(['charrnn', 'train', '--resume', run])} {length}" if run else length


def _length(factor: float, minutes: float | None, steps: int) -> str:
    """Return the option for a run that is so many times as long."""
    if minutes:
        return f"--minutes {factor * minutes:g}"
    return f"--steps {max(1, int(factor * steps))}"
