"""What a run keeps of itself: its last state, its best one, and its log."""

from collections.abc import Iterator
from dataclasses import replace

from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.store import RunStore
from charrnn.trainer import Trainer
from charrnn.training.counting import Counting
from charrnn.training.events import Event, Notice, Saved
from charrnn.training.mixing import with_mixture
from charrnn.training.setup import Setup


class Saving:
    """Puts what a trainer made into the store of a run.

    Parameters
    ----------
    setup : Setup
        Of the run; its history is saved with every state.
    trainer : Trainer
        Trains its model.
    store : RunStore
        Keeps both states and the log.
    """

    def __init__(self, setup: Setup, trainer: Trainer, store: RunStore) -> None:
        self._setup, self._trainer, self._store = setup, trainer, store

    def begin(self) -> None:
        """Make the store ready for a run that is at the step of its history."""
        self._store.begin(self._setup.corpus, self._setup.history.step)

    def log(self, event: Event, **more: float) -> Event:
        """Add an event to the log, with more values, and return it."""
        self._store.log({**event.to_json(), **more})
        return event

    def save_last(self) -> Iterator[Event]:
        """Save all that a resume needs; and a best state, where none was judged yet."""
        self._trainer.publish()
        place = self._store.save_last(self._setup.checkpoint(self._trainer))
        if self._setup.history.step and not self._store.has_best:
            self.save_best()
        yield Saved(self._setup.history.step, place)

    def save_best(self) -> None:
        """Save the present weights as the best state."""
        self._trainer.publish()
        self._store.save_best(self._setup.checkpoint(None))

    def best(self) -> Checkpoint:
        """Return the best state so far, with the text; before there is one, the present one."""
        if self._store.has_best:
            return replace(self._store.load_best(), corpus=self._setup.corpus)
        self._trainer.publish()
        return self._setup.checkpoint(None)

    def go_back(self) -> int:
        """Give model and trainer what was saved last; return the step at which that was."""
        last = self._store.load_last()
        self._setup.model.parameters.fill(last.weights)
        self._trainer.restore(last.training)
        return last.history.step

    def mix(self, counting: Counting | None) -> Iterator[Event]:
        """Mix the best state with what was counted, or with a linear model of labels."""
        history, store = self._setup.history, self._store
        if not store.has_best:
            if not history.step:
                return
            self.save_best()  # stopped before it was validated
        if not history.finished:  # what follows takes seconds: a second signal loses nothing
            store.save_last(self._setup.checkpoint(self._trainer))
        best, workers = store.load_best(), self._trainer.workers
        if counting is not None:
            found = counting.mixed(best, workers)
        else:
            of_labels = with_mixture(self._setup, best, workers)
            if of_labels is None:
                return
            found = of_labels
        mixed, message = found
        store.save_best(mixed)
        if message:
            yield self.log(Notice(message), step=history.step)

    def close(self) -> None:
        """Let others have the run."""
        self._store.close()
