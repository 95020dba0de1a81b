"""Workers that start on different cores."""

import os

import pytest

from charrnn.system.cores import core_of_each, move_to
from tests.test_trainer import make

linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux has the calls")


@pytest.fixture
def two():
    """Two cores, which are all that this process may use."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("this machine has one core")
    chosen = sorted(before)[:2]
    os.sched_setaffinity(0, chosen)
    yield chosen
    os.sched_setaffinity(0, before)


@linux
def test_as_many_workers_as_cores_have_one_each(two):
    assert core_of_each(2) == two
    assert core_of_each(1) == [None]
    assert core_of_each(3) == [None, None, None]


@linux
def test_a_thread_that_was_moved_may_leave_its_core(two, monkeypatch):
    sent, allow = [], os.sched_setaffinity

    def watched(process, cores):
        sent.append(set(cores))
        allow(process, cores)

    monkeypatch.setattr(os, "sched_setaffinity", watched)
    move_to(two[1])
    assert sent == [{two[1]}, set(two)]
    assert os.sched_getaffinity(0) == set(two)
    os.sched_setaffinity(0, {two[0]})
    move_to(two[1])  # taken away meanwhile
    assert os.sched_getaffinity(0) == {two[0]}


@linux
def test_a_system_that_does_not_allow_it(two, monkeypatch):
    def refused(process, cores):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refused)
    move_to(two[0])
    monkeypatch.undo()


def test_a_system_without_it(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert core_of_each(2) == [None, None]
    move_to(None)


@linux
def test_the_workers_of_a_trainer_start_on_different_cores(two, monkeypatch):
    sent = []
    monkeypatch.setattr("charrnn.training.worker.move_to", sent.append)
    trainer = make(threads=2)
    assert [worker.core for worker in trainer._workers] == two
    try:
        trainer.step(0.01)
    finally:
        trainer.close()
    assert sent == [two[0]]  # worker 1 is another process
