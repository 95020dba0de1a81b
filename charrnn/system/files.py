"""Files written in one piece, and files from anyone, opened only where they are regular."""

import contextlib
import errno
import io
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from charrnn.errors import CheckpointError

REPLACE_PATIENCE = 1.0
"""Seconds for which others, such as a virus scanner, may have the file open that is replaced."""


class WriteError(CheckpointError):
    """A file could not be written now: a disk is full, or someone has the file open.

    Attributes
    ----------
    path : Path
        The file.
    cause : OSError
    reason : str
        In the words of the system.
    gone : bool
        Whether its folder is missing: nothing that waits would help.
    """

    def __init__(self, path: Path, error: OSError, advice: str) -> None:
        self.path, self.cause = path, error
        self.reason = error.strerror or str(error)
        self.gone = isinstance(error, FileNotFoundError)
        super().__init__(f"{path} could not be written ({self.reason}); {advice}")


def write_whole(
    path: Path,
    write: Callable[[IO[bytes]], Any],
    check: Callable[[Path], Any] | None = None,
    *,
    advice: str = "",
) -> None:
    """Let ``write(file)`` make the new content of ``path``; all of it arrives there, or nothing.

    ``check(temporary)`` may look at the whole file, and raise, before it takes its place.
    ``advice`` says what to do if that fails, where the file is not one of a run.

    Raises
    ------
    WriteError
        If the system does not let it; the file that was there is intact.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.unlink(missing_ok=True)  # left by a process that had the same number
            with temporary.open("xb") as file:  # a new file, never through a link
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if check is not None:
                check(temporary)
            _replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not every file system can sync a folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        what = "its folder is gone: put it back" if gone else "what was saved is intact: make room"
        advice = advice or f"{what} and go on with --resume, or choose another folder with --out"
        raise WriteError(path, error, advice) from error


def _replace(temporary: Path, path: Path) -> None:
    """Put a file in the place of another, which Windows refuses while anyone has that open."""
    deadline = time.monotonic() + REPLACE_PATIENCE
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(REPLACE_PATIENCE / 50)


class SpecialFileError(OSError):
    """A path leads to something that is no regular file.

    Attributes
    ----------
    kind : str
        What it is, as sentences show it: "a folder", "a pipe".
    """

    def __init__(self, kind: str) -> None:
        super().__init__(errno.EINVAL, f"it is {kind}, not a file")
        self.kind = kind


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open a file from anyone: never a pipe or device, which may not end or begin.

    Parameters
    ----------
    path : str or Path
        Links are followed.
    flags : int
        As for ``os.open``.

    Returns
    -------
    int
        The descriptor, which the caller closes.

    Raises
    ------
    SpecialFileError
        If it is no regular file.
    OSError
        If it cannot be opened.
    """
    if not flags & os.O_CREAT:
        _refuse_special(Path(path).stat().st_mode)
    # Should a pipe have taken the file's place meanwhile, opening it must not wait.
    for name in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        _refuse_special(os.fstat(descriptor).st_mode)
    except SpecialFileError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_special(mode: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    if not stat.S_ISREG(mode):
        raise SpecialFileError(kinds.get(stat.S_IFMT(mode), "something else"))


class RegularFile(io.FileIO):
    """A file of a run, which may come from anyone, open for reading.

    Attributes
    ----------
    size : int
        Its bytes.
    limit : int, optional
        The most bytes that may be asked for at once.

    Raises
    ------
    CheckpointError
        If it is no regular file.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.limit = limit
        try:
            super().__init__(open_regular(path))
        except SpecialFileError as error:
            raise CheckpointError(str(error.strerror)) from None
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes."""
        if size is not None and self.limit is not None and size > self.limit:
            raise CheckpointError("it announces more than it holds")
        return super().read(-1 if size is None else size) or b""
