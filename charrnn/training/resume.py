"""Preparing a run to resume from where it stopped."""

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
    """Discard a best state whose file is missing or damaged, so that another takes its place.

    Returns a notice in that case. A damaged file is kept under another name.
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
        history.forget_best()
        if best.exists():
            best.replace(best.with_name(f"{best.name}.damaged"))
        return [
            f"the best state is lost ({error}); the state of step {history.step:,} takes its place "
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
    """Resume a run as if it had never stopped.

    Parameters
    ----------
    directory : path
        The run, or its name under ./runs.
    corpus : sequence of path, optional
        Files or folders with its text, if that was moved.
    length : TrainConfig, optional
        A new total length, if its ``epochs``, ``steps`` or ``minutes`` is set.
    save_every, patience : float, int, optional
        As in `TrainConfig`; unchanged by default.
    threads : int
        As for ``prepare``; it may differ from the earlier value.
    device : DeviceConfig, optional
        The device; by default the previous one, if it can be used.
    cache : bool
        As for ``prepare``.

    Raises
    ------
    RunError
        If there is nothing to resume, or the run has ended and no greater ``length`` is given.
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
                "restore it as it was, or fine-tune on the new text: "
                f"{shlex.join(['charrnn', 'train', *map(str, corpus), '--init-from', str(path)])}"
                if corpus
                else f"name it, as in: charrnn train --resume {path} FILE; to fine-tune on a text "
                f"that has changed: charrnn train FILE --init-from {path}"
            ),
        )
        task, sides = last.task, last.sides(own)
        apart = sides.learned[:0]
        counts = last.counts
        if counts is None:
            counts = task.counts(sides.learned, last.vocabulary)
        if last.settings.counts and not task.labels:
            sides, apart = set_apart(sides, task, at_end=last.settings.apart_at_end)
        steps_per_epoch = task.steps_per_pass(sides.learned, last.settings)
        if save_every is not None:
            last.settings = replace(last.settings, save_every=save_every)
        if patience and not last.held_out:
            raise RunError(
                f"--patience {patience} has no effect, since {path} holds nothing out: leave it out"
            )
        if patience is not None:
            last.settings = replace(last.settings, patience=patience)
        train = _new_length(last, length, steps_per_epoch, path)
        notices += _of_new_length(last, train, steps_per_epoch)
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
            epochs=(length.epochs or 0.0) if length is not None else 0.0,
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
    """Return a notice if a run resumes on another device, otherwise an empty string."""
    if before == now:
        return ""
    because = f" ({why})" if why else ""
    return (
        f"the run resumes on {shown(now)}{because} but was trained on {shown(before)} before: from "
        "here on, its results differ in their last digits"
    )


def _new_length(
    last: Checkpoint, length: TrainConfig | None, steps_per_epoch: float, path: Path
) -> TrainingSettings:
    """Return the settings of a resumed run, with a new length if one is given.

    Raises
    ------
    RunError
        If the run has ended.
    """
    train, history = last.settings, last.history
    if length is None or not (length.steps or length.minutes or length.epochs):
        patient = train.patience == 0 or history.without_improvement < train.patience
        if history.finished == "no longer improving" and patient:
            history.finished = ""
        if history.finished:
            raise RunError(
                f"{path} is finished ({history.finished}): "
                "to train it longer, give its new total length with --minutes, --epochs or --steps"
            )
        return train
    steps = max(1, ceil(length.epochs * steps_per_epoch)) if length.epochs else length.steps
    train = replace(train, steps=steps or 0, minutes=length.minutes or 0.0)
    if done_after(train, steps_per_epoch, history.step, history.seconds) >= 1:
        epochs = history.step / steps_per_epoch
        if train.max_epochs and epochs >= train.max_epochs:
            why = (
                ", and more do not lower the validation loss"
                if train.max_epochs >= MAX_EPOCHS
                else ""
            )
            raise RunError(
                f"{path} has had {epochs:.0f} epochs{why}: to continue, train a new run with "
                f"--init-from {path} --max-epochs 0"
            )
        raise RunError(
            f"{path} is already at step {history.step:,}, after "
            f"{history.seconds / 60:.3g} minutes: give a greater total length"
        )
    done = done_after(train, steps_per_epoch, history.step, history.seconds)
    history.validations = int(done * last.validation.validations)
    history.without_improvement = 0
    history.finished = ""
    return train


def _of_new_length(last: Checkpoint, train: TrainingSettings, steps_per_epoch: float) -> list[str]:
    """Return a notice of the progress within a new length, and of a jump of the learning rate."""
    before, history = last.settings, last.history
    if (before.minutes, before.steps) == (train.minutes, train.steps):
        return []
    rates = [
        settings.learning_rate
        * history.rate_factor
        * learning_rate_factor(
            settings.schedule,
            done_after(settings, steps_per_epoch, history.step, history.seconds),
            settings.warmup,
        )
        for settings in (before, train)
    ]
    length = (
        f"{train.minutes:g} minutes in total, of which {history.seconds / 60:.2g} have passed"
        if train.minutes
        else f"{train.steps:,} steps in total, of which {history.step:,} are done"
    )
    moves = "rises" if rates[1] > rates[0] else "falls"
    if f"{rates[0]:.2g}" == f"{rates[1]:.2g}":
        return [length]
    return [f"{length}: the learning rate {moves} from {rates[0]:.2g} to {rates[1]:.2g} at once"]
