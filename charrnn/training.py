"""A run: trained as a stream of events, saved so that it can go on from any save.

``Run.train`` yields events and writes the run directory:
``best.npz`` (lowest validation loss), ``last.npz`` (all that exact resumption needs) and
``log.jsonl``. What decides the course of a run is in ``History`` and the trainer's vectors, and
all of it is saved.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Generator, Iterator
from math import isfinite, log
from pathlib import Path
from typing import Any

from charrnn import runs, verdict
from charrnn.checkpoint import Checkpoint, save
from charrnn.config import SampleConfig, TrainConfig
from charrnn.errors import CheckpointError
from charrnn.events import Event, Finished, Notice, Progress, Sampled, Saved, Validated
from charrnn.optimizers import OPTIMIZERS, learning_rate_factor
from charrnn.plan import Parts, plan_of
from charrnn.sampling import generate
from charrnn.scoring import AnyScorer, ColdScorer, Scorer
from charrnn.text import Split, Vocabulary
from charrnn.text.lines import Items, as_lines, line_end_id
from charrnn.text.vocabulary import Codes
from charrnn.text.windows import Batches, Streams
from charrnn.trainer import Trainer

PROGRESS_EVERY = 0.5
"""Seconds between Progress events."""
SAMPLE_EVERY = 3.0
SAMPLE_LENGTH = 300
SAMPLE_LINES = 8
FAILURES_ALLOWED = 8
"""Steps in a row without a finite gradient before a run is given up."""
VALIDATED_MOST = 500_000
"""Characters of the held-out part that a validation scores."""
PLATEAU_PATIENCE = 2
"""Validations without improvement after which the plateau schedule halves the learning rate."""


def done_after(train: TrainConfig, step: float, seconds: float) -> float:
    """Return how much of a run is over after so many steps and seconds, from 0 to 1."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    return max(by_step, by_time)


def _batches(codes: Codes, vocabulary: Vocabulary, train: TrainConfig) -> Batches:
    """Return the windows of a training part."""
    assert train.batch_size and train.seq_len
    if train.lines:
        return Items(as_lines(codes), vocabulary, train.batch_size, train.random_seed)
    return Streams(codes, vocabulary, train.batch_size, train.seq_len)


