"""Training, as a program uses it: an iterator of events that ends with a model."""

import contextlib
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from charrnn.api.model import Model
from charrnn.config import (
    DeviceConfig,
    ModelConfig,
    Precision,
    TextConfig,
    TrainConfig,
    check_names,
    pick,
    takes,
)
from charrnn.errors import CharrnnError, ConfigError, RunError
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.folder import BEST
from charrnn.storage.store import MemoryStore
from charrnn.system.machine import available_cores
from charrnn.training.events import Event, Finished, Progress, Validated
from charrnn.training.new import prepare
from charrnn.training.plan import Plan
from charrnn.training.resume import resume as resume_run
from charrnn.training.run import Run
from charrnn.views.curve import Point, loss_curve

NO_STEP = "the run has made no step: there is no model of it"


class TrainingRun(Iterator[Event]):
    """A run that trains while its events are asked for, and has a model.

    `charrnn.train` and `charrnn.resume` give one. Its workers end with it: when it is over, when
    it is closed or forgotten, or with the ``with`` block that it opened.

    Parameters
    ----------
    run : Run
        Made ready.
    samples : bool
        Whether there are ``Sampled`` events, with what the model writes meanwhile.

    Attributes
    ----------
    plan : Plan
        What it will do: the decided settings, and what follows from them and the text.
    notices : tuple of str
        What one should know before it begins, one line each.
    finished : Finished or None
        How it ended, once it did.

    Examples
    --------
    >>> run = charrnn.train(text=TEXT, steps=20, hidden_size=8, random_seed=1)
    >>> for event in run:
    ...     if event.kind == "finished":
    ...         print(event.reason, event.step)
    done 20
    >>> run.model
    Model(gru 1 x 8, 28 symbols, 1,148 parameters, step 20)
    """

    def __init__(self, run: Run, *, samples: bool = False) -> None:
        self._run: Run | None = run
        self._events = run.train(samples=samples)
        self._begun = False
        self._outcome: Model | Checkpoint | CharrnnError = RunError(NO_STEP)
        self._directory: Path | None = None
        self.plan: Plan = run.plan
        self.notices: tuple[str, ...] = tuple(run.notices)
        self.finished: Finished | None = None
        rows = run.history.rows
        self._training: list[Point] = [(step, nats) for step, nats, _ in rows]
        self._validation: list[Point] = [(step, val) for step, _, val in rows if val is not None]
        self._best: Point | None = None
        if run.history.best_nats is not None:
            self._best = (run.history.best_step or 0, run.history.best_nats)
        self._progress: Progress | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """Train to the next event.

        Raises
        ------
        CharrnnError
            If a state cannot be saved, or a worker was ended from outside; what was saved is
            intact.
        """
        self._begun = True
        try:
            event = next(self._events)
        except BaseException:
            self.close()
            raise
        self._take(event)
        return event

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress = event
            self._training.append((event.step, event.nats))
        elif isinstance(event, Validated):
            self._validation.append((event.step, event.nats))
            if event.best:
                self._best = (event.step, event.nats)
        elif isinstance(event, Finished):
            self.finished = event

    @property
    def directory(self) -> Path | None:
        """The folder of the run; None before it has begun, and for a run in memory."""
        return self._directory if self._run is None else self._run.directory

    @property
    def model(self) -> Model:
        """The best model so far: that with the lowest validation loss.

        If nobody has asked for an event yet, the run goes to its end first. Before the first
        validation it is the present model, and where nothing is held out, the last that was kept.

        Raises
        ------
        RunError
            If the run has made no step.
        """
        if not self._begun and self._run is not None:
            for _ in self:
                pass
        if self._run is not None:
            if not self._run.history.step:
                raise RunError(NO_STEP)
            return _model_of(self._run.best())
        outcome = self._outcome
        if isinstance(outcome, CharrnnError):
            raise outcome
        if isinstance(outcome, Checkpoint):
            outcome = self._outcome = _model_of(outcome)
        return outcome

    def stop(self) -> None:
        """End after the present step: the state is saved, and the events end with ``Finished``."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """End at once, and let go of workers, text and folder; the model of the run stays."""
        run, self._run = self._run, None
        if run is None:
            return
        try:
            self._events.close()
        finally:
            run.close()
            self._directory = run.directory
            try:
                self._outcome = run.best() if run.history.step else self._outcome
            except CharrnnError as error:  # raised again where the model is asked for
                self._outcome = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # one that was not made, or at the end of Python
            self.close()

    def __repr__(self) -> str:
        return f"TrainingRun({self._state()})"

    def _repr_html_(self) -> str:
        return loss_curve(self._training, self._validation, best=self._best, caption=self._state())

    def _state(self) -> str:
        """Say how far it is, in a line."""
        if self.finished is not None:
            state = f"{self.finished.reason} after step {self.finished.step:,}"
        elif self._progress is not None:
            state = f"step {self._progress.step:,} of {self._progress.steps:,}"
            state += ", closed" if self._run is None else ""
        else:
            state = "closed" if self._run is None else "not begun" if not self._begun else "begun"
        parts = [state]
        if self._training:
            parts.append(f"training {_loss(self._training[-1][1])}")
        if self._best is not None:
            parts.append(f"best validation {_loss(self._best[1])} at step {self._best[0]:,.0f}")
        return "; ".join(parts)


@takes(TextConfig, ModelConfig, TrainConfig)
def train(
    paths: str | Path | Sequence[str | Path] = (),
    *,
    text: str | bytes | None = None,
    val: str | Path | Sequence[str | Path] = (),
    init_from: str | Path | Model | None = None,
    out: str | Path | None = None,
    threads: int | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    samples: bool = False,
    **settings: Any,
) -> TrainingRun:
    """Train a model on a text, in memory or in a folder.

    Parameters
    ----------
    paths : path or sequence of paths
        Files, folders or patterns.
    text : str or bytes, optional
        The text itself, in place of paths; bytes with ``unit="byte"`` alone.
    val : path or sequence of paths
        Files of their own to hold out, in place of a part of the text.
    init_from : path or Model, optional
        A model from whose weights to start; it gets the symbols of the text that are new to it.
    out : path, optional
        A new folder, for what `resume` and the command line use. Without it, the run is in memory
        alone: its model is kept with `Model.save`.
    threads : int, optional
        Processes that train, as many as there are cores if left out; given, the CPU trains.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; if left out, or ``"auto"``, a run of minutes takes a
        GPU where one can be used and is faster. ``plan.device`` and ``plan.reasons`` tell.
    precision : {"float32", "tf32", "bf16"}, optional
        Of the numbers that a GPU multiplies: tf32 if left out. The CPU computes in float32.
    samples : bool
        Whether the events include samples of what the model writes meanwhile.
    **settings
        The fields of `ModelConfig`, such as ``cell`` and ``hidden_size``; of `TrainConfig`, such
        as ``minutes`` (8), ``steps``, ``learning_rate``, ``items`` and ``random_seed``; and of
        `TextConfig`, such as ``unit`` and ``normalize``. What is left out follows from the text
        and the time; ``plan.reasons`` tells how.

    Returns
    -------
    TrainingRun
        An iterator of events (`charrnn.training.events`). Nothing is trained until one is asked
        for, or its ``model``.

    Raises
    ------
    CorpusError
        If the text cannot be read.
    ConfigError
        If a setting is unknown or out of range, or the text does not allow it.
    DeviceError
        If a GPU is asked for and none can be used.
    CheckpointError, RunError
        If ``init_from`` cannot be read or does not fit, or ``out`` already holds a run.

    Examples
    --------
    >>> model = charrnn.train(text=TEXT, steps=20, hidden_size=8).model
    >>> len(model.sample("pack my ", length=30))
    38

    In a folder, with all that happens:

    >>> with charrnn.train("text.txt", steps=20, hidden_size=8, out="runs/new") as run:
    ...     losses = [event.nats for event in run if event.kind == "validated"]
    >>> min(losses) == run.finished.best_nats
    True
    >>> charrnn.load("runs/new").checkpoint.history.step
    20
    """
    check_names(train, settings)
    paths, val = _listed(paths), _listed(val)
    if any("\n" in str(path) for path in paths):
        raise ConfigError("paths name files, and this is a text: give it as text=...")
    if text is None and not paths:
        raise ConfigError("give paths, or the text itself as text=..., to train on")
    if text is not None and (paths or val):
        which = "paths" if paths else "val"
        raise ConfigError(f"{which} names files, and text is no file: give one of them")
    run = prepare(
        paths,
        content=text,
        val=val,
        text=pick(TextConfig, settings),
        model=pick(ModelConfig, settings),
        train=pick(TrainConfig, settings),
        init_from=init_from.checkpoint if isinstance(init_from, Model) else init_from,
        out=None if out is None else Path(out),
        store=MemoryStore() if out is None else None,
        threads=threads or available_cores(),
        device=DeviceConfig(device=device, precision=precision).beside(threads),
        cache=out is not None,
    )
    return TrainingRun(run, samples=samples)


def resume(
    run: str | Path,
    *,
    corpus: str | Path | Sequence[str | Path] = (),
    epochs: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    save_every: float | None = None,
    patience: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    samples: bool = False,
) -> TrainingRun:
    """Go on with a run that was stopped, as if it never had been; or train it longer.

    Parameters
    ----------
    run : path
        Its folder, or its name under ``./runs``.
    corpus : path or sequence of paths
        Where its text is, if that was moved.
    epochs, steps, minutes : float, int, float, optional
        A new length of the whole run: one of them.
    save_every, patience : float, int, optional
        As in `TrainConfig`; as before, if left out.
    threads, samples
        As for `train`. The number of threads has no effect on the result.
    device, precision
        As for `train`; if left out, as before, where that can be used.

    Returns
    -------
    TrainingRun

    Raises
    ------
    RunError
        If there is nothing to resume, or the run is over and no longer length is given.
    CorpusError
        If its text is not found, or has changed.

    Examples
    --------
    >>> run = charrnn.resume("runs/corpus", steps=62)
    >>> [event.step for event in run if event.kind == "finished"]
    [62]
    """
    length = TrainConfig(epochs=epochs, steps=steps, minutes=minutes)
    changed: dict[str, Any] = {
        name: value
        for name, value in (("save_every", save_every), ("patience", patience))
        if value is not None
    }
    TrainConfig(**changed)  # refuses what is out of range
    resumed = resume_run(
        run,
        corpus=_listed(corpus),
        length=length,
        threads=threads or available_cores(),
        device=DeviceConfig(device=device, precision=precision).beside(threads),
        **changed,
    )
    return TrainingRun(resumed, samples=samples)


def _listed(paths: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    return [paths] if isinstance(paths, str | Path) else paths


def _model_of(checkpoint: Checkpoint) -> Model:
    """Return the model of a run, with the file that it is in, if it is in one."""
    return Model(checkpoint, checkpoint.folder / BEST if checkpoint.folder else None)


def _loss(nats: float) -> str:
    return f"{nats:.3f} nats {nats / log(2):.3f} bits"
