"""Coverage that stops where it sees nothing new: traced, tests and processes take twice as long.

Of tests that run no new line or branch, fewer and fewer are traced.
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
    that keeps its data elsewhere traces every test.
    """
    module = sys.modules.get("coverage")
    coverage = module and module.Coverage.current()
    if not coverage or sys.gettrace() is None:
        return None
    collected = getattr(getattr(coverage, "_collector", None), "data", None)
    return None if collected is None else sum(map(len, collected.values()))


class TracedTests:
    """Decides which tests are traced: fewer and fewer of those that run nothing new.

    Further cases of a parametrized test are not traced once one of them ran nothing new. After n
    tests of a file in a row that ran nothing new, the next n - 1 are not traced.

    Parameters
    ----------
    seen : callable
        Returns how many branches have been run; None where coverage does not trace.
    most : int
        Most tests in a row that are not traced.

    Attributes
    ----------
    known : set of str
        The tests whose last traced case ran nothing new.
    """

    def __init__(self, seen=seen, most=8):
        self.known, self._seen, self._most = set(), seen, most
        self._file, self._quiet, self._left = "", 0, 0

    @contextmanager
    def test(self, node):
        """Trace the test with this id, such as "test_a.py::test_b[0]", or do not."""
        before = self._seen()
        if before is None:
            yield
            return
        name, _, case = node.partition("[")
        file = name.partition("::")[0]
        if file != self._file:
            self._file, self._quiet, self._left = file, 0, 0
        if name in self.known or self._left:
            self._left -= name not in self.known
            with paused():
                yield
            return
        yield
        if self._seen() != before:
            self._quiet = 0
            return
        self._quiet += 1
        self._left = min(self._quiet - 1, self._most)
        if case:
            self.known.add(name)
