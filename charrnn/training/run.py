"""A training run as a stream of events, resumable from every save.

``Run`` holds only policy: when to validate, sample, save and stop. A ``Trainer`` trains the model,
``Saving`` writes to a ``RunStore`` and a ``Clock`` measures time. All state that determines the
course of a run is in ``History`` and the trainer's arrays, and all of it is saved.
"""

import shlex
from collections.abc import Generator, Iterator
from contextlib import suppress
from math import isfinite, log
from pathlib import Path

import numpy as np

from charrnn.errors import CheckpointError, RunError
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.folder import RUNS
from charrnn.storage.history import as_loss
from charrnn.storage.store import MemoryStore, RunStore
from charrnn.trainer import StepResult, Trainer
from charrnn.training.clock import Clock
from charrnn.training.counting import Counting
from charrnn.training.events import (
    Event,
    Finished,
    Notice,
    Progress,
    Reason,
    Sampled,
    Validated,
)
from charrnn.training.glimpse import LONGEST_TEXT, live_sample, prompts_of
from charrnn.training.launched import RankPlan, rank_plan
from charrnn.training.meter import Meter
from charrnn.training.plan import plan_of
from charrnn.training.saving import Saving
from charrnn.training.setup import Setup
from charrnn.training.timetable import Timetable
from charrnn.training.verdict import verdict

PROGRESS_EVERY = 0.5
"""Seconds between Progress events."""
LOGGED_PROGRESS, LOGGED_SAMPLE = 200, 1000
"""Most Progress events in the log of a run, and most characters of a sample."""
FIRST_SAMPLE = 0.1
"""Assumed seconds of the first logged sample; a very short run logs only its last one."""
PROMPTS_TRIED = 20
SAMPLE_EVERY = 3.0
SMALL_SHARE = 0.01
"""Largest share of a run's time for live samples, and for saves: both become rarer if needed."""
FAILURES_ALLOWED = 8
"""Consecutive steps with a non-finite gradient after which a run ends as diverged."""
PLATEAU_PATIENCE = 2
"""Validations without improvement after which the plateau schedule halves the learning rate."""


