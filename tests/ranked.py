"""The command line on ranks of one machine that take themselves for ranks of several.

    mpiexec -n 4 python -m tests.ranked 0,0,1,1 train corpus.txt

The first argument names the machine of each rank. Each has a kind of processor of its own. With
``FAILS=2:MemoryError``, rank 2 raises that when it is to move the weights. A plan measures the
speed for a moment only.
"""

import builtins
import os
import sys

from charrnn.cli import alike
from charrnn.cli.app import main
from charrnn.cli.commands import train
from charrnn.optimizers.muon import Muon
from charrnn.parallel import ranks

Real = ranks.Ranks


class Placed(Real):
    """A rank on the machine that it was told."""

    def __init__(self, comm, machine=None):
        machine = MACHINES[comm.Get_rank()]
        alike.processor_name = lambda: f"Machine {machine}"
        super().__init__(comm, machine)
        rank, _, error = os.environ.get("FAILS", "").partition(":")
        if rank == str(self.number):
            Muon.update = lambda *_, **_more: throw(error)


def throw(error):
    """Raise an error of Python's own."""
    raise getattr(builtins, error)


if __name__ == "__main__":
    MACHINES = [int(machine) for machine in sys.argv.pop(1).split(",")]
    ranks.Ranks = Placed
    train.SPEED_SECONDS = 0.05
    main()
