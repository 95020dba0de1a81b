"""Summaries of the runs under ./runs."""

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
"""The first characters that take two, three and four bytes in UTF-8."""
JAMO = 0x1160, 0x1200
"""Vowels and final consonants of Hangul, which form one syllable with the initial before them."""


@dataclass(frozen=True)
class RunSummary:
    """The summary of a run.

    Attributes
    ----------
    name, path : str
        The name and the path of its folder.
    texts : tuple of str
        Its corpus files, relative to the working directory in which it was started if they were
        inside it.
    model : Architecture or None
        None if the run cannot be read.
    predict : str
        "text", or what is predicted instead.
    best_accuracy : float or None
        The share of the held-out labels that the network predicts correctly, if labels are
        predicted.
    mixed_accuracy : float or None
        That share for the network mixed with n-grams of the training part, if they are mixed.
    has_ngrams : bool
        Whether n-grams are mixed with a network that predicts labels at the end of the run.
    step : int
        Training steps made.
    seconds : float
        Training time.
    train_nats : float or None
        Training loss before the last validation, in nats per symbol.
    best_nats : float or None
        Loss of the best validation, in nats per symbol.
    mixed_nats : float or None
        That loss with counts mixed in; None without them, or until the run has ended.
    best_interval : float
        Half-width of the 95 % confidence interval of ``best_nats``; 0 if the whole held-out part
        was scored.
    per : str
        What the model reads as one symbol, for example "byte" or "jamo".
    best_bits_per_byte : float or None
        ``best_nats``, of the network alone, in bits per UTF-8 byte, from the average length of a
        symbol in the training part; comparable across different symbols. None if that is not known.
    num_parameters : int
        Number of weights.
    size_bytes : int
        Size of all files in its folder.
    modified : float
        Time of the last save, in seconds since 1970.
    state : str
        "running", "interrupted", "damaged" or the reason why it finished.
    """

    name: str
    path: str
    texts: tuple[str, ...] = ()
    model: Architecture | None = None
    predict: str = ""
    best_accuracy: float | None = None
    mixed_accuracy: float | None = None
    has_ngrams: bool = False
    step: int = 0
    seconds: float = 0.0
    train_nats: float | None = None
    best_nats: float | None = None
    mixed_nats: float | None = None
    per: str = "character"
    best_interval: float = 0.0
    best_bits_per_byte: float | None = None
    num_parameters: int = 0
    size_bytes: int = 0
    modified: float = 0.0
    state: str = "damaged"

    @property
    def mixed_bits_per_byte(self) -> float | None:
        """``mixed_nats`` in bits per UTF-8 byte, if both are known."""
        bits, mixed, best = self.best_bits_per_byte, self.mixed_nats, self.best_nats
        return bits * mixed / best if bits and mixed is not None and best else None

    @property
    def accuracy(self) -> float | None:
        """The accuracy of what ``predict`` uses, or of the network where that is not known."""
        return self.best_accuracy if self.mixed_accuracy is None else self.mixed_accuracy


def list_runs() -> list[RunSummary]:
    """Return the runs under ./runs, newest first.

    Only the description of each run is read. If that fails, its ``state`` is "damaged".
    """
    found = []
    for directory in run_directories():
        with contextlib.suppress(OSError, ValueError):  # removed in the meantime
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
    """Return the summary of a run, from its folder and the description of its state."""
    history, settings = checkpoint.history, checkpoint.settings
    return RunSummary(
        name=directory.name,
        path=str(directory),
        texts=tuple(_shown(source.path) for source in checkpoint.sources),
        model=checkpoint.architecture,
        predict=settings.predict or "text",
        best_accuracy=history.best_accuracy,
        mixed_accuracy=history.mixed_accuracy,
        has_ngrams=bool(settings.predict) and (settings.ngrams or settings.counts),
        step=history.step,
        seconds=history.seconds,
        train_nats=history.rows[-1][1] if history.rows else None,
        best_nats=history.best_nats,
        mixed_nats=history.mixed_nats,
        per=checkpoint.vocabulary.noun,
        best_interval=history.best_interval,
        best_bits_per_byte=_bits_per_byte(checkpoint),
        num_parameters=checkpoint.num_parameters,
        size_bytes=_size(directory),
        modified=modified,
        state="running" if is_running(directory) else history.finished or "interrupted",
    )


def _bits_per_byte(checkpoint: Checkpoint) -> float | None:
    """Return the best loss in bits per byte, if text is predicted."""
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
    """Return a stored path, or only the name if it is an absolute path on some machine."""
    for kind in (PurePosixPath(path), PureWindowsPath(path)):
        if kind.is_absolute():
            return kind.name
    return path


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
