"""The runs under ./runs, each in a line."""

import contextlib
from dataclasses import dataclass
from math import log
from pathlib import Path, PurePosixPath, PureWindowsPath
from unicodedata import combining

import numpy as np

from charrnn.config import Architecture
from charrnn.errors import CheckpointError
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.folder import BEST, LAST, run_directories
from charrnn.storage.lock import is_running

LONGER = 0x80, 0x800, 0x10000
"""The first characters of two, three and four bytes in UTF-8."""
JAMO = 0x1160, 0x1200
"""Vowels and final consonants of Hangul: with the initial before them they are one syllable."""


@dataclass(frozen=True)
class RunSummary:
    """A run in a line.

    Attributes
    ----------
    name, path : str
        Of its folder.
    texts : tuple of str
        Its corpus files, by their paths from where the run was begun, if they lay there.
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
    per : str
        What a character is, as the model reads them: "byte" or "jamo", for example.
    best_bits_per_byte : float or None
        Of the same, by the UTF-8 bytes that a character of the training part has on average: for
        runs whose characters are not the same. None where that is not known.
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
    per: str = "character"
    best_interval: float = 0.0
    best_bits_per_byte: float | None = None
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
        texts=tuple(_shown(source.path) for source in checkpoint.sources),
        model=checkpoint.architecture,
        predict=checkpoint.settings.predict or "text",
        best_accuracy=history.best_accuracy,
        step=history.step,
        seconds=history.seconds,
        train_nats=history.rows[-1][1] if history.rows else None,
        best_nats=history.best_nats,
        per=checkpoint.vocabulary.noun,
        best_interval=history.best_interval,
        best_bits_per_byte=_bits_per_byte(checkpoint),
        num_parameters=checkpoint.num_parameters,
        size_bytes=_size(directory),
        modified=modified,
        state="running" if is_running(directory) else history.finished or "interrupted",
    )


def _bits_per_byte(checkpoint: Checkpoint) -> float | None:
    """Return the best loss in bits per byte, where text is predicted."""
    nats, counts, vocabulary = (
        checkpoint.history.best_nats,
        checkpoint.counts,
        checkpoint.vocabulary,
    )
    if nats is None or counts is None or checkpoint.labels or not counts.sum():
        return None
    if vocabulary.unit == "byte":
        return nats / log(2)
    symbols = vocabulary.symbols
    lengths = np.ones(len(symbols), np.int64)
    for first in LONGER:
        lengths += symbols >= first
    if vocabulary.normalize == "nfd":  # a syllable is written as one character
        if any(combining(chr(code)) for code in symbols.tolist()):
            return None
        lengths[(symbols >= JAMO[0]) & (symbols < JAMO[1])] = 0
    return nats / log(2) * float(counts.sum()) / float(counts @ lengths)


def _shown(path: str) -> str:
    """Return a stored path, or its name where it says of a machine where that has it."""
    for kind in (PurePosixPath(path), PureWindowsPath(path)):
        if kind.is_absolute():
            return kind.name
    return path


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
