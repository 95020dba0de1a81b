"""Programs under mpiexec, of the MPI that is installed beside this Python or on the PATH."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.tracing import untraced

PLACE = Path(__file__).parent.parent
PATIENCE = 300
"""Seconds after which a program hangs, on a slow machine too."""


def mpiexec():
    """Return where mpiexec is; None where it is missing, or mpi4py."""
    if find_spec("mpi4py") is None:
        return None
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


@cache
def is_open_mpi():
    """Return whether it is that of Open MPI."""
    said = subprocess.run([mpiexec(), "--version"], capture_output=True, text=True, check=False)
    return "Open" in said.stdout.split("\n")[0]


def environment(*, traced=False, **more):
    """Return the variables of a program under mpiexec, whose ranks coverage may trace."""
    return {
        **(os.environ if traced else untraced()),
        "PYTHONPATH": str(PLACE),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "COLUMNS": "100",
        **more,
    }


def words_of(ranks, *words):
    """Return the command that starts Python on so many ranks."""
    crowded = ["--oversubscribe"] if is_open_mpi() else []
    return [mpiexec(), *crowded, "-n", str(ranks), sys.executable, *map(str, words)]


def launched(ranks, *words, folder, traced=False, **options):
    """Run Python on so many ranks to its end."""
    return subprocess.run(
        words_of(ranks, *words),
        cwd=folder,
        env=environment(traced=traced),
        stdin=options.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


def processes_of(folder):
    """Return the processes that were started in a folder and still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and os.readlink(place / "cwd") == str(folder):  # noqa: PTH115
                found.append(int(place.name))
        except OSError:
            continue
    return found


def ranks_of(folder):
    """Return those of them that train, but for launchers."""
    found = []
    for number in processes_of(folder):
        with contextlib.suppress(OSError):
            program = os.readlink(f"/proc/{number}/exe")  # noqa: PTH115
            if program == os.path.realpath(sys.executable):
                found.append(number)
    return sorted(found)


def eventually(condition):
    """Whether a condition comes true, within a time that is enough on a slow machine."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def are_gone(folder):
    """Whether no process is left in a folder."""
    return eventually(lambda: not processes_of(folder))
