"""The ranks: processes that a launcher started, on one machine or several, which talk over MPI.

Rank 0 leads: it alone runs the command. The others wait for what it wants of them (see ``crew``).
Every wait looks up from time to time: a signal is handled at once, a rank that waits long sleeps
between two looks, and one whose launcher is gone ends. mpi4py is imported here, when ranks start,
and nowhere else.
"""

import os
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.backend.memory import let_others_open, new_memory, open_memory
from charrnn.errors import DeviceError
from charrnn.parallel.launcher import Announced
from charrnn.parallel.layout import Layout
from charrnn.parallel.present import set_current
from charrnn.system.machine import share_work

SLOT = 512
"""Bytes of a short message: 8 of them say how long it is."""
PATIENCE = 0.02
"""Seconds after which a rank that waits sleeps between two looks."""
NAP = 0.001
LOOK_UP = 0.5
"""Seconds between two looks for the launcher."""
LONG = 3
"""Tag of messages that fit no slot."""


class Ranks:
    """This process among those that were started together.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        All ranks.
    machine : int, optional
        Take this for the number of its machine, in place of finding who shares memory: for tests.

    Attributes
    ----------
    number, size : int
        The number of this one, from 0, and how many there are.
    layout : Layout
        Which are on which machine.
    local_ranks : tuple of int
        Those of this machine.
    is_head : bool
        Whether this is the first of them.
    local, heads : mpi4py.MPI.Comm
        The ranks of this machine, and the first ranks of all machines; the latter of these alone.
    is_called : bool
        Whether the others are to answer: until then, they hear nothing else.
    notices : list of str
        What the user should be told of the ranks.
    ended : bool
        Whether no rank is to be called any more.
    """

    def __init__(self, comm: Any, machine: int | None = None) -> None:
        self.comm, self.number, self.size = comm, comm.Get_rank(), comm.Get_size()
        self._parent, self._looked = os.getppid(), time.monotonic()
        self.is_called, self.ended = False, False
        self.notices: list[str] = []
        if machine is None:
            self.local = _sharing_memory(comm)
        else:
            self.local = comm.Split(machine, self.number)
        head = self.local.bcast(self.number)
        self.layout = Layout.of(comm.allgather(head))
        self.local_ranks = self.layout.machines[self.layout.seat(self.number)[0]]
        self.heads = comm.Split(0 if head == self.number else 1, self.number)
        self.is_head = head == self.number
        self._crowded = len(self.local_ranks) > (os.cpu_count() or 1)

    @property
    def can_work(self) -> bool:
        """Whether others wait to be called: on rank 0, but for workers that it calls itself."""
        return self.number == 0 and not self.is_called

    def wait(self, requests: Sequence[Any]) -> None:
        """Wait for messages that were begun."""
        start = time.monotonic()
        for request in requests:
            while not request.Test():
                now = time.monotonic()
                if now - self._looked > LOOK_UP:
                    self._look_up(now)
                if now - start > PATIENCE:
                    time.sleep(NAP)
                elif self._crowded:
                    time.sleep(0)

    def _look_up(self, now: float) -> None:
        """End this process if its launcher is gone: nobody else would."""
        self._looked = now
        if os.getppid() != self._parent:
            os._exit(1)

    def broadcast(self, message: bytes = b"") -> bytes:
        """Return on all ranks what rank 0 gives."""
        slot = np.zeros(SLOT, np.uint8)
        if self.number == 0:
            _fill(slot, message)
        self.wait([self.comm.Ibcast(slot)])
        length = _length(slot)
        if length <= SLOT - 8:
            return slot[8 : 8 + length].tobytes()
        rest = np.frombuffer(bytearray(message or length), np.uint8)
        self.wait([self.comm.Ibcast(rest)])
        return rest.tobytes()

    def gather(self, message: bytes) -> list[bytes]:
        """Return on rank 0 what each rank gives; nothing on the others."""
        slot = np.zeros(SLOT, np.uint8)
        _fill(slot, message)
        slots = np.zeros((self.size, SLOT), np.uint8) if self.number == 0 else None
        self.wait([self.comm.Igather(slot, slots)])
        if slots is None:
            if len(message) > SLOT - 8:
                self.send(message, 0)
            return []
        found = []
        for rank, own in enumerate(slots):
            length = _length(own)
            if length <= SLOT - 8:
                found.append(own[8 : 8 + length].tobytes())
            elif rank == 0:
                found.append(message)
            else:
                found.append(self.receive(rank))
        return found

    def send(self, message: bytes, rank: int) -> None:
        """Send bytes to a rank, which waits for them."""
        parts = len(message).to_bytes(8, "little"), message
        self.wait([self.comm.Isend(np.frombuffer(part, np.uint8), rank, LONG) for part in parts])

    def receive(self, rank: int) -> bytes:
        """Return the bytes that a rank sends."""
        slot = np.empty(8, np.uint8)
        self.wait([self.comm.Irecv(slot, rank, LONG)])
        message = np.empty(_length(slot), np.uint8)
        self.wait([self.comm.Irecv(message, rank, LONG)])
        return message.tobytes()

    @contextmanager
    def or_abort(self) -> Iterator[None]:
        """End all ranks if anything goes wrong: others wait for a message that will not come."""
        try:
            yield
        except KeyboardInterrupt:
            self.abort("", 130)
        except BaseException as error:
            self.abort(f"in a step that several machines share: {error!r}")

    def abort(self, message: str, code: int = 1) -> NoReturn:
        """Say in one line what went wrong here, and end all ranks at once."""
        if message:
            text = f"error: rank {self.number} on {socket.gethostname()}: {message}"
            with suppress(OSError, AttributeError):
                sys.stderr.write(" ".join(text.split()) + "\n")
                sys.stderr.flush()
        with suppress(OSError, AttributeError):
            sys.stdout.flush()
        self.ended = True
        self.comm.Abort(code)
        os._exit(code)


