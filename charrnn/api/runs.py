"""Training through the Python API: an iterator of events that yields a model."""

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

NO_STEP = "the run has no model yet, as it has made no step: train at least one step"


class TrainingRun(Iterator[Event]):
    """A training run: iterating over its events trains it, and ``model`` is its result.

    Returned by `charrnn.train` and `charrnn.resume`. Its worker processes end when the run
    finishes, is closed or garbage-collected, or when its ``with`` block ends.

    Parameters
    ----------
    run : Run
        A prepared run.
    samples : bool
        Include ``Sampled`` events, with text sampled during training.

    Attributes
    ----------
    plan : Plan
        What the run will do: the chosen settings, and the figures that follow from them and the
        text.
    notices : tuple of str
        Notices about the text and the settings, one line each.
    finished : Finished or None
        How the run ended; None until then.

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
        """Train until the next event.

        Raises
        ------
        CharrnnError
            If the state cannot be saved, or a worker process was killed. Earlier checkpoints stay
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
        """The folder of the run; None for a run in memory, and before the first event."""
        return self._directory if self._run is None else self._run.directory

    @property
    def model(self) -> Model:
        """The best model so far, by validation loss.

        If no event was requested yet, the run is trained to its end first. Before the first
        validation this is the current model; if nothing is held out, the last saved one.

        Raises
        ------
        RunError
            If the run has made no training step.
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
        """Stop after the current step: the state is saved, and ``Finished`` is the last event."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """Stop at once; release the workers, the text and the folder. ``model`` stays available."""
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
            except CharrnnError as error:  # raised when the model is requested
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
        with contextlib.suppress(Exception):  # not fully constructed, or at interpreter exit
            self.close()

    def __repr__(self) -> str:
        return f"TrainingRun({self._state()})"

    def _repr_html_(self) -> str:
        return loss_curve(self._training, self._validation, best=self._best, caption=self._state())

    def _state(self) -> str:
        """Describe the progress in one line."""
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
        if self.finished is not None and self.finished.mixed_nats is not None:
            parts.append(f"with counts {_loss(self.finished.mixed_nats)}")
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
        Files, folders or glob patterns.
    text : str or bytes, optional
        The text itself, in place of ``paths``; bytes only with ``unit="byte"``.
    val : path or sequence of paths
        Separate files to hold out, in place of a part of the text.
    init_from : path or Model, optional
        A model to fine-tune: training starts from its weights, and new symbols of the text are
        added to its vocabulary.
    out : path, optional
        A new folder for the checkpoints and the log, which `resume` and the command line use.
        Without it, the run is kept in memory; use `Model.save` to keep its model.
    threads : int, optional
        Worker processes; the default is one per core. If given, training runs on the CPU.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"auto"`` (the default): a run with a time budget
        uses a GPU if one is available and faster. See ``plan.device`` and ``plan.reasons``.
    precision : {"float32", "tf32", "bf16"}, optional
        Precision of matrix products on a GPU; the default is tf32. The CPU computes in float32.
    samples : bool
        Include ``Sampled`` events, with text sampled during training.
    **settings
        Fields of `ModelConfig`, such as ``cell`` and ``hidden_size``; of `TrainConfig`, such as
        ``minutes`` (default 8), ``steps``, ``learning_rate``, ``items`` and ``random_seed``; and of
        `TextConfig`, such as ``unit`` and ``normalize``. The defaults depend on the text and the
        time budget; ``plan.reasons`` explains them.

    Returns
    -------
    TrainingRun
        An iterator of events (see `charrnn.training.events`). Training starts when the first event,
        or ``model``, is requested.

    Raises
    ------
    CorpusError
        If the text cannot be read.
    ConfigError
        If a setting is unknown, out of range, or does not fit the text.
    DeviceError
        If a GPU is requested and none can be used.
    CheckpointError, RunError
        If ``init_from`` cannot be read or does not fit, or ``out`` already has a run.

    Examples
    --------
    >>> model = charrnn.train(text=TEXT, steps=20, hidden_size=8).model
    >>> len(model.sample("pack my ", length=30))
    38

    In a folder, reading the events:

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
        raise ConfigError(
            "paths has a newline, so it is a text and not a path: give it as text=..."
        )
    if text is None and not paths:
        raise ConfigError(
            "there is nothing to train on: give paths, or the text itself as text=..."
        )
    if text is not None and (paths or val):
        which = "paths" if paths else "val"
        raise ConfigError(f"{which} and text cannot be combined: give files or the text itself")
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
    """Resume a stopped run, with the result of an uninterrupted one, or train it longer.

    Parameters
    ----------
    run : path
        The folder of the run, or its name under ``./runs``.
    corpus : path or sequence of paths
        The training text, if it was moved.
    epochs, steps, minutes : float, int, float, optional
        A new total length of the run; give at most one.
    save_every, patience : float, int, optional
        As in `TrainConfig`; the default is the value of the run.
    threads, samples
        As in `train`. The result does not depend on the number of threads.
    device, precision
        As in `train`; the default is the device of the run, if it is available.

    Returns
    -------
    TrainingRun

    Raises
    ------
    RunError
        If there is no such run, or it is finished and no longer length is given.
    CorpusError
        If its text cannot be found or has changed.

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
    TrainConfig(**changed)  # rejects values out of range
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
    """Return the model of a run, with its file if it has one."""
    return Model(checkpoint, checkpoint.folder / BEST if checkpoint.folder else None)


def _loss(nats: float) -> str:
    return f"{nats:.3f} nats {nats / log(2):.3f} bits"
