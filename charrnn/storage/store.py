"""Where a run stores its results: in a folder, or in memory."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.errors import RunError
from charrnn.storage.checkpoint import Checkpoint, load, save
from charrnn.storage.folder import BEST, LAST, RUNS, load_last, new_run_directory, run_name
from charrnn.storage.lock import RunLock
from charrnn.storage.log import append_log, read_log, write_log
from charrnn.storage.own_text import STDIN, holds_text, write_sources
from charrnn.text import Corpus, keep_stdin


class RunStore(Protocol):
    """Stores the last and the best state of a run, and its log.

    Attributes
    ----------
    directory : Path or None
        The folder of the run; None if there is none, or not yet.
    """

    directory: Path | None

    def begin(self, corpus: Corpus, step: int) -> None:
        """Prepare for a run on a text, at this step."""

    def log(self, entry: dict[str, Any]) -> None:
        """Append an event to the log."""

    def save_last(self, checkpoint: Checkpoint) -> str:
        """Store the state that a resume needs; return where."""

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Store the best state."""

    @property
    def has_best(self) -> bool:
        """Whether there is a best state."""

    def load_last(self) -> Checkpoint:
        """Return the last state; the next ``save_last`` may change its arrays."""

    def load_best(self) -> Checkpoint:
        """Return the best state; the next ``save_best`` may change its arrays."""

    def close(self) -> None:
        """Release the run."""


class FolderStore:
    """Stores a run in a folder: ``best.npz``, ``last.npz``, ``log.jsonl``, ``sources.json``.

    Parameters
    ----------
    directory : Path, optional
        The folder of a new run, created when it starts (default ``runs/<corpus name>``), or the
        folder of an existing run, with its lock.
    lock : RunLock, optional
        The lock on the folder of an existing run.
    typed : str
        The first file or folder that the user typed; a new run is named after it.
    """

    def __init__(
        self, directory: Path | None, lock: RunLock | None = None, *, typed: str | Path = ""
    ) -> None:
        self.directory = directory if lock else None
        self._out, self._lock, self._typed = directory, lock, typed
        self._verified: set[str] = set()

    def begin(self, corpus: Corpus, step: int) -> None:
        """Create or reopen the folder; drop log events after the last save, left by a crash."""
        if self._lock is None:
            self.directory = new_run_directory(self._name(corpus), self._out)
            self._lock = RunLock(self.directory)
            write_log(self.directory, [])
            keep_stdin(corpus, self.directory / STDIN)
        else:
            events = read_log(self._folder)
            write_log(self._folder, [event for event in events if event.get("step", 0) <= step])
        write_sources(self._folder, corpus.sources)

    def _name(self, corpus: Corpus) -> str:
        """Return the name of a new run, with the folder of its text if the plain name is taken."""
        typed = self._typed or corpus.sources[0].path
        name = run_name(typed)
        if (RUNS / name).exists() and not holds_text(RUNS / name, corpus.sources):
            return run_name(typed, with_folder=True)
        return name

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to ``log.jsonl``."""
        append_log(self._folder, entry)

    def save_last(self, checkpoint: Checkpoint) -> str:
        """Write ``last.npz`` and return its path."""
        return str(self._write(LAST, checkpoint))

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write ``best.npz``."""
        self._write(BEST, checkpoint)

    @property
    def has_best(self) -> bool:
        """Whether there is a ``best.npz``."""
        return self.directory is not None and (self.directory / BEST).exists()

    def load_last(self) -> Checkpoint:
        """Read ``last.npz``."""
        return load_last(self._folder)

    def load_best(self) -> Checkpoint:
        """Read ``best.npz``."""
        return load(self._folder / BEST)

    def close(self) -> None:
        """Release the folder."""
        if self._lock:
            self._lock.release()
            self._lock = None

    @property
    def _folder(self) -> Path:
        if self.directory is None:
            raise RunError("the run has no folder yet, as it has not started: start it first")
        return self.directory

    def _write(self, name: str, checkpoint: Checkpoint) -> Path:
        """Save a checkpoint; read back the first of each name, as later ones have the same form."""
        path = self._folder / name
        save(path, checkpoint, verify=name not in self._verified)
        self._verified.add(name)
        return path


class MemoryStore:
    """Stores a run in memory: for programs, tests, and workers that write no files.

    Each state reuses the same arrays, so that a save needs no more memory than the one before it.

    Attributes
    ----------
    best, last : Checkpoint or None
    entries : list of dict
        The log.
    """

    directory: Path | None = None

    def __init__(self) -> None:
        self.best: Checkpoint | None = None
        self.last: Checkpoint | None = None
        self.entries: list[dict[str, Any]] = []

    def begin(self, corpus: Corpus, step: int) -> None:
        """Do nothing."""

    def log(self, entry: dict[str, Any]) -> None:
        """Store an event."""
        self.entries.append(entry)

    def save_last(self, checkpoint: Checkpoint) -> str:
        """Store a copy."""
        self.last = copied(checkpoint, self.last)
        return ""

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Store a copy."""
        self.best = copied(checkpoint, self.best)

    @property
    def has_best(self) -> bool:
        """Whether there is a best state."""
        return self.best is not None

    def load_last(self) -> Checkpoint:
        """Return the last state."""
        if self.last is None:
            raise RunError("the run has no state yet, as it has not started: start it first")
        return self.last

    def load_best(self) -> Checkpoint:
        """Return the best state."""
        if self.best is None:
            raise RunError("the run has no best state yet: wait for its first validation")
        return self.best

    def close(self) -> None:
        """Do nothing."""


def copied(checkpoint: Checkpoint, earlier: Checkpoint | None) -> Checkpoint:
    """Return a copy of a checkpoint, reusing the arrays of an earlier one."""
    history = replace(checkpoint.history, rows=list(checkpoint.history.rows))
    weights, training = checkpoint.weights, checkpoint.training
    return replace(
        checkpoint,
        history=history,
        weights=_copies(weights, earlier.weights if earlier else {}),
        training=_copies(training, earlier.training if earlier else {}),
    )


def _copies(arrays: Mapping[str, Array], into: Mapping[str, Array]) -> dict[str, Array]:
    """Return copies of arrays, written into existing arrays of the same name."""
    copies = {}
    for name, array in arrays.items():
        copies[name] = into[name] if name in into else np.empty_like(array)
        copies[name][...] = array
    return copies
