"""Files of runs: written in one piece, and read only where they are what they seem."""

import contextlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from charrnn.errors import CheckpointError


def write_whole(
    path: Path, write: Callable[[IO[bytes]], Any], check: Callable[[Path], Any] | None = None
) -> None:
    """Let ``write(file)`` make the new content of ``path``; all of it arrives there, or nothing.

    ``check(temporary)`` may look at the whole file, and raise, before it takes its place.
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
            temporary.replace(path)
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
        reason, gone = error.strerror or str(error), isinstance(error, FileNotFoundError)
        what = "its folder is gone: put it back" if gone else "what was saved is intact: make room"
        advice = f"{what} and go on with --resume, or choose another folder with --out"
        raise CheckpointError(f"{path} could not be written ({reason}); {advice}") from error


class RegularFile(io.FileIO):
    """A file from anyone, open for reading: never a pipe or device, which may not end or begin.

    Attributes
    ----------
    size : int
        Its bytes.
    limit : int, optional
        The most bytes that may be asked for at once.
    """

    def __init__(self, path: Path, limit: int | None = None) -> None:
        self.limit = limit
        _refuse_special(path.stat().st_mode)
        # Should a pipe have taken the file's place meanwhile, opening it must not wait.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        super().__init__(os.open(path, flags | getattr(os, "O_CLOEXEC", 0)))
        status = os.fstat(self.fileno())
        self.size = status.st_size
        try:
            _refuse_special(status.st_mode)
        except CheckpointError:
            self.close()
            raise

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes."""
        if size is not None and self.limit is not None and size > self.limit:
            raise CheckpointError("it announces more than it holds")
        return super().read(-1 if size is None else size) or b""


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise CheckpointError(f"it is {kind}, not a file")
