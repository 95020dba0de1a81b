"""An old run made ready to go on from where it stopped."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

from charrnn.backend.arrays import shared_zeros
from charrnn.config import DeviceConfig, TrainConfig, TrainingSettings
from charrnn.data.apart import set_apart
from charrnn.errors import CheckpointError, RunError
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.nn.model import CharModel
from charrnn.optimizers import learning_rate_factor
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.history import CPU, History, Place
from charrnn.storage.lock import RunLock
from charrnn.storage.own_text import find_own_text, portable
from charrnn.storage.store import FolderStore
from charrnn.training.assembly import assemble
from charrnn.training.devices import Work, choose, shown
from charrnn.training.fairness import are_unlike, shared_of
from charrnn.training.length import done_after
from charrnn.training.memory import check_memory, text_bytes
from charrnn.training.run import Run
from charrnn.training.setup import Setup


def _check_best(directory: Path, history: History) -> list[str]:
    """Forget a best state whose file is missing or damaged, so that another takes its place.

    Returns a notice of it, if it is so. What is damaged is kept under another name.
    """
    if history.best_nats is None:
        return []
    best = directory / runs.BEST
    try:
        load(best)
    except CheckpointError as error:
        cause = error.__cause__
        passing = isinstance(cause, (OSError, MemoryError))
        if passing and not isinstance(cause, FileNotFoundError):
            raise
        history.best_nats = history.best_step = None
        if best.exists():
            best.replace(best.with_name(f"{best.name}.damaged"))
        return [
            f"the best state is lost ({error}); that of step {history.step:,} takes its place "
            "until the next validation"
        ]
    return []


def resume(
    directory: str | Path,
    *,
    corpus: Sequence[str | Path] = (),
    length: TrainConfig | None = None,
    save_every: float | None = None,
    patience: int | None = None,
    threads: int = 1,
    device: DeviceConfig | None = None,
    cache: bool = True,
) -> Run:
    """Continue a run as if it had never stopped.

    Parameters
    ----------
    directory : path
        The run, or its name under ./runs.
    corpus : sequence of path, optional
        Files or folders with its text, where that was moved.
    length : TrainConfig, optional
        A new length, if one of its ``epochs``, ``steps`` and ``minutes`` is set.
    save_every, patience : float, int, optional
        As in `TrainConfig`; as before, if left out.
    threads : int
        As for ``prepare``; it need not be what it was.
    device : DeviceConfig, optional
        What trains; if left out, what did before, if it can be used.
    cache : bool
        As for ``prepare``.

    Raises
    ------
    RunError
        If there is nothing to resume, or the run is over and no longer ``length`` is given.
    CorpusError
        If the corpus is not found, or has changed.
    """
    path = Path(directory)
    if not path.is_dir() and (runs.RUNS / path).is_dir():
        path = runs.RUNS / path
    if not path.is_dir():
        raise runs.no_run(directory)
    lock = RunLock(path)
    try:
        last = runs.load_last(path)
        own, notices = find_own_text(
            last,
            named=corpus,
            cache_dir=runs.cache_directory() if cache else None,
            advice=(
                "restore it as it was, or learn the new text: "
                f"{shlex.join(['charrnn', 'train', *map(str, corpus), '--init-from', str(path)])}"
                if corpus
                else f"name it, as in: charrnn train --resume {path} FILE; a text that has changed "
                f"is learned with: charrnn train FILE --init-from {path}"
            ),
        )
        task, sides = last.task, last.sides(own)
        apart = sides.learned[:0]
        counts = last.counts
        if counts is None:
            counts = task.counts(sides.learned, last.vocabulary)
        if last.settings.counts and not task.labels:
            sides, apart = set_apart(sides, task)
        per_pass = task.steps_per_pass(sides.learned, last.settings)
        if save_every is not None:
            last.settings = replace(last.settings, save_every=save_every)
        if patience and not last.held_out:
            raise RunError(
                f"--patience {patience} applies only to a held-out part, and {path} holds "
                "nothing out: leave it out"
            )
        if patience is not None:
            last.settings = replace(last.settings, patience=patience)
        train = _new_length(last, length, per_pass, path)
        notices += _of_new_length(last, train, per_pass)
        notices += _check_best(path, last.history)
        model = CharModel(last.architecture, len(last.vocabulary), zeros=shared_zeros)
        model.parameters.fill(last.weights)
        before = last.history.places[-1] if last.history.places else CPU
        work = Work(last.architecture, train, len(last.vocabulary))
        chosen, why = choose(device or DeviceConfig(), work, before)
        if chosen.gpu is None:
            size = text_bytes(own, sides, model=last.architecture, train=train)
            check_memory(last.architecture, train, len(last.vocabulary), threads, text_bytes=size)
        setup = Setup(
            text=last.text,
            train=train,
            validation=last.validation,
            task=task,
            corpus=own,
            vocabulary=last.vocabulary,
            model=model,
            history=last.history,
            sides=sides,
            held_out=last.held_out,
            counts=counts,
            apart=apart,
            sources=portable(last.sources),
            overlap=shared_of(task, sides, train) if last.held_out else 0.0,
            device=chosen,
            moved=_moved(before, chosen.place, why),
            reasons={"device": why} if why else {},
            notices=notices,
        )
        setup.unlike = bool(last.held_out) and are_unlike(sides, train, setup.overlap)
        store = FolderStore(path, lock)
        return assemble(setup, store, threads=threads, training=last.training)
    except BaseException:
        lock.release()
        raise


def _moved(before: Place, now: Place, why: str) -> str:
    """Say that a run goes on on another device; empty where it does not."""
    if before == now:
        return ""
    because = f" ({why})" if why else ""
    return (
        f"the run goes on on {shown(now)}{because}, and {shown(before)} trained it before: from "
        "here on its numbers differ in their last digits from those it would have had there"
    )


def _new_length(
    last: Checkpoint, length: TrainConfig | None, per_pass: float, path: Path
) -> TrainingSettings:
    """Return the settings of a run that is resumed, with the new length if one is given.

    Raises
    ------
    RunError
        If the run is over.
    """
    train, history = last.settings, last.history
    if length is None or not (length.steps or length.minutes or length.epochs):
        patient = train.patience == 0 or history.without_improvement < train.patience
        if history.finished == "no longer improving" and patient:
            history.finished = ""
        if history.finished:
            raise RunError(
                f"{path} is finished ({history.finished}): "
                "to train it longer, give --minutes, --epochs or --steps for the whole of it"
            )
        return train
    steps = max(1, ceil(length.epochs * per_pass)) if length.epochs else length.steps
    train = replace(train, steps=steps or 0, minutes=length.minutes or 0.0)
    if done_after(train, per_pass, history.step, history.seconds) >= 1:
        passes = history.step / per_pass
        if train.max_epochs and passes >= train.max_epochs:
            why = ", and more lower no validation loss" if train.max_epochs >= MAX_EPOCHS else ""
            raise RunError(
                f"{path} has had {passes:.0f} epochs{why}: to go on, train a new run with "
                f"--init-from {path} --max-epochs 0"
            )
        raise RunError(
            f"{path} is already at step {history.step:,}, after "
            f"{history.seconds / 60:.1f} minutes: give a length beyond that"
        )
    done = done_after(train, per_pass, history.step, history.seconds)
    history.validations = int(done * last.validation.validations)
    history.without_improvement = 0
    history.finished = ""
    return train


def _of_new_length(last: Checkpoint, train: TrainingSettings, per_pass: float) -> list[str]:
    """Say how far a run has come of a new length, and where its learning rate jumps to."""
    before, history = last.settings, last.history
    if (before.minutes, before.steps) == (train.minutes, train.steps):
        return []
    rates = [
        settings.learning_rate
        * history.rate_factor
        * learning_rate_factor(
            settings.schedule,
            done_after(settings, per_pass, history.step, history.seconds),
            settings.warmup,
        )
        for settings in (before, train)
    ]
    length = (
        f"{train.minutes:g} minutes in all, of which {history.seconds / 60:.2g} have passed"
        if train.minutes
        else f"{train.steps:,} steps in all, of which {history.step:,} are done"
    )
    moves = "rises" if rates[1] > rates[0] else "falls"
    if f"{rates[0]:.2g}" == f"{rates[1]:.2g}":
        return [length]
    return [f"{length}: the learning rate {moves} from {rates[0]:.2g} to {rates[1]:.2g} at once"]
