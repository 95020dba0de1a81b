"""What holds for all tests: no time limits, and no skip where nothing is missing."""

import importlib.util
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tracing import TracedCalls, TracedTests

from charrnn.backend.arrays import FORKS
from charrnn.nn.model import Member

# How long an example takes depends on what else the machine does.
settings.register_profile("charrnn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("charrnn")

# A job in the background ignores it, and all processes that it starts do so too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_traced, _calls = TracedTests(), TracedCalls()
if sys.gettrace() is not None:
    Member.forward, Member.backward = map(_calls.of, (Member.forward, Member.backward))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Trace few of the tests that run nothing new, and only the first steps of each test."""
    _calls.forget()
    with _traced.test(item.nodeid):
        return (yield)


@pytest.fixture(autouse=True)
def _plans_are_measured_for_a_moment(monkeypatch):
    monkeypatch.setattr("charrnn.cli.commands.train.SPEED_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def _samples_of_a_run_are_short(monkeypatch):
    monkeypatch.setattr("charrnn.training.glimpse.SAMPLE_LENGTH", 30)


def _missing(module):
    return importlib.util.find_spec(module) is None


def _has_mpiexec():
    return Path(sys.executable).with_name("mpiexec").exists() or shutil.which("mpiexec")


EXCUSES = {
    r"could not import '(\w+)'": _missing,
    "POSIX": lambda: os.name != "posix" or not hasattr(os, "mkfifo"),
    "Linux": lambda: sys.platform != "linux",
    "no forks here|workers are threads here": lambda: not FORKS,
    "no CUDA compiler": lambda: shutil.which("nvcc") is None,
    "no MPI": lambda: _missing("mpi4py") or not _has_mpiexec(),
    "no node": lambda: shutil.which("node") is None,
    r"no g\+\+": lambda: shutil.which("g++") is None,
    "only root can mount": lambda: os.geteuid() != 0 or shutil.which("mount") is None,
    "a disk cannot be mounted here": lambda: True,  # as in a container, which was found by trying
}
"""What the reason of a skip says, and whether that is so. Any other reason is none."""


def is_excused(reason):
    """Return whether what a skipped test says that it lacks is missing here."""
    for pattern, holds in EXCUSES.items():
        match = re.search(pattern, reason)
        if match:
            return holds(*match.groups())
    return False


def _without_excuse(report):
    """Make a skip that nothing excuses a failure."""
    if report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr
        if not is_excused(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}: a skip where nothing is missing (see tests/conftest.py)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Look at a skipped test."""
    return _without_excuse((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """Look at a skipped file."""
    return _without_excuse((yield))
