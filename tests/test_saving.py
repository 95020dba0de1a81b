"""Saves that fail: on the way a notice, at the end an error that says where the work is."""

import errno
import re
import shutil
import sys
import tempfile
from pathlib import Path

import labelled_texts
import pytest
from soak import crash

from charrnn.config import ModelConfig, TrainConfig
from charrnn.errors import CheckpointError, RunError
from charrnn.storage import log as log_module
from charrnn.storage import store
from charrnn.storage.checkpoint import load, save
from charrnn.storage.folder import BEST, LAST
from charrnn.storage.log import LOG, append_log, read_log
from charrnn.storage.store import MemoryStore
from charrnn.system import files
from charrnn.training import run as training
from charrnn.training import saving
from charrnn.training.events import Finished, Notice, Progress, Saved
from charrnn.training.new import prepare
from charrnn.training.resume import resume

BOTH = (LAST, BEST)
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in an empty folder with a corpus, and hear of every step."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "PROGRESS_EVERY", -1.0)
    monkeypatch.setattr(training, "LOGGED_PROGRESS", 10**6)
    monkeypatch.setattr(files.os, "fsync", lambda file: None)
    (tmp_path / "corpus.txt").write_text(crash.TEXT[:3000])
    return tmp_path


@pytest.fixture
def blocked(monkeypatch):
    """Names of files that cannot be written, while they are in this set."""
    names = set()
    replace, append = files._replace, append_log

    def guarded(temporary, path):
        if path.name in names and path.parent.name == "run":
            raise FULL
        replace(temporary, path)

    def logged(directory, event):
        if LOG in names:
            raise files.WriteError(directory / LOG, FULL, "make room")
        append(directory, event)

    monkeypatch.setattr(files, "_replace", guarded)
    monkeypatch.setattr(store, "append_log", logged)
    return names


def new(out, **settings):
    train = {"steps": 12, "validations": 6, "save_every": 1e-9, "batch_size": 4, "seq_len": 8}
    shape = ModelConfig(cell="gru", num_layers=1, hidden_size=8)
    return prepare(["corpus.txt"], model=shape, train=TrainConfig(**{**train, **settings}), out=out)


def go(run, blocked, names, steps, *, each=lambda: None, stop_at=None):
    """Train; from some steps on these files cannot be written, until one that is not of them."""
    events = []
    for event in run.train():
        events.append(event)
        if isinstance(event, Progress):
            blocked.clear()
            blocked.update(names if event.step in steps else ())
            each()
            if event.step == stop_at:
                run.stop()
    return events


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def told(events):
    return [event.message for event in of_kind(events, Notice)]


def check_same(run, other):
    for name in BOTH:
        assert crash.content(run / name) == crash.content(other / name), name


# On the way


@pytest.mark.parametrize("names", [(LAST,), (BEST,), (LAST, BEST, LOG)], ids=" ".join)
def test_what_cannot_be_saved_on_the_way_is_saved_later(here, blocked, names):
    list(new(here / "straight").train())
    consistent = []

    def check():
        if (here / "run" / BEST).exists() and (here / "run" / LAST).exists():
            last, best = load(here / "run" / LAST).history, load(here / "run" / BEST).history
            consistent.append(last.best_step is None or last.best_step <= best.step)

    events = go(new(here / "run"), blocked, names, range(3, 8), each=check)
    check_same(here / "run", here / "straight")
    assert consistent  # a kill never leaves a history that tells of a state that is not there
    assert all(consistent)
    assert isinstance(events[-1], Finished)
    saved = [event.step for event in of_kind(events, Saved)]
    assert not set(saved) & set(range(4, 8))
    assert set(saved) >= {1, 2, 8, 9, 10, 11, 12}
    messages = told(events)
    failed = [message for message in messages if "could not be saved" in message]
    assert failed
    assert "No space left on device): free disk space, or close" in failed[0]
    assert re.search(r"^step \d+: .* can be saved again$", messages[-1])
    again = [message.split(": ")[1] for message in messages if message.endswith("saved again")]
    failures = {message.split(": ")[1].split(" could")[0] for message in failed}
    assert {message.removesuffix(" can be saved again") for message in again} == failures
    if names == (LAST,):
        assert "the last save is of step 2" in failed[0]


def test_a_notice_of_saves_that_fail_comes_ever_more_rarely(here, blocked):
    events = go(new(here / "run", steps=20), blocked, (LAST,), range(2, 20))
    failed = [message for message in told(events) if "could not be saved" in message]
    times = [message.split(":")[0] for message in failed]
    assert times == ["step 2", "step 3", "step 5", "step 9", "step 17"]


def test_no_line_of_the_log_is_lost(here, blocked):
    list(new(here / "straight").train())
    events = go(new(here / "run"), blocked, (LOG,), range(2, 9))
    logged = crash.log_of(here / "run")
    notices = [event for event in logged if event["event"] == "notice"]
    assert [event["message"] for event in notices] == told(events)
    assert any("the log could not be saved" in message for message in told(events))
    assert [event for event in logged if event not in notices] == crash.log_of(here / "straight")
    steps = [event["step"] for event in read_log(here / "run") if event["event"] == "progress"]
    assert steps == list(range(1, 13))


