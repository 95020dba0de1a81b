"""Run directories: names, locks, logs, and what a directory from anyone may hold."""

import json
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from charrnn.errors import RunError
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import load, save

FORMAT_1 = Path(__file__).parent / "data" / "format-1.npz"

posix = pytest.mark.skipif(sys.platform == "win32", reason="locks, links and pipes of POSIX")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(directory, *files):
    directory.mkdir(parents=True)
    for file in files or (runs.LAST, runs.BEST):
        (directory / file).write_bytes(FORMAT_1.read_bytes())
    return directory


# Names and directories


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/a/b/tea.txt", "tea"),
        ("tea.txt.gz", "tea"),
        ("-", "stdin"),
        ("한국어 책.txt", "한국어-책"),
        ("...", "run"),
        (".hidden", "run"),
        ("a\x1b[31mb\n.txt", "a-31mb"),
        ("../../etc", "etc"),
        ("--out", "out"),
    ],
)
def test_names_are_safe(source, name):
    assert runs.run_name(source) == name


def test_each_run_has_its_own_directory(here):
    made = []

    def make():
        made.append(runs.new_run_directory("tea"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
    assert set(os.listdir(runs.RUNS)) == {"tea", *(f"tea-{n}" for n in range(2, 9))}  # noqa: PTH208


@pytest.mark.parametrize("file", [runs.LAST, runs.BEST, runs.LOG])
def test_no_run_is_overwritten(here, file):
    out = here / "out"
    out.mkdir()
    (out / file).write_text("precious")
    with pytest.raises(RunError, match="already holds a run"):
        runs.new_run_directory("tea", out)


def test_a_run_that_was_killed_before_its_first_save_leaves_the_way_free(here):
    out = runs.new_run_directory("tea", here / "out")
    lock = runs.RunLock(out)
    runs.write_log(out, [])
    lock.release()
    assert runs.new_run_directory("tea", here / "out") == out


def test_a_directory_that_cannot_be_made(here):
    (here / "file").write_text("")
    with pytest.raises(RunError, match="name another folder"):
        runs.new_run_directory("tea", here / "file" / "out")


def test_finding_a_model(here):
    with pytest.raises(RunError, match="no trained model"):
        runs.find_model(None)
    run = make_run(here / "runs" / "tea")
    older = make_run(here / "runs" / "old")
    os.utime(older / runs.BEST, (1, 1))
    os.utime(older / runs.LAST, (1, 1))
    best = Path("runs/tea/best.npz")
    assert runs.find_model(None) == best
    assert runs.find_model("tea") == best
    assert runs.find_model("runs/tea/last.npz") == Path("runs/tea/last.npz")
    assert runs.find_model(run) == run / runs.BEST
    make_run(here / "runs" / "new", runs.LAST)
    assert runs.find_model(None) == best
    with pytest.raises(RunError, match=r"holds no best\.npz: give runs/new/last\.npz"):
        runs.find_model("new")
    (here / "empty").mkdir()
    with pytest.raises(RunError, match=r"holds no best\.npz: charrnn runs lists"):
        runs.find_model("empty")
    for name in ("missing", "x" * 5000, "a\0b", "", "/dev/zero"):
        with pytest.raises(RunError):
            runs.find_model(name or "gone/")


def test_the_list_has_every_run_in_whatever_state(here):
    assert runs.list_runs() == []
    make_run(here / "runs" / "done")
    make_run(here / "runs" / "cut", runs.LAST)
    (here / "runs" / "cut" / runs.LAST).write_bytes(b"PK")
    (here / "runs" / "empty").mkdir()
    (here / "runs" / "file").write_text("")
    stopped = make_run(here / "runs" / "stopped")
    checkpoint = load(stopped / runs.LAST)
    checkpoint.history.finished = ""
    save(stopped / runs.LAST, checkpoint)
    assert {run.name: run.state for run in runs.list_runs()} == {
        "done": "done",
        "cut": "damaged",
        "stopped": "interrupted",
    }
    lock = runs.RunLock(stopped)
    assert {run.name: run.state for run in runs.list_runs()}["stopped"] == "running"
    lock.release()


# Locks


@posix
def test_a_directory_is_held_by_one(here):
    lock = runs.RunLock(here)
    assert runs.is_running(here)
    with pytest.raises(RunError, match=f"in use by process {os.getpid()}: wait for it"):
        runs.RunLock(here)
    lock.release()
    lock.release()
    assert not runs.is_running(here)
    runs.RunLock(here).release()


@posix
def test_looking_does_not_disturb(here):
    """``charrnn runs`` takes each lock for a moment: a run that begins then must not fail."""
    (here / runs.LOCK).touch()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            runs.is_running(here)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(30):
            runs.RunLock(here).release()
    finally:
        stop.set()
        thread.join()


@posix
def test_a_worker_does_not_hold_the_lock_of_its_run(here):
    lock = runs.RunLock(here)
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        assert runs.is_running(here)
        lock.release()
        deadline = time.monotonic() + 10
        while runs.is_running(here):
            assert time.monotonic() < deadline
    finally:
        worker.kill()
        worker.join()


@posix
def test_a_lock_from_anyone(here):
    lock = here / runs.LOCK
    for content, owner in ((b"\xff\xfe\x1b[2J" * 1000, "unknown"), (b"", "unknown"), (b"12", "12")):
        held = runs.RunLock(here)
        lock.write_bytes(content)
        with pytest.raises(RunError, match=f"in use by process {owner}: "):
            runs.RunLock(here)
        held.release()
    lock.unlink()
    (here / "victim").write_text("precious")
    lock.symlink_to(here / "victim")
    with pytest.raises(RunError, match="cannot be written"):
        runs.RunLock(here)
    assert (here / "victim").read_text() == "precious"
    assert not runs.is_running(here)
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(RunError, match="no regular file"):
        runs.RunLock(here)
    lock.unlink()
    lock.mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        runs.RunLock(here)
    with pytest.raises(RunError, match="cannot be written"):
        runs.RunLock(here / "gone")


# Logs


def test_a_log_is_read_as_far_as_it_is_one(here):
    events = [
        {"event": "validated", "step": 3, "nats": 1.5},
        {"event": "notice", "message": "\u2028"},
    ]
    runs.write_log(here, events)
    runs.append_log(here, {"event": "finished", "step": 4})
    events.append({"event": "finished", "step": 4})
    assert runs.read_log(here) == events
    with (here / runs.LOG).open("ab") as file:
        file.write(b'[1]\n"a"\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
        file.write(b'{"step": "9"}\n{"step": null}\n{"step": NaN}\n{"event": "cut o')
    assert runs.read_log(here) == events
    assert runs.read_log(here / "gone") == []


@posix
def test_a_log_that_is_a_pipe(here):
    os.mkfifo(here / runs.LOG)
    assert runs.read_log(here) == []


def test_a_log_that_cannot_be_written(here):
    (here / runs.LOG).mkdir()
    with pytest.raises(RunError, match="the last save is intact"):
        runs.append_log(here, {})
    with pytest.raises(RunError, match="its folder is gone"):
        runs.append_log(here / "gone", {})


# What a resume reads


def test_a_resume_removes_what_a_crash_left_and_nothing_else(here):
    run = make_run(here / "run")
    for name in (".last.npz.12.tmp", ".best.npz.12.tmp", ".log.jsonl.1.tmp", ".mine.tmp", "a.tmp"):
        (run / name).write_text("half")
    runs.RunLock(run).release()
    (run / runs.LOCK).unlink()
    assert runs.load_last(run).history.step == 400
    assert {path.name for path in run.iterdir()} == {".mine.tmp", "a.tmp", runs.LAST, runs.BEST}


def test_a_resume_without_what_it_needs(here):
    with pytest.raises(RunError, match=r"no last\.npz: nothing to resume"):
        runs.load_last(here)
    checkpoint = load(FORMAT_1)
    checkpoint.training = {}
    save(here / runs.LAST, checkpoint)
    with pytest.raises(RunError, match="--init-from"):
        runs.load_last(here)


def test_the_log_is_json_lines(here):
    runs.write_log(here, [{"a": 1}, {"b": "\n"}])
    runs.append_log(here, {"c": float("nan"), "d": float("-inf")})
    assert [json.loads(line) for line in (here / runs.LOG).read_text().splitlines()] == [
        {"a": 1},
        {"b": "\n"},
        {"c": None, "d": None},
    ]
