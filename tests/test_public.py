"""The names that a program imports from the package: all there, all real, all of use."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from math import log
from pathlib import Path
from types import ModuleType

import pytest

import charrnn

PACKAGE = Path(charrnn.__file__).parent
NAMES = [
    "CharModel",
    "CharrnnError",
    "Checkpoint",
    "EvalConfig",
    "Evaluation",
    "ModelConfig",
    "Run",
    "SampleConfig",
    "TextConfig",
    "TrainConfig",
    "Vocabulary",
    "__version__",
    "evaluate_checkpoint",
    "generate",
    "load",
    "prepare",
    "read_corpus",
    "resume",
]
TEXT = "pack my box with five dozen liquor jugs\n" * 30

TWICE = """
import types, charrnn
for name in charrnn.__all__:
    first, second = getattr(charrnn, name), getattr(charrnn, name)
    assert first is second, name
    assert not isinstance(second, types.ModuleType), name
"""


def test_the_names_are_these():
    assert sorted(charrnn.__all__) == NAMES
    assert set(NAMES) <= set(dir(charrnn))


def test_each_name_is_the_same_object_every_time():
    importlib.import_module("charrnn.cli.commands.train")
    for name in NAMES:
        first, second = getattr(charrnn, name), getattr(charrnn, name)
        assert first is second, name
        assert not isinstance(first, ModuleType), name
    # The first use of a name imports its module, so a new process sees what this one may not.
    subprocess.run([sys.executable, "-c", TWICE], cwd=PACKAGE.parent, check=True, timeout=60)


def test_no_name_is_that_of_a_submodule():
    # The import of a submodule puts it in the place of the name.
    submodules = {module.name for module in pkgutil.iter_modules(charrnn.__path__)}
    assert "storage" in submodules
    assert not submodules & set(NAMES)


def test_type_checkers_see_the_names_that_a_program_gets():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {}
    for name, home in charrnn._HOMES.items():
        module, _, attribute = home.partition(":")
        homes[name] = (module, attribute or name)
    assert seen == homes
    assert {*seen, "__version__"} == set(charrnn.__all__)
    assert (PACKAGE / "py.typed").exists()


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        charrnn.nothing  # noqa: B018


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text, and a run on it that was made by the names alone."""
    folder = tmp_path_factory.mktemp("public")
    (folder / "text.txt").write_text(TEXT)
    run = charrnn.prepare(
        [folder / "text.txt"],
        text=charrnn.TextConfig(normalize="nfc"),
        model=charrnn.ModelConfig(cell="gru", num_layers=1, hidden_size=16, dropout=0.0),
        train=charrnn.TrainConfig(steps=40, batch_size=4, seq_len=10, learning_rate=0.03),
        out=folder / "runs" / "t",
    )
    assert isinstance(run, charrnn.Run)
    events = list(run.train())
    assert events[-1].reason == "done"
    return folder


def test_load_takes_what_the_commands_take(folder, monkeypatch):
    monkeypatch.chdir(folder)
    best = charrnn.load("runs/t/best.npz")
    assert isinstance(best, charrnn.Checkpoint)
    assert best.history.step > 0
    assert not best.training
    for name in ("runs/t", "t", folder / "runs" / "t", None):
        found = charrnn.load(name)
        assert found.history == best.history
        assert found.weights.keys() == best.weights.keys()
    assert charrnn.load().history == best.history
    assert charrnn.load("runs/t/last.npz").training
    with pytest.raises(charrnn.CharrnnError, match="neither a checkpoint nor a run"):
        charrnn.load("nothing")


def test_a_model_is_used(folder):
    checkpoint = charrnn.load(folder / "runs" / "t")
    model = checkpoint.model()
    assert isinstance(model, charrnn.CharModel)
    assert isinstance(checkpoint.vocabulary, charrnn.Vocabulary)
    config = charrnn.SampleConfig(length=20, random_seed=0)
    pieces = charrnn.generate(model, checkpoint.vocabulary, config, seed="pack ")
    text = "".join(piece for _, piece in pieces)
    assert len(text) == 20
    assert set(text) <= set(TEXT)

    found = charrnn.evaluate_checkpoint(checkpoint, config=charrnn.EvalConfig(exact=True))
    assert isinstance(found, charrnn.Evaluation)
    assert 0 < found.nats_per_char < log(len(checkpoint.vocabulary))


def test_a_run_is_resumed(folder):
    run = charrnn.resume(folder / "runs" / "t", length=charrnn.TrainConfig(steps=42))
    assert isinstance(run, charrnn.Run)
    assert list(run.train())[-1].step == 42
    assert charrnn.load(folder / "runs" / "t" / "last.npz").history.step == 42
    with pytest.raises(charrnn.CharrnnError, match="is finished"):
        charrnn.resume(folder / "runs" / "t")


def test_a_text_is_read(folder):
    corpus = charrnn.read_corpus([folder / "text.txt"])
    assert len(corpus) == len(TEXT)
    vocabulary = charrnn.Vocabulary.from_codes(corpus.codes)
    assert vocabulary.decode(vocabulary.encode(corpus.codes)) == TEXT
    with pytest.raises(charrnn.CharrnnError, match=r"gone\.txt"):
        charrnn.read_corpus([folder / "gone.txt"])


def test_the_version_is_that_of_the_command():
    result = subprocess.run(
        [sys.executable, "-m", "charrnn", "--version"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout == f"charrnn {charrnn.__version__}\n"
