"""The ranks: processes that a launcher started on one or more machines, connected by MPI.

Only rank 0 runs the command. The others wait for its calls (see ``crew``). Every wait is a polling
loop: signals are handled at once, a rank that waits for long sleeps between two polls, and a rank
whose launcher is gone ends. mpi4py is imported only here, when the ranks start.
"""

import os
import socket
import stat
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
"""Bytes of a short message, 8 of which are its length."""
PATIENCE = 0.02
"""Seconds after which a waiting rank sleeps between two polls."""
NAP = 0.001
LOOK_UP = 0.5
"""Seconds between two checks of the launcher."""
TO_READ = 5.0
"""Seconds that the launcher has to read an error before all ranks are aborted."""
LONG = 3
"""Tag of messages that do not fit in a slot."""


class Ranks:
    """This process and those that were started with it.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        The communicator of all ranks.
    machine : int, optional
        The number of its machine, for tests; by default, found from which ranks share memory.

    Attributes
    ----------
    number, size : int
        The number of this rank, from 0, and the number of ranks.
    layout : Layout
        Which ranks are on which machine.
    local_ranks : tuple of int
        The ranks of this machine.
    is_head : bool
        Whether this is the first rank of its machine.
    local, heads : mpi4py.MPI.Comm
        The communicators of the ranks of this machine, and of the first ranks of all machines (only
        for those).
    is_called : bool
        Whether answers of the other ranks are pending; until then they accept no call.
    notices : list of str
        Notices about the ranks for the user.
    ended : bool
        Whether no more calls will be made.
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
        """Whether other ranks wait for calls: on rank 0, except inside a call."""
        return self.number == 0 and not self.is_called

    def wait(self, requests: Sequence[Any]) -> None:
        """Wait until messages have been sent or received."""
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
        """End this process if its launcher is gone, as nothing else would."""
        self._looked = now
        if os.getppid() != self._parent:
            os._exit(1)

    def broadcast(self, message: bytes = b"") -> bytes:
        """Return the message of rank 0 on all ranks."""
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
        """Return the messages of all ranks on rank 0, and nothing on the others."""
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
        """Send bytes to a rank, which must receive them."""
        parts = len(message).to_bytes(8, "little"), message
        self.wait([self.comm.Isend(np.frombuffer(part, np.uint8), rank, LONG) for part in parts])

    def receive(self, rank: int) -> bytes:
        """Receive bytes from a rank."""
        slot = np.empty(8, np.uint8)
        self.wait([self.comm.Irecv(slot, rank, LONG)])
        message = np.empty(_length(slot), np.uint8)
        self.wait([self.comm.Irecv(message, rank, LONG)])
        return message.tobytes()

    @contextmanager
    def or_abort(self) -> Iterator[None]:
        """Abort all ranks on an error, as others wait for a message that will not come."""
        try:
            yield
        except KeyboardInterrupt:
            self.abort("", 130)
        except BaseException as error:
            self.abort(f"in a step that several machines share: {error!r}")

    def abort(self, message: str, code: int = 1) -> NoReturn:
        """Print the error in one line, and abort all ranks."""
        if message:
            text = f"error: rank {self.number} on {socket.gethostname()}: {message}"
            with suppress(OSError, AttributeError):
                sys.stderr.write(" ".join(text.split()) + "\n")
                sys.stderr.flush()
        with suppress(OSError, AttributeError):
            sys.stdout.flush()
        with suppress(OSError, AttributeError):
            let_it_be_read(sys.stderr.fileno())  # this error, or one that was reported before
        self.ended = True
        self.comm.Abort(code)
        os._exit(code)


def start(announced: Announced) -> Ranks:
    """Join the other ranks.

    Raises
    ------
    DeviceError
        If mpi4py is missing, or its MPI does not see the launched processes.
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
            warnings.simplefilter("ignore")  # about the launcher, which is reported below
            from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise DeviceError(
            f"the launcher started {announced.size} processes, which need mpi4py and an MPI "
            f"library to work together ({error}): pip install mpi4py uses the MPI of this "
            f"cluster, pip install mpi4py mpich installs one{alone}"
        ) from error
    library = " ".join(MPI.Get_library_version().split("\n")[0].split(",")[0].split()).strip("\0")
    other = (
        f"the launcher started {announced.size} processes, but mpi4py uses {library}, which does "
        "not work with that launcher: use the mpiexec of that MPI, or srun --mpi=pmi2 or "
        "--mpi=pmix"
    )
    if announced.by_open_mpi and "Open MPI" not in library:
        raise DeviceError(other)  # MPI itself would print several lines
    MPI.Init_thread(MPI.THREAD_FUNNELED)
    if (seen := MPI.COMM_WORLD.Get_size()) != announced.size:
        raise DeviceError(f"{other} (it sees {seen} process{'es' if seen > 1 else ''}){alone}")
    return join(MPI.COMM_WORLD)


def join(comm: Any, machine: int | None = None) -> Ranks:
    """Create the ranks of this process from a communicator; see ``Ranks``."""
    with suppress(ImportError, OSError, ValueError):  # each shared vector needs a descriptor
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
    """Return the ranks that share memory with this one: those of the machine, or only this one."""
    from mpi4py import MPI

    local = comm.Split_type(MPI.COMM_TYPE_SHARED, comm.Get_rank())
    let_others_open()
    token = os.urandom(16)  # in a container, another process may have the same process id
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


def let_it_be_read(file: int) -> None:
    """Wait until the launcher has read all that was written to a pipe.

    It would discard what it has not yet read when a rank aborts.
    """
    time.sleep(PATIENCE)  # for what is no pipe, and for systems that cannot count what is in it
    with suppress(ImportError, OSError):
        from fcntl import ioctl
        from termios import FIONREAD

        end = time.monotonic() + TO_READ
        while stat.S_ISFIFO(os.fstat(file).st_mode) and time.monotonic() < end:
            if not int.from_bytes(ioctl(file, FIONREAD, bytes(4)), sys.byteorder):
                break
            time.sleep(NAP)


def _fill(slot: Any, message: bytes) -> None:
    slot[:8] = np.frombuffer(len(message).to_bytes(8, "little"), np.uint8)
    if len(message) <= SLOT - 8:
        slot[8 : 8 + len(message)] = np.frombuffer(message, np.uint8)


def _length(slot: Any) -> int:
    return int.from_bytes(slot[:8].tobytes(), "little")
