"""Training time: the time of a run, without what passes while it cannot work."""

import time
from collections import defaultdict, deque
from statistics import median

LEAST = 1.0
"""Seconds below which a lap is never taken for an interruption."""
FACTOR = 10
"""How many times the usual length of its kind makes a lap one."""
BUSY = 0.5
"""Share of a lap in which this process computed, from which on it was not stopped."""
REMEMBERED = 31


class Clock:
    """Adds up laps; one that is far longer than usual held a stop that is not counted.

    A process that is stopped (Ctrl-Z), a container that is paused and a machine that sleeps learn
    nothing meanwhile. All of them show as a single lap that is many times as long, for
    its work, as the ones of its kind before it: of such a lap, the usual length is counted. Where
    the process itself computed for most of it, it was no stop: so are kernels compiled for a GPU.

    Parameters
    ----------
    seconds : float
        Where the clock starts.

    Attributes
    ----------
    seconds : float
        Training time so far.
    stopped : float
        Seconds that were left out.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.stopped = seconds, 0.0
        self._usual: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.restart()

    def restart(self) -> None:
        """Leave out what passed since the last lap."""
        self._last, self._computed = time.perf_counter(), time.process_time()

    def usual(self, kind: str) -> float:
        """Return the seconds that the last laps of a kind took for their work; 0 before one."""
        before = self._usual[kind]
        return median(before) if before else 0.0

    def lap(self, kind: str, work: float = 1.0) -> float:
        """Count the time since the last lap; return the seconds counted.

        Parameters
        ----------
        kind : str
            What it was spent on.
        work : float
            How much of that was done: laps of one kind may differ a thousandfold.
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
