"""Workers in processes of their own: calls, errors, ends."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from charrnn.backend.arrays import shared_zeros
from charrnn.errors import CharrnnError, CorpusError
from charrnn.parallel import team
from charrnn.parallel.team import Team
from tests.launching import PATIENCE, eventually

needs_forks = pytest.mark.skipif(not team.FORKS, reason="workers are threads here")
FLOAT32 = np.dtype(np.float32)


@pytest.fixture(params=[pytest.param(True, marks=needs_forks), False], ids=["forks", "threads"])
def kind(request, monkeypatch):
    monkeypatch.setattr(team, "FORKS", request.param)
    return request.param


class Worker:
    def __init__(self, number, vector=None):
        self.number, self.vector, self.calls = number, vector, 0

    def add(self, value):
        self.calls += 1
        return [self.number + value, self.calls]

    def where(self):
        return os.getpid(), threading.get_ident()

    def write(self, value):
        self.vector[self.number] = value

    def read(self):
        return self.vector.tolist()

    def fail(self, number):
        if self.number == number:
            raise ValueError(f"worker {number} has no luck")
        return self.number

    def fail_with(self, number, error):
        if self.number == number:
            raise error
        return self.number

    def wait(self, number):
        if self.number == number:
            time.sleep(600)
        return self.number

    def allocate(self, number, size):
        return np.empty(size if self.number == number else 0, np.uint8).size

    def answer(self, number, size):
        return bytes(size if self.number == number else 0)

    def blas_threads(self):
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


class Unsendable:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


class Unreadable:
    def __reduce__(self):
        return _unread, ()


def _unread():
    raise MemoryError("3 EB")


def workers(count, vector=None):
    return [Worker(number, vector) for number in range(count)]


def is_gone(pid):
    """Whether a process has ended; one that nobody has asked about yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def bytes_in(pipe):
    """How much has arrived in a pipe, up to 20,000."""
    if not pipe.poll():
        return 0
    with socket.socket(fileno=os.dup(pipe.fileno())) as arrived:
        return len(arrived.recv(20_000, socket.MSG_PEEK | socket.MSG_DONTWAIT))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_results_come_in_the_order_of_the_workers(kind, count):
    with Team(workers(count)) as crew:
        for calls in range(1, 4):
            assert crew.call("add", 10) == [[10 + number, calls] for number in range(count)]


@pytest.mark.parametrize("count", [1, 3])
def test_each_worker_is_elsewhere_and_the_first_is_here(kind, count):
    with Team(workers(count)) as crew:
        places = crew.call("where")
    assert places[0] == (os.getpid(), threading.get_ident())
    assert len({pid for pid, _ in places}) == (count if kind else 1)
    if kind:
        assert len(set(places)) == count


def test_shared_vectors_are_seen_by_all(kind):
    vector = shared_zeros(3, FLOAT32)
    with Team(workers(3, vector)) as crew:
        crew.call("write", 7.0)
        assert vector.tolist() == [7, 7, 7]
        vector[1] = 5
        assert crew.call("read") == [[7, 5, 7]] * 3
    vector[0] = 1  # still there when the workers are not


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_shared_zeros_are_zeros(kind, size, dtype):
    vector = shared_zeros(size, np.dtype(dtype))
    assert vector.shape == (size,)
    assert vector.dtype == dtype
    assert (vector == 0).all()
    vector[...] = 1


def test_blas_has_one_thread_while_the_team_is_open(kind):
    here = Worker(0)
    with threadpool_limits(2, user_api="blas"):
        before = here.blas_threads()
        assert before
        with Team(workers(2)) as crew:
            assert crew.call("blas_threads") == [[1] * len(before)] * 2
            with Team(workers(1)) as inner:
                inner.call("add", 1)
            assert here.blas_threads() == [1] * len(before)
        assert here.blas_threads() == before


# Errors


@pytest.mark.parametrize("number", [1, 2])
@needs_forks
def test_an_exception_in_a_worker_process_is_reported(number):
    with Team(workers(3)) as crew:
        with pytest.raises(RuntimeError, match=f"worker {number} has no luck") as caught:
            crew.call("fail", number)
        assert "in fail" in str(caught.value)  # with the place in the code


def test_an_exception_ends_in_the_caller(kind):
    for number in range(3):
        with (
            pytest.raises((ValueError, RuntimeError), match=f"worker {number} has no luck"),
            Team(workers(3)) as crew,
        ):
            crew.call("fail", number)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_after_an_exception_the_next_call_is_answered_and_not_the_last(kind, number):
    with Team(workers(3)) as crew:
        with pytest.raises((ValueError, RuntimeError), match="no luck"):
            crew.call("fail", number)
        assert crew.call("add", 10) == [[10, 1], [11, 1], [12, 1]]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    "error", [CharrnnError("no room: do this"), CorpusError("gone"), MemoryError("7 PB")], ids=repr
)
def test_an_error_of_the_users_comes_out_as_itself(kind, number, error):
    with Team(workers(3)) as crew:
        with pytest.raises(type(error)) as caught:
            crew.call("fail_with", number, error)
        assert type(caught.value) is type(error)
        assert str(caught.value) == str(error)
        assert crew.call("add", 10) == [[10, 1], [11, 1], [12, 1]]


def test_a_worker_without_memory_says_how_much_it_wanted(kind):
    with Team(workers(2)) as crew, pytest.raises(MemoryError, match="Unable to allocate"):
        crew.call("allocate", 1, 2**62)