def _scorer(
    codes: Codes, split: Split, vocabulary: Vocabulary, *, lines: bool
) -> tuple[AnyScorer | None, Counter[int]]:
    """Return what validates on a held-out part, and the unknown characters that it leaves out."""
    most = VALIDATED_MOST // split.parts
    if split.parts > 1 and split.held_out:
        known = [vocabulary.encode_known(tail[: most + 1]) for tail in split.tails(codes)]
        unknown = sum((Counter(left_out) for _, left_out in known), Counter[int]())
        scorer = ColdScorer.of_tails([ids for ids, _ in known])
        return (scorer if scorer.characters else None), unknown
    ids, left_out = vocabulary.encode_known(split.held(codes)[:most])
    line_end = line_end_id(vocabulary) if lines else None
    if line_end is not None:
        ids = as_lines(ids, line_end)
    if not len(ids):
        return None, Counter(left_out)
    if line_end is not None:
        return ColdScorer.of_lines(ids, line_end), Counter(left_out)
    return Scorer(ids), Counter(left_out)


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
        self._train, self._history = parts.recipe.train, parts.history
        self._stopping = False
        self._verified: set[str] = set()
        train, codes = self._train, parts.corpus.codes
        assert train.weight_decay is not None
        split = Split(len(codes), parts.recipe.held_out, train.split_parts)
        scorer, self._unknown = _scorer(codes, split, parts.vocabulary, lines=train.lines)
        if parts.recipe.held_out > VALIDATED_MOST:
            self.notices.append(
                f"validation scores {VALIDATED_MOST:,} characters of what is held out; "
                "charrnn eval scores all of it"
            )
        if self._unknown:
            self.notices.append(
                "left out of the validation, since the training part does not have them: "
                f"{sum(self._unknown.values()):,} of the held-out characters"
            )
        self._trainer = Trainer(
            parts.model,
            _batches(split.learned(codes), parts.vocabulary, train),
            optimizer=OPTIMIZERS[train.optimizer],
            max_grad_norm=train.max_grad_norm,
            weight_decay=train.weight_decay,
            random_seed=train.random_seed,
            reset=1.0 if train.lines else train.reset or 0.0,
            scorer=scorer,
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
        start = time.perf_counter()
        steps = 0
        while time.perf_counter() < start + seconds or steps < 2:
            self._trainer.step(0.0)
            steps += 1
        return steps * self._trainer.batches.symbols_per_step / (time.perf_counter() - start)

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
        else:
            # What a crash left in the log after the last save happens again.
            assert self.directory
            events = runs.read_log(self.directory)
            runs.write_log(
                self.directory, [e for e in events if e.get("step", 0) <= self._history.step]
            )
        yield from self._save()

    def _loop(self, samples: bool) -> Iterator[Event]:
        history, trainer, train = self._history, self._trainer, self._train
        assert train.learning_rate and train.validations
        before = history.seconds
        start = shown = saved = time.perf_counter()
        sampled = start - SAMPLE_EVERY
        shown_step, shown_nats, shown_steps = history.step, 0.0, 0
        reason = ""
        norm = rate = 0.0
        while not reason:
            history.seconds = before + time.perf_counter() - start
            # The middle of the step: the last one of a run learns too, and so does the first.
            done = done_after(train, history.step + 0.5, history.seconds)
            factor = learning_rate_factor(train.schedule, done, train.warmup)
            rate = train.learning_rate * factor * history.rate_factor
            result = trainer.step(rate)
            history.step, norm = trainer.step_count, result.grad_norm
            if result.applied:
                history.failures = 0
                history.nats_sum += result.nats
                history.nats_steps += 1
                shown_nats += result.nats
                shown_steps += 1
            else:
                reason = yield from self._not_finite()
            history.seconds = before + time.perf_counter() - start
            done = done_after(train, history.step, history.seconds)
            over = done >= 1 or bool(reason)
            if over or int(done * train.validations) > history.validations:
                history.validations = max(history.validations, int(done * train.validations))
                if not reason or reason == "diverged":
                    yield from self._validate(rate, norm)
                if train.patience and history.without_improvement >= train.patience and not over:
                    reason = "no longer improving"
            if done >= 1:
                reason = reason or "done"
            elif self._stopping:
                reason = reason or "interrupted"
            now = time.perf_counter()
            if now - shown >= PROGRESS_EVERY or reason:
                yield Progress(
                    step=history.step,
                    steps=train.steps or round(history.step / max(done, 1e-9)),
                    epoch=history.step
                    * trainer.batches.symbols_per_step
                    / self.plan.train_characters,
                    done=min(1.0, done),
                    nats=shown_nats / shown_steps if shown_steps else result.nats,
                    grad_norm=norm,
                    learning_rate=rate,
                    chars_per_second=(history.step - shown_step)
                    * trainer.batches.symbols_per_step
                    / (now - shown),
                    seconds=history.seconds,
                    seconds_left=max(0.0, history.seconds * (1 / max(done, 1e-9) - 1)),
                )
                shown, shown_step, shown_nats, shown_steps = now, history.step, 0.0, 0
            if samples and now - sampled >= SAMPLE_EVERY and not reason:
                yield Sampled(history.step, self._sample())
                sampled = time.perf_counter()
            if now - saved >= 60 * train.save_every and not reason:
                yield from self._save()
                saved = time.perf_counter()
        history.finished = "" if reason == "interrupted" else reason
        if reason not in ("interrupted", "diverged"):
            yield from self._verdict()
        train_nats = (
            history.rows[-1][1] if history.rows else history.nats_sum / max(1, history.nats_steps)
        )
        finished = Finished(
            reason=reason,
            step=history.step,
            seconds=history.seconds,
            train_nats=train_nats,
            best_nats=history.best_nats,
            best_step=history.best_step,
        )
        self._log(finished)  # before it is saved: killed between the two, the run ends once more
        yield from self._save()
        yield finished

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
        nats = self._trainer.validate() if self._trainer.scorer else None
        history.rows.append((history.step, train_nats, nats))
        if nats is None:
            self._save_best()
            return
        best = isfinite(nats) and (history.best_nats is None or nats < history.best_nats)
        if best:
            history.best_nats, history.best_step = nats, history.step
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
        )
        if message:
            yield self._log(Notice(message), step=self._history.step)

    def _sample(self) -> str:
        model, vocabulary = self._parts.model, self._parts.vocabulary
        config = SampleConfig(length=SAMPLE_LENGTH, temperature=0.8, random_seed=0)
        never_first = None
        if self._train.lines:
            config = dataclasses.replace(config, num_samples=SAMPLE_LINES, stop="\n")
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
            sources=parts.corpus.sources,
            characters=len(parts.corpus),
            held_out=parts.recipe.held_out,
            history=self._history,
            weights=parts.model.parameters,
            training=self._training_arrays() if training else {},
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
