"""Another platform, simulated on Linux: what it lacks is hidden before charrnn is imported.

``SIMULATED=windows python -m pytest -p tests.simulated`` runs tests there, and so does a program
that imports this module first. It shows that charrnn gets by without a fork, without locks of
POSIX, without the calls that tell of cores and memory, and without open files that are replaced or
removed. It does not show that charrnn works there.
"""

import contextlib
import errno
import importlib
import os
import signal
import sys
import types
from pathlib import Path

HIDDEN = {
    "windows": {
        "modules": ("fcntl", "resource", "pty", "tty", "termios", "grp", "pwd"),
        "os": (
            *("fork", "forkpty", "register_at_fork", "sysconf", "mkfifo"),
            *("sched_getaffinity", "sched_setaffinity"),
            *("geteuid", "killpg", "O_NOFOLLOW", "O_CLOEXEC"),
        ),
        "signal": ("SIGHUP", "SIGALRM", "pthread_sigmask", "setitimer"),
    },
    "macos": {"modules": (), "os": ("sched_getaffinity", "sched_setaffinity"), "signal": ()},
}
PLATFORM = {"windows": "win32", "macos": "darwin"}


def simulate(name):
    """Take away what a platform does not have, and put in what it has instead."""
    import fcntl

    import threadpoolctl

    importlib.import_module("subprocess")  # it takes a module msvcrt for Windows
    if name == "windows":
        sys.modules["msvcrt"] = _msvcrt(fcntl)
        _keep_open_files()
    else:  # NumPy brings Accelerate, which threadpoolctl does not know
        threadpoolctl.ThreadpoolController._load_libraries = lambda self: None
    for module in HIDDEN[name]["modules"]:
        sys.modules[module] = None
    for place in (os, signal):
        for attribute in HIDDEN[name][place.__name__]:
            delattr(place, attribute)
    sys.addaudithook(_without_memory)
    importlib.import_module("numpy")
    here, sys.platform = sys.platform, PLATFORM[name]
    importlib.import_module("charrnn.backend.arrays")  # asks whether to fork
    sys.platform = here


def _msvcrt(fcntl):
    """Return its locks: of one byte, exclusive, held by a handle until that is closed."""

    def locking(file, mode, count):
        assert (mode, count) == (fake.LK_NBLCK, 1)
        # Nobody else can read what is locked, and others read who the owner is.
        assert os.lseek(file, 0, os.SEEK_CUR) > max(100, os.fstat(file).st_size)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    fake = types.ModuleType("msvcrt")
    fake.LK_NBLCK, fake.locking = 2, locking
    return fake


def _keep_open_files():
    """Let no file be replaced or removed that this process has open or mapped."""
    replace, unlink = os.replace, os.unlink

    def refuse(path):
        if os.path.realpath(path) in _open_files():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def replace_(source, target, **more):
        refuse(source)
        refuse(target)
        replace(source, target, **more)

    def unlink_(path, *, dir_fd=None):
        if dir_fd is None:
            refuse(path)
        unlink(path, dir_fd=dir_fd)

    os.replace, os.unlink, os.remove = replace_, unlink_, unlink_


def _open_files():
    """Return the paths of what this process has open or mapped."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    found = {line.split(maxsplit=5)[-1] for line in maps}
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was of this listing
            found.add(str(descriptor.readlink()))
    return found


def _without_memory(event, arguments):
    """Hide what Linux alone tells of the memory of a process."""
    if event == "open" and str(arguments[0]).endswith("/smaps_rollup"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", arguments[0])


if "SIMULATED" in os.environ:
    simulate(os.environ["SIMULATED"])
