"""Crashes, full disks and two runs at once: what was saved stays, and goes on where it was."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from soak import crash
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import load
from charrnn.storage.lock import is_running
from charrnn.training.resume import resume
from tests.launching import PATIENCE
from tests.tracing import untraced

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux shows them")

SETTINGS = "--validations 30 --cell gru --hidden-size 64 --threads 2 --dropout 0.2"
ENDLESS = 10**6


def environment():
    """Return ours, without coverage: it would fail in its own way where a disk is full."""
    return untraced(PYTHONPATH=str(crash.PLACE))


def begin(folder, *words, **more):
    (folder / "corpus.txt").write_text(crash.TEXT)
    return subprocess.Popen(
        [sys.executable, "-m", "charrnn", "train", *map(str, words)],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def new(run, settings=SETTINGS):
    words = ["corpus.txt", "--out", run, "--steps", ENDLESS]
    return [*words, *crash.COMMON.split(), *settings.split()]


def wait_for_saves(run, count=1):
    """Return when last.npz has been written this often from now on, and best.npz is there."""
    seen, deadline = set(), time.monotonic() + PATIENCE
    while len(seen) <= count or not (run / runs.BEST).exists():
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError):
            seen.add((run / runs.LAST).stat().st_mtime_ns)
        time.sleep(0.002)


def end_of(process):
    """Return the exit code of a run and its error, the one line."""
    _, said = process.communicate(timeout=PATIENCE)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert said.splitlines()[-1] == errors[0], said
    assert "Traceback" not in said
    assert "ignored" not in said
    return process.returncode, errors[0]


def refused(folder, *words):
    """Return the exit code and the error of a run that must not begin, in this process."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, ["train", *map(str, words)], prog_name="charrnn")
    *_, error = done.stderr.splitlines()
    assert error.startswith("error: ")
    return done.exit_code, error


# Killed


def test_killed_at_any_instant(tmp_path):
    """The campaign in small; ``make soak`` is the rest."""
    with contextlib.chdir(tmp_path):
        words = crash.first(tmp_path, "straight", 200, SETTINGS)
        assert CliRunner().invoke(app, ["train", *words]).exit_code == 0
    rng = random.Random(3)
    options = {"kills": 4, "patience": 0.6, "ends": 0}  # few kills: none may come too late
    counts = crash.killed_run(tmp_path, "killed", 200, SETTINGS, rng, **options)
    assert counts.total() >= 2
    crash.check_equal(tmp_path / "killed", tmp_path / "straight")


