"""What this machine has: its processor, cores and memory."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


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


def processor_name() -> str:
    """Return the name of the processor, or else of its instruction set, such as ``"arm64"``."""
    with suppress(OSError):  # only Linux has the file
        for line in CPUINFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def installed_memory() -> int | None:
    """Return the bytes of memory that this machine has; None where that is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
