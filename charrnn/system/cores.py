"""Starting workers on different cores.

Beside another busy program, Linux may leave both workers of a machine with two cores on one of
them: two programs on one core and one on the other count as balanced, and no core becomes idle
before both workers are done. If they start each window on different cores, the one that is done
first leaves its core to the others. On two cores beside a busy program, a GRU 1 x 256 trains 1.17
times as fast, an LSTM 1 x 128 1.2 times; without another program it makes no difference. Binding
the workers for good is no faster, and two runs at a time lose 10 % by it.
"""

import os
from contextlib import suppress

Core = int | None
"""The number of a core, or None for any."""


def core_of_each(workers: int) -> list[Core]:
    """Return the cores for some workers: one for each if they take all cores, otherwise any.

    Fewer workers than cores may start anywhere, since other programs may use the cores chosen here.
    """
    if not hasattr(os, "sched_getaffinity"):  # not Linux
        return [None] * workers
    cores = sorted(os.sched_getaffinity(0))
    return [*cores] if len(cores) == workers else [None] * workers


def move_to(core: Core) -> None:
    """Move the calling thread to a core; the system may move it away again."""
    if core is None:
        return
    allowed = os.sched_getaffinity(0)
    if core in allowed:
        with suppress(OSError):
            try:
                os.sched_setaffinity(0, {core})
            finally:
                os.sched_setaffinity(0, allowed)