class Run:
    """One training run.

    Parameters
    ----------
    setup : Setup
        The parts of the run.
    trainer : Trainer
        Trains its model.
    store : RunStore
        Stores checkpoints and the log.
    clock : Clock
        Measures its training time.
    threads : int
        Allowed number of workers, for the plan.
    resumed : bool
        Whether it is resumed from an earlier state.
    validation_seconds : float
        Approximate seconds per validation, until one is timed.

    Attributes
    ----------
    notices : list of str
        Messages for the user before it starts.
    plan : Plan
    history : History
        Its progress so far.
    """

    def __init__(
        self,
        setup: Setup,
        trainer: Trainer,
        store: RunStore,
        clock: Clock,
        *,
        threads: int = 1,
        resumed: bool = False,
        validation_seconds: float = 0.0,
    ) -> None:
        self._setup, self._trainer, self._store, self._clock = setup, trainer, store, clock
        self._train, self._stopping, self._begun = setup.train, False, False
        self._sampling = FIRST_SAMPLE  # seconds that a logged sample takes
        self._counting: Counting | None = None
        self.history = self._history = setup.history
        self._timetable = Timetable(setup, trainer.scorer, validation_seconds)
        self._saving = Saving(setup, trainer, store, self._timetable)
        self.notices = setup.notices
        self.plan = plan_of(
            setup,
            steps_per_epoch=self._timetable.steps_per_epoch,
            threads=threads,
            workers=trainer.workers,
            resumed_at=self._history.step if resumed else None,
            in_memory=isinstance(store, MemoryStore),
        )

    @property
    def directory(self) -> Path | None:
        """The folder of the run; None before a new run has started, or without a folder."""
        return self._store.directory

    @property
    def example_prompt(self) -> str | None:
        """A prompt from the text of a prompted model, a short one if one is found quickly."""
        found = prompts_of(self._setup, PROMPTS_TRIED)
        shown = (prompt for prompt in found if len(prompt) <= LONGEST_TEXT)
        return next(shown, min(found, key=len, default=None))

    def best(self) -> Checkpoint:
        """Return the best state so far with the text, or the current one if there is none."""
        return self._saving.best()

    def measure_speed(self, seconds: float = 2.0) -> float:
        """Train briefly and return characters per second; the run cannot be used afterwards."""
        self._begin()
        self._trainer.steps([0.0])
        clock, steps = Clock(), 0
        while clock.seconds < seconds or steps < 2:
            steps += len(self._trainer.steps([0.0] * self._trainer.chunk))
            clock.lap("steps")
        return steps * self._timetable.symbols_per_step / clock.seconds

    def rank_plan(self, speed: float) -> RankPlan | None:
        """Measure the communication between ranks; the run cannot be used afterwards."""
        return rank_plan(self._setup, self._trainer, speed)

    def stop(self) -> None:
        """Ask ``train`` to finish the current steps, save and end; safe in a signal handler."""
        self._stopping = True

    def close(self) -> None:
        """End the workers and release the store; ``train`` does so at its end."""
        self._trainer.close()
        self._saving.close()

    def train(self, *, samples: bool = False) -> Generator[Event, None, None]:
        """Train to the end, once, and yield events; with ``samples``, also Sampled events.

        Raises
        ------
        RunError
            If the run was trained before: its model has changed.
        """
        self._begin()
        return self._events(samples)

    def _begin(self) -> None:
        if self._begun:
            raise RunError("this run was already trained: resume it, or prepare another one")
        self._begun = True

    def _events(self, samples: bool) -> Generator[Event, None, None]:
        try:
            yield from self._saving.begin()
            for message in filter(None, (self._setup.moved, *self._setup.logged)):
                yield self._saving.log(Notice(message))
            yield from self._loop(samples)
        finally:
            self.close()

    def _loop(self, samples: bool) -> Iterator[Event]:
        history, clock, train = self._history, self._clock, self._train
        clock.restart()
        if train.counts and not self._setup.task.labels:
            self._counting = Counting(self._setup)
            clock.lap("counting")
            self._timetable.reserve_for_mixing(self._counting.seconds, len(self._setup.apart))
        next_sample, seen = clock.seconds, 0  # the first shows an untrained model
        next_save = clock.seconds + 60 * train.save_every
        meter = Meter(clock.seconds)
        told, next_logged = clock.stopped, 0.0
        reason: Reason | None = None
        while reason is None:
            rate, result, reason = yield from self._steps(meter)
            done = self._timetable.done(history.step, clock.seconds)
            over = done >= 1 or reason is not None
            if over or self._timetable.is_validation_due(done, history.step, clock.seconds):
                yield from self._judge(done, rate, result, diverged=reason == "diverged")
                if train.patience and history.without_improvement >= train.patience and not over:
                    reason = "no longer improving"
            if done >= 1:
                reason = reason or "done"
            elif self._stopping:
                reason = reason or "interrupted"
            if clock.seconds - meter.since >= PROGRESS_EVERY or reason:
                history.seconds = clock.seconds
                progress = self._progress(meter, result, rate, done)
                if done >= next_logged or reason:
                    self._saving.log(progress)
                    next_logged = done + 1 / LOGGED_PROGRESS
                yield progress
                clock.lap("show")
                meter = Meter(clock.seconds)
            if samples and clock.seconds >= next_sample and not reason:
                self._trainer.publish()
                yield Sampled(history.step, live_sample(self._setup))
                spent = self._count_overhead("sample")
                next_sample = clock.seconds + max(SAMPLE_EVERY, seen * spent / SMALL_SHARE)
                seen = 1
            if clock.seconds >= next_save and not reason:
                history.seconds = clock.seconds
                yield from self._saving.save_last()
                spent = self._count_overhead("save")
                often = train.save_every < 1  # as requested, whatever it costs
                next_save = clock.seconds + max(
                    60 * train.save_every, 0 if often else spent / SMALL_SHARE
                )
            if (stood := clock.stopped - told) > 1:
                history.stopped += stood
                told = clock.stopped
                yield self._saving.log(
                    Notice(
                        f"the run was interrupted for {stood:.1f} s (process stopped, or machine "
                        "asleep or busy), which does not count as training time"
                    )
                )
            yield from self._saving.news()
        history.seconds = clock.seconds
        yield from self._end(reason)

    def _steps(
        self, meter: Meter
    ) -> Generator[Event, None, tuple[float, StepResult, Reason | None]]:
        """Make some steps; return the last one, its rate, and why the run ends if it does."""
        history, clock, trainer = self._history, self._clock, self._trainer
        before, step_work = history.step, trainer.work(history.step + 1)
        rates = self._timetable.rates(clock.seconds, clock.usual("step") * step_work, trainer.chunk)
        results = trainer.steps(rates)
        history.step = trainer.step_count
        work = sum(trainer.work(step) for step in range(before + 1, history.step + 1))
        seconds = clock.lap("step", work) / len(results)
        for result in results:
            if result.applied:
                history.failures = 0
                history.nats_sum += result.nats
                history.nats_steps += result.predicted
            meter.add(result.nats, seconds, applied=result.applied and result.predicted)
        reason: Reason | None = None
        if not results[-1].applied:
            reason = yield from self._not_finite()
            clock.lap("recovery")
        history.seconds = clock.seconds
        return rates[len(results) - 1], results[-1], reason

    def _judge(
        self, done: float, rate: float, result: StepResult, *, diverged: bool
    ) -> Iterator[Event]:
        """Validate, and count the time."""
        self._timetable.count_validation(done)
        yield from self._validate(rate, result.grad_norm)
        self._timetable.validation_seconds = self._count_overhead("validation")
        if diverged or (done < 1 and self._sampling > SMALL_SHARE * self._clock.seconds):
            return
        self._trainer.publish()
        # A model with exploded weights has no sample.
        with np.errstate(over="ignore", invalid="ignore"), suppress(CheckpointError):
            text = live_sample(self._setup)[:LOGGED_SAMPLE]
            self._saving.log(Sampled(self._history.step, text))
        self._sampling += self._count_overhead("sample")

    def _count_overhead(self, kind: str) -> float:
        spent = self._clock.lap(kind)
        self._history.overhead += spent
        return spent

    def _progress(self, meter: Meter, result: StepResult, rate: float, done: float) -> Progress:
        history = self._history
        return Progress(
            step=history.step,
            steps=self._train.steps or round(history.step / max(done, 1e-9)),
            epoch=history.step / self._timetable.steps_per_epoch,
            done=min(1.0, done),
            nats=meter.mean_nats(result.nats),
            grad_norm=result.grad_norm,
            learning_rate=rate,
            chars_per_second=meter.per_second(self._timetable.symbols_per_step),
            seconds=history.seconds,
            seconds_left=max(0.0, history.seconds * (1 / max(done, 1e-9) - 1)),
            overhead=history.overhead / max(history.seconds, 1e-9),
        )

    def _end(self, reason: Reason) -> Iterator[Event]:
        """Report the result of the run, and save its end."""
        history = self._history
        history.finished = "" if reason == "interrupted" else reason
        yield from self._saving.mix(self._counting)
        if reason not in ("interrupted", "diverged"):
            yield from self._verdict()
        train_nats = (
            history.rows[-1][1] if history.rows else history.nats_sum / max(1, history.nats_steps)
        )
        scorer = self._trainer.scorer
        finished = Finished(
            reason=reason,
            step=history.step,
            seconds=history.seconds,
            train_nats=train_nats,
            best_nats=history.best_nats,
            best_step=history.best_step,
            best_interval=history.best_interval,
            val_characters=scorer.characters if scorer else 0,
            held_out=scorer.whole if scorer else 0,
            overhead=history.overhead / max(history.seconds, 1e-9),
            best_accuracy=history.best_accuracy,
            mixed_accuracy=history.mixed_accuracy,
            mixed_nats=history.mixed_nats,
        )
        # Logged before it is saved: if killed in between, the run ends a second time.
        self._saving.log(finished)
        yield from self._saving.news()
        yield from self._saving.finish()
        yield finished

    def _not_finite(self) -> Generator[Event, None, Reason | None]:
        """Halve the learning rate after an undone step; return the reason if the run must end."""
        history = self._history
        history.failures += 1
        history.rate_factor /= 2
        what = "the step is undone"
        if not self._trainer.is_sound:
            what = f"the weights go back to step {self._saving.go_back()}"
        yield self._saving.log(
            Notice(
                f"step {history.step}: the gradient is not finite; {what} and the learning rate is "
                f"halved, since --learning-rate {self._train.learning_rate:g} is too high"
            )
        )
        return "diverged" if history.failures >= FAILURES_ALLOWED else None

    def _validate(self, rate: float, norm: float) -> Iterator[Event]:
        history = self._history
        if history.nats_steps:
            train_nats = history.nats_sum / history.nats_steps
        else:  # every step since the last validation was undone
            train_nats = history.rows[-1][1] if history.rows else log(len(self._setup.counts))
        history.nats_sum, history.nats_steps = 0.0, 0
        if self._trainer.scorer is None:
            history.rows.append((history.step, train_nats, None))
            self._saving.save_best()
            return
        score = self._trainer.validate()
        nats = score.mean
        history.scored += round(score.characters * self._setup.symbols_per_target)
        history.rows.append((history.step, train_nats, as_loss(nats)))
        best = isfinite(nats) and history.is_best(nats, score.accuracy)
        if best:
            history.best_nats, history.best_step = nats, history.step
            history.best_interval = score.interval
            history.best_accuracy = score.accuracy
            history.mixed_accuracy = history.mixed_nats = None
            history.without_improvement = 0
            self._saving.save_best()
        else:
            history.without_improvement += 1
            if (
                self._train.schedule == "plateau"
                and history.without_improvement % PLATEAU_PATIENCE == 0
            ):
                history.rate_factor /= 2
        yield self._saving.log(
            Validated(history.step, nats, best, score.accuracy),
            train_nats=train_nats,
            rate=rate,
            norm=norm,
        )

    def _verdict(self) -> Iterator[Event]:
        """Report the verdict on the run."""
        place = self.directory
        is_usual = place is not None and place.parent == RUNS
        run = "" if place is None else place.name if is_usual else str(place)
        if message := verdict(self._setup, self._timetable.steps_per_epoch, run):
            logged = message  # without the folders of the user
            if run and not is_usual:
                logged = message.replace(f"--resume {shlex.quote(run)}", "--resume RUN")
            self._saving.log(Notice(logged))
            yield Notice(message)
