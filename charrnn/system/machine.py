"""The processor, cores and memory of this machine."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@dataclass
class _Sharing:
    """The number of processes that share the work; 1 if there is only this one."""

    processes: int = 1


_sharing = _Sharing()


def share_work(processes: int) -> None:
    """Set the number of processes that share the work, each on its own core of some machine."""
    _sharing.processes = processes


def sharing_processes() -> int:
    """Return the number of processes that share the work; 1 if there is only this one."""
    return _sharing.processes


def available_cores() -> int:
    """Return the number of usable cores, including those of processes that share the work."""
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
    """Return the memory of this machine in bytes; None if that is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
