"""When a run validates and ends, and at which learning rate it makes each of its steps."""

from bisect import bisect_left

from charrnn.evaluation.scorers import Scorer
from charrnn.optimizers import learning_rate_factor
from charrnn.training.length import done_after
from charrnn.training.setup import Setup
from charrnn.training.validation import FORWARD, SHARE, SHORT_SHARE, next_pass

LONGEST_CHUNK = 0.1
"""Seconds that steps are taken to last at most which are asked for at once. The first ones of a
trainer may last longer, while kernels are compiled: the ones after them do not."""


FIRST = 0.02
"""Share of a run of minutes after which its first validation is due, however long its text is."""

MOST_RESERVED = 0.5
"""Of the minutes of a run, what is kept for its end at the most."""


class Timetable:
    """What is due when, by how far a run has come.

    Parameters
    ----------
    setup : Setup
        Of the run; its history is how far it has come.
    scorer : Scorer or None
        The held-out text of a validation.
    validation_seconds : float
        What a validation takes, about; to be set again when one is timed.

    Attributes
    ----------
    reserved : float
        Seconds of a run of minutes that are kept for what follows on its last step.
    """

    def __init__(self, setup: Setup, scorer: Scorer | None, validation_seconds: float) -> None:
        self._train, self._history, self._scorer = setup.train, setup.history, scorer
        self._validations = setup.validation.validations
        self._per_target = setup.symbols_per_target
        self.per_pass = setup.steps_per_pass
        self.symbols_per_step = setup.train_symbols / self.per_pass
        self.validation_seconds = validation_seconds
        self.reserved = 0.0

    def place(self) -> dict[str, float]:
        """Return how far the run has come, in steps, seconds and characters that were read."""
        step = self._history.step
        characters = round(step * self.symbols_per_step)
        return {"step": step, "seconds": self._history.seconds, "characters": characters}

    def done(self, step: float, seconds: float) -> float:
        """Return how much of the run is over after so many steps and seconds, from 0 to 1."""
        whole = 60 * self._train.minutes
        if whole:
            seconds *= whole / (whole - min(self.reserved, MOST_RESERVED * whole))
        return done_after(self._train, self.per_pass, step, seconds)

    def rates(self, seconds: float, step_seconds: float, most: int) -> list[float]:
        """Return the learning rates of the next steps, up to one after which something is due.

        Each is that of the middle of its step, so that the first and the last learn too. After
        the last one the run validates or ends, or else there are ``most`` of them.

        Parameters
        ----------
        seconds : float
            Training time so far.
        step_seconds : float
            What a step takes, about: where minutes end the run, later steps are told by it.
        most : int
            At least 1.
        """
        step = self._history.step
        step_seconds = min(step_seconds, LONGEST_CHUNK / most)
        count = 1 + bisect_left(
            range(1, most),
            True,
            key=lambda n: self._is_stop(step + n, seconds + n * step_seconds),
        )
        return [self._rate(step + n + 0.5, seconds + n * step_seconds) for n in range(count)]

    def _rate(self, step: float, seconds: float) -> float:
        train = self._train
        factor = learning_rate_factor(train.schedule, self.done(step, seconds), train.warmup)
        return train.learning_rate * factor * self._history.rate_factor

    def _is_stop(self, step: int, seconds: float) -> bool:
        done = self.done(step, seconds)
        return done >= 1 or self.is_validation_due(done, step, seconds)

    def is_validation_due(self, done: float, step: int, seconds: float) -> bool:
        """Say whether to validate: evenly over the run and, early on, after some passes."""
        history = self._history
        due = int(done * self._validations) > history.validations
        if history.next_pass is None:  # as often as was asked for, whatever it costs
            return due
        first = not history.rows and done >= FIRST and self._train.minutes > 0
        due = due or first or step / self.per_pass >= history.next_pass
        if not due or self._scorer is None:
            return due
        if self._train.minutes:
            share = SHARE if self._train.minutes >= 1 else SHORT_SHARE
            return history.overhead + self.validation_seconds <= share * seconds
        read = step * self.symbols_per_step
        next_one = self._scorer.characters * self._per_target
        return (history.scored + next_one) * FORWARD <= SHARE * read

    def count_validation(self, done: float) -> None:
        """Count a validation, whatever it was due for."""
        history = self._history
        history.validations = max(history.validations, int(done * self._validations))
        if history.next_pass is not None:
            history.next_pass = next_pass(history.step / self.per_pass)
