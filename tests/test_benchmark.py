"""``charrnn bench``: what is measured, and that it fits together. No time is asserted."""

import importlib.util
import json
import re
import signal

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn import benchmark as module
from charrnn.backend.products import blas_kernel
from charrnn.benchmark import Watch, _Multiplier, _Setting, benchmark
from charrnn.cli.app import app
from charrnn.config import Architecture
from charrnn.system import machine
from charrnn.system.machine import available_cores, processor_name

MODEL = Architecture(cell="lstm", num_layers=2, hidden_size=16, dropout=0.0)
MEMORY_IS_KNOWN = importlib.util.find_spec("resource") is not None
SIZES = {"batch_size": 4, "seq_len": 5, "vocab_size": 7}


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    """Find no one's peak: large products take most of the time here."""
    monkeypatch.setattr(module, "PEAK_SIZE", 64)


@pytest.mark.parametrize("job", ["train", "sample"])
def test_a_small_model_is_measured(job):
    result = benchmark(job, MODEL, **SIZES, threads=1, seconds=0.02, peak_seconds=0.0)
    assert result.rounds >= 1
    assert result.chars_per_second > 0
    assert result.peak_gflops > 0
    assert (result.peak_memory_mb is not None) == MEMORY_IS_KNOWN
    assert not MEMORY_IS_KNOWN or 10 < result.peak_memory_mb < 2000
    assert result.parameters == 4 * 16 * (7 + 1 + 16) + 4 * 16 * (16 + 1 + 16) + 7 * 17


def test_figures_follow_from_the_rounds_and_the_peak(monkeypatch):
    monkeypatch.setattr(_Setting, "rates", lambda *_: ([1e6, 5e6, 2e6], 123_450_000.0, 2))
    monkeypatch.setattr(_Multiplier, "gflops", lambda *_: 40.0)
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    result = benchmark("sample", MODEL, **SIZES, threads=2, seconds=0.0)
    gflops = 2e6 * _Setting("sample", MODEL, **SIZES).flops_per_character() / 1e9
    assert (result.chars_per_second, result.best, result.rounds) == (2_000_000, 5_000_000, 3)
    assert (result.gflops, result.peak_gflops) == (round(gflops, 1), 80.0)
    assert result.share_of_peak == round(gflops / 80, 3) > 0
    assert (result.peak_memory_mb, result.threads) == (123.5, 2)


