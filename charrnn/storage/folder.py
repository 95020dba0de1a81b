"""Run directories: where best.npz, last.npz and log.jsonl of a run live, and who writes there."""

import contextlib
import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from charrnn.config import Architecture
from charrnn.errors import CheckpointError, RunError
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.system.files import RegularFile, write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RUNS = Path("runs")
BEST, LAST, LOG, LOCK = "best.npz", "last.npz", "log.jsonl", "lock"
LOCK_PATIENCE = 0.25
"""Seconds until a lock that is held counts as held: ``is_running`` takes it for a moment."""


@dataclass(frozen=True)
class RunSummary:
    """A run in a line; ``state`` is "running", "interrupted" or why it finished.

    ``model`` is None where the run cannot be read.
    """

    name: str
    path: str
    model: Architecture | None
    step: int
    best_nats: float | None
    num_parameters: int
    size_bytes: int
    modified: float
    state: str


def cache_directory() -> Path:
    """Return where large corpora are kept encoded."""
    return RUNS / ".cache"


def run_name(first_source: str) -> str:
    """Return the name of a run on a corpus: the file's name without its endings."""
    stem = Path(first_source).name.split(".")[0] if first_source != "-" else "stdin"
    return re.sub(r"[^\w-]+", "-", stem).strip("-") or "run"


def new_run_directory(name: str, out: Path | None = None) -> Path:
    """Make a directory that no run has used: ``out``, or ``runs/<name>``, ``runs/<name>-2``, ...

    Raises
    ------
    RunError
        If ``out`` already holds a run, or the directory cannot be made.
    """
    try:
        if out is not None:
            check_unused(out)
            out.mkdir(parents=True, exist_ok=True)
            return out
        RUNS.mkdir(exist_ok=True)
        number = 1
        while True:
            path = RUNS / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()  # only one process can succeed
            except FileExistsError:
                number += 1
            else:
                return path
    except OSError as error:
        raise RunError(_cannot_be_made(out or RUNS, error)) from error


def check_unused(out: Path) -> None:
    """Raise RunError if ``out`` holds a run, or cannot be a directory."""
    try:
        if any((out / file).exists() for file in (BEST, LAST)) or _size(out / LOG):
            raise RunError(
                f"{out} already holds a run: go on with --resume {out}, or name another --out"
            )
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: name another folder with --out")
    except OSError as error:
        raise RunError(_cannot_be_made(out, error)) from error


