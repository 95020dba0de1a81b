"""``charrnn bench``: what is measured, and that it fits together. No time is asserted."""

import json

import pytest
from typer.testing import CliRunner

from charrnn.benchmark import _Setting, benchmark
from charrnn.cli.app import app
from charrnn.config import Architecture
from charrnn.system.machine import available_cores

MODEL = Architecture(cell="lstm", num_layers=2, hidden_size=16, dropout=0.0)


@pytest.mark.parametrize("job", ["train", "sample"])
def test_figures_fit_together(job):
    result = benchmark(job, MODEL, batch_size=4, seq_len=5, vocab_size=7, threads=1, seconds=0.05)
    assert result.rounds >= 1
    assert 0 < result.chars_per_second <= result.best
    assert 0 <= result.gflops < result.peak_gflops  # rounded to 0.1
    assert result.share_of_peak == pytest.approx(result.gflops / result.peak_gflops, abs=0.01)
    assert 10 < result.peak_memory_mb < 2000
    assert result.parameters == 4 * 16 * (7 + 1 + 16) + 4 * 16 * (16 + 1 + 16) + 7 * 17


def test_operations_are_counted_by_hand():
    H, V = 16, 7
    forward = 2 * (4 * H * (V + 1 + H) + 4 * H * (H + 1 + H) + V * (1 + H))
    one_hot_gradient = 2 * 4 * H * V  # nothing below is learned
    sizes = {"batch_size": 4, "seq_len": 5, "vocab_size": V}
    assert _Setting("sample", MODEL, **sizes).flops_per_character() == forward
    assert _Setting("train", MODEL, **sizes).flops_per_character() == 3 * forward - one_hot_gradient


def test_no_more_workers_than_cores_or_shards():
    result = benchmark(
        "train", MODEL, batch_size=4, seq_len=5, vocab_size=7, threads=1000, seconds=0.05
    )
    assert result.threads == 1
    result = benchmark(
        "train", MODEL, batch_size=2048, seq_len=2, vocab_size=7, threads=1000, seconds=0.05
    )
    assert result.threads == min(available_cores(), 64)


@pytest.mark.parametrize("fastest", [1, 2])
def test_the_best_number_of_threads_is_found_first(monkeypatch, fastest):
    measured = _Setting.rates

    def rates(self, threads, seconds):
        found, memory, _ = measured(self, 1, seconds)
        return [2.0 if threads == fastest else 1.0] * len(found), memory, threads

    monkeypatch.setattr(_Setting, "rates", rates)
    monkeypatch.setattr("charrnn.benchmark.available_cores", lambda: 2)
    sizes = {"batch_size": 4, "seq_len": 2, "vocab_size": 7}
    assert benchmark("train", MODEL, **sizes, threads=None, seconds=0.05).threads == fastest


def test_the_command_as_json_and_as_a_table():
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
    assert "of a large product" in done.stdout
