"""Export to PyTorch: the file read back, computed with PyTorch's equations, and by PyTorch itself.

The equations are written here for one step of one stream. Where PyTorch is installed, the code of
``docs/pytorch.md`` loads the same files.
"""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cells import KINDS, RECURRENT, sigmoid

from charrnn.config import Architecture
from charrnn.errors import CheckpointError, ConfigError
from charrnn.exports.pytorch import write_safetensors
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import load
from charrnn.text import Vocabulary

numpy_files = pytest.importorskip("safetensors.numpy")
from safetensors import safe_open  # noqa: E402

PLACE = Path(__file__).parent
DOC = (PLACE.parent / "docs" / "pytorch.md").read_text("utf-8")
H, T, N = 6, 9, 3
SYMBOLS = np.array([10, 32, 97, 98, 0x1F600], np.uint32)
LABELS = ("B-ö", "\ud800", '"')

SHAPES = {
    "one-hot": {},
    "embedding": {"embedding_size": 4},
    "three layers": {"num_layers": 3, "embedding_size": 4},
    "members": {"members": 2, "num_layers": 2},
    "both directions": {"directions": 2, "num_layers": 2, "num_labels": 3},
    "whole items": {"directions": 2, "head": "item", "num_labels": 3},
    "items in one direction": {"head": "item", "num_labels": 3, "embedding_size": 4},
}
EACH = pytest.mark.parametrize("kind", KINDS)
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES)


def checkpoint_of(kind, shape):
    """A checkpoint with random weights."""
    architecture = Architecture(**KINDS[kind], hidden_size=H, **SHAPES[shape])
    labelled = architecture.num_labels > 0
    vocabulary = Vocabulary(SYMBOLS, "char", "none", labelled)
    model = CharModel(architecture, len(vocabulary))
    rng = np.random.default_rng(len(shape))
    model.parameters.vector[...] = rng.uniform(-0.7, 0.7, model.num_parameters)
    checkpoint = load(PLACE / "data" / "format-2.npz", arrays=False)
    return replace(
        checkpoint,
        architecture=architecture,
        vocabulary=vocabulary,
        weights=dict(model.parameters),
        labels=LABELS if labelled else (),
    )


def ids_for(checkpoint):
    return np.random.default_rng(1).integers(0, len(checkpoint.vocabulary), (T, N))


def logits_of(checkpoint, ids):
    """What charrnn computes, (T, N, C), or of whole items (N, C)."""
    model = checkpoint.model()
    logits, _ = model.forward(ids, model.zero_state(ids.shape[1]))
    C = len(checkpoint.labels) or len(checkpoint.vocabulary)
    whole = checkpoint.architecture.head == "item"
    return logits.T if whole else logits.T.reshape(T, N, C)


def exported(tmp_path, checkpoint):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, checkpoint)
    return path


# PyTorch's equations: y (T, F) for x (T, D)


def rnn(ih, hh, x, squash):
    y, h = [], np.zeros(H)
    for x_t in x:
        h = squash(ih(x_t) + hh(h))
        y.append(h)
    return np.array(y)


def gru(ih, hh, x, squash):
    y, h = [], np.zeros(H)
    for x_t in x:
        (r, z, n), (hr, hz, hn) = np.split(ih(x_t), 3), np.split(hh(h), 3)
        r, z = sigmoid(r + hr), sigmoid(z + hz)
        n = np.tanh(n + r * hn)
        h = (1 - z) * n + z * h
        y.append(h)
    return np.array(y)