@pytest.fixture
def ticks(monkeypatch):
    """A clock that stands still between the times it is given."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def test_rounds_are_timed_one_by_one_after_the_warm_up(ticks):
    durations = iter([9.0] * module.WARM_UP_ROUNDS + [1.0, 4.0, 2.0, 8.0])

    def work():
        ticks[0] += next(durations)
        return 400

    assert module._time(work, seconds=7.0) == [400.0, 100.0, 200.0]


def test_the_peak_is_the_fastest_product(ticks, monkeypatch):
    durations = iter([0.5, 0.25, 1.0, 0.1])

    def matmul(a, b, out):
        ticks[0] += next(durations)

    monkeypatch.setattr(module.np, "matmul", matmul)
    assert _Multiplier().gflops(1.7) == pytest.approx(2 * 64**3 / 0.25 / 1e9)


def test_operations_are_counted_by_hand():
    H, V = 16, 7
    forward = 2 * (4 * H * (V + 1 + H) + 4 * H * (H + 1 + H) + V * (1 + H))
    one_hot_gradient = 2 * 4 * H * V  # nothing below is learned
    assert _Setting("sample", MODEL, **SIZES).flops_per_character() == forward
    assert _Setting("train", MODEL, **SIZES).flops_per_character() == 3 * forward - one_hot_gradient


@pytest.mark.parametrize(("streams", "workers"), [(4, 1), (32, 2), (64, 3), (256, 3)])
def test_no_more_workers_than_cores_or_shards(monkeypatch, streams, workers):
    monkeypatch.setattr(module, "available_cores", lambda: 3)
    sizes = {**SIZES, "batch_size": streams, "seq_len": 2}
    result = benchmark("train", MODEL, **sizes, threads=1000, seconds=0.0, peak_seconds=0.0)
    assert result.threads == workers


@pytest.mark.parametrize("fastest", [1, 2])
def test_the_best_number_of_threads_is_found_first(monkeypatch, fastest):
    def rates(self, threads, seconds):
        return [2.0 if threads == fastest else 1.0], 1.0, threads

    monkeypatch.setattr(_Setting, "rates", rates)
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    result = benchmark("train", MODEL, **SIZES, threads=None, seconds=0.05, peak_seconds=0.0)
    assert result.threads == fastest


def test_the_command_as_json_and_as_a_table(monkeypatch):
    monkeypatch.setattr(_Multiplier, "gflops", lambda *_: 40.0)
    arguments = ["bench", "--hidden-size", "8", "--seconds", "0.05", "--threads", "1"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    asked = ("chars_per_second", "best", "gflops", "peak_gflops", "peak_memory_mb", "threads")
    assert set(asked) <= said.keys()
    assert (said["model"]["cell"], said["model"]["num_layers"], said["batch_size"]) == (
        "gru",
        2,
        64,
    )
    done = CliRunner().invoke(app, [*arguments, "--job", "sample"])
    assert done.exit_code == 0
    assert "of the 40 of a large product" in done.stdout


def test_memory_that_nobody_tells_is_said_to_be_unknown(monkeypatch):
    monkeypatch.setattr(_Multiplier, "gflops", lambda *_: 40.0)
    monkeypatch.setattr(module, "team_memory", lambda team: None)
    arguments = ["bench", "--hidden-size", "8", "--seconds", "0.01", "--threads", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert re.search(r"^memory +unknown$", done.stdout, re.MULTILINE)
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(done.stdout)["peak_memory_mb"] is None


@pytest.mark.parametrize("cell", ["window", "bag"])
def test_the_command_times_a_window_as_it_is_trained(cell, monkeypatch):
    asked = []

    def measured(job, model, **settings):
        asked.append(model)
        return benchmark(job, model, **{**settings, "seconds": 0.0}, peak_seconds=0.0)

    monkeypatch.setattr(module, "benchmark", measured)
    words = ["--hidden-size", "4", "--batch-size", "2", "--seq-len", "3", "--threads", "1"]
    done = CliRunner().invoke(app, ["bench", "--cell", cell, *words])
    assert done.exit_code == 0, done.output
    assert f"train {cell} 2x4" in done.output
    assert (asked[0].context, asked[0].embedding_size) == (8, 32)


def test_the_figures_name_what_they_are_of(monkeypatch, tmp_path):
    monkeypatch.setattr(_Multiplier, "gflops", lambda *_: 40.0)
    arguments = ["bench", "--hidden-size", "4", "--seconds", "0.01", "--threads", "1", "--json"]
    said = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert said["processor"] == processor_name()
    assert said["cores"] == available_cores()
    assert said["blas_kernel"] == blas_kernel()
    assert said["numpy"] == np.__version__
    assert said["interrupted"] is False


def test_the_name_of_the_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    assert processor_name()  # of a system without the file
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC: 7B13\n")
    assert processor_name() == "AMD EPYC: 7B13"


def test_what_is_being_measured_is_told(ticks):
    told = []
    durations = iter([0.0] * module.WARM_UP_ROUNDS + [1.5, 1.5, 1.5, 1.5])

    def work():
        ticks[0] += next(durations)
        return 300

    assert module._time(work, seconds=6.0, watch=Watch(told.append)) == [200.0] * 4
    assert told == ["3 of 6 s: 200 characters/s", "6 of 6 s: 200 characters/s"]


def test_what_was_timed_before_an_interrupt_is_kept(ticks):
    watch, done = Watch(), []

    def work():
        ticks[0] += 1.0
        done.append(1)
        if len(done) == module.WARM_UP_ROUNDS + 2:
            watch.stop()
        return 400

    assert module._time(work, seconds=1e9, watch=watch) == [400.0, 400.0]
    assert module._time(work, seconds=1e9, watch=watch) == [400.0]  # one, whatever happens


@pytest.mark.parametrize(("when", "rounds"), [("1 of 2", 1), ("2 of 2", 2), ("timing for", 3)])
def test_an_interrupted_measurement_has_no_peak(monkeypatch, when, rounds):
    def rates(self, threads, seconds):
        return [1.0] * (rounds if seconds == 9.0 else threads), 1.0, threads

    monkeypatch.setattr(_Setting, "rates", rates)
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    watch = Watch()
    watch.told = lambda message: watch.stop() if when in message else None
    result = benchmark("train", MODEL, **SIZES, threads=None, seconds=9.0, watch=watch)
    assert result.interrupted
    assert (result.peak_gflops, result.share_of_peak) == (None, None)
    assert result.rounds == (rounds if "timing" in when else result.threads)


def test_ctrl_c_ends_the_command_with_its_figures(monkeypatch):
    def measured(job, model, *, watch, **settings):
        signal.raise_signal(signal.SIGINT)
        assert watch.stopped
        return benchmark(job, model, **{**settings, "seconds": 0.0}, watch=watch)

    monkeypatch.setattr(module, "benchmark", measured)
    words = ["bench", "--hidden-size", "4", "--batch-size", "2", "--seq-len", "3", "--threads", "1"]
    for more in ([], ["--json"]):
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 130
        assert (
            "notice: interrupted: the figures cover only what was timed until then" in done.stderr
        )
        assert "large product" not in done.stdout
        assert "characters/s" in done.stdout or json.loads(done.stdout)["interrupted"] is True