def _cannot_be_made(path: Path, error: OSError) -> str:
    return f"{path} cannot be made ({error.strerror}): name another folder with --out"


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 if it is missing. A run that was killed at once left none."""
    return path.stat().st_size if path.exists() else 0


_locks: set[int] = set()
"""Descriptors of the locks that this process holds."""


def _close_locks() -> None:
    """Let go of inherited locks: else a worker would hold one until it ends."""
    for lock in _locks:
        os.close(lock)
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locks)


class RunLock:
    """Holds a run directory for one process; the system lets go of it when the process ends.

    Whoever holds it may remove what a crash has left half written, and does.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._file = _open_lock(directory / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise RunError(
                f"{directory / LOCK} cannot be written ({error.strerror}): "
                "a run is locked while it goes on"
            ) from error
        deadline = time.monotonic() + LOCK_PATIENCE
        while not _lock(self._file, shared=False):
            if time.monotonic() > deadline:
                owner = os.read(self._file, 20)
                os.close(self._file)
                raise RunError(
                    f"{directory} is in use by process "
                    f"{owner.decode() if owner.isdigit() else 'unknown'}: "
                    "wait for it, or stop it first"
                )
            time.sleep(LOCK_PATIENCE / 10)
        _locks.add(self._file)
        with contextlib.suppress(OSError):
            for name in (BEST, LAST, LOG):  # what a crash has left half written
                for leftover in directory.glob(f".{name}.*.tmp"):
                    leftover.unlink()
        with contextlib.suppress(OSError):  # on a full disk it stays without a number
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others have the directory."""
        if self._file in _locks:
            _locks.remove(self._file)
            os.close(self._file)


def _open_lock(path: Path, flags: int) -> int:
    """Open a lock file, which may come from anyone: not through a link, and no pipe or device."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    file = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def _lock(file: int, *, shared: bool) -> bool:
    """Try to take a lock; return whether no other process holds it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def is_running(directory: Path) -> bool:
    """Return whether a process holds the run."""
    try:
        file = _open_lock(directory / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(file, shared=True)
    finally:
        os.close(file)


def find_model(model: str | Path | None) -> Path:
    """Return the checkpoint that a name stands for.

    Parameters
    ----------
    model : str, optional
        An .npz file, a run's directory or its name under ./runs; the newest run if left out.

    Raises
    ------
    RunError
        If there is no such thing.
    """
    if model is None:
        for directory in _directories():
            if (directory / BEST).exists():
                return directory / BEST
        raise RunError(
            "there is no trained model under ./runs: train one with charrnn train FILE, "
            "or name one with --model"
        )
    path = Path(model)
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        for candidate in (path, RUNS / path):
            if candidate.is_dir():
                if (candidate / BEST).exists():
                    return candidate / BEST
                last = candidate / LAST
                advice = f"give {last}" if last.exists() else "charrnn runs lists what is here"
                raise RunError(f"{candidate} holds no {BEST}: {advice}")
            if candidate.is_file():
                return candidate
    raise RunError(f"{model} is neither a checkpoint nor a run; charrnn runs lists what is here")


def open_model(model: str | Path | None = None) -> tuple[Path, Checkpoint]:
    """Return the file that a name stands for, and the checkpoint in it.

    Parameters
    ----------
    model : str, optional
        As for ``find_model``.

    Raises
    ------
    RunError
        If there is no such thing.
    CheckpointError
        If the file is damaged or no checkpoint.
    """
    path = find_model(model)
    return path, load(path)


def load_model(model: str | Path | None = None) -> Checkpoint:
    """Return the checkpoint that a name stands for; ``charrnn.load`` is this function.

    Parameters
    ----------
    model : str, optional
        An .npz file, a run's directory or its name under ./runs; the newest run if left out.

    Raises
    ------
    RunError
        If there is no such thing.
    CheckpointError
        If the file is damaged or no checkpoint.
    """
    return open_model(model)[1]


def _directories() -> list[Path]:
    """Return the directories under ./runs that hold a run, the newest model first."""

    def modified(directory: Path) -> float:
        return max(
            (directory / file).stat().st_mtime
            for file in (BEST, LAST)
            if (directory / file).exists()
        )

    found = []
    with contextlib.suppress(OSError):
        for directory in RUNS.iterdir():
            with contextlib.suppress(OSError, ValueError):
                found.append((modified(directory), directory.name, directory))
    return [directory for *_, directory in sorted(found, reverse=True)]


def list_runs() -> list[RunSummary]:
    """Return the runs under ./runs, newest first; unreadable ones say so in ``state``."""
    found = []
    for directory in _directories():
        with contextlib.suppress(OSError, ValueError):  # it was removed meanwhile
            found.append(_summary(directory))
    return found


def _summary(directory: Path) -> RunSummary:
    files = [directory / file for file in (LAST, BEST) if (directory / file).exists()]
    size = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
    modified = max(file.stat().st_mtime for file in files)
    try:
        checkpoint = load(files[0])
    except CheckpointError:
        return RunSummary(
            directory.name, str(directory), None, 0, None, 0, size, modified, "damaged"
        )
    history = checkpoint.history
    state = "running" if is_running(directory) else history.finished or "interrupted"
    return RunSummary(
        name=directory.name,
        path=str(directory),
        model=checkpoint.architecture,
        step=history.step,
        best_nats=history.best_nats,
        num_parameters=checkpoint.num_parameters,
        size_bytes=size,
        modified=modified,
        state=state,
    )


def read_log(directory: Path) -> list[dict[str, Any]]:
    """Return the events of a run's log; a last line that was cut off by a crash is left out."""
    events = []
    text = b""
    with contextlib.suppress(OSError, CheckpointError), RegularFile(directory / LOG) as file:
        text = file.read()
    for line in text.decode(errors="replace").split("\n"):
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and type(event.get("step", 0)) is int:
                events.append(event)
    return events


def _log_line(event: dict[str, Any]) -> str:
    """Return an event as JSON, which has no form for numbers that are not finite: null."""
    finite = {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in event.items()
    }
    return json.dumps(finite, allow_nan=False) + "\n"


def write_log(directory: Path, events: Iterable[dict[str, Any]]) -> None:
    """Replace the log."""
    text = "".join(map(_log_line, events))
    write_whole(directory / LOG, lambda file: file.write(text.encode()))


def append_log(directory: Path, event: dict[str, Any]) -> None:
    """Add one event to the log."""
    try:
        with (directory / LOG).open("a", encoding="utf-8") as file:
            file.write(_log_line(event))
    except OSError as error:
        advice = (
            "its folder is gone: put it back and go on with --resume, or train again"
            if isinstance(error, FileNotFoundError)
            else f"the last save is intact: make room, then go on with --resume {directory}"
        )
        raise RunError(
            f"{directory / LOG} could not be written ({error.strerror}); {advice}"
        ) from error


def load_last(directory: Path) -> Checkpoint:
    """Return what a resume needs.

    Raises
    ------
    RunError
        If the directory holds no run that can go on.
    """
    if not (directory / LAST).exists():
        raise RunError(
            f"{directory} holds no {LAST}: nothing to resume; charrnn runs lists what is here"
        )
    try:
        checkpoint = load(directory / LAST)
    except CheckpointError as error:
        raise RunError(
            f"{error}; to go on from its best state, train a new run with --init-from {directory}"
        ) from error
    if not checkpoint.training:
        raise RunError(f"{directory / LAST} lacks what a resume needs: use --init-from instead")
    return checkpoint
