"""Windows and macOS, simulated: see ``tests/simulated.py`` for what that means."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn import benchmark
from charrnn.backend import products
from charrnn.backend.arrays import FORKS
from charrnn.cli.app import BLAS_THREADS, app, main
from charrnn.parallel.team import Team
from charrnn.storage.checkpoint import load
from tests.tracing import untraced

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="simulated on Linux")
PLACE = Path(__file__).parent.parent
EACH = pytest.mark.parametrize("platform", ["windows", "macos"])


def start(platform, *words, cwd=PLACE, traced=False):
    """Run Python on another platform; return what it wrote to stdout."""
    result = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={
            **(os.environ if traced else untraced()),
            "PYTHONPATH": str(PLACE),
            "SIMULATED": platform,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def pytest_there(platform, *words):
    plugins = ("-p", "tests.simulated", "-p", "no:xdist", "-p", "no:cacheprovider")
    # What is only run on macOS is a few lines.
    return start(platform, "-m", "pytest", "-q", *plugins, *words, traced=platform == "windows")


@pytest.mark.parametrize(
    ("platform", "names", "words"),
    [
        ("windows", ["runs", "storage", "team", "benchmark"], ()),
        # Nothing tells there which libraries hold how many threads.
        ("macos", ["team", "benchmark"], ("-k", "not blas_has_one_thread")),
    ],
    ids=["windows", "macos"],
)
def test_locks_files_teams_and_the_benchmark(platform, names, words):
    files = [f"tests/test_{name}.py" for name in names]
    said = pytest_there(platform, *files, *words)
    assert int(said.splitlines()[-1].split(" passed")[0]) > 30
    assert "workers are threads here" in said


IMPORTS = """
import importlib, pathlib, sys
import pytest
sys.path[:0] = ["tests"]
for path in sorted(pathlib.Path("tests").glob("test_*.py")):
    try:
        importlib.import_module(path.stem)
    except pytest.skip.Exception as skipped:
        print(path.stem, skipped)
"""


def test_every_test_file_can_be_imported():
    said = start("windows", "-c", "import tests.simulated" + IMPORTS)
    assert "test_crash could not import 'resource'" in said
    assert "test_cli_process could not import 'pty'" in said
    assert {line.split()[0] for line in said.splitlines()} <= {
        "test_crash",
        "test_cli_process",
        "test_score_process",
        "test_torch",
    }


SIZES = "--hidden-size 8 --num-layers 1 --batch-size 32 --seq-len 10 --dropout 0.2 --threads 2"
COMMANDS = [
    f"train corpus.txt --steps 4 {SIZES}",
    "train --resume corpus --steps 8",
    "sample --length 30 --random-seed 1 --num-samples 40 --threads 2",
    "eval --nats --threads 2",
    "runs --json",
]
CHILD = """
import json, os, sys
import tests.simulated
from typer.testing import CliRunner
from charrnn.backend.arrays import FORKS
from charrnn.cli.app import app
assert not FORKS
for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, words.split())
    print(json.dumps([done.exit_code, done.stdout, done.stderr]))
"""


def in_folder(folder):
    folder.mkdir()
    (folder / "corpus.txt").write_text("the cat sat on a hat, the rat ate that\n" * 60, "utf-8")
    return folder


@pytest.fixture(scope="module")
def with_forks(tmp_path_factory):
    """The folder and the output of the commands here."""
    assert FORKS
    folder = in_folder(tmp_path_factory.mktemp("here") / "folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, [CliRunner().invoke(app, words.split()) for words in COMMANDS]


@EACH
def test_threads_compute_what_processes_do(platform, tmp_path, with_forks):
    folder = in_folder(tmp_path / "there")
    encodings = ("-X", "warn_default_encoding", "-W", "error::EncodingWarning")
    said = start(platform, *encodings, "-c", CHILD, json.dumps(COMMANDS), cwd=folder)
    there = [json.loads(line) for line in said.splitlines()]
    assert [code for code, *_ in there] == [0] * len(COMMANDS), there
    here, results = with_forks
    assert [result.exit_code for result in results] == [0] * len(COMMANDS)
    for name in ("last.npz", "best.npz"):
        one, other = (load(place / "runs" / "corpus" / name) for place in (here, folder))
        assert one.history.step == other.history.step
        for arrays, others in ((one.weights, other.weights), (one.training, other.training)):
            assert arrays.keys() == others.keys()
            assert all(np.array_equal(arrays[key], others[key]) for key in arrays)
    assert there[2][1] == results[2].stdout
    assert there[3][1] == results[3].stdout
    (run,) = json.loads(there[4][1])
    assert (run["step"], run["state"]) == (8, "done")


def test_memory_on_macos_is_in_bytes(monkeypatch):
    import resource

    def unreadable(process):
        raise FileNotFoundError

    monkeypatch.setattr(benchmark, "_proportional_memory", unreadable)
    in_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with Team([object()]) as team:
        assert benchmark.team_memory(team) == pytest.approx(in_kilobytes, rel=0.1)
        monkeypatch.setattr(sys, "platform", "darwin")
        assert benchmark.team_memory(team) == pytest.approx(in_kilobytes / 1024, rel=0.1)


def test_every_blas_is_told_to_use_one_thread(monkeypatch):
    assert "VECLIB_MAXIMUM_THREADS" in BLAS_THREADS  # Accelerate's
    for name in BLAS_THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(sys, "argv", ["charrnn", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert {os.environ.pop(name) for name in BLAS_THREADS if name != "OMP_NUM_THREADS"} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "3"  # what the user says holds


MACOS = {
    "user_api": "blas",
    "architecture": "Haswell",
    "filepath": str(Path(np.__file__).parent / ".dylibs" / "libopenblas.dylib"),
}


@pytest.mark.parametrize(
    ("libraries", "name"),
    [
        ([], "unknown"),  # Accelerate
        ([{"user_api": "openmp", "num_threads": 2}], "unknown"),
        ([{"user_api": "openmp"}, MACOS], "Haswell"),
    ],
)
def test_the_kernel_is_that_of_the_blas_that_tells(monkeypatch, libraries, name):
    monkeypatch.setattr(products, "threadpool_info", lambda: libraries)
    assert products.blas_kernel.__wrapped__() == name
