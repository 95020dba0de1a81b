"""A run: planned, trained as a stream of events, saved so that it can go on from any save.

``prepare`` or ``resume`` make a ``Run``; ``Run.train`` yields events and writes the run directory:
``best.npz`` (lowest validation loss), ``last.npz`` (all that exact resumption needs) and
``log.jsonl``. What decides the course of a run is in ``History`` and the trainer's vectors, and
all of it is saved.
"""

import dataclasses
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from charrnn import runs, verdict
from charrnn.checkpoint import Checkpoint, History, installed_memory, load, save
from charrnn.config import ModelConfig, SampleConfig, TextConfig, TrainConfig, option_name
from charrnn.errors import CheckpointError, ConfigError, CorpusError, RunError
from charrnn.events import Event, Finished, Notice, Progress, Sampled, Saved, Validated
from charrnn.nn.model import CharModel
from charrnn.nn.optimizers import OPTIMIZERS, learning_rate_factor
from charrnn.nn.team import shared_zeros
from charrnn.recipe import Recipe, complete
from charrnn.sampling import generate
from charrnn.scoring import AnyScorer, LineScorer, Scorer
from charrnn.text import Corpus, Vocabulary, check_sources, fingerprint, read_corpus
from charrnn.text.lines import LINE_END, Items, as_lines, lines_from_end, steps_of
from charrnn.text.vocabulary import Codes
from charrnn.text.windows import Streams
from charrnn.trainer import Trainer, training_memory

PROGRESS_EVERY = 0.5
"""Seconds between Progress events."""
SAMPLE_EVERY = 3.0
SAMPLE_LENGTH = 300
SAMPLE_LINES = 8
LONGEST_LINE = 10_000
"""Characters of a line that is learned whole, with the memory that this takes."""
FAILURES_ALLOWED = 8
"""Steps in a row without a finite gradient before a run is given up."""
VALIDATED_MOST = 500_000
"""Characters of the held-out part that a validation scores."""
PLATEAU_PATIENCE = 2
"""Validations without improvement after which the plateau schedule halves the learning rate."""


@dataclass(frozen=True)
class Plan:
    """What a run will do. ``steps`` is None where the minutes alone end it."""

    sources: tuple[str, ...]
    characters: int
    num_bytes: int
    distinct: int
    train_characters: int
    val_characters: int
    cell: str
    num_layers: int
    hidden_size: int
    embedding_size: int | None
    dropout: float
    parameters: int
    batch_size: int
    seq_len: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    validations: int
    reset: float
    lines: bool
    steps: int | None
    minutes: float | None
    epochs: float | None
    memory_mb: float
    threads: int
    reasons: dict[str, str]


@dataclass
class _Parts:
    """What a run is made of, new or resumed."""

    text: TextConfig
    recipe: Recipe
    corpus: Corpus
    vocabulary: Vocabulary
    model: CharModel
    history: History
    notices: list[str]


def _read(
    paths: Sequence[str | Path], text: TextConfig, cache_dir: Path | None, stdin: BinaryIO | None
) -> Corpus:
    return read_corpus(paths, **text.to_json(), cache_dir=cache_dir, stdin=stdin)


def prepare(
    paths: Sequence[str | Path],
    *,
    text: TextConfig | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    init_from: str | Path | None = None,
    out: Path | None = None,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache: bool = True,
) -> "Run":
    """Read a corpus and make ready to train on it. The run has no directory yet.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, patterns, or "-".
    text, model, train
        Settings; what they leave open is chosen from the corpus and the time.
    init_from : path, optional
        A checkpoint or run whose weights and vocabulary to start from. Its shape is taken over.
    out : Path, optional
        The run's directory; made on ``train``. ``runs/<corpus name>`` if left out.
    threads : int
        At most this many cores; no effect on the result.
    stdin : binary file, optional
        What the path "-" reads.
    cache : bool
        Whether a corpus too large for memory is kept encoded beside the run.

    Raises
    ------
    CharrnnError
        If the corpus, the checkpoint or the settings do not allow it.
    """
    text, model, train = text or TextConfig(), model or ModelConfig(), train or TrainConfig()
    if train.lines:
        text = _text_of_lines(text, train)
    cache_dir = runs.cache_directory() if cache else None
    start = load(runs.find_model(init_from)) if init_from is not None else None
    if start is not None:
        known = start.vocabulary
        for name in ("unit", "normalize"):
            wanted, has = getattr(text, name), getattr(known, name)
            if wanted not in (has, getattr(TextConfig(), name)):
                raise CheckpointError(
                    f"--init-from a model of --{name} {has} cannot read --{name} {wanted}: "
                    "leave the option out"
                )
        text = dataclasses.replace(text, unit=known.unit, normalize=known.normalize)
    corpus = _read(paths, text, cache_dir, stdin)
    if start is not None:
        model = _same_shape(start.model_config, model)
    recipe = complete(model, train, characters=len(corpus), distinct=_distinct(corpus, text, start))
    if train.lines:
        recipe = _recipe_of_lines(recipe, corpus.codes, train.epochs)
    notices = [*corpus.notices, *recipe.notices]
    kept = corpus.codes[: len(corpus) - recipe.held_out]
    vocabulary = (
        start.vocabulary
        if start
        else Vocabulary.from_codes(kept, unit=text.unit, normalize=text.normalize)
    )
    if start:  # raises if the text has characters that the model does not know
        vocabulary.encode(Vocabulary.from_codes(kept, unit=text.unit).symbols)
    _check_memory(recipe, len(vocabulary), threads)
    if len(vocabulary) == 1:
        notices.append("the text has a single distinct character: there is nothing to predict")
    network = CharModel(recipe.model, len(vocabulary), zeros=shared_zeros)
    if start:
        for name, view in network.parameters.items():
            view[...] = start.weights[name]
    else:
        network.initialise(np.random.default_rng(train.random_seed))
    parts = _Parts(text, recipe, corpus, vocabulary, network, History(), notices)
    return Run(parts, directory=out, threads=threads)


