"""Ranks under mpiexec: the same bits as one process, whatever their number and their machines."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.storage.checkpoint import load
from charrnn.storage.lock import is_running
from charrnn.storage.log import read_log
from tests.launching import (
    PATIENCE,
    are_gone,
    environment,
    eventually,
    is_open_mpi,
    launched,
    mpiexec,
    ranks_of,
    words_of,
)
from tests.rank_sums import TEXT, sums

pytestmark = pytest.mark.skipif(mpiexec() is None, reason="no MPI")

SMALL = ["--hidden-size", 16, "--num-layers", 1, "--batch-size", 70, "--seq-len", 8]


@pytest.fixture(scope="module")
def alone():
    return sums()


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


def train(ranks, folder, *words, **options):
    return launched(ranks, "-m", "charrnn", "train", *words, folder=folder, **options)


def alone_in(folder, *words):
    """Run a command in this process; return what it wrote to stdout."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, [*map(str, words)], prog_name="charrnn")
    assert done.exit_code == 0, done.output
    return done.stdout


def arrays(run):
    last = load(run / "last.npz")
    return {name: a.tobytes() for name, a in {**last.weights, **last.training}.items()}


# A rank takes itself for one of the machine that is named: these share no memory.
@pytest.mark.parametrize("machines", ["0,0", "0,1,0"])
def test_the_same_bits_as_in_one_process(alone, machines, tmp_path):
    number = machines.count(",") + 1
    done = launched(number, "-m", "tests.rank_sums", machines, folder=tmp_path, traced=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == alone


@pytest.mark.parametrize("machines", ["0,0,1", "0,1,1"])
def test_every_rank_has_the_arrays_of_its_worker(machines, tmp_path):
    words = ["tests.rank_workers", machines, "sums"]
    done = launched(3, "-m", *words, folder=tmp_path, traced=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ranks"] == [0, 1, 2, 0]
    assert found["same"]
    assert found["long"] == [500_001] * 4
    of_rank_0 = [0, 4, 5, 0]  # it has two workers
    assert found["text"] == [of_rank_0, [3, 0, 5, 6], [3, 4, 0, 6], of_rank_0]
    there = [machine == "0" for machine in machines.split(",")]
    own = [float(number + 1) if is_here else 0.0 for number, is_here in enumerate(there)]
    assert found["shared"] == [*own, 4.0]


def test_saved_on_3_ranks_and_resumed_on_others(corpus, tmp_path):
    start = [corpus, *SMALL, "--steps", 4, "--dropout", 0.2, "--out", "run"]
    done = train(3, tmp_path, *start)
    assert done.returncode == 0, done.stderr
    found = []
    for number in (1, 2, 4):
        copy = tmp_path / f"run-{number}"
        shutil.copytree(tmp_path / "run", copy)
        words = ["--resume", copy, "--steps", 8]
        if number == 1:
            alone_in(tmp_path, "train", *words)
        else:
            done = train(number, tmp_path, *words)
            assert done.returncode == 0, done.stderr
        found.append(arrays(copy))
    assert found[0] == found[1] == found[2]
    assert load(copy / "last.npz").history.step == 8


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """What 3 ranks say, of 2 machines of other kinds and with 2 shards; and where they trained."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "corpus.txt").write_text(TEXT)
    source = "corpus.txt" if is_open_mpi() else "-"  # its mpiexec passes on no end of stdin
    words = ["train", source, *SMALL, "--batch-size", 16, "--steps", 2, "--out", "run"]
    with (folder / "corpus.txt").open() as text:
        options = {"folder": folder, "stdin": text, "traced": True}
        done = launched(3, "-m", "tests.ranked", "0,1,1", *words, **options)
    assert done.returncode == 0, done.stderr
    return done.stderr, folder


def test_rank_0_alone_speaks(spoken):
    lines = spoken[0].splitlines()
    assert sum(line.startswith("corpus ") for line in lines) == 1
    assert sum(line.startswith("run: ") for line in lines) == 1


def test_a_run_has_its_own_text_from_stdin(spoken, tmp_path):
    if is_open_mpi():
        pytest.xfail("its mpiexec passes on no end of stdin")
    assert list((spoken[1] / "run").glob("stdin*"))
    shutil.copytree(spoken[1] / "run", tmp_path / "run")
    alone_in(tmp_path, "train", "--resume", "run", "--steps", 3)


def test_more_ranks_than_shards_are_told_of(spoken):
    assert "notice: 3 ranks for 2 shards (16 streams in all): 1 has no work" in spoken[0]


def test_kinds_of_processors_are_in_the_log(spoken):
    said, folder = spoken
    notices = [event["message"] for event in read_log(folder / "run") if event["event"] == "notice"]
    (notice,) = (notice for notice in notices if "the processors differ" in notice)
    assert "1 rank on Machine 0" in notice
    assert "2 ranks on Machine 1" in notice
    assert said.count("the processors differ") == 1


def test_a_plan_says_what_ranks_do_and_cost(corpus, tmp_path):
    words = ["tests.ranked", "0,1,1", "train", corpus, *SMALL, "--steps", 9, "--plan"]
    done = launched(3, "-m", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines() if "  " in line)
    assert rows["ranks"].strip() == "3 on 2 machines, 1 of 3 shards each"
    assert "sent by a machine" in rows["exchange"]
    assert "would not help: 70 streams have only 3 shards" in rows["more ranks"]
    assert "3 ranks on 2 machines" in rows["memory"]
    done = launched(2, "-m", words[0], "0,0", *words[2:], "--json", folder=tmp_path)
    plan = json.loads(done.stdout)["ranks"]
    assert (plan["ranks"], plan["machines"], plan["shards"]) == (2, 1, 3)
    assert plan["more"] == "help, up to 3: one per shard"
    assert 0 < plan["exchange_seconds"] < plan["step_seconds"] * 100


def test_scores_and_opponents_are_those_of_one_process(corpus, tmp_path):
    alone_in(tmp_path, "train", corpus, *SMALL, "--steps", 2, "--out", "run")
    words = ["eval", "--model", "run", "--baselines", "--json"]
    one = alone_in(tmp_path, *words)
    done = launched(3, "-m", "charrnn", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [{**json.loads(said), "seconds": 0} for said in (one, done.stdout)]
    assert found[0] == found[1]
    assert len(found[0]["baselines"]) > 4


def test_ranks_draw_what_one_process_draws(tmp_path):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 600)))  # logits of 32 samples fill 75 KB
    (tmp_path / "corpus.txt").write_text(text * 9, encoding="utf-8")
    alone_in(tmp_path, "train", "corpus.txt", *SMALL, "--steps", 2, "--out", "run")
    words = ["sample", "--model", "run", "-n", 64, "--length", 5]
    words += ["--temperature", 0.8, "--random-seed", 1]
    done = launched(2, "-m", "charrnn", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == alone_in(tmp_path, *words)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "nothing.txt"], 1, "error: nothing.txt: no such file or folder"),
        (["train", "corpus.txt", "--device", "cuda"], 2, "error: --device cuda trains in one proc"),
    ],
)
def test_an_error_is_one_line_of_rank_0(words, code, message, corpus, tmp_path):
    done = launched(2, "-m", "charrnn", *words, folder=tmp_path, traced=True)
    assert done.returncode == code
    said = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert len(said) == 1
    assert said[0].startswith(message)


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("known", 7, "CorpusError the text is gone: put it back"),
        ("memory", 7, "MemoryError on rank 2 of"),
        ("bug", 7, "KeyError: 'a bug'"),
        ("exit", 1, "error: rank 2 on"),
        ("kill", None, ""),
    ],
)
def test_a_rank_that_fails_ends_all(kind, code, message, tmp_path):
    words = ["tests.rank_workers", "0,0,1", "fail", kind]
    done = launched(3, "-m", *words, folder=tmp_path, traced=True)
    assert done.returncode == code if code is not None else done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("machines", "failure", "code", "message"),
    [
        ("0,0,1", "0:MemoryError", 1, "error: rank 0 on"),
        ("0,0,1", "1:MemoryError", 1, "error: rank 1 on"),
        ("0,1,1", "1:ValueError", 1, "in a step that several machines share: ValueError()"),
        ("0,0,1", "0:KeyboardInterrupt", 130, ""),
    ],
)
def test_a_rank_that_fails_in_a_step_leaves_no_other_waiting(
    machines, failure, code, message, corpus, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAILS", failure)
    words = ["tests.ranked", machines, "train", corpus, *SMALL, "--steps", 3, "--out", "run"]
    done = launched(3, "-m", *words, "--optimizer", "muon", folder=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_ranks_with_other_options_do_not_begin(corpus, tmp_path):
    if is_open_mpi():
        pytest.xfail("its mpiexec wants other words between programs")
    one = words_of(1, "-m", "charrnn", "train", corpus, "--steps", 3)
    other = words_of(1, "-m", "charrnn", "train", corpus, "--steps", 4)[1:]
    done = subprocess.run(
        [*one, ":", *other],
        cwd=tmp_path,
        env=environment(traced=True),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert "error: rank 1 on" in done.stderr
    assert "other options than rank 0" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_singletons_do_not_take_themselves_for_ranks(corpus, tmp_path):
    """An MPI that does not speak with the launcher starts every process alone."""
    said = []
    for number in (0, 1):
        more = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(number)}
        done = subprocess.run(
            [*words_of(1)[-1:], "-m", "charrnn", "train", corpus, "--steps", "2"],
            cwd=tmp_path,
            env=environment(traced=True, **more),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 2
        said.append(done.stderr)
    for number, line in enumerate(said):  # either may be the only one where this goes wrong
        assert line.startswith(f"error: rank {number} on {socket.gethostname()}: the launcher")
        assert "started 2 processes, but mpi4py uses" in line
        assert "(it sees 1 process); for one process" in line
        assert line.endswith("env -u SLURM_STEP_NUM_TASKS charrnn ...\n")
        assert line.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def begun(folder, corpus, ranks=2):
    """Start a long training; return its launcher when it has made a step."""
    words = ["-m", "charrnn", "train", corpus, *SMALL, "--steps", 10**6, "--max-epochs", 0]
    process = subprocess.Popen(
        words_of(ranks, *words, "--out", "run", "--validations", 1000),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    for line in process.stderr:
        if "step" in line and "/s" in line:
            return process
    raise AssertionError(f"it ended with {process.wait()}")


SIGNALS = ["SIGINT", "SIGTERM", "SIGUSR1"] if not mpiexec() or not is_open_mpi() else ["SIGUSR1"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_to_the_launcher_saves_and_ends_all(name, corpus, tmp_path):
    number = getattr(signal, name)
    process = begun(tmp_path, corpus)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert "finishing the step and saving" in said
    assert "and saved" in said
    assert are_gone(tmp_path)
    assert read_log(tmp_path / "run")[-1]["reason"] == "interrupted"
    last = load(tmp_path / "run" / "last.npz")
    assert last.history.step == read_log(tmp_path / "run")[-1]["step"]


@pytest.mark.parametrize("victim", ["launcher", "rank"])
def test_no_rank_outlives_a_kill(victim, corpus, tmp_path):
    process = begun(tmp_path, corpus, ranks=3)
    ranks = ranks_of(tmp_path)
    assert len(ranks) == 3
    os.kill(process.pid if victim == "launcher" else ranks[-1], signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert are_gone(tmp_path)
    assert eventually(lambda: not is_running(tmp_path / "run"))
    steps = load(tmp_path / "run" / "last.npz").history.step + 2
    alone_in(tmp_path, "train", "--resume", "run", "--steps", steps)


def test_a_plain_command_imports_no_mpi(corpus, tmp_path):
    program = (
        "import sys\nfrom charrnn.cli.app import app\n"
        "try:\n    app(['train', 'corpus.txt', '--steps', '2', '--hidden-size', '8'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print([name for name in sys.modules if name.startswith('mpi4py')])"
    )
    done = subprocess.run(
        [*words_of(1)[-1:], "-c", program],
        cwd=tmp_path,
        env=environment(SLURM_JOB_ID="7", SLURM_NTASKS="4", SLURM_PROCID="0"),  # in a batch script
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("[]\n")


def test_each_run_has_a_sum_of_its_own(alone):
    assert len(set(alone.values())) == len(alone)
