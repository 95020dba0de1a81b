"""Saving a run: its last state, its best state and its log.

A disk that is full for an hour does no harm to a run: what cannot be written during training is
written later. The best state is written before the last one, whose history refers to it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError
from charrnn.evaluation.labels.refitting import refitted
from charrnn.storage.checkpoint import Checkpoint, save
from charrnn.storage.folder import BEST, LAST
from charrnn.storage.log import LOG
from charrnn.storage.store import RunStore, copied
from charrnn.system.files import WriteError
from charrnn.trainer import Trainer
from charrnn.training.counting import Counting
from charrnn.training.events import Event, Notice, Saved
from charrnn.training.mixing import with_mixture
from charrnn.training.run_file import write_run_file
from charrnn.training.setup import Setup
from charrnn.training.timetable import Timetable

RUN, BEST_STATE = "the run", "the best state"


def last_events(number: int) -> str:
    """Return ``the last event``, ``the last 3 events``."""
    return "the last event" if number == 1 else f"the last {number:,} events"


class Saving:
    """Saves a trainer's states and the events of a run in its store.

    Parameters
    ----------
    setup : Setup
        The run's; its history is saved with every state.
    trainer : Trainer
        Trains its model.
    store : RunStore
        Stores both states and the log.
    timetable : Timetable
        Gives the position in the run of each logged event.
    """

    def __init__(
        self, setup: Setup, trainer: Trainer, store: RunStore, timetable: Timetable
    ) -> None:
        self._setup, self._trainer, self._store = setup, trainer, store
        self._timetable = timetable
        self._waiting: Checkpoint | None = None  # a best state that could not be written yet
        self._lines: list[dict[str, Any]] = []  # of the log, likewise
        self._failures: dict[str, int] = {}
        self._news: list[Event] = []
        self._saved = 0

    def begin(self) -> Iterator[Event]:
        """Prepare the store for a run and save its state at the start.

        Raises
        ------
        CheckpointError
            If it cannot be saved, since nothing should be trained that cannot be kept.
        """
        self._store.begin(self._setup.corpus, self._setup.history.step)
        if self._setup.origin is not None and self._store.directory is not None:
            write_run_file(self._store.directory, self._setup.origin, self._setup)
        yield self._save()

    def log(self, event: Event, **more: float) -> Event:
        """Add an event to the log with its position and further values, and return it."""
        self._lines.append({**event.to_json(), **self._timetable.place(), **more})
        self._attempt("the log", self._write_lines)
        return event

    def save_last(self) -> Iterator[Event]:
        """Save all that a resume needs, and a best state if there was no validation yet."""
        saved: list[Event] = []
        if self._attempt(RUN, lambda: saved.append(self._save())):
            self._tell_of_success(BEST_STATE)
        yield from saved

    def save_best(self) -> None:
        """Save the current weights as the best state."""
        self._trainer.publish()
        self._keep_best(self._setup.checkpoint(None))

    def news(self) -> Iterator[Event]:
        """Yield notices about saves that failed since the last call."""
        news, self._news = self._news, []
        yield from news

    def finish(self) -> Iterator[Event]:
        """Save the end of the run.

        Raises
        ------
        WriteError
            If it cannot be saved in its folder. The message says where it is instead.
        """
        try:
            saved = self._save()
            self._write_lines()
        except WriteError as error:
            raise WriteError(error.path, error.cause, self._whereabouts(error)) from error
        yield saved

    def best(self) -> Checkpoint:
        """Return the best state so far with the text, or the current one if there is none."""
        if self._waiting is not None or self._store.has_best:
            return replace(self._waiting or self._store.load_best(), corpus=self._setup.corpus)
        self._trainer.publish()
        return self._setup.checkpoint(None)

    def go_back(self) -> int:
        """Restore model and trainer to the last save, and return its step."""
        last = self._store.load_last()
        self._setup.model.parameters.fill(last.weights)
        self._trainer.restore(last.training)
        return last.history.step

    def mix(self, counting: Counting | None) -> Iterator[Event]:
        """Mix the best state with n-gram counts, or with a linear model of labels."""
        history = self._setup.history
        if not history.step:
            return
        has_best = self._waiting is not None or self._store.has_best
        unscored = all(nats is None for *_, nats in history.rows)  # or nothing is held out
        if not has_best or (unscored and history.finished != "diverged"):
            self.save_best()
        if not history.finished:  # mixing takes seconds: a second signal loses nothing
            list(self.save_last())
        best, workers = self._waiting or self._store.load_best(), self._trainer.workers
        if counting is not None:
            found = counting.mixed(best, workers)
        else:
            of_labels = with_mixture(self._setup, best, workers)
            if of_labels is None:
                return
            found = of_labels
        mixed, message = found
        history.mixed_accuracy = mixed.history.mixed_accuracy
        history.mixed_nats = mixed.history.mixed_nats
        self._keep_best(mixed)
        if message:
            yield self.log(Notice(message))
        train = self._setup.train
        if train.predict and history.finished and not train.val_files:
            self._keep_best(refitted(mixed, self._setup.sides))

    def close(self) -> None:
        """Release the run."""
        self._store.close()

    def _save(self) -> Saved:
        step = self._setup.history.step
        self._trainer.publish()
        if self._waiting is not None:
            self._store.save_best(self._waiting)
            self._waiting = None
        place = self._store.save_last(self._setup.checkpoint(self._trainer))
        self._saved = step
        if step and not self._store.has_best:
            self._store.save_best(self._setup.checkpoint(None))
        return Saved(step, place)

    def _keep_best(self, best: Checkpoint) -> None:
        """Write a best state, or keep a copy until it can be written."""
        if self._attempt(BEST_STATE, lambda: self._store.save_best(best)):
            self._waiting = None
        else:
            self._waiting = copied(best, self._waiting)

    def _write_lines(self) -> None:
        while self._lines:
            self._store.log(self._lines[0])
            del self._lines[0]

    def _attempt(self, what: str, write: Callable[[], None]) -> bool:
        """Write something, and return whether that succeeded; otherwise queue a notice.

        Of consecutive failures, number 1, 2, 4, 8 and so on give a notice.
        """
        try:
            write()
        except WriteError as error:
            if error.gone:
                raise
            times = self._failures[what] = self._failures.get(what, 0) + 1
            if times & (times - 1) == 0:
                until = f"; the last save is of step {self._saved:,}" if what == RUN else ""
                self._tell(
                    f"{what} could not be saved ({error.path}: {error.reason}): free disk space, "
                    "or close the program that has the file open; the run continues and tries "
                    f"again{until}"
                )
            return False
        self._tell_of_success(what)
        return True

    def _tell_of_success(self, what: str) -> None:
        if self._failures.pop(what, 0):
            self._tell(f"{what} can be saved again")

    def _tell(self, message: str) -> None:
        notice = Notice(f"step {self._setup.history.step:,}: {message}")
        self._news.append(notice)
        self._lines.append({**notice.to_json(), **self._timetable.place()})

    def _whereabouts(self, error: WriteError) -> str:
        """Return where the state is that cannot be saved in the run's folder, and what to do."""
        folder, end = error.path.parent, self._setup.history.step
        resume = f"charrnn train --resume {folder}"
        if error.path.name == LOG:
            return f"the run is saved, except for {last_events(len(self._lines))} of the log"
        place = self._rescued()
        if place is None:
            return f"the last save is of step {self._saved:,}: free disk space, then run {resume}"
        return (
            f"the end of the run, step {end:,}, is saved in {place} instead: move the files from "
            f"there to {folder} once it is writable, then run {resume}"
        )

    def _rescued(self) -> Path | None:
        """Save the new states in a temporary folder; return the folder, or None on failure."""
        states = {LAST: self._setup.checkpoint(self._trainer)}
        if self._waiting is not None or not self._store.has_best:
            states[BEST] = self.best()
        with suppress(OSError, CheckpointError):
            place = Path(tempfile.mkdtemp(prefix="charrnn-"))
            try:
                for name, state in states.items():
                    save(place / name, state)
            except CheckpointError:
                shutil.rmtree(place, ignore_errors=True)
                raise
            return place
        return None
