"""What this machine has: cores and memory."""

import os
from dataclasses import dataclass


@dataclass
class _Sharing:
    """How many processes that were started together share the work; 1 is this one alone."""

    processes: int = 1


_sharing = _Sharing()


def share_work(processes: int) -> None:
    """Count on so many processes, each on a core of its own, some on other machines."""
    _sharing.processes = processes


def sharing_processes() -> int:
    """Return how many processes share the work; 1 is this one alone."""
    return _sharing.processes


def available_cores() -> int:
    """Return how many cores this process may use, with those of others that share its work."""
    if _sharing.processes > 1:
        return _sharing.processes
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed_memory() -> int | None:
    """Return the bytes of memory that this machine has; None where that is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
