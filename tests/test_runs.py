"""Run directories: names, locks, logs, and what a directory from anyone may hold."""

import errno
import json
import multiprocessing
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.errors import CheckpointError, RunError
from charrnn.storage import folder as runs
from charrnn.storage import lock as lock_module
from charrnn.storage.checkpoint import load, save
from charrnn.storage.listing import list_runs
from charrnn.storage.lock import LOCK, RunLock, is_running
from charrnn.storage.log import LOG, append_log, read_log, write_log
from charrnn.storage.own_text import SOURCES, STDIN
from charrnn.training.run_file import RUN_FILE
from tests.launching import PATIENCE

FORMAT_1 = Path(__file__).parent / "data" / "format-1.npz"

needs_links = pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")


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
        (".hidden", "hidden"),
        ("v1.2-notes.txt", "v1.2-notes"),
        ("v1.2", "v1.2"),
        ("books/*.txt", "books"),
        ("data/input.TXT.XZ", "input"),
        ("x" * 300, "x" * 60),
        ("a\x1b[31mb\n.txt", "a-31mb"),
        ("../../etc", "etc"),
        ("--out", "out"),
    ],
)
def test_names_are_safe(source, name):
    assert runs.run_name(source) == name


def test_a_folder_gives_its_name(here):
    (here / "my.texts").mkdir()
    assert runs.run_name("my.texts/") == runs.run_name(here / "my.texts") == "my.texts"
    assert runs.run_name(".") == runs.run_name("*.txt") == here.name


@pytest.mark.parametrize(
    ("typed", "name"),
    [("b/input.txt", "b-input"), ("input.txt", "input"), ("../input.txt", "input"), ("-", "stdin")],
)
def test_a_name_with_its_folder_where_that_was_typed(typed, name):
    assert runs.run_name(typed, with_folder=True) == name


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


@pytest.mark.parametrize("file", [runs.LAST, runs.BEST, LOG])
def test_no_run_is_overwritten(here, file):
    out = here / "out"
    out.mkdir()
    (out / file).write_text("precious")
    with pytest.raises(RunError, match="already has a run"):
        runs.new_run_directory("tea", out)


def test_a_run_that_was_killed_before_its_first_save_leaves_the_way_free(here):
    out = runs.new_run_directory("tea", here / "out")
    lock = RunLock(out)
    write_log(out, [])
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
    new = make_run(here / "runs" / "new", runs.LAST)
    assert runs.find_model(None) == best
    other = load(new / runs.LAST)
    other.sources = (replace(other.sources[0], sha256="0" * 64),)
    save(new / runs.LAST, other)
    # What was made of another text is not what was asked for.
    with pytest.raises(RunError, match=r"^runs/new is the newest run and has no best.* --resume"):
        runs.find_model(None)
    lock = RunLock(new)
    with pytest.raises(RunError, match="wait for its first save, or name a model, as in --model r"):
        runs.find_model(None)
    lock.release()
    with pytest.raises(RunError, match=r"has no best\.npz: name runs/new/last\.npz"):
        runs.find_model("new")
    (here / "empty").mkdir()
    with pytest.raises(RunError, match=r"has no best\.npz: list the runs with"):
        runs.find_model("empty")
    for name in ("missing", "x" * 5000, "a\0b", "", "/dev/zero"):
        with pytest.raises(RunError):
            runs.find_model(name or "gone/")


def test_the_list_has_every_run_in_whatever_state(here):
    assert list_runs() == []
    make_run(here / "runs" / "done")
    make_run(here / "runs" / "cut", runs.LAST)
    (here / "runs" / "cut" / runs.LAST).write_bytes(b"PK")
    (here / "runs" / "empty").mkdir()
    (here / "runs" / "file").write_text("")
    stopped = make_run(here / "runs" / "stopped")
    checkpoint = load(stopped / runs.LAST)
    checkpoint.history.finished = ""
    save(stopped / runs.LAST, checkpoint)
    assert {run.name: run.state for run in list_runs()} == {
        "done": "done",
        "cut": "damaged",
        "stopped": "interrupted",
    }
    lock = RunLock(stopped)
    assert {run.name: run.state for run in list_runs()}["stopped"] == "running"
    lock.release()


def test_the_list_reads_no_weights(here):
    run = make_run(here / "runs" / "tea")
    (whole,) = list_runs()
    checkpoint = load(run / runs.LAST)
    assert whole.num_parameters == checkpoint.num_parameters
    assert whole.num_parameters == sum(weight.size for weight in checkpoint.weights.values())
    for file in (runs.LAST, runs.BEST):
        data = bytearray((run / file).read_bytes())
        at = data.index(next(iter(checkpoint.weights.values())).tobytes())
        data[at] ^= 1  # its sum is wrong now
        (run / file).write_bytes(data)
        with pytest.raises(CheckpointError):
            load(run / file)
    (listed,) = list_runs()
    assert replace(listed, modified=0.0) == replace(whole, modified=0.0)


# Locks


def test_a_directory_is_held_by_one(here):
    lock = RunLock(here)
    assert is_running(here)
    with pytest.raises(RunError, match=f"in use by process {os.getpid()}: wait for it"):
        RunLock(here)
    lock.release()
    lock.release()
    assert not is_running(here)
    RunLock(here).release()


