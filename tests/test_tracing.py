"""Cases that coverage does not trace."""

import os
import sys
import threading
from multiprocessing.process import BaseProcess
from types import SimpleNamespace

from tracing import TracedCalls, TracedCases, paused, untraced


def test_cases_are_traced_until_one_runs_nothing_new():
    branches = iter([0, 5, 5, 9, 9, 9, 9, 9, 12])
    cases, traced = TracedCases(lambda: next(branches)), []
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        for test in ("a", "a", "a", "a", "b"):
            with cases.case(test):
                traced.append(sys.gettrace() is not None)
    finally:
        sys.settrace(before)
    assert traced == [True, True, True, False, True]
    assert cases.known == {"a"}


def test_the_first_calls_in_a_test_are_traced():
    calls, traced = TracedCalls(most=2), []
    step = calls.of(lambda number: traced.append((number, sys.gettrace() is not None)) or number)
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        assert [step(number) for number in range(4)] == [0, 1, 2, 3]
        calls.forget()
        step(4)
        assert sys.gettrace() is not None
    finally:
        sys.settrace(before)
    assert traced == [(0, True), (1, True), (2, False), (3, False), (4, True)]


def test_nothing_is_paused_where_nothing_is_traced():
    cases = TracedCases(lambda: None)
    cases.known.add("a")
    before = sys.gettrace()
    with cases.case("a"):
        assert sys.gettrace() is before
    assert cases.known == {"a"}


def test_a_pause_ends_with_an_error_too(monkeypatch):
    def trace(*_):
        return None

    plain, traced = SimpleNamespace(original_bootstrap="plain"), BaseProcess._bootstrap
    monkeypatch.setitem(sys.modules, "coverage.multiproc", plain)
    before, elsewhere = sys.gettrace(), threading.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    found = []
    try:
        with paused():
            found += [sys.gettrace(), threading.gettrace(), BaseProcess._bootstrap]
            raise KeyError
    except KeyError:
        found += [sys.gettrace(), threading.gettrace(), BaseProcess._bootstrap]
    finally:
        sys.settrace(before)
        threading.settrace(elsewhere)
    assert found == [None, None, "plain", trace, trace, traced]


def test_a_process_that_is_not_traced(monkeypatch):
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "{}")
    monkeypatch.setenv("KEPT", "1")
    found = untraced(MORE="2")
    assert not any("COVERAGE" in name for name in found)
    assert (found["KEPT"], found["MORE"], found["PATH"]) == ("1", "2", os.environ["PATH"])
