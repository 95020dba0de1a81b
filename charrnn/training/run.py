"""A run: trained as a stream of events, saved so that it can go on from any save.

``Run.train`` yields events and writes the run directory:
``best.npz`` (lowest validation loss), ``last.npz`` (all that exact resumption needs) and
``log.jsonl``. What decides the course of a run is in ``History`` and the trainer's vectors, and
all of it is saved.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from math import inf, isfinite, log
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config import SampleConfig, TrainConfig
from charrnn.data.items import Items, as_lines, line_end_id
from charrnn.data.windows import Batches, Streams
from charrnn.errors import CheckpointError
from charrnn.evaluation import verdict
from charrnn.evaluation.baselines import unigram_of_counts
from charrnn.evaluation.scorers import AnyScorer
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.optimizers import OPTIMIZERS, learning_rate_factor
from charrnn.sampling.drawing import generate
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import Checkpoint, save
from charrnn.storage.own_text import STDIN, write_sources
from charrnn.text import Vocabulary, keep_stdin
from charrnn.text.vocabulary import LINE_END, Codes
from charrnn.training.clock import Clock, Meter
from charrnn.training.events import Event, Finished, Notice, Progress, Sampled, Saved, Validated
from charrnn.training.plan import Parts, plan_of
from charrnn.training.recipe import with_validations
from charrnn.training.step import Trainer
from charrnn.training.validation import (
    FORWARD,
    SHARE,
    SHORT_SHARE,
    held_out_scorer,
    next_pass,
    scoring_cost,
)

PROGRESS_EVERY = 0.5
"""Seconds between Progress events."""
SAMPLE_EVERY = 3.0
SMALL_SHARE = 0.01
"""Of the time of a run that live samples may take, and saves: they come less often where needed."""
SAMPLE_LENGTH = 300
SAMPLE_LINES = 8
FAILURES_ALLOWED = 8
"""Steps in a row without a finite gradient before a run is given up."""
PLATEAU_PATIENCE = 2
"""Validations without improvement after which the plateau schedule halves the learning rate."""


def steps_per_pass(train: TrainConfig, learned: Codes) -> float:
    """Return how many steps read a training part once."""
    assert train.batch_size and train.seq_len
    if not train.lines:
        return len(learned) / (train.batch_size * train.seq_len)
    lines = int(np.count_nonzero(as_lines(learned) == LINE_END))
    return max(1, -(-lines // train.batch_size))


def done_after(train: TrainConfig, per_pass: float, step: float, seconds: float) -> float:
    """Return how much of a run is over after so many steps and seconds, from 0 to 1."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    by_pass = step / per_pass / train.max_epochs if train.max_epochs else 0.0
    return max(by_step, by_time, by_pass)


def _batches(codes: Codes, vocabulary: Vocabulary, train: TrainConfig) -> Batches:
    """Return the windows of a training part."""
    assert train.batch_size and train.seq_len
    if train.lines:
        return Items(as_lines(codes), vocabulary, train.batch_size, train.random_seed)
    return Streams(codes, vocabulary, train.batch_size, train.seq_len)