def _text_of_lines(text: TextConfig, train: TrainConfig) -> TextConfig:
    """Return how a text of lines is read; raise where a setting makes no sense for one."""
    for name in ("seq_len", "reset"):
        if getattr(train, name) is not None:
            raise ConfigError(
                f"{option_name(name)} and --lines do not go together: a line is learned whole, "
                "from a zero state"
            )
    return dataclasses.replace(text, newlines="lf")


def _recipe_of_lines(recipe: Recipe, codes: Codes, epochs: float | None) -> Recipe:
    """Hold out whole lines, and make the window as long as the longest line."""
    held_out = lines_from_end(codes, recipe.train.val_fraction) if recipe.held_out else 0
    kept = as_lines(codes[: len(codes) - held_out])
    ends = np.flatnonzero(kept == LINE_END)
    if len(ends) < 2:
        raise ConfigError("--lines needs a text of several lines: give one item a line")
    longest = int(np.diff(ends, prepend=-1).max()) - 1
    if longest > LONGEST_LINE:
        raise ConfigError(
            f"a line has {longest:,} characters, too many to be learned whole: leave out --lines"
        )
    reasons = {name: why for name, why in recipe.reasons.items() if name != "reset"}
    train = dataclasses.replace(recipe.train, seq_len=steps_of(longest), reset=0.0)
    if epochs is not None:
        train = dataclasses.replace(train, steps=_steps_of_epochs(epochs, train, kept))
    return dataclasses.replace(
        recipe,
        train=train,
        held_out=held_out,
        reasons={**reasons, "seq_len": f"the longest line has {longest} characters"},
        notices=(*recipe.notices, f"{len(ends):,} lines, each an item of its own"),
    )