def test_the_best_state_of_a_program_is_one_that_could_not_be_written(here, blocked):
    run = new(here / "run")
    seen = []

    def look():
        if blocked and run.history.best_step:
            seen.append(run.best().history.best_step == run.history.best_step)

    go(run, blocked, (BEST,), range(1, 8), each=look)
    assert len(seen) > 2
    assert all(seen)


def test_a_mixture_of_labels_waits_too(here, blocked):
    (here / "label.txt").write_text(labelled_texts.TEXTS["label"])
    settings = {"predict": "label", "steps": 20, "counts": True}
    list(labelled_texts.new(here / "straight", here / "label.txt", **settings).train())
    run = labelled_texts.new(here / "run", here / "label.txt", **settings)
    mix = run._saving.mix

    def mixed(counting):
        yield from mix(counting)
        blocked.clear()

    run._saving.mix = mixed
    go(run, blocked, (BEST,), range(8, 21))
    check_same(here / "run", here / "straight")
    assert load(here / "run" / BEST).mixture


def test_a_first_save_that_fails_ends_the_run(here, blocked):
    blocked.add(LAST)
    with pytest.raises(
        CheckpointError, match=r"last\.npz could not be written .*: free some space"
    ):
        list(new(here / "run").train())


def test_a_folder_that_is_gone_ends_the_run_at_once(here, blocked):
    run = new(here / "run")
    with pytest.raises(CheckpointError, match="its folder is missing: put it back"):
        go(run, blocked, (), (), each=lambda: shutil.rmtree(here / "run", ignore_errors=True))
    assert run.history.step < 3


# At the end


@pytest.mark.parametrize("names", [(LAST,), (BEST,), BOTH], ids=" ".join)
@pytest.mark.parametrize("stop_at", [None, 9])
def test_an_end_that_cannot_be_saved_is_an_error_that_says_where_it_is(
    here, blocked, monkeypatch, names, stop_at
):
    (here / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here / "tmp"))
    go(new(here / "straight"), set(), (), (), stop_at=stop_at)
    run, events = new(here / "run"), []
    with pytest.raises(CheckpointError) as caught:
        events += go(run, blocked, names, range(5, 13), stop_at=stop_at)
    assert not of_kind(events, Finished)
    end = 12 if stop_at is None else 10
    message = str(caught.value)
    found = re.search(rf"the end of the run, step {end}, is saved in (\S+) instead: ", message)
    assert found, message
    assert f"move the files from there to {here / 'run'} once it is writable" in message
    assert "\n" not in message
    for path in Path(found[1]).iterdir():  # as is said
        path.replace(here / "run" / path.name)
    check_same(here / "run", here / "straight")
    if stop_at is None:
        with pytest.raises(RunError, match="is finished"):
            resume(here / "run")


@pytest.mark.parametrize("when", ["before", "within"])
def test_an_end_that_can_be_saved_nowhere_says_what_is(here, blocked, monkeypatch, when):
    (here / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here / ("gone" if when == "before" else "tmp")))

    def full(path, checkpoint):
        save(path, checkpoint)
        raise files.WriteError(path, FULL, "make room")

    monkeypatch.setattr(saving, "save", full)
    again = rf"the last save is of step 4: free disk space, then run .*--resume {here / 'run'}"
    with pytest.raises(CheckpointError, match=again):
        go(new(here / "run"), blocked, BOTH, range(5, 13))
    assert not list((here / "tmp").iterdir())
    blocked.clear()
    list(new(here / "straight").train())
    list(resume(here / "run").train())
    check_same(here / "run", here / "straight")


def test_a_log_whose_end_cannot_be_written_is_an_error_and_the_run_is_whole(here, blocked):
    list(new(here / "straight").train())
    run = new(here / "run")
    with pytest.raises(
        CheckpointError, match=r"log\.jsonl could not.*the run is saved, except for the las"
    ):
        go(run, blocked, (LOG,), range(9, 13))
    check_same(here / "run", here / "straight")


def test_one_event_is_no_events():
    assert saving.last_events(1) == "the last event"
    assert saving.last_events(3) == "the last 3 events"


# The log itself


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of POSIX")
def test_a_line_that_has_no_room_leaves_no_half_of_itself(here):
    import resource

    append_log(here, {"event": "notice", "message": "a"})
    before = (here / LOG).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 9, limits[1]))
        with pytest.raises(CheckpointError, match="File too large"):
            append_log(here, {"event": "notice", "message": "b"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (here / LOG).read_bytes() == before
    append_log(here, {"event": "notice", "message": "c"})
    assert [event["message"] for event in read_log(here)] == ["a", "c"]
    assert log_module.LOG == LOG


# Once


def test_a_run_trains_once(here):
    run = new(here / "run")
    list(run.train())
    before = (here / "run" / LAST).read_bytes()
    with pytest.raises(RunError, match="this run was already trained: resume it"):
        run.train()
    assert (here / "run" / LAST).read_bytes() == before
    assert not (here / "runs").exists()


def test_a_run_whose_speed_was_measured_trains_no_more(here):
    shape, train = ModelConfig(hidden_size=8), TrainConfig(steps=4, batch_size=4, seq_len=8)
    run = prepare(["corpus.txt"], model=shape, train=train, store=MemoryStore())
    assert run.measure_speed(0.0) > 0
    with pytest.raises(RunError, match="this run was already trained: resume it"):
        run.train()
    run.close()
