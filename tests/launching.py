"""Programs under mpiexec, of the MPI that is installed beside this Python or on the PATH."""

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PLACE = Path(__file__).parent.parent


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


def environment(**more):
    """Return the variables of a program under mpiexec."""
    return {
        **os.environ,
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


def launched(ranks, *words, folder, **options):
    """Run Python on so many ranks to its end."""
    return subprocess.run(
        words_of(ranks, *words),
        cwd=folder,
        env=environment(),
        stdin=options.pop("stdin", subprocess.DEVNULL),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
