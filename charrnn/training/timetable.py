"""When a run validates and ends, and the learning rate of each step."""

from bisect import bisect_left

from charrnn.evaluation.scorers import Scorer
from charrnn.optimizers import learning_rate_factor
from charrnn.training.length import done_after
from charrnn.training.setup import Setup
from charrnn.training.validation import FORWARD, SHARE, SHORT_SHARE, next_pass

LONGEST_CHUNK = 0.1
"""Longest estimated seconds of the steps in one call. A trainer's first steps may take longer while
kernels are compiled; later ones do not."""


FIRST = 0.02
"""Share of a timed run after which its first validation is due, however long its text is."""

MOST_RESERVED = 0.5
"""Largest share of a timed run that is reserved for work after the last step."""
MIXING, FITTING = 2.5, 6.0
"""Mixing with counts takes as long as ``MIXING`` validations: it scores their text without and with
counts. Fitting the mixture takes ``FITTING`` times as long per character as a validation: it tries
several temperatures, in one process. Measured on two cores."""


class Timetable:
    """Says what is due at each point of a run.

    Parameters
    ----------
    setup : Setup
        The run's, with its history.
    scorer : Scorer or None
        Scores the held-out text in validations.
    validation_seconds : float
        Approximate seconds per validation; updated when one is timed.
    """

    def __init__(self, setup: Setup, scorer: Scorer | None, validation_seconds: float) -> None:
        self._train, self._history, self._scorer = setup.train, setup.history, scorer
        self._validations = setup.validation.validations
        self._per_target = setup.symbols_per_target
        self.steps_per_epoch = setup.steps_per_epoch
        self.symbols_per_step = setup.train_symbols / self.steps_per_epoch
        self.validation_seconds = validation_seconds
        self._counting_seconds = self._mixing_validations = 0.0

    def reserve_for_mixing(self, counting_seconds: float, apart: int) -> None:
        """Reserve time to count once more, and to fit a mixture on ``apart`` characters."""
        scored = self._scorer.characters if self._scorer else apart
        self._counting_seconds = counting_seconds
        self._mixing_validations = MIXING + FITTING * apart / max(1, scored)

    @property
    def reserved(self) -> float:
        """Seconds of a timed run that are reserved for work after its last step."""
        return self._counting_seconds + self._mixing_validations * self.validation_seconds

    def place(self) -> dict[str, float]:
        """Return the run's progress in steps, seconds and characters read."""
        step = self._history.step
        characters = round(step * self.symbols_per_step)
        return {"step": step, "seconds": self._history.seconds, "characters": characters}

    def done(self, step: float, seconds: float) -> float:
        """Return the completed share of the run, from 0 to 1, after some steps and seconds."""
        whole = 60 * self._train.minutes
        if whole:
            seconds *= whole / (whole - min(self.reserved, MOST_RESERVED * whole))
        return done_after(self._train, self.steps_per_epoch, step, seconds)

    def rates(self, seconds: float, step_seconds: float, most: int) -> list[float]:
        """Return the learning rates of the next steps, until something is due.

        Each rate is taken at the middle of its step, so that neither the first nor the last is 0.
        After the last of these steps the run validates or ends, unless there are ``most`` of them.

        Parameters
        ----------
        seconds : float
            Training time so far.
        step_seconds : float
            Approximate time per step, which predicts later steps of a timed run.
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
        """Return whether to validate: evenly over the run, and after certain early epochs."""
        history = self._history
        due = int(done * self._validations) > history.validations
        if history.next_pass is None:  # as often as requested, whatever it costs
            return due
        first = not history.rows and done >= FIRST and self._train.minutes > 0
        due = due or first or step / self.steps_per_epoch >= history.next_pass
        if not due or self._scorer is None:
            return due
        if self._train.minutes:
            share = SHARE if self._train.minutes >= 1 else SHORT_SHARE
            return history.overhead + self.validation_seconds <= share * seconds
        read = step * self.symbols_per_step
        next_one = self._scorer.characters * self._per_target
        return (history.scored + next_one) * FORWARD <= SHARE * read

    def count_validation(self, done: float) -> None:
        """Count a validation, whatever the reason for it."""
        history = self._history
        history.validations = max(history.validations, int(done * self._validations))
        if history.next_pass is not None:
            history.next_pass = next_pass(history.step / self.steps_per_epoch)
