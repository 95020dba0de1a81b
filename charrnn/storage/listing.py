"""The runs under ./runs, each in a line."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from charrnn.config import Architecture
from charrnn.errors import CheckpointError
from charrnn.storage.checkpoint import load
from charrnn.storage.folder import BEST, LAST, run_directories
from charrnn.storage.lock import is_running


@dataclass(frozen=True)
class RunSummary:
    """A run in a line; ``state`` is "running", "interrupted" or why it finished.

    ``model`` is None where the run cannot be read. ``predict`` is "text", or what is predicted
    instead, with the share of the held-out labels that are right in ``best_accuracy``.
    """

    name: str
    path: str
    model: Architecture | None
    predict: str
    best_accuracy: float | None
    step: int
    best_nats: float | None
    num_parameters: int
    size_bytes: int
    modified: float
    state: str


def list_runs() -> list[RunSummary]:
    """Return the runs under ./runs, newest first.

    Only the description of each is read. One that cannot be read has the ``state`` "damaged".
    """
    found = []
    for directory in run_directories():
        with contextlib.suppress(OSError, ValueError):  # it was removed meanwhile
            found.append(_summary(directory))
    return found


def _summary(directory: Path) -> RunSummary:
    files = [directory / file for file in (LAST, BEST) if (directory / file).exists()]
    size = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    modified = max(file.stat().st_mtime for file in files)
    try:
        checkpoint = load(files[0], arrays=False)
    except CheckpointError:
        return RunSummary(
            directory.name, str(directory), None, "", None, 0, None, 0, size, modified, "damaged"
        )
    history = checkpoint.history
    state = "running" if is_running(directory) else history.finished or "interrupted"
    return RunSummary(
        name=directory.name,
        path=str(directory),
        model=checkpoint.architecture,
        predict=checkpoint.settings.predict or "text",
        best_accuracy=history.best_accuracy,
        step=history.step,
        best_nats=history.best_nats,
        num_parameters=checkpoint.num_parameters,
        size_bytes=size,
        modified=modified,
        state=state,
    )
