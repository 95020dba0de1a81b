"""``charrnn score`` as a process: what arrives, pipes, terminals."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import charrnn
from tests.launching import PATIENCE
from tests.tracing import untraced

pty = pytest.importorskip("pty")  # on Windows there are no such terminals

CHARRNN = [sys.executable, "-m", "charrnn"]
PLACE = Path(__file__).parent.parent
TEXT = "pack my box with five dozen liquor jugs\n" * 30
SMALL = {"hidden_size": 16, "num_layers": 1, "batch_size": 4, "threads": 1, "steps": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run, and a line that a terminal must not obey."""
    folder = tmp_path_factory.mktemp("process")
    (folder / "hostile.txt").write_text("pack \x1b[31mmy\u202e box 한글 e\u0301\n")
    list(charrnn.train(text=TEXT, out=folder / "runs" / "box", **SMALL))
    return folder


def environment(**more):
    return untraced(PYTHONPATH=str(PLACE), TERM="xterm-256color", **more)


def test_each_line_is_written_before_the_next_one_is_there(folder):
    process = subprocess.Popen(
        [*CHARRNN, "score", "-", "--flush"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for line in ("pack my box", "", "jügs"):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        row = process.stdout.readline().decode()  # else it would wait for ever
        assert row.split("\t")[3] == f"{line}\n"
    process.stdin.close()
    assert process.wait(timeout=PATIENCE) == 0
    assert process.stdout.read() == b""
    process.stdout.close()
    process.stderr.close()


def test_a_reader_that_has_enough_ends_it_quietly(folder):
    command = 'yes "pack my box" | "$0" -m charrnn score - --flush | head -2 | cut -f4'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "pack my box\n" * 2
    assert "Traceback" not in done.stderr


def on_terminal(folder, *words, **more):
    """Run on a pseudo-terminal; return all that came to it."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*CHARRNN, *words],
        cwd=folder,
        env=environment(COLUMNS="100", LINES="40", **more),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(leader)
    assert process.wait(timeout=PATIENCE) == 0
    return shown.decode()


def test_a_terminal_shows_a_heat_map_and_obeys_no_text(folder):
    shown = on_terminal(folder, "score", "hostile.txt")
    assert "bits/char" in shown
    assert "38;5;" in shown  # a colour
    assert "\x1b[2m" in shown  # what was expected
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert "\\x1b[31m" in plain
    assert "e\u0301" in plain
    without = on_terminal(folder, "score", "hostile.txt", NO_COLOR="1")
    assert "38;5;" not in without
    assert "\x1b[2m" in without