def start(announced: Announced) -> Ranks:
    """Join the other ranks.

    Raises
    ------
    DeviceError
        If mpi4py is missing, or its MPI does not see the processes that the launcher started.
    """
    alone = (
        "; for one process, as in a shell that srun began: srun -n 1, or env -u "
        "SLURM_STEP_NUM_TASKS charrnn ..."
        if announced.by_slurm
        else ""
    )
    try:
        import mpi4py

        mpi4py.rc(initialize=False, finalize=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of such a launcher as is told of below
            from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise DeviceError(
            f"the launcher started {announced.size} processes, which need mpi4py and an MPI to "
            f"work together ({error}): pip install 'charrnn[mpi]' takes the MPI of this cluster, "
            f"'charrnn[mpich]' brings one{alone}"
        ) from error
    library = " ".join(MPI.Get_library_version().split("\n")[0].split(",")[0].split()).strip("\0")
    other = (
        f"the launcher started {announced.size} processes and mpi4py has {library}, which does not "
        "speak with it: use the mpiexec of that MPI, or srun --mpi=pmi2 or --mpi=pmix"
    )
    if announced.by_open_mpi and "Open MPI" not in library:
        raise DeviceError(other)  # it would end the process in several lines
    MPI.Init_thread(MPI.THREAD_FUNNELED)
    if (seen := MPI.COMM_WORLD.Get_size()) != announced.size:
        raise DeviceError(f"{other} (it sees {seen} process{'es' if seen > 1 else ''}){alone}")
    return join(MPI.COMM_WORLD)


def join(comm: Any, machine: int | None = None) -> Ranks:
    """Make the ranks of a communicator those of this process; see ``Ranks``."""
    with suppress(ImportError, OSError, ValueError):  # every shared vector has a descriptor
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    threadpool_limits(1, user_api="blas")
    let_others_open()
    ranks = Ranks(comm, machine)
    share_work(ranks.size)
    set_current(ranks)
    return ranks


def _sharing_memory(comm: Any) -> Any:
    """Return the ranks that share memory with this one: those of the machine, or itself alone."""
    from mpi4py import MPI

    local = comm.Split_type(MPI.COMM_TYPE_SHARED, comm.Get_rank())
    let_others_open()
    token = os.urandom(16)  # in a container, another process may have the number of this one
    mine = new_memory(len(token))
    mine[:] = token
    process, file, token = local.bcast((os.getpid(), mine.file, token))
    seen = file >= 0
    if local.Get_rank():
        try:
            seen = seen and open_memory(process, file, len(token))[:] == token
        except (OSError, ValueError):
            seen = False
    if local.allreduce(seen, MPI.LAND):
        return local
    return comm.Split(comm.Get_rank(), 0)


def _fill(slot: Any, message: bytes) -> None:
    slot[:8] = np.frombuffer(len(message).to_bytes(8, "little"), np.uint8)
    if len(message) <= SLOT - 8:
        slot[8 : 8 + len(message)] = np.frombuffer(message, np.uint8)


def _length(slot: Any) -> int:
    return int.from_bytes(slot[:8].tobytes(), "little")
