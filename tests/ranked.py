"""The command line on ranks of one machine that take themselves for ranks of several.

    mpiexec -n 4 python -m tests.ranked 0,0,1,1 train corpus.txt

The first argument names the machine of each rank. Each has a kind of processor of its own.
"""

import sys

from charrnn.cli import alike
from charrnn.cli.app import main
from charrnn.parallel import ranks

Real = ranks.Ranks


class Placed(Real):
    """A rank on the machine that it was told."""

    def __init__(self, comm, machine=None):
        machine = MACHINES[comm.Get_rank()]
        alike.processor_name = lambda: f"Machine {machine}"
        super().__init__(comm, machine)


if __name__ == "__main__":
    MACHINES = [int(machine) for machine in sys.argv.pop(1).split(",")]
    ranks.Ranks = Placed
    main()