def lstm(ih, hh, x, squash):
    y, h, c = [], np.zeros(H), np.zeros(H)
    for x_t in x:
        i, f, g, o = np.split(ih(x_t) + hh(h), 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        y.append(h)
    return np.array(y)


def conv1d(weight, bias, x):
    """``nn.Conv1d`` on x (T, D) with K - 1 zeros before it."""
    K = weight.shape[2]
    padded = np.concatenate([np.zeros((K - 1, x.shape[1])), x])
    return np.array([np.einsum("hdk,kd->h", weight, padded[t : t + K]) for t in range(T)]) + bias


def recurrent(tensors, architecture, x, suffix):
    def affine(which):
        W, b = tensors[f"rnn.weight_{which}_{suffix}"], tensors[f"rnn.bias_{which}_{suffix}"]
        return lambda a: W @ a + b

    squash = (lambda z: np.maximum(z, 0)) if architecture["nonlinearity"] == "relu" else np.tanh
    step = {"rnn": rnn, "gru": gru, "lstm": lstm}[architecture["cell"]]
    return step(affine("ih"), affine("hh"), x, squash)


def network(tensors, architecture, ids, symbols):
    """Logits (T, C) of one stream, or (C,) of a whole item."""
    table = tensors.get("embedding.weight", np.eye(symbols))
    x = table[ids]
    for depth in range(architecture["num_layers"]):
        outputs = []
        for back in range(architecture["directions"]):
            turned = x[::-1] if back else x
            suffix = "_reverse" * back
            if architecture["context"]:
                weight, bias = (tensors[f"conv{suffix}.{depth}.{w}"] for w in ("weight", "bias"))
                y = np.tanh(conv1d(weight, bias, turned))
            else:
                y = recurrent(tensors, architecture, turned, f"l{depth}{suffix}")
            outputs.append(y[::-1] if back else y)
        x = np.concatenate(outputs, axis=1)
    if architecture["head"] == "item":
        x = np.concatenate([x[-1, :H], x[0, H:]])
    return x @ tensors["head.weight"].T + tensors["head.bias"]


def computed(path, ids):
    """The same as ``logits_of``, from nothing but the file."""
    with safe_open(path, "np") as file:
        about = file.metadata()
    tensors = numpy_files.load_file(path)
    architecture, vocabulary = (json.loads(about[key]) for key in ("architecture", "vocabulary"))
    symbols = len(vocabulary["symbols"]) + vocabulary["has_unknown"]
    prefixes = [f"members.{i}." for i in range(architecture["members"])]
    if len(prefixes) == 1:
        prefixes = [""]
    total = 0
    for prefix in prefixes:
        own = {key.removeprefix(prefix): tensors[key] for key in tensors if key.startswith(prefix)}
        streams = [network(own, architecture, column, symbols) for column in ids.T]
        total = total + np.stack(streams, axis=-2)
    return total / len(prefixes)


@EACH
@EACH_SHAPE
def test_pytorchs_equations_give_the_same_logits(kind, shape, tmp_path):
    checkpoint = checkpoint_of(kind, shape)
    ids = ids_for(checkpoint)
    wanted = logits_of(checkpoint, ids)
    assert wanted.std() > 0.1
    found = computed(exported(tmp_path, checkpoint), ids)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(("kind", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_names_and_shapes_are_pytorchs(kind, gates, tmp_path):
    path = exported(tmp_path, checkpoint_of(kind, "both directions"))
    tensors = numpy_files.load_file(path)
    shapes = {}
    for direction in ("", "_reverse"):
        for depth, features in enumerate([len(SYMBOLS) + 1, 2 * H]):
            suffix = f"l{depth}{direction}"
            shapes[f"rnn.weight_ih_{suffix}"] = gates * H, features
            shapes[f"rnn.weight_hh_{suffix}"] = gates * H, H
            shapes[f"rnn.bias_ih_{suffix}"] = shapes[f"rnn.bias_hh_{suffix}"] = (gates * H,)
    shapes |= {"head.weight": (3, 2 * H), "head.bias": (3,)}
    assert {name: array.shape for name, array in tensors.items()} == shapes
    assert {array.dtype for array in tensors.values()} == {np.dtype(np.float32)}


def test_the_header_tells_what_the_model_is(tmp_path):
    checkpoint = checkpoint_of("gru", "both directions")
    with safe_open(exported(tmp_path, checkpoint), "np") as file:
        about = file.metadata()
    assert (about["format"], about["task"]) == ("pt", "text")
    assert all(value.isascii() for value in about.values())
    assert Architecture.from_json(json.loads(about["architecture"])) == checkpoint.architecture
    assert Vocabulary.from_json(json.loads(about["vocabulary"])) == checkpoint.vocabulary
    assert tuple(json.loads(about["labels"])) == LABELS
    assert "item_end" not in about


@pytest.mark.parametrize(
    ("settings", "task"),
    [
        ({"items": "line", "item_end": 10}, "items"),
        ({"items": "line", "item_end": 10, "prompted": True}, "prompted"),
        ({"items": "line", "item_end": 10, "predict": "label"}, "label"),
    ],
)
def test_the_header_names_the_task(settings, task, tmp_path):
    checkpoint = checkpoint_of("rnn", "one-hot")
    whole = {"split_mode": "hashed", "val_files": 0}
    checkpoint.settings = replace(checkpoint.settings, **settings, **whole)
    with safe_open(exported(tmp_path, checkpoint), "np") as file:
        about = file.metadata()
    assert about["task"] == task
    assert about.get("item_end") == (None if task == "label" else "10")


def test_bytes_are_numbers(tmp_path):
    checkpoint = checkpoint_of("rnn", "embedding")
    checkpoint.vocabulary = Vocabulary(np.arange(256, dtype=np.uint32), "byte")
    model = CharModel(checkpoint.architecture, 256)
    checkpoint.weights = dict(model.parameters)
    with safe_open(exported(tmp_path, checkpoint), "np") as file:
        vocabulary = json.loads(file.metadata()["vocabulary"])
    assert (vocabulary["unit"], vocabulary["symbols"]) == ("byte", list(range(256)))


def test_without_safetensors_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ConfigError, match=re.escape("pip install safetensors")):
        write_safetensors(tmp_path / "m.safetensors", checkpoint_of("rnn", "one-hot"))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_an_error_of_one_line(tmp_path):
    path = tmp_path / "missing" / "m.safetensors"
    with pytest.raises(CheckpointError, match="name another file") as caught:
        write_safetensors(path, checkpoint_of("rnn", "one-hot"))
    message = str(caught.value)
    assert str(path) in message
    assert "--resume" not in message
    assert "\n" not in message


# PyTorch itself


def blocks():
    """The Python code of the page, by what each block defines first."""
    found = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    return dict(zip(("ten", "gru", "text", "any", "ends", "window"), found, strict=True))


def imports():
    lines = "".join(blocks().values()).split("\n")
    return "\n".join(line for line in lines if line.startswith(("import ", "from ")))


def in_page(monkeypatch, path, *code, **names):
    """Run code of the page beside an exported file; return its names."""
    monkeypatch.chdir(path.parent)
    with safe_open(path, "pt") as file:
        names["about"] = file.metadata()
    for part in (imports(), *code):
        exec(part, names)
    return names


def same(theirs, ours, torch):
    with torch.no_grad():
        np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_ten_lines_load_a_gru(num_layers, monkeypatch, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(SHAPES, "deep", {"num_layers": num_layers})
    checkpoint = checkpoint_of("gru", "deep")
    symbols = np.array(sorted(map(ord, "the \n")), np.uint32)
    checkpoint.vocabulary = Vocabulary(symbols)
    ids = ids_for(checkpoint)
    code = blocks()
    names = in_page(
        monkeypatch, exported(tmp_path, checkpoint), code["ten"], code["gru"], code["text"]
    )
    logits, state = names["model"](torch.from_numpy(ids))
    same(logits, logits_of(checkpoint, ids), torch)
    x = torch.nn.functional.one_hot(torch.from_numpy(ids), 5).float()
    same(names["gru"](x)[1], state.detach().numpy(), torch)
    assert capsys.readouterr().out.startswith("after 'the': ")


@pytest.mark.parametrize("kind", RECURRENT)
@EACH_SHAPE
def test_the_page_loads_every_recurrent_model(kind, shape, monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    checkpoint = checkpoint_of(kind, shape)
    ids = ids_for(checkpoint)
    code = blocks()
    names = in_page(monkeypatch, exported(tmp_path, checkpoint), code["any"])
    logits, _ = names["model"](torch.from_numpy(ids))
    if checkpoint.architecture.head == "item":
        network = names["network"] = names["model"]
        x = network.embedding(torch.from_numpy(ids)) if network.embedding else None
        if x is None:
            x = torch.nn.functional.one_hot(torch.from_numpy(ids), network.symbols).float()
        names["y"], _ = network.rnn(x)
        exec(code["ends"], names)
        logits = names["logits"]
    same(logits, logits_of(checkpoint, ids), torch)


@pytest.mark.parametrize("kind", ["window", "bag"])
@pytest.mark.parametrize("shape", ["one-hot", "three layers"])
def test_the_page_loads_a_window(kind, shape, monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    checkpoint = checkpoint_of(kind, shape)
    ids = ids_for(checkpoint)
    path = exported(tmp_path, checkpoint)
    names = in_page(monkeypatch, path, blocks()["window"])
    architecture = json.loads(names["about"]["architecture"])
    model = names["Window"](architecture, len(SYMBOLS), len(SYMBOLS))
    model.load_state_dict(names["load_file"](path))
    same(model(torch.from_numpy(ids)), logits_of(checkpoint, ids), torch)