def test_a_kill_frees_the_lock_at_once_and_ends_the_workers(tmp_path):
    run = tmp_path / "run"
    first = begin(tmp_path, *new("run"))
    wait_for_saves(run)
    first.kill()
    first.communicate()
    again = begin(tmp_path, "--resume", "run")
    wait_for_saves(run)
    deadline = time.monotonic() + crash.GRACE
    while len(workers := crash.workers_of(again.pid)) != 1:  # they begin with the first step
        assert time.monotonic() < deadline
        time.sleep(0.01)
    while str(run / "lock") in files_of(workers[0]):
        assert time.monotonic() < deadline  # it lets go of the lock as soon as it runs
        time.sleep(0.01)
    os.kill(workers[0], signal.SIGSTOP)  # it cannot end before we have looked
    again.kill()
    again.wait()
    assert not is_running(run)
    assert crash.is_alive(workers[0])
    os.kill(workers[0], signal.SIGCONT)
    deadline = time.monotonic() + crash.GRACE
    while crash.is_alive(workers[0]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    again.communicate()


def test_a_worker_that_is_killed_ends_the_run_in_one_line(tmp_path):
    run = tmp_path / "run"
    process = begin(tmp_path, *new("run"))
    wait_for_saves(run)
    (worker,) = crash.workers_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    code, error = end_of(process)
    assert code == 1
    assert "a worker process was killed (out of memory?): free memory or use" in error
    check_last(run)


def files_of(process):
    found = []
    for file in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found.append(str(file.readlink()))
    return found


# Two at once


def test_a_second_resume_is_refused_with_the_first_ones_number(tmp_path):
    run = tmp_path / "run"
    process = begin(tmp_path, *new("run"))
    wait_for_saves(run)
    code, error = refused(tmp_path, "--resume", "run")
    assert code == 1
    assert f"run is in use by process {process.pid}: " in error
    code, error = refused(tmp_path, *new("run"))
    assert code == 1
    assert "already has a run" in error
    process.kill()
    process.communicate()
    again = begin(tmp_path, "--resume", "run")
    wait_for_saves(run)
    code, error = refused(tmp_path, "--resume", "run")
    assert f"run is in use by process {again.pid}: " in error
    again.kill()
    again.communicate()


def test_two_new_runs_on_one_corpus(tmp_path):
    words = ["corpus.txt", "--steps", "20", "--hidden-size", "8", "--threads", "1"]
    both = [begin(tmp_path, *words), begin(tmp_path, *words)]
    for process in both:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    for name in ("corpus", "corpus-2"):
        assert load(tmp_path / "runs" / name / "last.npz").history.step == 20


# No room, no folder


def check_sound(run):
    """What was saved before is whole."""
    for name in (runs.LAST, runs.BEST):
        assert load(run / name).history.step > 0


def check_last(run):
    """A run can go on from what was saved before."""
    check_sound(run)
    assert not crash.temporaries(run)
    assert not is_running(run)
    resume(run, cache=False).close()


def wait_for_word(process, words):
    """Read what a run says until it says this; return the line."""
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it ended without a word of {words!r}")


def test_a_limit_of_the_file_size(tmp_path):
    run = tmp_path / "run"
    process = begin(tmp_path, *new("run"))
    wait_for_saves(run)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
    assert "last.npz: File too large): free disk space" in wait_for_word(
        process, "could not be saved"
    )
    check_sound(run)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    wait_for_word(process, "the run can be saved again")
    wait_for_saves(run)
    process.kill()
    process.communicate()
    check_last(run)


def test_a_limit_of_the_file_size_from_the_start(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code, error = end_of(begin(tmp_path, *new("run"), preexec_fn=limit))
    assert code == 1
    assert "File too large" in error
    assert not list((tmp_path / "run").glob("*.npz"))
    assert not crash.temporaries(tmp_path / "run")
    code, error = refused(tmp_path, "--resume", "run")
    assert code == 1
    assert "to resume from" in error


def test_the_folder_is_removed(tmp_path):
    run = tmp_path / "run"
    process = begin(tmp_path, *new("run"))
    wait_for_saves(run)
    run.rename(tmp_path / "away")
    code, error = end_of(process)
    assert code == 1
    assert "its folder is missing: put it back" in error
    (tmp_path / "away").rename(run)
    check_last(run)


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk):
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_full_disk_that_empties_again(tmp_path, disk):
    run = disk / "run"
    process = begin(tmp_path, *new(run))
    wait_for_saves(run)
    fill(disk)
    assert "No space left on device" in wait_for_word(process, "the run could not be saved")
    check_sound(run)
    (disk / "filler").unlink()
    wait_for_word(process, "the run can be saved again")
    wait_for_saves(run)
    fill(disk)
    wait_for_word(process, "the run could not be saved")
    process.send_signal(signal.SIGINT)  # the end of the run: now it is an error
    code, error = end_of(process)
    assert code == 1
    assert "could not be written (No space left on device); the end of the run, step " in error
    (disk / "filler").unlink()
    check_last(run)
    saved = re.search(r"is saved in (\S+) instead", error)[1]
    assert load(Path(saved) / runs.LAST).history.step > load(run / runs.LAST).history.step
    shutil.rmtree(saved)


def test_a_disk_that_is_full_from_the_start(tmp_path, disk):
    fill(disk)
    code, error = end_of(begin(tmp_path, *new(disk / "run")))
    assert code == 1
    assert "No space left on device" in error
    (disk / "filler").unlink()
    process = begin(tmp_path, *new(disk / "run"))  # nothing is in the way of another try
    wait_for_saves(disk / "run")
    process.kill()
    process.communicate()


def test_a_read_only_disk(tmp_path, disk):
    process = begin(tmp_path, *new(disk / "run"))
    wait_for_saves(disk / "run")
    process.kill()
    process.communicate()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, error = refused(tmp_path, "--resume", disk / "run")
    assert code == 1
    assert "lock cannot be written (Read-only file system)" in error
    code, error = refused(tmp_path, *new(disk / "other"))
    assert code == 1
    assert "name another folder with --out" in error
    assert load(disk / "run" / runs.BEST).model().num_parameters
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    resume(disk / "run", cache=False).close()
