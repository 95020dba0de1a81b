"""The benchmark beside PyTorch on a GPU: its settings, turns, table, and PyTorch's steps."""

import json
import math
import os
import subprocess
import sys

import pytest
from fake_gpu import FakeEngine, gpu

from tests.bench import gpu as bench
from tests.bench.gpu import (
    OwnSteps,
    Setting,
    compare,
    compared,
    geometric_mean,
    measured,
    parsed,
    settings_of,
    summary_of,
)

SMALL = Setting("gru", 2, 8, 4, seq_len=3, vocab_size=9)


class Contender:
    """Makes a step in so many seconds of a clock of its own."""

    now = 0.0

    def __init__(self, seconds, log=None, name=""):
        self.seconds, self.log, self.name = seconds, log, name

    def run(self, count):
        if self.log is not None:
            self.log.append((self.name, count))
        Contender.now += self.seconds * count


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(bench.time, "perf_counter", lambda: Contender.now)


def test_the_usual_settings_are_the_18_of_the_table():
    found = settings_of(parsed([]))
    assert len(set(found)) == 18
    assert found[0] == Setting("lstm", 1, 256, 64)
    assert {setting.characters for setting in found} == {3200, 12_800, 51_200}
    assert parsed([]).precision == ["tf32"]


def test_settings_can_be_selected():
    options = parsed(
        ["--cell", "gru", "--size", "1x256", "2x64", "--streams", "64", "--seq-len", "24"]
    )
    assert [str(setting) for setting in settings_of(options)] == [
        "gru 1x256, 64 streams",
        "gru 2x64, 64 streams",
    ]
    assert settings_of(options)[0].seq_len == 24


@pytest.mark.parametrize("words", [["--size", "256"], ["--precision", "fp8"], ["--cell", "rnn"]])
def test_what_cannot_be_measured_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        parsed(words)
    assert words[1] in capsys.readouterr().err


def test_contenders_take_turns_for_the_same_time():
    log = []
    contenders = {"a": Contender(0.01, log, "a"), "b": Contender(0.02, log, "b")}
    rates = measured(contenders, 100, seconds=0.5001, rounds=5)
    assert rates == {"a": pytest.approx(10_000), "b": pytest.approx(5_000)}
    assert log[4:] == [("a", 10), ("b", 5)] * 5


def test_a_contender_that_fails_is_left_out(capsys):
    def fails():
        raise RuntimeError("out of memory")

    makers = {"charrnn": lambda: Contender(0.1), "graph": fails}
    assert list(compare(SMALL, makers, seconds=1, rounds=2)) == ["charrnn"]
    assert "gru 2x8, 4 streams: graph: RuntimeError: out of memory" in capsys.readouterr().err


def makers_of(setting, precision):
    """charrnn is twice as fast as the graph at 64 streams, and half as fast at 256."""
    ours = 0.01 if setting.batch_size == 64 else 0.04
    return {
        name: lambda s=s: Contender(s)
        for name, s in zip(("charrnn", "eager", "graph"), (ours, 0.05, 0.02), strict=True)
    }


SELECTED = ["--cell", "gru", "--size", "1x256", "--streams", "64", "256"]
OPTIONS = [*SELECTED, "--seconds", "1", "--rounds", "3"]


def test_the_table():
    lines = []
    ratios = compared(parsed(OPTIONS), makers_of, write=lines.append)
    assert ratios == pytest.approx([2.0, 0.5])
    heading, first, second, summary = lines
    assert heading.split() == [
        "tf32,",
        "1,000",
        "characters/s",
        "charrnn",
        "eager",
        "graph",
        "ratio",
    ]
    assert first.split()[4:] == ["320", "64", "160", "2.00"]
    assert second.split()[-1] == "0.50"
    assert summary == "2 settings: smallest 0.50, geometric mean 1.00\n"


def test_json_lines():
    lines = []
    compared(parsed([*OPTIONS, "--json", "--precision", "bf16"]), makers_of, write=lines.append)
    rows = [json.loads(line) for line in lines]
    assert [row["ratio"] for row in rows] == pytest.approx([2.0, 0.5])
    assert rows[0]["charrnn"] == pytest.approx(320_000)
    assert (rows[0]["precision"], rows[0]["batch_size"], rows[1]["batch_size"]) == ("bf16", 64, 256)


def test_no_setting_is_begun_after_the_time():
    lines = []
    compared(parsed([*OPTIONS, "--budget", "2"]), makers_of, write=lines.append)
    assert lines[-1].startswith("1 settings")
    assert "1 left out" in lines[-1]


def test_without_pytorch_there_is_no_ratio():
    lines = []
    ours = lambda setting, precision: {"charrnn": lambda: Contender(0.01)}  # noqa: E731
    assert compared(parsed(OPTIONS), ours, write=lines.append) == []
    assert lines[1].split()[-3:] == ["-", "-", "-"]
    assert lines[-1].startswith("no ratio")


def test_ratios():
    assert geometric_mean([0.5, 2, 4, 4]) == pytest.approx(2)
    assert summary_of([1.25]) == "1 settings: smallest 1.25, geometric mean 1.25"
    assert math.isclose(geometric_mean([3.0]), 3.0)


def test_steps_of_charrnn(monkeypatch):
    FakeEngine(monkeypatch)
    steps = OwnSteps(SMALL, "tf32", gpu())
    steps.run(5)
    assert steps.trainer.step_count == 5


@pytest.mark.parametrize(("cell", "precision"), [("lstm", "tf32"), ("gru", "bf16")])
def test_steps_of_pytorch_learn(cell, precision):
    pytest.importorskip("torch")
    from tests.bench.torch_steps import TorchSteps

    steps = TorchSteps(Setting(cell, 2, 16, 4, seq_len=3, vocab_size=9), precision, device="cpu")
    steps.run(1)
    first = steps.loss.item()
    steps.run(60)
    assert steps.loss.item() < first
    assert all(part.any() for part in steps.state)


def test_no_gpu_is_a_line(tmp_path):
    for words, code in ((["--device", "cuda:999"], 1), (["--device", "cuda:999", "--optional"], 0)):
        result = subprocess.run(
            [sys.executable, "-m", "tests.bench.gpu", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code
        (line,) = (result.stdout + result.stderr).splitlines()
        assert line.startswith("no table of a GPU: ")
