"""Coverage that stops where it sees nothing new: traced, tests and processes take twice as long.

The cases of a parametrized test are traced until one of them runs no new line or branch.
"""

import os
import sys
import threading
from contextlib import contextmanager
from functools import wraps
from multiprocessing.process import BaseProcess


def untraced(**more):
    """Return the variables of a process that coverage does not trace."""
    kept = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    return {**kept, **more}


@contextmanager
def paused():
    """Trace nothing in here, nor in the threads and the workers that are started here."""
    here, elsewhere, started = sys.gettrace(), threading.gettrace(), BaseProcess._bootstrap
    forked = sys.modules.get("coverage.multiproc")  # each worker would read settings, write a file
    BaseProcess._bootstrap = getattr(forked, "original_bootstrap", started)
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        BaseProcess._bootstrap = started
        threading.settrace(elsewhere)
        sys.settrace(here)


class TracedCalls:
    """Functions that are called in every step of a test, and traced in its first calls only."""

    def __init__(self, most=2):
        self.most, self._calls = most, {}

    def forget(self):
        """Begin a test."""
        self._calls.clear()

    def of(self, function):
        """Return the function as it is to be called in tests."""

        @wraps(function)
        def call(*args, **kwargs):
            here = sys.gettrace()
            if here is None:
                return function(*args, **kwargs)
            where = (
                function,
                os.getpid(),
                threading.get_ident(),
            )  # a forked worker has its own first
            self._calls[where] = calls = self._calls.get(where, 0) + 1
            if calls <= self.most:
                return function(*args, **kwargs)
            sys.settrace(None)
            try:
                return function(*args, **kwargs)
            finally:
                sys.settrace(here)

        return call


def seen():
    """Return how many branches this process has run; None where coverage does not trace it.

    Coverage tells this only of what it has written to its file, which takes too long. A version
    that keeps its data elsewhere traces every case.
    """
    module = sys.modules.get("coverage")
    coverage = module and module.Coverage.current()
    if not coverage or sys.gettrace() is None:
        return None
    collected = getattr(getattr(coverage, "_collector", None), "data", None)
    return None if collected is None else sum(map(len, collected.values()))


class TracedCases:
    """What spares the further cases of a test the tracing.

    Attributes
    ----------
    known : set of str
        The tests whose last traced case ran nothing new.
    """

    def __init__(self, seen=seen):
        self.known, self._seen = set(), seen

    @contextmanager
    def case(self, test):
        """Trace a case of this test, unless the last one ran nothing new."""
        before = self._seen()
        if before is None:
            yield
        elif test in self.known:
            with paused():
                yield
        else:
            yield
            if self._seen() == before:
                self.known.add(test)
