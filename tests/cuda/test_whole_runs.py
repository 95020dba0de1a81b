"""Whole runs with the engine of the GPU on the emulated one: commands, resumes, moves, scores."""

import json

import numpy as np
import pytest
from emulator.backend import EmulatedBackend
from test_cli import run

from charrnn.cuda.device import Gpu
from charrnn.storage.checkpoint import load
from charrnn.training import engine

NAME = "NVIDIA Emulated 9000"
TEXT = "hello world, hello there\n" * 40
SMALL = ["--hidden-size", "8", "--num-layers", "1", "--batch-size", "4", "--seq-len", "5"]
STEPS = ["--validations", "2", "--val-characters", "60", "--schedule", "constant"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in an empty folder with a corpus, beside an emulated GPU."""
    backends = {}

    def backend(gpu, precision):
        return backends.setdefault(precision, EmulatedBackend(precision))

    gpu = Gpu(0, NAME, 2 * 10**9, 10**9, 16, 99_000, (9, 0))
    monkeypatch.setattr(engine, "usable", lambda device: gpu)
    monkeypatch.setattr(engine, "backend", backend)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT)
    return tmp_path


def charrnn(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def train(name, *options, device="cuda"):
    return charrnn(
        "train", "corpus.txt", "--out", name, "--device", device, *SMALL, *STEPS, *options
    )


def arrays(name):
    checkpoint = load(f"{name}/last.npz")
    return {**checkpoint.weights, **checkpoint.training}


def test_a_run_that_is_resumed_has_the_same_bits(here):
    train("straight", "--steps", "8", "--dropout", "0.2")
    train("stopped", "--steps", "4", "--dropout", "0.2")
    charrnn("train", "--resume", "stopped", "--steps", "8")
    one, other = arrays("straight"), arrays("stopped")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name].tobytes() != other[name].tobytes()] == []
    assert load("stopped/last.npz").history.places == [(NAME, "tf32")]


def test_a_run_moves_in_both_directions_and_computes_the_same(here):
    exact = ["--steps", "6", "--dropout", "0", "--reset", "0"]
    train("cpu", *exact, device="cpu")
    train("gpu", *exact, "--precision", "float32")
    train("moved", *exact[2:], "--steps", "3", device="cpu")
    for device, steps in (("cuda", "4"), ("cpu", "6")):
        words = ["train", "--resume", "moved", "--device", device, "--steps", steps]
        more = ["--precision", "float32"] if device == "cuda" else []
        assert "was trained on" in charrnn(*words, *more).output
    history = load("moved/last.npz").history
    assert [name for name, _ in history.places] == ["cpu", NAME, "cpu"]
    one = arrays("cpu")
    for other in (arrays("gpu"), arrays("moved")):
        for name, array in one.items():
            np.testing.assert_allclose(other[name], array, atol=2e-4, err_msg=name)


def test_counts_are_mixed_on_the_gpu(here):
    for device in ("cpu", "cuda"):
        exact = ["--precision", "float32"] if device == "cuda" else []
        train(device, "--steps", "4", "--counts", *exact, device=device)
    one, other = (load(f"{device}/best.npz").counting for device in ("cpu", "cuda"))
    assert one.temperature == other.temperature
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-3)
    assert any(one.weights)


def test_a_checkpoint_of_the_gpu_scores_the_same_on_the_cpu(here):
    train("run", "--steps", "6")
    cpu, gpu = (
        json.loads(charrnn("eval", "--model", "run", "--json", *more).stdout)["nats_per_char"]
        for more in ([], ["--device", "cuda"])
    )
    assert cpu == pytest.approx(gpu, rel=1e-5)


def test_samples_of_the_gpu_are_those_of_the_cpu(here):
    train("run", "--steps", "3")
    words = ["sample", "--model", "run", "-n", "5", "--length", "4", "--random-seed", "1"]
    assert charrnn(*words, "--device", "cuda").stdout == charrnn(*words).stdout


def test_what_the_engine_does_not_have_is_refused_in_a_line(here):
    for words in (["train", "corpus.txt", "--steps", "3"], ["bench"]):
        result = run(*words, "--cell", "bag", "--device", "cuda")
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert "--cell bag" in line


def test_a_run_of_minutes_goes_to_the_cpu_where_the_engine_does_not_have_its_network(
    here, monkeypatch
):
    monkeypatch.setattr("charrnn.cli.commands.train.SPEED_SECONDS", 0.01)
    words = ["train", "corpus.txt", "--minutes", "0.01", "--cell", "bag", "--plan", "--json"]
    plan = json.loads(charrnn(*words).stdout)
    assert plan["device"] == "cpu"
    assert "--cell bag" in plan["reasons"]["device"]


def test_bench_times_the_engine(here, monkeypatch):
    monkeypatch.setattr(engine, "PEAK_SIZE", 16)
    sizes = ["--seq-len", "3", "--vocab-size", "9", "--hidden-size", "8", "--batch-size", "4"]
    found = json.loads(
        charrnn("bench", "--device", "cuda", "--seconds", "0.01", *sizes, "--json").stdout
    )
    assert found["blas_kernel"] == NAME
    assert min(found["chars_per_second"], found["peak_gflops"]) > 0
