"""A text to score that is the run's own: its training files, its held-out files, or both."""

import io
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import ModelConfig, TrainConfig
from charrnn.evaluation import provenance
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.storage.checkpoint import load, save
from charrnn.text import Corpus
from charrnn.training.new import prepare

WORDS = ["sow", "the", "seed", "in", "rows", "and", "wait", "for", "rain", "again"]


def words(seed, count):
    return " ".join(np.random.default_rng(seed).choice(WORDS, count).tolist()) + "\n"


TEXTS = {
    "a.txt": words(0, 300),
    "b.txt": words(1, 100),
    "v.txt": words(2, 90),
    "w.txt": words(3, 60),
}
LEARNED = len(TEXTS["a.txt"] + TEXTS["b.txt"])
HELD = len(TEXTS["v.txt"] + TEXTS["w.txt"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("provenance")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    (folder / "other.txt").write_text("the rain in rows\n")
    run = prepare(
        [folder / "a.txt", folder / "b.txt"],
        val=[folder / "v.txt", folder / "w.txt"],
        model=ModelConfig(num_layers=1, hidden_size=8, dropout=0.0),
        train=TrainConfig(steps=2, batch_size=4, seq_len=8),
        out=folder / "run",
    )
    list(run.train())
    return folder


@pytest.fixture
def checkpoint(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return load(folder / "run" / "best.npz")


def part(count, of):
    return f"{count / of:.0%}"


WHOLE = LEARNED + HELD
V, W = len(TEXTS["v.txt"]), len(TEXTS["w.txt"])
A = len(TEXTS["a.txt"])


@pytest.mark.parametrize(
    ("paths", "learned", "said"),
    [
        ("v.txt w.txt", 0, ["this text was held out of training: v.txt, w.txt"]),
        ("v.txt", 0, ["this text was held out of training: v.txt"]),
        ("w.txt v.txt", 0, ["this text was held out of training: w.txt, v.txt"]),
        ("a.txt b.txt", 1, ["the model was trained on this text: a.txt, b.txt"]),
        ("b.txt", 1, ["the model was trained on this text: b.txt"]),
        (
            "a.txt b.txt v.txt w.txt",
            LEARNED / WHOLE,
            [
                f"the model was trained on {part(LEARNED, WHOLE)} of this text: a.txt, b.txt",
                f"{part(HELD, WHOLE)} of this text was held out of training: v.txt, w.txt",
            ],
        ),
        (
            "v.txt a.txt",
            A / (A + V),
            [
                f"the model was trained on {part(A, A + V)} of this text: a.txt",
                f"{part(V, A + V)} of this text was held out of training: v.txt",
            ],
        ),
        # Of other.txt, nobody knows how much was learned.
        ("a.txt other.txt", 0, [f"the model was trained on {part(A, A + 17)} of this text: a.txt"]),
        ("other.txt w.txt", 0, [f"{part(W, W + 17)} of this text was held out of training: w.txt"]),
        ("other.txt", 0, []),
    ],
)
def test_each_file_is_told_from_the_others(checkpoint, paths, learned, said):
    found = evaluate_checkpoint(checkpoint, paths.split())
    assert found.notices == tuple(said)
    assert found.learned == pytest.approx(learned)
    alone = evaluate_checkpoint(checkpoint).nats_per_char
    assert found.held_out_nats == (pytest.approx(alone) if learned else None)
    assert (found.overlap is None) == bool(learned)


def test_the_held_out_files_cost_what_the_held_out_part_does(checkpoint):
    own = evaluate_checkpoint(checkpoint)
    assert own.protocol.startswith(f"the {HELD} characters of v.txt, w.txt, held out of training")
    named = evaluate_checkpoint(checkpoint, ["v.txt", "w.txt"])
    # A file follows on what samples begin with, and a held-out part on nothing: uniform.
    first = log(len(checkpoint.vocabulary))
    assert named.total_nats == pytest.approx(own.total_nats, abs=first + 0.5)
    assert named.characters == own.characters
    assert named.overlap == own.overlap < 0.5
    piped = io.BytesIO((TEXTS["v.txt"] + TEXTS["w.txt"]).encode())
    assert evaluate_checkpoint(checkpoint, ["-"], stdin=piped).total_nats == named.total_nats


def test_the_command_does_not_take_a_held_out_file_for_training_text(checkpoint):
    result = CliRunner().invoke(app, ["eval", "v.txt", "--model", "run"], prog_name="charrnn")
    assert result.exit_code == 0, result.output
    assert "notice: this text was held out of training: v.txt" in result.stderr
    assert "training text" not in result.stderr
    result = CliRunner().invoke(app, ["eval", "a.txt", "--model", "run"], prog_name="charrnn")
    assert "notice: the model was trained on this text: a.txt" in result.stderr
    assert "nats is the loss on training text; on the held-out part it is" in result.stderr


@pytest.mark.parametrize(
    ("name", "advice"), [("a.txt", "train again"), ("other.txt", "the text is unlike")]
)
def test_a_useless_model_is_not_told_that_its_own_text_is_unlike(checkpoint, name, advice):
    sure = {name: array.copy() for name, array in checkpoint.weights.items()}
    sure["head.W"][0] += 50  # of one symbol, whatever comes before
    save(Path("sure.npz"), replace(checkpoint, weights=sure))
    result = CliRunner().invoke(app, ["eval", name, "--model", "sure.npz"], prog_name="charrnn")
    (notice,) = [line for line in result.stderr.splitlines() if "guessing" in line]
    assert advice in notice


def test_files_that_have_grown(checkpoint, tmp_path):
    for name, what in (("a.txt", "the model was trained on"), ("v.txt", "was held out")):
        path = tmp_path / name
        path.write_text(TEXTS[name] + "and more\n")
        found = evaluate_checkpoint(checkpoint, [path])
        assert found.notices == (f"this text starts with a file that {what}: {path}",)
        assert found.learned == 0


def test_empty_files_are_not_what_was_learned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {**TEXTS, "empty.txt": "", "new.txt": "rain\n"}.items():
        Path(name).write_text(text)
    run = prepare(
        ["a.txt", "empty.txt"],
        val=["v.txt"],
        model=ModelConfig(num_layers=1, hidden_size=8, dropout=0.0),
        train=TrainConfig(steps=2, batch_size=4, seq_len=8),
        out=tmp_path / "run",
    )
    list(run.train())
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"), ["new.txt", "empty.txt"])
    assert found.notices == ("empty.txt: is empty: left out",)


def test_a_text_in_memory_is_recognised_by_its_bytes(checkpoint):
    for name, learned, said in (
        ("v.txt", 0, "this text was held out of training: text in memory"),
        ("a.txt", 1, "the model was trained on this text: text in memory"),
    ):
        found = evaluate_checkpoint(checkpoint, corpus=Corpus.from_text(TEXTS[name]))
        assert (found.learned, found.notices) == (learned, (said,))
        assert found.total_nats == evaluate_checkpoint(checkpoint, [name]).total_nats


def test_many_files_are_not_all_named(checkpoint, monkeypatch):
    monkeypatch.setattr(provenance, "LISTED", 1)
    (notice,) = evaluate_checkpoint(checkpoint, ["v.txt", "w.txt"]).notices
    assert notice.endswith(": v.txt and 1 more")


def test_a_large_corpus_is_not_read_for_another_text(checkpoint, monkeypatch):
    monkeypatch.setattr(provenance, "QUICKLY_READ", WHOLE - 1)
    found = evaluate_checkpoint(checkpoint, ["other.txt"])
    assert found.overlap is None
    assert evaluate_checkpoint(checkpoint, ["a.txt"]).learned == 1  # its files say so
