"""Evaluation that adapts, the whole way: files, options, tables, and what is refused."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config import EvalConfig, ModelConfig, TextConfig, TrainConfig
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation import dynamic, evaluate
from charrnn.evaluation.adapting import networks
from charrnn.evaluation.adapting.model import adapting_nats
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.storage.checkpoint import load
from charrnn.text.codes import to_codes
from charrnn.training.new import prepare

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "under", "mat", "log", "and", "a", "hat"]
NEW = "the mat hat a god tac " * 20


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch):
    """Measure the usual gradient on few windows, which takes less time."""
    monkeypatch.setattr(dynamic, "STATISTICS", 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapting")
    text = " ".join(np.random.default_rng(0).choice(WORDS, 2000).tolist())
    (folder / "corpus.txt").write_text(text)
    (folder / "new.txt").write_text(NEW)
    run = prepare(
        [folder / "corpus.txt"],
        text=TextConfig(),
        model=ModelConfig(num_layers=1, hidden_size=16, dropout=0.0),
        train=TrainConfig(steps=80, validations=1, batch_size=8, seq_len=16, learning_rate=0.01),
        out=folder / "run",
    )
    list(run.train())
    return folder


@pytest.fixture
def evaluated(folder, monkeypatch):
    """Return what runs the command on the model."""
    monkeypatch.chdir(folder)

    def run(*words):
        return CliRunner().invoke(app, ["eval", "--model", "run", *words], prog_name="charrnn")

    return run


@pytest.mark.parametrize("adapt", ["counts", "both"])
def test_it_helps_and_says_how(folder, adapt):
    checkpoint = load(folder / "run" / "best.npz")
    static = evaluate_checkpoint(checkpoint, [folder / "new.txt"])
    found = evaluate_checkpoint(
        checkpoint, [folder / "new.txt"], config=EvalConfig(adapt=adapt), baselines=True
    )
    assert found.static.nats_per_char == static.nats_per_char
    assert found.nats_per_char < 0.6 * static.nats_per_char
    assert "adapting evaluation: " in found.protocol
    assert "character by character, in one pass" in found.protocol
    assert ("dynamic evaluation: after every 20" in found.protocol) == (adapt == "both")
    assert ("this network and the static one" in found.protocol) == (adapt == "both")
    for threads in (1, 2):
        again = evaluate_checkpoint(
            checkpoint, [folder / "new.txt"], config=EvalConfig(adapt=adapt), threads=threads
        )
        assert again.total_nats == found.total_nats


def test_network_is_what_dynamic_is(folder):
    model = charrnn.load(folder / "run")
    one, other = model.evaluate(adapt="network"), model.evaluate(dynamic=True)
    assert (one.total_nats, one.protocol) == (other.total_nats, other.protocol)
    both = model.evaluate(adapt="both", dynamic_rate=0.01)
    assert both.total_nats != model.evaluate(adapt="both").total_nats


def test_what_is_unknown_is_charged_and_not_read(folder):
    model = charrnn.load(folder / "run")
    plain = model.evaluate(text=NEW, adapt="counts")
    found = model.evaluate(text=NEW.replace("god", "gZod"), adapt="counts")
    assert list(found.unknown.values()) == [20]
    extra = found.total_nats - plain.total_nats
    assert extra > 20 * found.unknown_cost - 1e-6  # the known ones have the rest
    assert found.characters == plain.characters + 20


def test_the_command(evaluated):
    result = evaluated("--adapt", "counts", "--baselines")
    assert result.exit_code == 0, result.output
    assert "without learning" in result.stdout
    assert "this model (gru 1x16), with counts that adapt" in result.stdout
    result = evaluated("--adapt", "both", "--baselines")
    assert "this model (gru 1x16), dynamic, with counts that adapt" in result.stdout
    data = json.loads(evaluated("--adapt", "counts", "--json").stdout)
    assert data["nats_per_char"] < data["static_nats"] / data["characters"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--adapt", "counts", "--dynamic"), "--adapt and --dynamic both say how to score"),
        (("--adapt", "counts", "--exact"), "--exact and --adapt both say how to score"),
        (("--adapt", "both", "--cold-windows", "9"), "--cold-windows and --adapt both say"),
        (
            ("--adapt", "both", "--counts"),
            "--counts does not change while it scores, and --adapt learns from the text",
        ),
        (("--adapt", "counts", "--dynamic-rate", "0.1"), "--dynamic-rate needs --adapt network"),
        (("--adapt", "all"), "--adapt"),
    ],
)
def test_what_does_not_go_together(evaluated, words, message):
    result = evaluated(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_rate_that_is_too_high_is_an_error(folder, monkeypatch):
    lost = np.full(20, np.nan), np.full((16, 20), np.nan), np.zeros((3, 20))
    monkeypatch.setattr(networks, "dynamic_windows", lambda *_, **__: iter([lost]))
    with pytest.raises(ConfigError, match=r"--dynamic-rate 0\.5 is too high"):
        charrnn.load(folder / "run").evaluate(adapt="both", dynamic_rate=0.5)


def test_the_training_part_is_needed(folder, tmp_path):
    checkpoint = load(folder / "run" / "best.npz")
    text = (folder / "corpus.txt").read_text()
    (folder / "corpus.txt").unlink()
    try:
        with pytest.raises(CorpusError, match=r"adapting counts start from it.*--adapt"):
            evaluate_checkpoint(checkpoint, [folder / "new.txt"], config=EvalConfig(adapt="counts"))
    finally:
        (folder / "corpus.txt").write_text(text)


def test_a_text_too_long_is_refused(folder, monkeypatch):
    monkeypatch.setattr("charrnn.evaluation.model_cost.MAX_SCORED", 400)
    monkeypatch.delattr("charrnn.evaluation.model_cost.score")  # before anything is scored
    with pytest.raises(ConfigError, match="440 characters, and --adapt counts handles at most 400"):
        charrnn.load(folder / "run").evaluate(text=NEW, adapt="counts")


def test_counts_that_adapt_are_an_opponent_of_short_texts(folder, monkeypatch):
    checkpoint = load(folder / "run" / "best.npz")
    found = evaluate_checkpoint(checkpoint, [folder / "new.txt"], baselines=True)
    row = next(row for row in found.baselines if row.kind == "adapting")
    text = (folder / "corpus.txt").read_text()
    train = to_codes(text[: len(text) - checkpoint.held_out])
    vocabulary = checkpoint.vocabulary
    ids = np.concatenate([vocabulary.before_all(), vocabulary.encode_text(NEW)])
    assert row.total_nats == adapting_nats(train, ids, checkpoint.vocabulary)[1:].sum()
    assert not any("left out" in notice for notice in found.notices)
    monkeypatch.setattr(evaluate, "MAX_ADAPTING", len(NEW) - 1)
    found = evaluate_checkpoint(checkpoint, [folder / "new.txt"], baselines=True)
    assert all(row.kind != "adapting" for row in found.baselines)
    assert any("counts that adapt are left out" in notice for notice in found.notices)