def test_looking_does_not_disturb(here):
    """``charrnn runs`` takes each lock for a moment: a run that begins then must not fail."""
    (here / LOCK).touch()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            is_running(here)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(30):
            RunLock(here).release()
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_worker_does_not_hold_the_lock_of_its_run(here):
    lock = RunLock(here)
    context = multiprocessing.get_context("fork")
    worker = context.Process(target=time.sleep, args=(600,))
    worker.start()
    try:
        assert is_running(here)
        lock.release()
        deadline = time.monotonic() + PATIENCE
        while is_running(here):
            assert time.monotonic() < deadline
    finally:
        worker.kill()
        worker.join()


def test_a_lock_from_anyone(here):
    lock = here / LOCK
    for content, owner in ((b"\xff\xfe\x1b[2J" * 1000, "unknown"), (b"", "unknown"), (b"12", "12")):
        held = RunLock(here)
        lock.write_bytes(content)
        with pytest.raises(RunError, match=f"in use by process {owner}: "):
            RunLock(here)
        held.release()
    lock.unlink()
    lock.mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        RunLock(here)
    with pytest.raises(RunError, match="cannot be written"):
        RunLock(here / "gone")


@needs_links
def test_a_lock_that_is_a_link(here):
    lock = here / LOCK
    (here / "victim").write_text("precious")
    lock.symlink_to(here / "victim")
    with pytest.raises(RunError, match="cannot be written"):
        RunLock(here)
    assert (here / "victim").read_text() == "precious"
    assert not is_running(here)


@needs_pipes
def test_a_lock_that_is_a_pipe(here):
    os.mkfifo(here / LOCK)
    with pytest.raises(RunError, match="it is a pipe, not a file"):
        RunLock(here)
    assert not is_running(here)


def test_a_file_system_without_locks_is_used_without(here, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    names = {"LOCK_SH": 1, "LOCK_EX": 2, "LOCK_NB": 4}
    monkeypatch.setattr(lock_module, "fcntl", SimpleNamespace(flock=flock, **names))
    lock = RunLock(here)
    assert (here / LOCK).read_text() == str(os.getpid())
    assert not is_running(here)
    lock.release()


# Logs


def test_a_log_is_read_as_far_as_it_is_one(here):
    events = [
        {"event": "validated", "step": 3, "nats": 1.5},
        {"event": "notice", "message": "\u2028"},
    ]
    write_log(here, events)
    append_log(here, {"event": "finished", "step": 4})
    events.append({"event": "finished", "step": 4})
    assert read_log(here) == events
    with (here / LOG).open("ab") as file:
        file.write(b'[1]\n"a"\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
        file.write(b'{"step": "9"}\n{"step": null}\n{"step": NaN}\n{"event": "cut o')
    assert read_log(here) == events
    assert read_log(here / "gone") == []


@needs_pipes
def test_a_log_that_is_a_pipe(here):
    os.mkfifo(here / LOG)
    assert read_log(here) == []


def test_a_log_that_cannot_be_written(here):
    (here / LOG).mkdir()
    with pytest.raises(CheckpointError, match="the last save is intact"):
        append_log(here, {})
    with pytest.raises(CheckpointError, match="its folder is missing"):
        append_log(here / "gone", {})


# What a resume reads


def test_a_resume_removes_what_a_crash_left_and_nothing_else(here):
    run = make_run(here / "run")
    for name in (".last.npz.12.tmp", ".best.npz.12.tmp", ".log.jsonl.1.tmp", ".mine.tmp", "a.tmp"):
        (run / name).write_text("half")
    RunLock(run).release()
    (run / LOCK).unlink()
    assert runs.load_last(run).history.step == 400
    assert {path.name for path in run.iterdir()} == {".mine.tmp", "a.tmp", runs.LAST, runs.BEST}


def test_every_file_of_a_run_is_removed_if_a_crash_left_half_of_it(here):
    words = ["train", "-", "--steps", "2", "--out", "run"]
    assert CliRunner().invoke(app, words, input="hello " * 99).exit_code == 0
    run = here / "run"
    files = {path.name for path in run.iterdir()}
    assert {runs.BEST, runs.LAST, LOG, RUN_FILE, SOURCES, STDIN} <= files
    for name in files - {LOCK}:
        (run / f".{name}.12.tmp").write_text("half")
    RunLock(run).release()
    assert {path.name for path in run.iterdir()} == files


def test_a_resume_without_what_it_needs(here):
    with pytest.raises(RunError, match=r"no last\.npz to resume from"):
        runs.load_last(here)
    checkpoint = load(FORMAT_1)
    checkpoint.training = {}
    save(here / runs.LAST, checkpoint)
    with pytest.raises(RunError, match="--init-from"):
        runs.load_last(here)


def test_the_log_is_json_lines(here):
    write_log(here, [{"a": 1}, {"b": "\n"}])
    append_log(here, {"c": float("nan"), "d": float("-inf")})
    assert [json.loads(line) for line in (here / LOG).read_text().splitlines()] == [
        {"a": 1},
        {"b": "\n"},
        {"c": None, "d": None},
    ]
