"""Training time: the time of a run, without what passes while it cannot work."""

import time
from collections import defaultdict, deque
from statistics import median

LEAST = 1.0
"""Seconds below which a lap is never taken for an interruption."""
FACTOR = 10
"""How many times the usual length of its kind makes a lap one."""
REMEMBERED = 31


class Clock:
    """Adds up laps; one that is far longer than usual held a stop that is not counted.

    A process that is stopped (Ctrl-Z), a container that is paused and a machine that sleeps learn
    nothing meanwhile. All of them show as a single lap that is many times as long, for
    its work, as the ones of its kind before it: of such a lap, the usual length is counted.

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
        self._last = time.perf_counter()

    def restart(self) -> None:
        """Leave out what passed since the last lap."""
        self._last = time.perf_counter()

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
        now = time.perf_counter()
        spent, self._last = now - self._last, now
        before = self._usual[kind]
        if spent > LEAST and before:
            usual = work * self.usual(kind)
            if spent > FACTOR * usual:
                self.stopped += spent - usual
                spent = usual
        before.append(spent / work)
        self.seconds += spent
        return spent
