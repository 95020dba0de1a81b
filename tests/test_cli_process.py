"""The commands as processes: signals, pipes, terminals."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from charrnn.cli.app import COMMANDS, app
from charrnn.storage.checkpoint import load
from charrnn.text.inputs import spool
from tests.launching import PATIENCE
from tests.tracing import untraced

pty = pytest.importorskip("pty")  # on Windows there are no such signals and terminals

CHARRNN = [sys.executable, "-m", "charrnn"]
TALKATIVE = [
    sys.executable,
    "-c",
    "from charrnn.cli.show.progress import LineDisplay; LineDisplay.seconds_between = 0.1\n"
    "from charrnn.__main__ import main; main()",
]
"""With a line of progress every moment."""
ONE_BY_ONE = [
    sys.executable,
    "-c",
    "import sys; from charrnn.cli.app import app\n"
    "for name in sys.argv[1:]: assert app([name], standalone_mode=False) in (None, 0)",
]
"""Several commands without options."""
PLACE = Path(__file__).parent.parent
TEXT = "the quick brown fox jumps over the lazy dog\n" * 60
STANDSTILL = 3.0
"""Seconds that a process is stopped: more than it takes to start and to end."""
TINY = ["--hidden-size", "16", "--num-layers", "1", "--threads", "2", "--max-epochs", "0"]


def environment(**more):
    return {"PYTHONPATH": str(PLACE), "TERM": "xterm", **more}


def charrnn(folder, *words, **more):
    return subprocess.run(
        [*CHARRNN, *map(str, words)],
        cwd=folder,
        env=untraced(**environment()),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


def in_process(folder, *words):
    """Run where it takes no process of its own to see what comes of it."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


def default_signals():
    """Undo what a shell does to the children of a job in the background."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


def start(folder, *words, program=CHARRNN, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
    return subprocess.Popen(
        [*program, *words],
        cwd=folder,
        env={**os.environ, **environment()},
        stdout=stdout,
        stderr=stderr,
        preexec_fn=default_signals,
        start_new_session=True,
    )


def wait_for_step(process):
    """Return when the training is under way, with what it has said."""
    said = []
    for line in process.stderr:
        said.append(line)
        if b"step " in line and b"train " in line:
            break
    return said


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run whose model writes escape sequences."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile = "\x1b[31mred\u202e[bold]x[/bold]\n"
    (folder / "corpus.txt").write_bytes((hostile * 60).encode())
    result = in_process(folder, "train", "corpus.txt", "--steps", "5", *TINY)
    assert result.exit_code == 0, result.output
    return folder


def on_terminal(folder, *words, program=CHARRNN, signal_at=None):
    """Run on a pseudo-terminal; return the exit code and all that came to it."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*program, *words],
        cwd=folder,
        env={**os.environ, **environment(COLUMNS="100", LINES="40")},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        preexec_fn=default_signals,
        start_new_session=True,
    )
    os.close(follower)
    received = b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ready, _, _ = select.select([leader], [], [], 1)
        if not ready:
            continue
        try:
            data = os.read(leader, 65536)
        except OSError:  # Linux: all other ends are closed
            break
        if not data:
            break
        received += data
        if signal_at is not None and signal_at in received:
            process.send_signal(signal.SIGINT)
            signal_at = None
    os.close(leader)
    return process.wait(timeout=PATIENCE), received


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, number, code):
    (tmp_path / "corpus.txt").write_text(TEXT)
    with start(tmp_path, "train", "corpus.txt", "--steps", "1000000", *TINY) as process:
        wait_for_step(process)
        os.killpg(process.pid, number)  # a terminal sends Ctrl-C to the workers as well
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, said
    assert b"charrnn train --resume runs/corpus" in said
    assert b"Traceback" not in said
    step = int(said.partition(b"stopped after ")[2].split()[0].replace(b",", b""))
    again = ("train", "--resume", "runs/corpus", "--steps", step + 10, "--json")
    result = in_process(tmp_path, *again)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["step"] == step + 10


