"""Ctrl-C and other stop signals: the first stops a run in order, the second at once."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from charrnn.parallel.launcher import announced

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
LAUNCHED = ("SIGUSR1",)
"""Signals that also stop a run under a launcher: Slurm can send one before the time limit, and Open
MPI's mpiexec passes it on, while it kills the processes on the others."""


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop a run of this process, if the platform has them."""
    names = NAMES if announced() is None else (*NAMES, *LAUNCHED)
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


class StopSignals:
    """While active, the first Ctrl-C, SIGTERM or SIGHUP calls ``stop``; the second raises.

    Attributes
    ----------
    received : signal.Signals or None
        The first that came.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.received: signal.Signals | None = None
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                # A signal that is ignored from the start, as under nohup, stays ignored.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        self._stop()
