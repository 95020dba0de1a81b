"""A team of workers: calls the same method on several objects in parallel, each on its own core.

NumPy releases the interpreter lock inside a call and reacquires it a few microseconds later. With
small layers, two threads spend up to 40 % of their time on that, and two processes none: an LSTM
1 x 128 in two shards trained at 140,000 characters/s with two threads and at 180,000 with two
processes. So on Linux the workers are forked processes, which see the memory from before the fork
and share the vectors made by ``shared_zeros``. If a fork is not safe (macOS, Windows), or Python
has no such lock, they are threads. Under a launcher they are the ranks; see ``crew``.
"""

import atexit
import multiprocessing
import os
import signal
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from threadpoolctl import threadpool_limits

from charrnn.backend.arrays import FORKS
from charrnn.errors import CharrnnError
from charrnn.parallel.present import current

if TYPE_CHECKING:
    from charrnn.parallel.crew import Crew

STOPS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}

IDLE_END = 1.0
"""Seconds in which an idle worker, whose pipe is closed, ends by itself."""


class Team:
    """Calls a method of all workers in parallel and returns their results in order.

    Worker 0 runs in the calling process, so a team of one is a plain call. BLAS is limited to one
    thread while the team is open, as the workers already use the cores.

    Parameters
    ----------
    workers : sequence of object
        The workers, fully initialized: later changes to one are not seen by its process, except in
        shared vectors.
    """

    def __init__(self, workers: Sequence[Any]) -> None:
        self._workers = list(workers)
        self._limits = threadpool_limits(1, user_api="blas")
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._pool: ThreadPoolExecutor | None = None
        self._crew: Crew | None = None
        self._closed = False
        ranks = current()
        if len(self._workers) > 1 and ranks is not None and ranks.can_work:
            from charrnn.parallel import crew

            self._crew = crew.Crew(ranks, self._workers)
        elif len(self._workers) > 1 and FORKS:
            self._fork()
        elif len(self._workers) > 1:
            self._pool = ThreadPoolExecutor(len(self._workers) - 1)

    @property
    def size(self) -> int:
        """The number of workers."""
        return len(self._workers)

    @property
    def process_ids(self) -> list[int]:
        """The ids of the worker processes."""
        return [process.pid for process in self._processes]

    def _fork(self) -> None:
        _open_teams.add(self)
        context = multiprocessing.get_context("fork")
        # A signal that arrives before a worker ignores it would end the worker.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            for worker in self._workers[1:]:
                self._start(context, worker)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, context: Any, worker: Any) -> None:
        ours, theirs = context.Pipe()
        # Inherited ends are closed in the worker, so that it notices when its own team ends.
        inherited = [pipe for team in _open_teams for pipe in team._pipes] + [ours]
        process = context.Process(target=_serve, args=(worker, theirs, inherited), daemon=True)
        with warnings.catch_warnings():
            # Python 3.12 warns about other threads; BLAS has some, and handles forks.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def call(self, method: str, *args: Any) -> list[Any]:
        """Return ``[getattr(worker, method)(*args) for worker in workers]``, in parallel.

        Raises
        ------
        CharrnnError
            If a worker raised it, or a worker process was killed.
        MemoryError
            If a worker ran out of memory.
        RuntimeError
            If a worker process failed in another way, or the team is closed.
        """
        if self._closed:
            raise RuntimeError("the team is closed: its workers have ended")
        if self._crew:
            return self._crew.call(method, args)
        first, *rest = self._workers
        if self._pool:
            futures = [self._pool.submit(getattr(worker, method), *args) for worker in rest]
            return [getattr(first, method)(*args), *(future.result() for future in futures)]
        with self._exchange():
            for pipe in self._pipes:
                pipe.send((method, args))
        try:
            results = [getattr(first, method)(*args)]
        finally:  # an error here must not leave answers for the next call
            with self._exchange():
                answers = [pipe.recv() for pipe in self._pipes]
        for answer, error in answers:
            if error is not None:
                raise error
            results.append(answer)
        return results

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Raise a clear error if the process at the other end of a pipe is gone.

        After an incomplete exchange the team is closed, as the next call would get old answers.
        """
        try:
            yield
        except (EOFError, OSError) as error:
            self._closed = True
            raise CharrnnError(
                "a worker process was killed (out of memory?): free memory or use --threads 1, "
                "then resume from the last save"
            ) from error
        except BaseException:
            self._closed = True
            raise

    def close(self) -> None:
        """End the workers and restore the threads of BLAS."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
        if self._pool:
            self._pool.shutdown()
        if self._crew:
            self._crew.close()
        self._pipes, self._processes, self._pool, self._crew = [], [], None, None
        self._closed = True
        self._limits.restore_original_limits()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return the results of tasks: run in parallel on ranks, elsewhere one after another.

    A task may need much memory, so tasks are not distributed over the processes of one machine.
    """
    ranks = current()
    if ranks is None or not ranks.can_work:
        return [task() for task in tasks]
    with Team(tasks) as team:
        return team.call("__call__")


_open_teams: "weakref.WeakSet[Team]" = weakref.WeakSet()


@atexit.register
def _close_teams() -> None:
    """End workers at exit, as they ignore the signal that multiprocessing would send."""
    for team in list(_open_teams):
        team.close()


def _end_with_caller() -> None:
    """End this process when the calling one has ended, also within a call, which may take hours."""
    caller = multiprocessing.parent_process()
    assert caller is not None
    wait([caller.sentinel])
    time.sleep(IDLE_END)
    os._exit(1)


def _serve(worker: Any, pipe: Connection, inherited: Sequence[Connection]) -> None:
    """Serve calls until the other end of the pipe is closed."""
    for other in inherited:
        other.close()
    # A stop signal is handled by the calling process, which then ends this one.
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    threadpool_limits(1, user_api="blas")
    threading.Thread(target=_end_with_caller, daemon=True).start()
    assert threading.current_thread() is threading.main_thread()
    while True:
        try:
            method, args = pipe.recv()
        except (EOFError, OSError):
            return
        answer: tuple[Any, Exception | None]
        try:
            answer = getattr(worker, method)(*args), None
        except (CharrnnError, MemoryError) as error:
            answer = None, error
        except Exception:
            answer = None, RuntimeError(f"in a worker process:\n{traceback.format_exc()}")
        try:
            try:
                pipe.send(answer)
            except MemoryError as error:  # nothing was sent, as an answer is serialized first
                pipe.send((None, error))
        except OSError:
            return
