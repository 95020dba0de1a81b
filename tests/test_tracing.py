"""Cases that coverage does not trace."""

import os
import sys
import threading
from multiprocessing.process import BaseProcess
from types import SimpleNamespace

from tracing import TracedCalls, TracedTests, paused, untraced


def traced_of(tests, new, **options):
    """Return which of these tests are traced, and what decided; ``new`` are those that run more."""
    count, traced = [0], []
    decides = TracedTests(lambda: count[0], **options)
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        for index, test in enumerate(tests):
            with decides.test(test):
                traced.append(sys.gettrace() is not None)
                count[0] += index in new and traced[-1]
    finally:
        sys.settrace(before)
    return traced, decides


def test_cases_are_traced_until_one_runs_nothing_new():
    tests = ["f.py::a[0]", "f.py::a[1]", "f.py::a[2]", "f.py::a[3]", "f.py::b"]
    traced, decides = traced_of(tests, {0, 4})
    assert traced == [True, True, False, False, True]
    assert decides.known == {"f.py::a"}


def test_fewer_and_fewer_tests_are_traced_until_one_runs_something_new():
    tests = [f"f.py::test_{index}" for index in range(20)]
    traced, _ = traced_of(tests, {0}, most=3)
    assert "".join(".T"[one] for one in traced) == "TTT.T..T...T...T...T"
    traced, _ = traced_of(tests, {0, 7}, most=3)
    assert "".join(".T"[one] for one in traced) == "TTT.T..TTT.T..T...T."


def test_each_file_begins_traced():
    tests = [f"f.py::test_{index}" for index in range(9)] + ["g.py::test_a", "g.py::test_b"]
    traced, _ = traced_of(tests, set())
    assert traced[-2:] == [True, True]
    assert not all(traced)


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
    decides = TracedTests(lambda: None)
    decides.known.add("f.py::a")
    before = sys.gettrace()
    with decides.test("f.py::a[1]"):
        assert sys.gettrace() is before
    assert decides.known == {"f.py::a"}


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
