"""The lock of a run: only one process at a time writes to its directory.

The operating system holds the lock on the open file ``lock`` and releases it when the process ends,
in whatever way. The file contains the owner's process id for error messages and is never removed.

No package is used. filelock 4.3, the usual one, makes the same two calls (flock, or its counterpart
on Windows) in 15,700 lines that take 0.1 s to import. It does not report the owner, has no shared
locks, accepts a pipe as a lock file, and fails on a file system without locks (ENOLCK, such as NFS
without its lock service), where a run continues without a lock here.
"""

import contextlib
import errno
import os
import time
from pathlib import Path

from charrnn.errors import RunError
from charrnn.system.files import open_regular

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

LOCK = "lock"
WRITTEN = {"best", "last", "log", "run", "sources", "stdin"}
"""The files of a run that are written atomically, by the first part of their names."""
LOCK_PATIENCE = 0.25
"""Seconds to wait for a lock: ``is_running`` holds it for a moment."""
LOCKED_BYTE = 2**30
"""The byte locked on Windows. Others cannot read it, so it is far after the owner's process id."""

_locks: set[int] = set()
"""Descriptors of the locks that this process holds."""


def _close_locks() -> None:
    """Close inherited locks, which a worker would otherwise hold until it ends."""
    for lock in _locks:
        os.close(lock)
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locks)


class RunLock:
    """Holds a run directory for one process, until ``release`` or the end of the process.

    Taking the lock also removes half-written files that a crash left behind.

    Raises
    ------
    RunError
        If another process holds the lock, or the file cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._file = _open_lock(directory / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise RunError(
                f"{directory / LOCK} cannot be written ({error.strerror}): a run needs a lock "
                "while it trains; check the permissions"
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
            for leftover in directory.glob(".*.tmp"):  # half-written files left by a crash
                if leftover.name.split(".")[1] in WRITTEN:
                    leftover.unlink()
        with contextlib.suppress(OSError):  # on a full disk it has no process id
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Release the directory."""
        if self._file in _locks:
            _locks.remove(self._file)
            os.close(self._file)


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


def _open_lock(path: Path, flags: int) -> int:
    """Open a lock file, which may be untrusted: no symbolic links, pipes or devices."""
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link")
    return open_regular(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _lock(file: int, *, shared: bool) -> bool:
    """Try to acquire a lock; return whether no other process holds it.

    Windows has no shared locks, so there a check briefly blocks others.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True