def _steps_of_epochs(epochs: float, train: TrainConfig, codes: Codes) -> int:
    """Return the steps of so many passes over a training part."""
    assert train.seq_len and train.batch_size
    if not train.lines:
        return max(1, ceil(epochs * len(codes) / (train.seq_len * train.batch_size)))
    lines = int(np.count_nonzero(as_lines(codes) == LINE_END))
    return max(1, ceil(epochs * -(-lines // train.batch_size)))


def _memory(recipe: Recipe, vocab_size: int, threads: int) -> int:
    train = recipe.train
    assert train.batch_size and train.seq_len
    return training_memory(
        recipe.model,
        vocab_size,
        batch_size=train.batch_size,
        seq_len=train.seq_len,
        slots=len(OPTIMIZERS[train.optimizer].slots),
        threads=threads,
    )


def _check_memory(recipe: Recipe, vocab_size: int, threads: int) -> None:
    """Refuse what cannot fit, before the system ends the process for it."""
    installed, needed = installed_memory(), _memory(recipe, vocab_size, threads)
    if installed is not None and needed > installed:
        raise ConfigError(
            f"training needs about {needed / 1e9:,.0f} GB and this machine has "
            f"{installed / 1e9:,.0f} GB: give a smaller --hidden-size, --batch-size or --seq-len"
        )


def _distinct(corpus: Corpus, text: TextConfig, start: Checkpoint | None) -> int:
    if start:
        return len(start.vocabulary)
    return len(Vocabulary.from_codes(corpus.codes, unit=text.unit)) if len(corpus) else 0


def _same_shape(old: ModelConfig, new: ModelConfig) -> ModelConfig:
    """Return the shape of a checkpoint's model; raise if another one was asked for."""
    for name in ("cell", "nonlinearity", "num_layers", "hidden_size", "embedding_size"):
        wanted = getattr(new, name)
        asked = wanted is not None and wanted != getattr(ModelConfig(), name)
        if asked and wanted != getattr(old, name):
            raise CheckpointError(
                f"--init-from a model with {name.replace('_', ' ')} {getattr(old, name)} "
                f"cannot become one with {wanted}: leave the option out"
            )
    return dataclasses.replace(old, dropout=old.dropout if new.dropout is None else new.dropout)


def resume(
    directory: str | Path,
    *,
    length: TrainConfig | None = None,
    threads: int = 1,
    cache: bool = True,
) -> "Run":
    """Go on with a run as if it had never stopped.

    Parameters
    ----------
    directory : path
        The run, or its name under ./runs.
    length : TrainConfig, optional
        A new length, if one of its ``epochs``, ``steps`` and ``minutes`` is set.
    threads : int
        As for ``prepare``; it need not be what it was.
    cache : bool
        As for ``prepare``.

    Raises
    ------
    RunError
        If there is nothing to resume, or the run is over and no longer ``length`` is given.
    CorpusError
        If the corpus is gone or has changed.
    """
    path = Path(directory)
    if not path.is_dir() and (runs.RUNS / path).is_dir():
        path = runs.RUNS / path
    if not path.is_dir():
        raise RunError(f"{directory} is no run; charrnn runs lists what is here")
    lock = runs.RunLock(path)
    try:
        last = runs.load_last(path)
        advice = "restore the file, or train a new run with --init-from"
        check_sources(last.sources, advice)
        cache_dir = runs.cache_directory() if cache else None
        corpus = _read([source.path for source in last.sources], last.text_config, cache_dir, None)
        same = fingerprint(corpus.sources) == fingerprint(last.sources)
        if not same or len(corpus) != last.characters:
            raise CorpusError(f"the corpus changed while it was read: {advice}")
        train = last.train_config
        if length and (length.steps or length.minutes or length.epochs):
            steps = length.steps
            if length.epochs:
                kept = corpus.codes[: last.characters - last.held_out]
                steps = _steps_of_epochs(length.epochs, train, kept)
            train = dataclasses.replace(train, steps=steps, minutes=length.minutes, epochs=None)
            done = done_after(train, last.history.step, last.history.seconds)
            if done >= 1:
                raise RunError(
                    f"{path} is already at step {last.history.step:,}, after "
                    f"{last.history.seconds / 60:.1f} minutes: give a length beyond that"
                )
            last.history.validations = int(done * (train.validations or 0))
            last.history.without_improvement = 0
            last.history.finished = ""
        elif last.history.finished:
            raise RunError(
                f"{path} is finished ({last.history.finished}): "
                "to train it longer, give --minutes, --epochs or --steps for the whole of it"
            )
        model = CharModel(last.model_config, len(last.vocabulary), zeros=shared_zeros)
        for name, view in model.parameters.items():
            view[...] = last.weights[name]
        recipe = Recipe(last.model_config, train, last.held_out, {}, ())
        _check_memory(recipe, len(last.vocabulary), threads)
        parts = _Parts(last.text_config, recipe, corpus, last.vocabulary, model, last.history, [])
        return Run(parts, directory=path, threads=threads, lock=lock, training=last.training)
    except BaseException:
        lock.release()
        raise


def done_after(train: TrainConfig, step: float, seconds: float) -> float:
    """Return how much of a run is over after so many steps and seconds, from 0 to 1."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    return max(by_step, by_time)


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
        parts: _Parts,
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
        train, codes = self._train, parts.corpus.codes
        assert train.seq_len and train.batch_size and train.weight_decay is not None
        cut = len(codes) - parts.recipe.held_out
        validated = codes[cut : cut + VALIDATED_MOST]
        held_out, self._unknown = parts.vocabulary.encode_known(validated)
        if len(validated) < len(codes) - cut:
            self.notices.append(
                f"validation scores the first {VALIDATED_MOST:,} characters of the held-out part; "
                "charrnn eval scores all of it"
            )
        streams: Streams | Items
        scorer: AnyScorer | None = None
        if train.lines:
            streams = Items(
                as_lines(codes[:cut]), parts.vocabulary, train.batch_size, train.random_seed
            )
            line_end = parts.vocabulary.encode_text("\n")[0]
            held_out = as_lines(held_out, line_end)
            if len(held_out):
                scorer = LineScorer(held_out, line_end)
        else:
            streams = Streams(codes[:cut], parts.vocabulary, train.batch_size)
            if len(held_out):
                scorer = Scorer(held_out)
        if self._unknown:
            self.notices.append(
                f"{sum(self._unknown.values()):,} characters of the held-out part are unknown to "
                "the training part: they are left out of the validation"
            )
        self._trainer = Trainer(
            parts.model,
            streams,
            optimizer=OPTIMIZERS[train.optimizer],
            seq_len=train.seq_len,
            max_grad_norm=train.max_grad_norm,
            weight_decay=train.weight_decay,
            random_seed=train.random_seed,
            reset=train.reset or 0.0,
            scorer=scorer,
            threads=threads,
        )
        self._trainer.step_count = self._history.step
        if training is not None:
            self._restore(training)
        self.plan = self._make_plan(threads)

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

    def _make_plan(self, threads: int) -> Plan:
        parts, train, model = self._parts, self._train, self._parts.recipe.model
        length = len(parts.corpus) - parts.recipe.held_out
        epochs = train.steps and train.steps * self._trainer.chars_per_step / length
        assert model.num_layers and model.hidden_size and model.dropout is not None
        assert train.learning_rate and train.batch_size and train.seq_len
        return Plan(
            sources=tuple(source.path for source in parts.corpus.sources),
            characters=len(parts.corpus),
            num_bytes=parts.corpus.num_bytes,
            distinct=len(parts.vocabulary),
            train_characters=length,
            val_characters=parts.recipe.held_out,
            cell=model.cell,
            num_layers=model.num_layers,
            hidden_size=model.hidden_size,
            embedding_size=model.embedding_size,
            dropout=model.dropout,
            parameters=parts.model.num_parameters,
            batch_size=train.batch_size,
            seq_len=train.seq_len,
            optimizer=train.optimizer,
            learning_rate=train.learning_rate,
            weight_decay=train.weight_decay or 0.0,
            schedule=train.schedule,
            validations=train.validations or 0,
            reset=train.reset or 0.0,
            lines=train.lines,
            steps=train.steps,
            minutes=train.minutes,
            epochs=epochs or None,
            memory_mb=round(_memory(parts.recipe, len(parts.vocabulary), threads) / 1e6, 1),
            threads=self._trainer.team.size,
            reasons=parts.recipe.reasons,
        )

    def measure_speed(self, seconds: float = 2.0) -> float:
        """Train for a moment and return characters a second; the run cannot be used after it."""
        self._trainer.step(0.0)
        start = time.perf_counter()
        steps = 0
        while time.perf_counter() < start + seconds or steps < 2:
            self._trainer.step(0.0)
            steps += 1
        return steps * self._trainer.chars_per_step / (time.perf_counter() - start)

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
                    epoch=history.step * trainer.chars_per_step / self.plan.train_characters,
                    done=min(1.0, done),
                    nats=shown_nats / shown_steps if shown_steps else result.nats,
                    grad_norm=norm,
                    learning_rate=rate,
                    chars_per_second=(history.step - shown_step)
                    * trainer.chars_per_step
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
        if not self._trainer.is_finite:
            assert self.directory
            last = runs.load_last(self.directory)
            for name, view in self._parts.model.parameters.items():
                view[...] = last.weights[name]
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
        parts, train = self._parts, self._train
        message = verdict.of_run(
            self._history.rows,
            guessing=log(len(parts.vocabulary)),
            dropout=self.plan.dropout,
            hidden_size=self.plan.hidden_size,
            steps=train.steps,
            minutes=train.minutes,
        )
        if message:
            yield self._log(Notice(message), step=self._history.step)

    def _sample(self) -> str:
        config = SampleConfig(length=SAMPLE_LENGTH, temperature=0.8, random_seed=0)
        if self._train.lines:
            config = dataclasses.replace(config, num_samples=SAMPLE_LINES, stop="\n")
        texts = [""] * config.num_samples
        for number, text in generate(self._parts.model, self._parts.vocabulary, config):
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
        path = self.directory / runs.LAST
        save(path, self._checkpoint(training=True))
        if self._history.step and not (self.directory / runs.BEST).exists():
            self._save_best()
        yield Saved(self._history.step, str(path))

    def _save_best(self) -> None:
        assert self.directory
        save(self.directory / runs.BEST, self._checkpoint(training=False))

    def _log(self, event: Event, **more: float) -> Event:
        assert self.directory
        runs.append_log(self.directory, {**event.to_json(), **more})
        return event