class Run:
    """One training run.

    Attributes
    ----------
    directory : Path or None
        Where it is written; None before a new run has begun.
    notices : list of str
        What the user should be told before it begins.
    plan : Plan
    """

    def __init__(
        self,
        parts: Parts,
        *,
        directory: Path | None,
        threads: int,
        lock: runs.RunLock | None = None,
        training: Any = None,
    ) -> None:
        self._parts, self._lock, self._out = parts, lock, directory
        self.directory = directory if lock else None
        self.notices = parts.notices
        train, self._history = parts.recipe.train, parts.history
        self._train, self._stopping = train, False
        self._validation_seconds = 0.0
        self._verified: set[str] = set()
        sides = parts.sides
        self._per_pass = steps_per_pass(train, sides.learned)
        self._held_counts = parts.vocabulary.count(sides.held)
        scorer_of = partial(
            held_out_scorer,
            sides,
            parts.vocabulary,
            lines=train.lines,
            marked=parts.counts == 0,
        )
        if train.validations is None or train.val_characters is None:
            train = self._train = self._choose_validations(scorer_of, threads)
        assert train.weight_decay is not None
        self._trainer = Trainer(
            parts.model,
            _batches(sides.learned, parts.vocabulary, train),
            optimizer=OPTIMIZERS[train.optimizer],
            max_grad_norm=train.max_grad_norm,
            weight_decay=train.weight_decay,
            random_seed=train.random_seed,
            reset=1.0 if train.lines else train.reset or 0.0,
            new_symbols=np.flatnonzero(parts.counts == 0),
            scorer=scorer_of(characters=train.val_characters),
            threads=threads,
        )
        self._trainer.step_count = self._history.step
        if training is not None:
            self._restore(training)
        self.plan = plan_of(
            parts,
            per_step=self._trainer.batches.symbols_per_step,
            threads=threads,
            workers=self._trainer.team.size,
            resumed_at=self._history.step if lock else None,
        )

    def _choose_validations(
        self, scorer_of: Callable[..., AnyScorer | None], threads: int
    ) -> TrainConfig:
        """Decide how often to validate and on how much: by measuring, where time ends the run."""
        parts, train = self._parts, self._train
        if train.validations is None and parts.recipe.held_out:
            self._history.next_pass = next_pass(0)
        length = len(parts.sides.learned)
        per_step = length / self._per_pass
        most = length * (train.max_epochs or inf)  # characters that are read at the most
        if train.steps:
            budget, cost = min(train.steps * per_step, most), FORWARD
        else:
            assert train.minutes
            budget, cost = 60 * train.minutes, 0.0
            if parts.recipe.held_out:
                cost = scoring_cost(parts.model, lambda n: scorer_of(characters=n), threads)
                budget = min(budget, most * cost / FORWARD)
        parts.recipe = with_validations(parts.recipe, budget, cost)
        train = parts.recipe.train
        if train.minutes:
            self._validation_seconds = cost * (train.val_characters or 0)  # until one is timed
        return train

    def _restore(self, training: Any) -> None:
        vectors = self._training_arrays()
        if {name: array.shape for name, array in training.items()} != {
            name: array.shape for name, array in vectors.items()
        }:
            raise CheckpointError("last.npz does not fit its own settings: it cannot be resumed")
        for name, vector in vectors.items():
            vector[...] = training[name]

    def _training_arrays(self) -> dict[str, Any]:
        return {**self._trainer.optimizer.state, "state": self._trainer.state}

    def measure_speed(self, seconds: float = 2.0) -> float:
        """Train for a moment and return characters a second; the run cannot be used after it."""
        self._trainer.step(0.0)
        clock, steps = Clock(), 0
        while clock.seconds < seconds or steps < 2:
            self._trainer.step(0.0)
            clock.lap("step")
            steps += 1
        return steps * self._trainer.batches.symbols_per_step / clock.seconds

    def stop(self) -> None:
        """Ask ``train`` to finish its step, save and end; may be called from a signal handler."""
        self._stopping = True

    def close(self) -> None:
        """End the workers and let go of the directory; ``train`` does it at its end."""
        self._trainer.close()
        if self._lock:
            self._lock.release()
            self._lock = None

    def train(self, *, samples: bool = False) -> Iterator[Event]:
        """Train to the end and yield what happens; ``samples`` asks for Sampled events too."""
        try:
            yield from self._begin()
            yield from self._loop(samples)
        finally:
            self.close()

    def _begin(self) -> Iterator[Event]:
        if self._lock is None:
            name = runs.run_name(self._parts.corpus.sources[0].path)
            self.directory = runs.new_run_directory(name, self._out)
            self._lock = runs.RunLock(self.directory)
            runs.write_log(self.directory, [])
            keep_stdin(self._parts.corpus, self.directory / STDIN)
        else:
            # What a crash left in the log after the last save happens again.
            assert self.directory
            events = runs.read_log(self.directory)
            runs.write_log(
                self.directory, [e for e in events if e.get("step", 0) <= self._history.step]
            )
        write_sources(self.directory, self._parts.corpus.sources)
        yield from self._save()

    def _loop(self, samples: bool) -> Iterator[Event]:
        history, trainer, train = self._history, self._trainer, self._train
        assert train.learning_rate and train.validations
        clock = Clock(history.seconds)
        next_sample = history.seconds
        next_save = history.seconds + 60 * train.save_every
        meter = Meter(history.seconds)
        told = 0.0
        reason = ""
        norm = rate = 0.0
        while not reason:
            # The middle of the step: the last one of a run learns too, and so does the first.
            done = done_after(train, self._per_pass, history.step + 0.5, clock.seconds)
            factor = learning_rate_factor(train.schedule, done, train.warmup)
            rate = train.learning_rate * factor * history.rate_factor
            result = trainer.step(rate)
            history.step, norm = trainer.step_count, result.grad_norm
            if result.applied:
                history.failures = 0
                history.nats_sum += result.nats
                history.nats_steps += 1
            work = trainer.batches.steps(history.step)
            meter.add(result.nats, clock.lap("step", work), applied=result.applied)
            if not result.applied:
                reason = yield from self._not_finite()
                clock.lap("recovery")
            history.seconds = clock.seconds
            done = done_after(train, self._per_pass, history.step, clock.seconds)
            over = done >= 1 or bool(reason)
            if over or self._is_validation_due(done):
                history.validations = max(history.validations, int(done * train.validations))
                if history.next_pass is not None:
                    history.next_pass = next_pass(history.step / self._per_pass)
                if not reason or reason == "diverged":
                    yield from self._validate(rate, norm)
                    self._validation_seconds = clock.lap("validation")
                    history.overhead += self._validation_seconds
                if train.patience and history.without_improvement >= train.patience and not over:
                    reason = "no longer improving"
            if done >= 1:
                reason = reason or "done"
            elif self._stopping:
                reason = reason or "interrupted"
            if clock.seconds - meter.since >= PROGRESS_EVERY or reason:
                history.seconds = clock.seconds
                yield Progress(
                    step=history.step,
                    steps=train.steps or round(history.step / max(done, 1e-9)),
                    epoch=history.step / self._per_pass,
                    done=min(1.0, done),
                    nats=meter.mean_nats(result.nats),
                    grad_norm=norm,
                    learning_rate=rate,
                    chars_per_second=meter.per_second(trainer.batches.symbols_per_step),
                    seconds=history.seconds,
                    seconds_left=max(0.0, history.seconds * (1 / max(done, 1e-9) - 1)),
                    overhead=history.overhead / max(history.seconds, 1e-9),
                )
                clock.lap("show")
                meter = Meter(clock.seconds)
            if samples and clock.seconds >= next_sample and not reason:
                yield Sampled(history.step, self._sample())
                spent = clock.lap("sample")
                history.overhead += spent
                next_sample = clock.seconds + max(SAMPLE_EVERY, spent / SMALL_SHARE)
            if clock.seconds >= next_save and not reason:
                history.seconds = clock.seconds
                yield from self._save()
                spent = clock.lap("save")
                history.overhead += spent
                often = train.save_every < 1  # what was asked for, whatever it costs
                next_save = clock.seconds + max(
                    60 * train.save_every, 0 if often else spent / SMALL_SHARE
                )
            if clock.stopped - told > 1:
                told, history.stopped = clock.stopped, history.stopped + clock.stopped - told
                yield self._log(
                    Notice(
                        f"the run stood still for {clock.stopped:.1f} s (stopped, paused or "
                        "asleep): that is not counted as training time"
                    ),
                    step=history.step,
                )
        history.seconds = clock.seconds
        history.finished = "" if reason == "interrupted" else reason
        if reason not in ("interrupted", "diverged"):
            yield from self._verdict()
        train_nats = (
            history.rows[-1][1] if history.rows else history.nats_sum / max(1, history.nats_steps)
        )
        scorer = trainer.scorer
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
        )
        self._log(finished)  # before it is saved: killed between the two, the run ends once more
        yield from self._save()
        yield finished

    def _is_validation_due(self, done: float) -> bool:
        """Say whether to validate now: evenly over the run and, early on, after some passes."""
        history, train = self._history, self._train
        assert train.validations
        due = int(done * train.validations) > history.validations
        if history.next_pass is None:  # as often as was asked for, whatever it costs
            return due
        due = due or history.step / self._per_pass >= history.next_pass
        scorer = self._trainer.scorer
        if not due or scorer is None:
            return due
        if train.minutes:
            share = SHARE if train.minutes >= 1 else SHORT_SHARE
            return history.overhead + self._validation_seconds <= share * history.seconds
        read = history.step * self._trainer.batches.symbols_per_step
        return (history.scored + scorer.characters) * FORWARD <= SHARE * read

    def _not_finite(self) -> Generator[Event, None, str]:
        """Halve the learning rate after a step that was undone; return why to give up, if so."""
        history = self._history
        history.failures += 1
        history.rate_factor /= 2
        what = "the step is undone"
        if not self._trainer.is_sound:
            assert self.directory
            last = runs.load_last(self.directory)
            self._parts.model.parameters.fill(last.weights)
            self._restore(last.training)
            what = f"the weights are those of step {last.history.step} again"
        yield self._log(
            Notice(
                f"step {history.step}: the gradient is not finite; {what} and the learning rate "
                f"halved: --learning-rate {self._train.learning_rate:g} is too high"
            ),
            step=history.step,
        )
        return "diverged" if history.failures >= FAILURES_ALLOWED else ""

    def _validate(self, rate: float, norm: float) -> Iterator[Event]:
        history = self._history
        if history.nats_steps:
            train_nats = history.nats_sum / history.nats_steps
        else:  # every step since the last validation was undone
            train_nats = history.rows[-1][1] if history.rows else log(self.plan.distinct)
        history.nats_sum, history.nats_steps = 0.0, 0
        if self._trainer.scorer is None:
            history.rows.append((history.step, train_nats, None))
            self._save_best()
            return
        score = self._trainer.validate()
        nats = score.mean
        history.scored += score.characters
        history.rows.append((history.step, train_nats, nats))
        best = isfinite(nats) and (history.best_nats is None or nats < history.best_nats)
        if best:
            history.best_nats, history.best_step = nats, history.step
            history.best_interval = score.interval
            history.without_improvement = 0
            self._save_best()
        else:
            history.without_improvement += 1
            if (
                self._train.schedule == "plateau"
                and history.without_improvement % PLATEAU_PATIENCE == 0
            ):
                history.rate_factor /= 2
        yield self._log(
            Validated(history.step, nats, best), train_nats=train_nats, rate=rate, norm=norm
        )

    def _verdict(self) -> Iterator[Event]:
        """Say in words what came of the run."""
        parts, train, reasons = self._parts, self._train, self.plan.reasons
        usual = not reasons or "learning_rate" in reasons
        message = verdict.of_run(
            self._history.rows,
            entropy=parts.vocabulary.entropy(self._trainer.batches.codes),
            dropout=self.plan.dropout,
            hidden_size=None if parts.same_shape else self.plan.hidden_size,
            learning_rate=None if usual else train.learning_rate,
            steps=train.steps,
            minutes=train.minutes,
            unigram=unigram_of_counts(parts.counts, self._held_counts)
            / max(1, int(self._held_counts.sum())),
            shared=parts.overlap,
            capped=self._has_read_enough,
        )
        if message:
            yield self._log(Notice(message), step=self._history.step)

    @property
    def _has_read_enough(self) -> bool:
        """Whether more readings of the text would lower no validation loss."""
        enough = (self._trainer.scorer is not None and self._train.max_epochs) or 0.0
        return MAX_EPOCHS <= enough <= self._history.step / self._per_pass

    def _sample(self) -> str:
        model, vocabulary = self._parts.model, self._parts.vocabulary
        config = SampleConfig(length=SAMPLE_LENGTH, temperature=0.8, random_seed=0)
        never_first = None
        if self._train.lines:
            config = replace(config, num_samples=SAMPLE_LINES, stop="\n")
            never_first = line_end_id(vocabulary)
        texts = [""] * config.num_samples
        for number, text in generate(model, vocabulary, config, never_first=never_first):
            texts[number] += text
        return "".join(texts)

    def _checkpoint(self, *, training: bool) -> Checkpoint:
        parts = self._parts
        return Checkpoint(
            text_config=parts.text,
            model_config=parts.recipe.model,
            train_config=self._train,
            vocabulary=parts.vocabulary,
            sources=parts.sources,
            characters=len(parts.corpus),
            held_out=parts.recipe.held_out,
            history=self._history,
            weights=parts.model.parameters,
            training=self._training_arrays() if training else {},
            counts=parts.counts,
        )

    def _save(self) -> Iterator[Event]:
        assert self.directory
        path = self._write(runs.LAST, self._checkpoint(training=True))
        if self._history.step and not (self.directory / runs.BEST).exists():
            self._save_best()
        yield Saved(self._history.step, str(path))

    def _save_best(self) -> None:
        self._write(runs.BEST, self._checkpoint(training=False))

    def _write(self, name: str, checkpoint: Checkpoint) -> Path:
        """Save a checkpoint. The first of each name is read back: a later one has the same form."""
        assert self.directory
        path = self.directory / name
        save(path, checkpoint, verify=name not in self._verified)
        self._verified.add(name)
        return path

    def _log(self, event: Event, **more: float) -> Event:
        assert self.directory
        runs.append_log(self.directory, {**event.to_json(), **more})
        return event
