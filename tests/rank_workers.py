"""A team of workers on ranks, for tests: what they see, and what goes wrong.

mpiexec -n 3 python -m tests.rank_workers 0,0,1 PROGRAM
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np

from charrnn.backend.arrays import shared_zeros
from charrnn.cli.leading import lead_or_follow
from charrnn.errors import CorpusError
from charrnn.parallel.present import current
from charrnn.parallel.ranks import join
from charrnn.parallel.team import Team


class Worker:
    """Holds arrays of every kind."""

    def __init__(self, number, **arrays):
        self.number, self.arrays = number, arrays

    def sums(self):
        """Return the rank that works, and a sum of each array."""
        sums = {
            name: hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
            for name, array in self.arrays.items()
        }
        return current().number, sums

    def write(self):
        """Write the number to its place in shared memory."""
        self.arrays["shared"][self.number] = self.number + 1

    def write_text(self):
        """Write to what each has for itself."""
        self.arrays["text"][self.number] = 0

    def text(self):
        """Return where all wrote."""
        return self.arrays["text"][:4].tolist()

    def long(self, text):
        """Return more than fits a short message."""
        return f"{self.number}" + text * 1000

    def fail(self, kind):
        """Go wrong on the last rank."""
        if self.number < 2:
            return
        if kind == "known":
            raise CorpusError("the text is gone: put it back")
        if kind == "memory":
            raise MemoryError
        if kind == "bug":
            raise KeyError("a bug")
        if kind == "exit":
            sys.exit(3)
        os.kill(os.getpid(), 9)


def sums():
    """Every rank sees the same arrays."""
    file = Path("mapped").absolute()
    file.write_bytes(np.arange(100_000, dtype=np.uint32).tobytes())
    gone = Path("gone").absolute()
    gone.write_bytes(np.arange(50_000, dtype=np.uint32).tobytes())
    mapped, lost = (np.memmap(path, np.uint32, "r") for path in (file, gone))
    gone.unlink()
    shared = shared_zeros(1000, np.dtype(np.float32))
    shared[10:20] = 7
    arrays = {
        "text": np.arange(100_000, dtype=np.uint16)[3:],
        "mapped": mapped[1000:99_000],
        "gone": lost[1000:],
        "shared": shared,
        "untouched": shared_zeros(1000, np.dtype(np.float32)),
        "small": np.arange(5)[::-1],
        "rows": np.asfortranarray(np.arange(90_000.0).reshape(300, 300)),
    }
    workers = [Worker(number, **arrays) for number in range(4)]
    with Team(workers) as team:
        found = team.call("sums")
        long = team.call("long", "x" * 500)
        team.call("write_text")
        text = team.call("text")
        team.call("write")
    return {
        "ranks": [rank for rank, _ in found],
        "same": all(sums == found[0][1] for _, sums in found),
        "long": [len(text) for text in long],
        "text": text,
        "shared": shared[:4].tolist(),
    }


def main():
    """Lead or follow."""
    from mpi4py import MPI

    machines = [int(machine) for machine in sys.argv[1].split(",")]
    ranks = join(MPI.COMM_WORLD, machines[MPI.COMM_WORLD.Get_rank()])

    def program():
        name, *rest = sys.argv[2:]
        if name == "sums":
            print(json.dumps(sums()))
            sys.exit(0)
        with Team([Worker(number) for number in range(3)]) as team:
            try:
                team.call("fail", rest[0])
            except (CorpusError, MemoryError, RuntimeError) as error:
                print(type(error).__name__, error)
                sys.exit(7)

    lead_or_follow(ranks, program)


if __name__ == "__main__":
    main()
