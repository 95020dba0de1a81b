"""The accuracy that a run of labels reports, and models of the wrong kind."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from labelled_texts import TEXTS, new
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.storage.checkpoint import load, save


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of text, and then one of labels, of tags and of spaces."""
    folder = tmp_path_factory.mktemp("kinds")
    for age, kind in enumerate(["spaces", "tags", "label", "text"]):
        predict = None if kind == "text" else kind
        (folder / f"{kind}.txt").write_text(TEXTS.get(kind, TEXTS["case"]), encoding="utf-8")
        small = {"steps": 3, "hidden_size": 4, "validations": 1}
        out = folder / "runs" / kind
        list(new(out, folder / f"{kind}.txt", predict=predict, **small).train())
        for file in out.glob("*.npz"):
            os.utime(file, (1e9 + age,) * 2)
    return folder


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    """A copy of that folder, to work in."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


LABELS = "name another run with --model (runs/label predicts labels), or"
TEXT = "name another run with --model (runs/text predicts the next character), or"
TAGS = "name another run with --model (runs/tags predicts tags), or"
SPACES = "name another run with --model (runs/spaces predicts spaces), or"
AND_PREDICT = "label texts with charrnn predict FILE --model runs/label"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "predict label.txt",
            f"runs/text predicts the next character: {LABELS} train one with --predict label, "
            "tags, spaces, case, marks or accents",
        ),
        ("score label label.txt", f"runs/label predicts labels: {TEXT} {AND_PREDICT}"),
        (
            "score label.txt --model text --model label",
            f"runs/label predicts labels: {TEXT} {AND_PREDICT}",
        ),
        ("sample label", f"runs/label predicts labels: {TEXT} {AND_PREDICT}"),
        (
            "eval label --nats",
            "--nats needs a model that predicts text, and "
            f"runs/label predicts labels: {TEXT} leave --nats out",
        ),
        (
            "eval text text.txt --columns a,b",
            "--columns needs a model that predicts labels, and "
            f"runs/text predicts the next character: {LABELS} leave --columns out",
        ),
        (
            "predict tags tags.txt --top 2",
            "--top needs a model that predicts labels, and "
            f"runs/tags predicts tags: {LABELS} leave --top out",
        ),
        (
            "predict label label.txt --conll",
            "--conll needs a model that predicts tags, and "
            f"runs/label predicts labels: {TAGS} leave --conll out",
        ),
        (
            "predict tags tags.txt --keep",
            "--keep needs a model that restores text, and "
            f"runs/tags predicts tags: {SPACES} leave --keep out",
        ),
    ],
)
def test_a_model_of_the_wrong_kind_is_named_and_a_run_that_fits(here, words, said):
    result = run(*words.split())
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"error: {said}"


def test_a_checkpoint_elsewhere_is_named_by_its_path(here):
    shutil.rmtree("runs/text")
    shutil.move("runs/label/best.npz", "mine.npz")
    shutil.rmtree("runs")
    result = run("score", "label.txt", "--model", "mine.npz")
    assert result.stderr == (
        "error: mine.npz predicts labels: name another run with --model, or label texts with "
        "charrnn predict FILE --model mine.npz\n"
    )


@pytest.mark.parametrize(
    "words", ["predict nothing.txt", "score nothing.txt --model label", "score label nothing.txt"]
)
def test_a_missing_file_is_said_before_the_kind(here, words):
    result = run(*words.split())
    assert result.exit_code == 1
    assert result.stderr.startswith("error: nothing.txt: no such file or folder")


def test_the_accuracy_of_what_predict_uses_comes_first(here):
    for name, network, mixed in (("old", 0.9, None), ("new", 0.5, 0.95), ("same", 0.8, 0.8)):
        shutil.copytree("runs/label", f"runs/{name}")
        for file in Path("runs", name).glob("*.npz"):
            state = load(file)
            shares = {"best_accuracy": network, "mixed_accuracy": mixed}
            state.history = replace(state.history, **shares)
            save(file, state)
    for kind in ("label", "tags", "spaces", "text"):
        shutil.rmtree(f"runs/{kind}")
    shown = {line.split()[0]: line for line in run("runs").stdout.splitlines()}
    assert "90.0 % right (network alone)  " in shown["old"]
    assert "95.0 % right (network alone 50.0 %)  " in shown["new"]
    assert "80.0 % right  " in shown["same"]
    listed = json.loads(run("runs", "--sort", "loss", "--json").stdout)
    assert [one["name"] for one in listed] == ["new", "old", "same"]
    assert (listed[0]["best_accuracy"], listed[0]["mixed_accuracy"]) == (0.5, 0.95)
    compared = run("runs", "new", "same").stdout
    assert "95.0 % right (network alone 50.0 %)  80.0 % right" in compared
    assert ", 95.0 % right (network alone 50.0 %)\n" in run("info", "new").stdout


@pytest.mark.parametrize(("kind", "unit"), [("label", "labels"), ("tags", "tags"), ("spaces", "")])
def test_the_end_of_training_says_and_keeps_the_accuracy_of_the_mixture(here, kind, unit):
    small = ("--steps", 3, "--hidden-size", 4, "--members", 1)
    result = run("train", f"{kind}.txt", "--predict", kind, *small, "--out", "new", "--json")
    assert result.exit_code == 0, result.output
    finished = json.loads(result.stdout)
    mixed, alone = (100 * finished[name] for name in ("mixed_accuracy", "best_accuracy"))
    assert mixed > alone
    unit = unit or "characters"
    assert f"held-out part: {mixed:.1f} % of the {unit} right (network alone {alone:.1f} %)\n" in (
        result.stderr
    )
    assert f"{mixed:.1f} % right (network alone {alone:.1f} %)\n" in run("info", "new").stdout
    assert "validation loss of the best state by the network alone: " in result.stderr
    assert load("new/last.npz").history.mixed_accuracy == finished["mixed_accuracy"]
    found = json.loads(run("eval", "new", "--json").stdout)
    assert found["labels"]["accuracy"] == pytest.approx(finished["mixed_accuracy"])


def test_a_better_state_is_not_yet_mixed(here):
    training = new(Path("a"), Path("label.txt"), predict="label", steps=3)
    training.history.mixed_accuracy = 0.5  # of the end of this run before it was resumed
    for event in training.train():
        if event.kind == "validated" and event.best:
            assert training.history.mixed_accuracy is None
            break
    else:
        pytest.fail("there was no validation")
