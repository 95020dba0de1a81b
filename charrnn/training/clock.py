"""Training time: a run's wall-clock time without interruptions."""

import time
from collections import defaultdict, deque
from statistics import median

LEAST = 1.0
"""A lap of fewer seconds is never considered an interruption."""
FACTOR = 10
"""A lap this many times as long as usual for its kind may be an interruption."""
BUSY = 0.5
"""If the process used the CPU for this share of a lap, it was not interrupted."""
REMEMBERED = 31


class Clock:
    """Adds up laps, and leaves out interruptions that make one far longer than usual.

    A stopped process (Ctrl-Z), a paused container and a suspended machine make no progress. Each
    shows up as a single lap many times as long, for its work, as earlier ones of its kind. Only the
    usual length of such a lap is counted, unless the process itself used the CPU for most of it, as
    it does while kernels are compiled for a GPU.

    Parameters
    ----------
    seconds : float
        Training time at the start.

    Attributes
    ----------
    seconds : float
        Training time so far.
    stopped : float
        Seconds left out as interruptions.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.stopped = seconds, 0.0
        self._usual: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.restart()

    def restart(self) -> None:
        """Discard the time since the last lap."""
        self._last, self._computed = time.perf_counter(), time.process_time()

    def usual(self, kind: str) -> float:
        """Return the usual seconds per unit of work for a kind of lap; 0 before the first."""
        before = self._usual[kind]
        return median(before) if before else 0.0

    def lap(self, kind: str, work: float = 1.0) -> float:
        """Count the time since the last lap; return the seconds counted.

        Parameters
        ----------
        kind : str
            The kind of work.
        work : float
            Amount of work: laps of one kind may differ a thousandfold.
        """
        last, computed = self._last, self._computed
        self.restart()
        spent, busy = self._last - last, self._computed - computed
        before = self._usual[kind]
        if spent > LEAST and before:
            usual = work * self.usual(kind)
            if spent > FACTOR * usual and busy < BUSY * spent:
                self.stopped += spent - usual
                spent = usual
        before.append(spent / work)
        self.seconds += spent
        return spent