@needs_forks
@pytest.mark.parametrize("number", [1, 2])
def test_an_answer_that_has_no_room_is_an_error_and_the_worker_goes_on(number, monkeypatch):
    answer = Unsendable(MemoryError("5 EB"))
    monkeypatch.setattr(
        Worker, "answer_with", lambda self, its: answer if self.number == its else 0, raising=False
    )
    with Team(workers(3)) as crew:
        with pytest.raises(MemoryError, match="5 EB"):
            crew.call("answer_with", number)
        assert crew.call("add", 10) == [[10, 1], [11, 1], [12, 1]]


@needs_forks
def test_what_ends_within_an_exchange_leaves_no_answers_for_another(monkeypatch):
    answers = [0, Unreadable(), 2]
    monkeypatch.setattr(Worker, "answer_with", lambda self: answers[self.number], raising=False)
    with Team(workers(3)) as crew:
        with pytest.raises(MemoryError, match="3 EB"):
            crew.call("answer_with")
        with pytest.raises(RuntimeError, match="the team is closed"):
            crew.call("add", 10)


@needs_forks
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_killed_worker_is_an_error_that_says_what_to_do(number, when):
    with Team(workers(3)) as crew:
        victim = crew._processes[number - 1].pid
        if when == "before":
            os.kill(victim, signal.SIGKILL)
            assert eventually(lambda: is_gone(victim))
        else:
            threading.Timer(0.05, os.kill, (victim, signal.SIGKILL)).start()
        with pytest.raises(CharrnnError, match=r"was killed.*resume from the last save"):
            crew.call("wait", number if when == "during" else None)


@needs_forks
@pytest.mark.parametrize("number", [1, 2])
def test_a_worker_killed_within_its_answer_is_one_that_was_ended(number, monkeypatch):
    # Larger than a pipe: the worker waits in the middle of it until someone reads.
    with Team(workers(3)) as crew:
        victim = crew._processes[number - 1].pid
        pipe = crew._pipes[number - 1]
        pipe.send(("answer", (number, 10**7)))
        assert eventually(lambda: bytes_in(pipe) > 10_000)
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: is_gone(victim))
        monkeypatch.setattr(pipe, "send", lambda message: None)  # it was sent above
        with pytest.raises(CharrnnError, match=r"was killed.*resume from the last save"):
            crew.call("answer", number, 10**7)


# Ends


@pytest.mark.parametrize("count", [1, 3])
def test_a_closed_team_answers_no_more(kind, count):
    crew = Team(workers(count))
    assert len(crew.call("add", 1)) == count
    crew.close()
    with pytest.raises(RuntimeError, match="the team is closed"):
        crew.call("add", 1)


@needs_forks
def test_a_team_ends_while_another_one_is_open():
    first = Team([Worker(0), Worker(1)])
    with Team([Worker(2), Worker(3)]) as second:
        (process,) = first._processes
        first.close()
        assert process.exitcode == 0  # by itself: after a while without an end it would be killed
        assert second.call("add", 1) == [[3, 1], [4, 1]]


@needs_forks
def test_worker_processes_end_with_the_team():
    crew = Team(workers(3))
    processes = list(crew._processes)
    assert len(processes) == 2
    assert all(process.is_alive() and process.daemon for process in processes)
    crew.close()
    assert [process.exitcode for process in processes] == [0, 0]
    crew.close()  # once more does no harm


@needs_forks
@pytest.mark.parametrize("number", [0, 1])
def test_worker_processes_end_after_an_error_too(number):
    processes = []

    def fail():
        with Team(workers(3)) as crew:
            processes.extend(crew._processes)
            crew.call("fail", number)

    with pytest.raises((ValueError, RuntimeError)):
        fail()
    assert [process.exitcode for process in processes] == [0, 0]


@needs_forks
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_worker_processes_leave_signals_to_the_caller(name):
    # A terminal sends Ctrl-C to all of them at once.
    with Team(workers(2)) as crew:
        crew.call("add", 1)
        os.kill(crew._processes[0].pid, getattr(signal, name))
        time.sleep(0.05)
        assert crew.call("add", 1) == [[1, 2], [2, 2]]


PARENT = """
import os, signal, sys, time
from charrnn.parallel.team import Team
class Worker:
    def where(self):
        return os.getpid()
    def sleep(self):
        time.sleep(600)
    def compute(self):
        while True:
            pass
crew = Team([Worker() for _ in range(3)])
print(*crew.call("where")[1:], flush=True)
if "WHAT" != "nothing":
    crew.call("WHAT")
time.sleep(600)
"""


@needs_forks
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("what", ["nothing", "sleep", "compute"])
def test_worker_processes_end_when_the_caller_is_killed(name, what):
    words = [sys.executable, "-c", PARENT.replace("WHAT", what)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(is_gone(pid) for pid in pids)
        parent.send_signal(getattr(signal, name))
        parent.wait()
        assert eventually(lambda: all(is_gone(pid) for pid in pids))


FORGETFUL = """
from charrnn.parallel.team import Team
class Worker:
    def work(self):
        return 1
crew = Team([Worker() for _ in range(3)])
crew.call("work")
"""


@needs_forks
def test_a_program_that_does_not_close_its_team_ends_all_the_same():
    # Workers ignore the signal with which multiprocessing would end them, and waits for their end.
    command = [sys.executable, "-c", FORGETFUL]
    assert subprocess.run(command, timeout=PATIENCE, check=False).returncode == 0
