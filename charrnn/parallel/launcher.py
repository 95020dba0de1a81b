"""Detecting a launcher of several processes: mpiexec, srun or flux.

Only the environment is read, so that a process without a launcher has no further cost.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

ANNOUNCED = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI, Cray MPICH, srun --mpi=pmi2
    ("FLUX_JOB_SIZE", "FLUX_TASK_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)
"""Variables with the number of processes and the number of this one. Slurm sets the variables of a
step only inside one, so a command in a batch script is one process. MPI launchers come first:
within an allocation, Slurm may itself have started them, once per machine."""


@dataclass(frozen=True)
class Announced:
    """What a launcher announced to this process.

    Attributes
    ----------
    size : int
        Number of processes that it started.
    number : int
        The number of this process, from 0.
    by_open_mpi : bool
        Whether it is Open MPI's launcher.
    by_slurm : bool
        Whether it is srun, whose variables are also set in a shell that it started.
    """

    size: int
    number: int
    by_open_mpi: bool = False
    by_slurm: bool = False


def announced(environment: Mapping[str, str] = os.environ) -> Announced | None:
    """Return what the launcher of this process announced; None if there is only one process."""
    for size, number in ANNOUNCED:
        count, own = environment.get(size, ""), environment.get(number, "")
        if count.isdecimal() and own.isdecimal():
            found = Announced(
                int(count), int(own), size.startswith("OMPI"), size.startswith("SLURM")
            )
            alone = found.size < 2 or not _is_connected(environment)
            return None if alone else found
    return None


def _is_connected(environment: Mapping[str, str]) -> bool:
    """Whether the connection to the launcher is open.

    If a launched program starts charrnn, charrnn inherits its variables but not its connection.
    """
    line = environment.get("PMI_FD", "")
    if not line.isdecimal():
        return True
    try:
        os.fstat(int(line))
    except OSError:
        return False
    return True
