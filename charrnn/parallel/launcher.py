"""What a launcher of several processes says of itself: mpiexec, srun or flux.

Only the environment is read: a process that no launcher started pays for nothing more.
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
"""Variables with the number of processes and that of this one. An allocation of Slurm has the
variables of a step only inside one, so a command in a batch script is one process. Launchers of an
MPI stand first: within an allocation they may themselves be started by Slurm, once a machine."""


@dataclass(frozen=True)
class Announced:
    """What a launcher announced.

    Attributes
    ----------
    size : int
        The processes that it started.
    number : int
        That of this one, from 0.
    by_open_mpi : bool
        Whether it is Open MPI's launcher.
    by_slurm : bool
        Whether it is srun, of which a shell has the variables too.
    """

    size: int
    number: int
    by_open_mpi: bool = False
    by_slurm: bool = False


def announced(environment: Mapping[str, str] = os.environ) -> Announced | None:
    """Return what the launcher of this process announced; None where it is alone."""
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
    """Whether the line to the launcher is open.

    A program that a launcher started may start charrnn: that has its variables, and not its line.
    """
    line = environment.get("PMI_FD", "")
    if not line.isdecimal():
        return True
    try:
        os.fstat(int(line))
    except OSError:
        return False
    return True
