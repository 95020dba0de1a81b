"""Teams whose workers are on several ranks: rank 0 makes the calls, the others wait for them.

A team is packed when it is created, and every rank unpacks its workers. On rank 0's machine, their
large arrays are in rank 0's memory. On every other machine, the first rank allocates such memory
and receives its content, or finds the same file there, and the other ranks of the machine open it.
"""

import hashlib
import os
import pickle
import traceback
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from socket import gethostname
from typing import Any

import numpy as np

from charrnn.backend.memory import Memory, new_memory, open_memory
from charrnn.errors import CharrnnError
from charrnn.parallel.packing import Packer, Region, unpack
from charrnn.parallel.ranks import Ranks

CHUNK = 2**28
"""Bytes sent at once."""

Answer = tuple[Any, Exception | None]


class Crew:
    """The workers of a team, one or more per rank; created and used on rank 0.

    Parameters
    ----------
    ranks : Ranks
        The ranks to use.
    workers : sequence of object
        Worker i is on rank ``i % size``.
    """

    _numbers = count()

    def __init__(self, ranks: Ranks, workers: Sequence[Any]) -> None:
        self._ranks, self._number = ranks, next(self._numbers)
        self._dealt = [list(workers[rank :: ranks.size]) for rank in range(ranks.size)]
        packer = Packer()
        packed = [packer.pack(own) for own in self._dealt[1:]]
        ranks.is_called = True
        _command(ranks, "open", self._number, packer.regions, os.getpid())
        for rank, own in enumerate(packed, 1):
            ranks.send(own, rank)
        _provide(ranks, packer.regions, os.getpid(), packer.memories)
        self._answers((None, None))

    def call(self, method: str, args: tuple[Any, ...]) -> list[Any]:
        """Return what the method returns on every worker, in order."""
        self._ranks.is_called = True
        _command(self._ranks, "call", self._number, method, args)
        own: Answer = (None, None)
        try:
            own = [getattr(worker, method)(*args) for worker in self._dealt[0]], None
        except KeyboardInterrupt:
            if (
                len(self._ranks.layout.machines) > 1
            ):  # others may be waiting for a message from this rank
                self._ranks.abort("", 130)
            raise
        finally:  # an error here must not leave answers for the next call
            answers = self._answers(own)
        workers = sum(map(len, self._dealt))
        return [answers[i % len(answers)][i // len(answers)] for i in range(workers)]

    def close(self) -> None:
        """Make the other ranks discard the workers."""
        if not self._ranks.ended and not self._ranks.is_called:
            _command(self._ranks, "close", self._number)

    def _answers(self, own: Answer) -> list[Any]:
        gathered, found = self._ranks.gather(b""), []
        self._ranks.is_called = False
        for rank, packed in enumerate(gathered):
            answer, error = pickle.loads(packed) if rank else own
            if error is not None:
                raise error
            found.append(answer)
        return found


def _command(ranks: Ranks, *words: Any) -> None:
    ranks.broadcast(pickle.dumps(words))


def end(ranks: Ranks, code: int) -> None:
    """End the other ranks: called on rank 0 when the command ends with this exit code.

    If one of them has yet to answer, as after a second Ctrl-C, all are aborted at once.
    """
    if ranks.is_called:
        ranks.abort("", code)
    ranks.ended = True
    _command(ranks, "end")


def serve(ranks: Ranks) -> None:
    """Execute commands from rank 0 until the end: called on the other ranks."""
    crews: dict[int, list[Any]] = {}
    while True:
        what, *rest = pickle.loads(ranks.broadcast())
        if what == "end":
            return
        if what == "close":
            crews.pop(rest[0], None)
        elif what == "open":
            number, regions, process = rest
            packed = ranks.receive(0)
            memories = _provide(ranks, regions, process)
            crews[number] = unpack(packed, memories)
            ranks.gather(pickle.dumps((None, None)))
        else:
            number, method, args = rest
            ranks.gather(pickle.dumps(_answer(ranks, crews[number], method, args)))


def _answer(ranks: Ranks, workers: Sequence[Any], method: str, args: tuple[Any, ...]) -> Answer:
    """Return the results of the workers, or the error."""
    try:
        return [getattr(worker, method)(*args) for worker in workers], None
    except CharrnnError as error:
        return None, error
    except MemoryError as error:
        detail = f": {error}" if str(error) else ""
        return None, MemoryError(f"on rank {ranks.number} of {gethostname()}{detail}")
    except Exception:
        return None, RuntimeError(f"in rank {ranks.number}:\n{traceback.format_exc()}")


def _provide(
    ranks: Ranks, regions: Sequence[Region], process: int, own: Sequence[Any] = ()
) -> list[Any]:
    """Return this rank's view of the regions; a collective call.

    Parameters
    ----------
    ranks : Ranks
        The ranks.
    regions : sequence of Region
        The regions that the workers use.
    process : int
        The process id of rank 0.
    own : sequence of buffer
        On rank 0, the regions themselves.
    """
    memories = list(own)
    several = len(ranks.layout.machines) > 1
    if ranks.is_head and several:
        made = [
            _over(ranks, region, own[number] if own else None)
            for number, region in enumerate(regions)
        ]
        if not own:
            memories, process = made, os.getpid()
            regions = [_as_here(region, made[number]) for number, region in enumerate(regions)]
    if len(ranks.local_ranks) > 1:
        regions, process = ranks.local.bcast((regions, process))
        if not ranks.is_head:
            memories = [_opened(region, process) for region in regions]
        ranks.local.Barrier()  # until then, the first rank must keep its memory
        if ranks.is_head and not own:  # its writes must not be visible to others
            memories = [
                _opened(region, process) if region.private else memory
                for region, memory in zip(regions, memories, strict=True)
            ]
    return memories


def _opened(region: Region, process: int) -> Any:
    if region.path:
        return _mapped(region)
    return open_memory(process, region.file, region.size, private=region.private)


def _mapped(region: Region) -> Any:
    return np.memmap(region.path, np.uint8, "r", region.offset, (region.size,))


def _as_here(region: Region, memory: Any) -> Region:
    """Describe a region in the memory of the first rank of this machine."""
    if isinstance(memory, Memory):
        return Region(region.size, memory.file, private=region.private)
    return region


def _over(ranks: Ranks, region: Region, own: Any | None) -> Any:
    """Copy a region of rank 0 to the first rank of every machine, and return it there."""
    is_root, memory = own is not None, own
    if region.path:
        wanted = ranks.heads.bcast(_digest(own) if is_root else b"")
        if not is_root and _is_same(region, wanted):
            memory = _mapped(region)
        if not ranks.heads.allreduce(int(memory is None)):
            return memory
    elif not region.written:
        return own if is_root else new_memory(region.size)
    filled = memory is not None and not is_root
    if memory is None:
        memory = new_memory(region.size)
    numbers = np.frombuffer(memory, np.uint8)
    for start in range(0, region.size, CHUNK):
        part = numbers[start : start + CHUNK]
        ranks.wait([ranks.heads.Ibcast(part.copy() if filled else part)])
    return memory


def _is_same(region: Region, digest: bytes) -> bool:
    """Whether the file of a region is on this machine too, with the same content."""
    path = Path(region.path)
    try:
        return (
            path.stat().st_size >= region.offset + region.size
            and _digest(_mapped(region)) == digest
        )
    except OSError:
        return False


def _digest(memory: Any) -> bytes:
    return hashlib.sha256(memory).digest()
