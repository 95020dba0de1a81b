"""The names that a program imports from the package: all there, all real, all of use."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from dataclasses import fields
from math import log
from pathlib import Path
from types import ModuleType

import pytest

import charrnn
from tests.launching import PATIENCE
from tests.tracing import untraced

PACKAGE = Path(charrnn.__file__).parent
TEXT = "pack my box with five dozen liquor jugs\n" * 30
SMALL = {"hidden_size": 8, "num_layers": 1, "batch_size": 4, "threads": 1}

TWICE = """
import sys, types, charrnn
assert dir(charrnn) == sorted(charrnn.__all__), dir(charrnn)
assert "numpy" not in sys.modules
for name in charrnn.__all__:
    first, second = getattr(charrnn, name), getattr(charrnn, name)
    assert first is second, name
    assert not isinstance(second, types.ModuleType), name
assert dir(charrnn) == sorted(charrnn.__all__), dir(charrnn)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text, and a run on it."""
    folder = tmp_path_factory.mktemp("public")
    (folder / "text.txt").write_text(TEXT)
    run = charrnn.train(folder / "text.txt", out=folder / "runs" / "t", steps=20, **SMALL)
    assert list(run)[-1].reason == "done"
    return folder


def use_load(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = ("runs/t/best.npz", "runs/t", "t", folder / "runs" / "t", None)
    steps = {charrnn.load(name).checkpoint.history.step for name in names}
    assert len(steps) == 1
    assert charrnn.load("runs/t/last.npz").checkpoint.history.step == 20
    with pytest.raises(charrnn.CharrnnError, match="neither a checkpoint nor a run"):
        charrnn.load("nothing")


def use_train(folder, monkeypatch):
    run = charrnn.train(text=TEXT, steps=2, **SMALL)
    assert isinstance(run, charrnn.TrainingRun)
    assert [event.step for event in run if event.kind == "finished"] == [2]
    assert isinstance(run.model, charrnn.Model)


def use_resume(folder, monkeypatch):
    run = charrnn.train(folder / "text.txt", out=folder / "runs" / "r", steps=2, **SMALL)
    list(run)
    with pytest.raises(charrnn.CharrnnError, match="is finished"):
        charrnn.resume(folder / "runs" / "r")
    run = charrnn.resume(folder / "runs" / "r", steps=4)
    assert isinstance(run, charrnn.TrainingRun)
    assert list(run)[-1].step == 4


def use_model(folder, monkeypatch):
    checkpoint = charrnn.load(folder / "runs" / "t").checkpoint
    assert isinstance(checkpoint, charrnn.Checkpoint)
    model = charrnn.Model(checkpoint)
    assert isinstance(model, charrnn.Model)
    assert isinstance(model.network, charrnn.CharModel)
    assert model.path is None
    model.export(folder / "model.html")
    with pytest.raises(charrnn.CharrnnError, match=r"model\.html exists"):
        model.export(str(folder / "model.html"))
    model.export(folder / "model.html", overwrite=True)
    assert (folder / "model.html").read_text("utf-8").startswith("<!doctype html>")


def use_scores(folder, monkeypatch):
    scores = charrnn.load(folder / "runs" / "t").score("box")
    assert isinstance(scores, charrnn.Scores)
    assert len(scores) == 3
    several = charrnn.load(folder / "runs" / "t").score(["box", "jugs"])
    assert isinstance(several, charrnn.LineScores)
    assert several.characters.tolist() == [3, 4]


def use_report(folder, monkeypatch):
    pytest.importorskip("matplotlib")
    path = charrnn.report([folder / "runs" / "t"], folder / "page.html", baselines=False)
    assert "charrnn report" in path.read_text("utf-8")
    assert charrnn.report(str(folder / "runs" / "t"), path, baselines=False) == path
    (folder / "mine.html").write_text("mine")
    with pytest.raises(charrnn.CharrnnError, match="is not a report"):
        charrnn.report(folder / "runs" / "t", folder / "mine.html")


def use_copied(folder, monkeypatch):
    found = charrnn.load(folder / "runs" / "t").copied(["pack my box", "zzz"])
    assert isinstance(found, charrnn.Copied)
    assert [text.longest for text in found.texts] == [11, 1]


def use_evaluation(folder, monkeypatch):
    model = charrnn.load(folder / "runs" / "t")
    found = model.evaluate()
    assert isinstance(found, charrnn.Evaluation)
    assert 0 < found.nats_per_char < log(len(model.vocabulary))


def use_configs(folder, monkeypatch):
    """What a group has is what the functions take."""
    model = charrnn.load(folder / "runs" / "t")
    groups = (
        charrnn.TextConfig(),
        charrnn.ModelConfig(hidden_size=4),
        charrnn.TrainConfig(steps=1),
    )
    settings = {name: value for group in groups for name, value in group.to_json().items()}
    assert charrnn.train(text=TEXT, **settings).model.checkpoint.architecture.hidden_size == 4
    drawn = charrnn.SampleConfig(length=5, num_samples=2).to_json()
    assert [len(text) for text in model.sample(**drawn)] == [5, 5]
    scoring = charrnn.EvalConfig(cold_windows=4).to_json()
    assert "windows of 4" in model.evaluate(**scoring).protocol


def use_error(folder, monkeypatch):
    with pytest.raises(charrnn.CharrnnError, match="hidden_size"):
        charrnn.train(text=TEXT, hiden_size=4)


def use_vocabulary(folder, monkeypatch):
    corpus = charrnn.read_corpus([folder / "text.txt"])
    vocabulary = charrnn.Vocabulary.from_codes(corpus.codes)
    assert vocabulary.decode(vocabulary.encode(corpus.codes)) == TEXT
    assert charrnn.load(folder / "runs" / "t").vocabulary == vocabulary
    with pytest.raises(charrnn.CharrnnError, match=r"gone\.txt"):
        charrnn.read_corpus([folder / "gone.txt"])


def use_labels(folder, monkeypatch):
    pairs = [("odd" if n % 2 else "even", n) for n in range(10, 400)]
    text = "".join(f"{label}\t{number}\n" for label, number in pairs)
    run = charrnn.train(text=text, predict="label", steps=60, **{**SMALL, "batch_size": 32})
    model = run.model
    found = model.evaluate(text="odd\t1235\neven\t1238\n")
    assert isinstance(found, charrnn.LabelEvaluation)
    assert found.labels.count == 2
    assert [each.label for each in model.predict(["1235", "1238"])] == ["odd", "even"]
    for wrong in ("1235", [""], [["1", "2"]]):
        with pytest.raises(charrnn.CharrnnError):
            model.predict(wrong)
    for what in (model.sample, lambda: model.score("1")):
        with pytest.raises(charrnn.CharrnnError, match="use predict"):
            what()


def use_version(folder, monkeypatch):
    result = subprocess.run(
        [sys.executable, "-m", "charrnn", "--version"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        env=untraced(),
        check=True,
        timeout=PATIENCE,
    )
    assert result.stdout == f"charrnn {charrnn.__version__}\n"


USES = {
    "CharModel": use_model,
    "CharrnnError": use_error,
    "Checkpoint": use_model,
    "Copied": use_copied,
    "EvalConfig": use_configs,
    "Evaluation": use_evaluation,
    "LabelEvaluation": use_labels,
    "LineScores": use_scores,
    "Model": use_model,
    "ModelConfig": use_configs,
    "SampleConfig": use_configs,
    "Scores": use_scores,
    "TextConfig": use_configs,
    "TrainConfig": use_configs,
    "TrainingRun": use_train,
    "Vocabulary": use_vocabulary,
    "__version__": use_version,
    "load": use_load,
    "read_corpus": use_vocabulary,
    "report": use_report,
    "resume": use_resume,
    "train": use_train,
}
"""The names, and what uses each."""


def test_the_names_are_these():
    assert charrnn.__all__ == sorted(USES)
    assert dir(charrnn) == sorted(USES)
    namespace = {}
    exec("from charrnn import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(USES)


@pytest.mark.parametrize("use", dict.fromkeys(USES.values()), ids=lambda use: use.__name__)
def test_each_name_is_of_use(folder, monkeypatch, use):
    use(folder, monkeypatch)


def test_each_name_is_the_same_object_every_time():
    importlib.import_module("charrnn.cli.commands.train")
    for name in USES:
        first, second = getattr(charrnn, name), getattr(charrnn, name)
        assert first is second, name
        assert not isinstance(first, ModuleType), name
    # The first use of a name imports its module, so a new process sees what this one may not.
    program = {"args": [sys.executable, "-c", TWICE], "cwd": PACKAGE.parent, "env": untraced()}
    subprocess.run(**program, check=True, timeout=PATIENCE)


def test_no_name_is_that_of_a_submodule():
    # The import of a submodule puts it in the place of the name.
    submodules = {module.name for module in pkgutil.iter_modules(charrnn.__path__)}
    assert "storage" in submodules
    assert not submodules & set(USES)


def test_type_checkers_see_the_names_that_a_program_gets():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == charrnn._HOMES
    assert {*seen, "__version__"} == set(charrnn.__all__)
    assert (PACKAGE / "py.typed").exists()


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        charrnn.nothing  # noqa: B018


def test_every_setting_is_a_keyword():
    takes = {
        charrnn.train: (charrnn.TextConfig, charrnn.ModelConfig, charrnn.TrainConfig),
        charrnn.Model.sample: (charrnn.SampleConfig,),
        charrnn.Model.evaluate: (charrnn.EvalConfig,),
    }
    for function, groups in takes.items():
        parameters = inspect.signature(function).parameters
        for group in groups:
            for item in fields(group):
                own = item.name == "num_samples"  # None, for a text and no list
                assert parameters[item.name].default == (None if own else item.default)
        assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
