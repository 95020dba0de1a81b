"""Writing files atomically, and opening untrusted files only if they are regular."""

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
"""Seconds to wait while others, such as a virus scanner, have the file open that is replaced."""


class WriteError(CheckpointError):
    """A file could not be written, for instance because the disk is full or the file is in use.

    Attributes
    ----------
    path : Path
        The file.
    cause : OSError
        The error of the operating system.
    reason : str
        Its message.
    gone : bool
        Whether the folder is missing, so that a retry would not help.
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
    """Write the new content of ``path`` atomically, with ``write(file)``.

    ``check(temporary)`` may inspect the complete file, and raise, before it replaces the old one.
    ``advice`` is what the error says to do, for a file that is not part of a run.

    Raises
    ------
    WriteError
        If the file cannot be written; an existing file stays intact.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.unlink(missing_ok=True)  # left by a process with the same id
            with temporary.open("xb") as file:  # a new file, never through a symbolic link
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
        what = (
            "its folder is missing: put it back"
            if gone
            else "the last save is intact: free some space"
        )
        advice = advice or f"{what} and resume with --resume, or choose another folder with --out"
        raise WriteError(path, error, advice) from error


def _replace(temporary: Path, path: Path) -> None:
    """Replace a file by another; Windows refuses that while the old one is open."""
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
    """A path is not that of a regular file.

    Attributes
    ----------
    kind : str
        What it is, as messages show it: "a folder", "a pipe".
    """

    def __init__(self, kind: str) -> None:
        super().__init__(errno.EINVAL, f"it is {kind}, not a file")
        self.kind = kind


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open an untrusted file: never a pipe or device, which may block or never end.

    Parameters
    ----------
    path : str or Path
        The file; symbolic links are followed.
    flags : int
        As in ``os.open``.

    Returns
    -------
    int
        The descriptor, which the caller must close.

    Raises
    ------
    SpecialFileError
        If it is not a regular file.
    OSError
        If it cannot be opened.
    """
    if not flags & os.O_CREAT:
        _refuse_special(Path(path).stat().st_mode)
    # If a pipe has replaced the file in the meantime, opening it must not block.
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
    """A file of a run, which may be untrusted, open for reading.

    Attributes
    ----------
    size : int
        Size in bytes.
    limit : int, optional
        Most bytes that may be read at once.

    Raises
    ------
    CheckpointError
        If it is not a regular file.
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
            raise CheckpointError("it claims more content than it has")
        return super().read(-1 if size is None else size) or b""
