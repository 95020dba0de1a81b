"""Lanes, as CUDA has streams: recorded work runs in the order that is least expected of a GPU.

Operations of a lane follow each other; those of two lanes have an order only where one waits for
the other. Recorded work runs each lane as far ahead of the others as that allows: the first lane,
or the last. A wait that is missing then shows as wrong values.
"""

from contextlib import contextmanager
from typing import NamedTuple

from charrnn.cuda.lanes import LANES


class RecordingError(Exception):
    """Work cannot be recorded as a CUDA graph."""


class Wait(NamedTuple):
    """A lane goes on after ``count`` operations of another."""

    lane: int
    count: int


class Lanes:
    """Runs operations: at once, or, while work is recorded, when that is replayed.

    Parameters
    ----------
    descending : bool
        Whether the last lane runs ahead instead of the first.
    """

    def __init__(self, descending):
        self._descending = descending
        self._lane = 0
        self._queues = None  # of each lane, while work is recorded
        self._seen = {}  # how many operations of each lane come before what a lane does next

    @contextmanager
    def on(self, lane):
        """Enqueue on a lane."""
        before, self._lane = self._lane, lane % LANES
        try:
            yield
        finally:
            self._lane = before

    def do(self, operation):
        """Run an operation, or enqueue it."""
        if self._queues is None:
            operation()
        else:
            self._queue(self._lane).append(operation)

    def wait(self, lane, for_lane):
        """Let a lane go on only after what is enqueued on another so far."""
        lane, for_lane = lane % LANES, for_lane % LANES
        if self._queues is None or lane == for_lane:
            return
        count = len(self._queue(for_lane))
        self._queues.setdefault(lane, []).append(Wait(for_lane, count))
        seen = self._seen.setdefault(lane, {})
        for other, before in {**self._seen.get(for_lane, {}), for_lane: count}.items():
            seen[other] = max(before, seen.get(other, 0))

    def only_now(self, what):
        """Refuse what waits for the GPU and so cannot be recorded."""
        if self._queues is not None:
            raise RecordingError(f"{what} cannot be recorded")

    def record(self, work):
        """Run ``work``, then return what runs the same operations again."""
        self.only_now("a recording")
        self._run(self._recorded(work))
        queues = self._recorded(work)
        return lambda: self._run(queues)

    def _queue(self, lane):
        if lane not in self._queues:
            raise RecordingError(f"lane {lane} does not wait for lane 0 before it begins")
        return self._queues[lane]

    def _recorded(self, work):
        self._queues, self._seen = {0: []}, {}
        try:
            work()
            for lane, queue in self._queues.items():
                if lane and self._seen.get(0, {}).get(lane, 0) < len(queue):
                    raise RecordingError(f"lane 0 does not wait for lane {lane} at the end")
            return self._queues
        finally:
            self._queues = None

    def _run(self, queues):
        done = dict.fromkeys(sorted(queues, reverse=self._descending), 0)
        while (lane := self._next(queues, done)) is not None:
            operation = queues[lane][done[lane]]
            if not isinstance(operation, Wait):
                operation()
            done[lane] += 1

    @staticmethod
    def _next(queues, done):
        """Return the first lane that can go on."""
        for lane, count in done.items():
            if count < len(queues[lane]):
                head = queues[lane][count]
                if not isinstance(head, Wait) or done[head.lane] >= head.count:
                    return lane
        return None