def test_time_spent_stopped_is_no_training_time(tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT)
    words = ["train", "corpus.txt", "--minutes", "0.03", "--patience", "0", *TINY]
    began = time.monotonic()
    with start(tmp_path, *words, program=TALKATIVE) as process:
        for _ in range(2):  # the first of each kind of work is not known to be long
            wait_for_step(process)
        os.killpg(process.pid, signal.SIGSTOP)  # as Ctrl-Z does
        time.sleep(STANDSTILL)
        os.killpg(process.pid, signal.SIGCONT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert b"notice: the run was interrupted for " in said
    last = json.loads((tmp_path / "runs/corpus/log.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "finished"
    assert 1.8 <= last["seconds"] <= time.monotonic() - began - STANDSTILL


def test_a_closed_pipe_is_silent(trained):
    with start(trained, "sample", "--length", "1000000") as process:
        assert len(process.stdout.read(10)) == 10
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(timeout=PATIENCE)
    assert code == 141
    assert said.count(b"\n") == 1  # the model's name
    assert said.startswith(b"model: ")


def test_a_log_that_closes_stops_the_run_and_saves_it(tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT)
    words = ("train", "corpus.txt", "--minutes", "1", *TINY)
    with start(tmp_path, *words, program=TALKATIVE) as process:
        wait_for_step(process)
        process.stderr.close()
        assert process.wait(timeout=PATIENCE) == 141
    last = load(tmp_path / "runs" / "corpus" / "last.npz").history
    minutes = last.seconds / 60 + 0.005
    again = ("train", "--resume", "runs/corpus", "--minutes", minutes, "--json")
    result = in_process(tmp_path, *again)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["step"] > last.step > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", [["sample"], ["runs", "--json"], ["--help"]], ids=" ".join)
def test_a_full_disk_is_one_line(trained, words):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*CHARRNN, *words],
            cwd=trained,
            env=untraced(**environment()),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(b"error: ")
    assert b"No space left" in last
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_was_never_open(trained, stream):
    command = f'"$0" -m charrnn sample --length 3 {stream}>&-'
    result = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable],
        cwd=trained,
        env=untraced(**environment()),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0
    assert b"Traceback" not in result.stderr


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT)
    # A step of some seconds: the first signal waits for its end.
    arguments = [
        "--seq-len",
        "2000",
        "--hidden-size",
        "1024",
        "--batch-size",
        "1",
        "--threads",
        "1",
    ]
    with start(tmp_path, "train", "corpus.txt", "--steps", "100", *arguments) as process:
        for line in process.stderr:
            if line.startswith(b"run "):
                break
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"charrnn train --resume runs/corpus" in said
    assert b"Traceback" not in said


def test_hostile_text_passes_a_pipe_and_is_shown_escaped_on_a_terminal(trained):
    seed = "\x1b[31mred\u202e[bold]"
    arguments = ("sample", "--seed", seed, "--length", "20", "--random-seed", "1")
    piped = charrnn(trained, *arguments).stdout
    assert piped.startswith(seed)
    code, shown = on_terminal(trained, *arguments)
    assert code == 0
    assert b"\\x1b[31mred\\u202e[bold]" in shown
    assert b"\x1b[31m" not in shown
    assert "\u202e".encode() not in shown
    assert shown.endswith(b"\n")
    code, shown = on_terminal(trained, *arguments, "--raw")
    assert seed.encode() in shown


def test_the_display_shows_hostile_samples_escaped(trained):
    code, shown = on_terminal(trained, "train", "corpus.txt", "--steps", "60", *TINY)
    assert code == 0, shown
    assert "\u202e".encode() not in shown
    assert b"\x1b[31mred" not in shown
    assert b"sample at step" in shown
    assert b"validation" in shown
    code, shown = on_terminal(trained, "info", "eval", "runs", program=ONE_BY_ONE)
    assert code == 0
    assert b"\\u202e" in shown
    assert b"\x1b[31m" not in shown
    assert "\u202e".encode() not in shown


def test_ctrl_c_on_a_terminal(tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT)
    arguments = ("train", "corpus.txt", "--steps", "1000000", *TINY)
    code, shown = on_terminal(tmp_path, *arguments, signal_at=b"gradient norm")
    assert code == 130
    assert b"charrnn train --resume runs/corpus" in shown
    assert b"Traceback" not in shown
    assert shown.count(b"\x1b[?25h") >= shown.count(b"\x1b[?25l") > 0  # the cursor is back


def test_ctrl_c_while_the_program_is_loaded_leaves_no_traceback():
    code = (
        "import sys; from charrnn.__main__ import main\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=untraced(**environment()),
        capture_output=True,
        check=False,
    )
    assert result.returncode == 130
    assert result.stderr == b""


@pytest.mark.parametrize(
    ("commands", "slow"),
    [([[]], ["numpy", "rich", "pydantic"]), ([[name] for name in COMMANDS], ["numpy", "rich"])],
)
def test_help_imports_nothing_slow(commands, slow):
    code = (
        "import sys; from charrnn.__main__ import main\n"
        f"for command in {commands}:\n"
        "    sys.argv[1:] = [*command, '--help']\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    words, env = [sys.executable, "-c", code], untraced(**environment())
    result = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("text", "next_commands"), [("to be or not", 1), (TEXT, 2)])
def test_every_next_step_works_for_a_text_from_stdin(tmp_path, text, next_commands):
    done = charrnn(tmp_path, "train", "-", "--steps", "2", *TINY, input=text)
    assert done.returncode == 0
    said = done.stderr[done.stderr.index("next: charrnn sample") :].splitlines()
    assert said == ["next: charrnn sample", "      charrnn eval"][:next_commands]
    for line in said:
        words = line.removeprefix("next:").split()[1:]
        result = in_process(tmp_path, *words)
        assert result.exit_code == 0, result.output
    result = in_process(tmp_path, "train", "--resume", "runs/stdin", "--steps", "4", "--json")
    assert json.loads(result.stdout)["step"] == 4, result.output


def test_what_is_typed_ends_at_the_first_end_of_file():
    keyboard, terminal = pty.openpty()
    found = []
    with os.fdopen(terminal, "rb") as typed:
        reader = threading.Thread(target=lambda: found.append(spool(typed).read()), daemon=True)
        reader.start()
        os.write(keyboard, b"bada\nbidi\n\x04")
        reader.join(PATIENCE)
        ended = not reader.is_alive()
        os.write(keyboard, b"\x04")  # so that it ends in any case
        reader.join(PATIENCE)
    os.close(keyboard)
    assert ended
    assert found == [b"bada\nbidi\n"]
