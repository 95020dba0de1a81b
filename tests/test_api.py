"""The interface for programs: a model is sampled, evaluated, saved and loaded."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from programs import NAMES, SMALL, TEXT, files, trained

import charrnn
from charrnn import errors
from charrnn.api import line_scores, loading, report, runs, scores, scoring
from charrnn.api import model as model_module
from charrnn.errors import CheckpointError, ConfigError, CorpusError, RunError, VocabularyError
from charrnn.evaluation import verbatim
from charrnn.storage import checkpoint
from charrnn.text import corpus, vocabulary
from charrnn.text.normalizing import normalized


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def names():
    return trained(NAMES, items="line", steps=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text and a run on it."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "text.txt").write_text(TEXT)
    settings = {"steps": 60, "dropout": 0.0, **SMALL}
    list(charrnn.train(folder / "text.txt", out=folder / "runs/corpus", **settings))
    return folder


@pytest.mark.parametrize(
    "module",
    [
        *(loading, checkpoint, model_module, runs),  # the run is longer after runs
        *(scores, scoring, line_scores, report, verbatim, corpus, vocabulary, errors),
    ],
    ids=lambda module: module.__name__,
)
def test_the_examples(folder, monkeypatch, module):
    if module is report:
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(folder)
    names = {"charrnn": charrnn, "TEXT": TEXT, "np": np}
    failed, tried = doctest.testmod(module, extraglobs=names)
    assert (failed, tried > 0) == (0, True)


# Sampling


def test_a_sample_has_its_seed_and_its_length(model):
    text = model.sample("pack ", length=30, random_seed=1)
    assert text.startswith("pack ")
    assert len(text) == 35
    assert text == model.sample("pack ", length=30, random_seed=1)
    assert len(model.sample()) == 500


def test_several_samples_are_a_list(model):
    texts = model.sample("box", length=10, num_samples=3, random_seed=1, threads=2)
    assert [text[:3] for text in texts] == ["box"] * 3
    assert [len(text) for text in texts] == [13] * 3
    assert texts[0] == model.sample("box", length=10, random_seed=1)
    assert model.sample(length=4, num_samples=1, random_seed=1) == [
        model.sample(length=4, random_seed=1)
    ]


def test_the_settings_of_a_sample_are_used(model):
    assert model.sample("pack my", length=33, temperature=0) == TEXT[:40]
    likely = model.sample(length=50, top_k=1, random_seed=3)
    assert likely == model.sample(length=50, temperature=0)
    assert likely == model.sample(length=50, min_p=1.0, random_seed=3)
    assert likely == model.sample(length=50, top_p=1e-9, random_seed=3)
    assert model.sample("pack", temperature=0, stop="five") == "pack my box with five"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"temprature": 1}, ConfigError, "sample has no setting 'temprature': did you mean temper"),
        ({"zzz": 1}, ConfigError, "sample has no setting 'zzz': its help lists what it takes"),
        ({"temp": 1}, ConfigError, "sample has no setting 'temp': did you mean temperature?"),
        ({"nucleus_p": 1}, ConfigError, "no setting 'nucleus_p': did you mean top_p?"),
        ({"temperature": -1}, ConfigError, "out of range"),
        ({"length": "9"}, ConfigError, "is not a whole number"),
        ({"num_samples": 0}, ConfigError, "out of range"),
        ({"novel": True}, ConfigError, "train a model with items"),
        ({"seed": "é"}, VocabularyError, r"does not know 1 character .* line 1, column 1"),
        ({"seed": "\ud83d"}, VocabularyError, "lone surrogate"),
    ],
)
def test_a_sample_that_cannot_be(model, settings, error, message):
    with pytest.raises(error, match=message) as caught:
        model.sample(**settings)
    assert "\n" not in str(caught.value)


def test_items_are_drawn_whole(names):
    drawn = names.sample(num_samples=20, random_seed=1)
    assert len(drawn) == 20
    assert all(drawn)
    assert not any("\n" in item for item in drawn)
    assert all(item.startswith("ba") for item in names.sample("ba", num_samples=5))
    assert isinstance(names.sample(), str)


def test_new_items_are_not_in_the_text(names):
    drawn = names.sample(num_samples=10, novel=True, temperature=2.0, random_seed=1)
    assert len(set(drawn)) == 10
    assert not set(drawn) & set(NAMES.split())
    with pytest.raises(ConfigError, match="each item ends by itself"):
        names.sample(stop="a")
    with pytest.raises(ConfigError, match="cannot contain the separator"):
        names.sample("ba\n")


def test_parts_of_letters_are_joined():
    korean = trained("하늘이 맑다\n" * 60, normalize="nfd", steps=10)
    text = korean.sample("하느", length=20, random_seed=1)
    assert text == normalized(text, "nfc")
    assert text.startswith("하")


# Evaluation


def test_a_text_is_evaluated_wherever_it_is(model, here):
    Path("a.txt").write_text(TEXT[:50])
    Path("b.txt").write_text(TEXT[50:100])
    one = model.evaluate("a.txt")
    assert one.total_nats == model.evaluate(Path("a.txt")).total_nats
    assert one.total_nats == model.evaluate(["a.txt"]).total_nats
    assert one.total_nats == model.evaluate(text=TEXT[:50]).total_nats
    assert model.evaluate(["a.txt", "b.txt"], newlines="keep").characters == 101
    assert model.evaluate("a.txt", cold_windows=5).total_nats > one.total_nats


def test_the_held_out_part_of_a_text_in_memory_is_evaluated(model, here):
    found = model.evaluate(threads=1)
    assert found.characters == model.checkpoint.held_out == 120
    history = model.checkpoint.history
    assert found.nats_per_char == pytest.approx(history.best_nats, abs=1e-6)
    rows = model.evaluate(baselines=True).baselines
    assert rows
    assert not files()


def test_bytes_are_evaluated():
    model = trained(b"\xff\x00ab" * 200, unit="byte", steps=5)
    assert model.evaluate(text=b"\xff\x00").characters == 2
    with pytest.raises(ConfigError, match="newlines lf would change bytes"):
        model.evaluate(text=b"a\r\n", newlines="lf")


def test_a_text_in_memory_is_read_as_the_model_knows_it():
    model = trained("l'été déjà rêvé\n" * 30, steps=5)
    found = model.evaluate(text="e\u0301te\u0301\r\n")
    assert (found.characters, found.unknown) == (4, {})
    assert any("--normalize nfc" in notice for notice in found.notices)
    assert len(model.evaluate(text="te\u0301", normalize="none").unknown) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"paths": "a.txt", "text": "a"}, ConfigError, "paths and text cannot be combined"),
        ({"errors": "skip"}, ConfigError, "errors applies to files that you name"),
        ({"eror": "skip"}, ConfigError, "evaluate has no setting 'eror': did you mean errors"),
        ({"unit": "byte"}, ConfigError, "evaluate has no setting 'unit'"),
        ({"exact": True, "dynamic": True}, ConfigError, "both say how to score"),
        ({"paths": "gone.txt"}, CorpusError, "gone.txt"),
        ({"text": ""}, CorpusError, "empty"),
        ({"text": "é", "unknown": "error"}, VocabularyError, "does not know 1 character"),
    ],
)
def test_an_evaluation_that_cannot_be(model, here, arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        model.evaluate(**arguments)
    assert "\n" not in str(caught.value)


# Files


def test_a_model_is_saved_and_loaded(model, here):
    model.save("m.npz")
    again = charrnn.load("m.npz")
    assert again.path == Path("m.npz")
    assert repr(again) == repr(model) == "Model(gru 1 x 16, 28 symbols, 2,652 parameters, step 60)"
    assert again.sample(length=20, random_seed=1) == model.sample(length=20, random_seed=1)
    with pytest.raises(CorpusError, match="text in memory, which is not available"):
        again.evaluate()
    Path("text.txt").write_text(TEXT)
    found = charrnn.train("text.txt", init_from="m.npz", steps=1, **SMALL)
    assert found.plan.model.hidden_size == 16


def test_what_is_changed_in_the_network_is_what_is_saved(model, here):
    mine = charrnn.Model(model.checkpoint)
    mine.network.parameters["head.W"][::3] += 0.5
    mine.save("m.npz")
    assert mine.score("box").total_nats != model.score("box").total_nats
    assert charrnn.load("m.npz").score("box").total_nats == mine.score("box").total_nats
    assert mine.evaluate().total_nats != model.evaluate().total_nats
    assert mine.sample(length=30, random_seed=1) != model.sample(length=30, random_seed=1)


def test_where_a_model_cannot_be_saved(model, here):
    Path("folder").mkdir()
    with pytest.raises(CheckpointError, match="folder is a folder: name a file in it"):
        model.save("folder")
    with pytest.raises(CheckpointError, match="the folder gone does not exist"):
        model.save("gone/m.npz")
    assert files() == ["folder"]


def test_what_cannot_be_loaded(here):
    with pytest.raises(RunError, match="no trained model under"):
        charrnn.load()
    Path("a.npz").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="is not a usable checkpoint"):
        charrnn.load("a.npz")
