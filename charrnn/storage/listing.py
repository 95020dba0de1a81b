"""The runs under ./runs, each in a line."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from charrnn.config import Architecture
from charrnn.errors import CheckpointError
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.folder import BEST, LAST, run_directories
from charrnn.storage.lock import is_running


@dataclass(frozen=True)
class RunSummary:
    """A run in a line.

    Attributes
    ----------
    name, path : str
        Of its folder.
    texts : tuple of str
        The names of its corpus files, without folders.
    model : Architecture or None
        None where the run cannot be read.
    predict : str
        "text", or what is predicted instead.
    best_accuracy : float or None
        The share of the held-out labels that are right, where labels are predicted.
    step : int
    seconds : float
        Of training.
    train_nats : float or None
        Of the steps before the last validation.
    best_nats : float or None
        Of the best validation.
    best_interval : float
        Nats on either side of it within which the loss of the whole held-out part lies 19 times in
        20; 0 where all of it was scored.
    num_parameters : int
    size_bytes : int
        Of all files of its folder.
    modified : float
        When it was saved last, in seconds since 1970.
    state : str
        "running", "interrupted", "damaged" or why it finished.
    """

    name: str
    path: str
    texts: tuple[str, ...] = ()
    model: Architecture | None = None
    predict: str = ""
    best_accuracy: float | None = None
    step: int = 0
    seconds: float = 0.0
    train_nats: float | None = None
    best_nats: float | None = None
    best_interval: float = 0.0
    num_parameters: int = 0
    size_bytes: int = 0
    modified: float = 0.0
    state: str = "damaged"


def list_runs() -> list[RunSummary]:
    """Return the runs under ./runs, newest first.

    Only the description of each is read. One that cannot be read has the ``state`` "damaged".
    """
    found = []
    for directory in run_directories():
        with contextlib.suppress(OSError, ValueError):  # it was removed meanwhile
            found.append(_listed(directory))
    return found


def _listed(directory: Path) -> RunSummary:
    files = [directory / file for file in (LAST, BEST) if (directory / file).exists()]
    modified = max(file.stat().st_mtime for file in files)
    try:
        checkpoint = load(files[0], arrays=False)
    except CheckpointError:
        size = _size(directory)
        return RunSummary(directory.name, str(directory), size_bytes=size, modified=modified)
    return summary_of(directory, checkpoint, modified)


def summary_of(directory: Path, checkpoint: Checkpoint, modified: float) -> RunSummary:
    """Return what a run is in a line, from its folder and the description of its state."""
    history = checkpoint.history
    return RunSummary(
        name=directory.name,
        path=str(directory),
        texts=tuple(Path(source.path).name for source in checkpoint.sources),
        model=checkpoint.architecture,
        predict=checkpoint.settings.predict or "text",
        best_accuracy=history.best_accuracy,
        step=history.step,
        seconds=history.seconds,
        train_nats=history.rows[-1][1] if history.rows else None,
        best_nats=history.best_nats,
        best_interval=history.best_interval,
        num_parameters=checkpoint.num_parameters,
        size_bytes=_size(directory),
        modified=modified,
        state="running" if is_running(directory) else history.finished or "interrupted",
    )


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
