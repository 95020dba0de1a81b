"""``charrnn runs``: the list in its orders, and what differs between runs."""

import json
import os
import unicodedata
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.cli.commands import runs
from charrnn.config import Architecture
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import load, save
from charrnn.storage.comparing import compare_runs
from charrnn.storage.listing import list_runs
from charrnn.text import Vocabulary

FORMAT_2 = Path(__file__).parent / "data" / "format-2.npz"


def run(*words):
    return CliRunner().invoke(app, ["runs", *map(str, words)], prog_name="charrnn")


def make_run(name, *, hidden_size=4, age=0, history=(), settings=(), validation=(), **changes):
    """A run under ./runs, without a text, some minutes old."""
    checkpoint = replace(load(FORMAT_2), training={}, **changes)
    checkpoint.architecture = Architecture(cell="gru", hidden_size=hidden_size)
    model = CharModel(checkpoint.architecture, len(checkpoint.vocabulary))
    checkpoint.weights = dict(model.parameters)
    checkpoint.history = replace(checkpoint.history, finished="done", **dict(history))
    checkpoint.settings = replace(checkpoint.settings, **dict(settings))
    checkpoint.validation = replace(checkpoint.validation, **dict(validation))
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    for file in ("last.npz", "best.npz"):
        save(folder / file, checkpoint)
        os.utime(folder / file, (1e9 - 60 * age,) * 2)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def listed(*words):
    return [entry["name"] for entry in json.loads(run(*words, "--json").stdout)]


def test_the_orders_of_the_list():
    make_run("b", age=2, hidden_size=8, history={"best_nats": 1.5, "step": 30})
    make_run("a", age=1, hidden_size=16, history={"best_nats": None, "step": 10})
    make_run("d", age=3, hidden_size=4, history={"best_nats": 1.25, "step": 20})
    labelled = {"best_nats": 0.25, "step": 5}
    make_run("c", age=4, hidden_size=2, history={**labelled, "best_accuracy": 0.5})
    make_run("e", age=5, hidden_size=1, history={**labelled, "best_accuracy": 0.75, "step": 0})
    assert listed() == listed("--sort", "age") == ["a", "b", "d", "c", "e"]
    assert listed("--sort", "name") == ["a", "b", "c", "d", "e"]
    assert listed("--sort", "loss") == ["d", "b", "e", "c", "a"]
    assert listed("--sort", "size") == ["a", "b", "d", "c", "e"]
    assert listed("--sort", "parameters") == ["a", "b", "d", "c", "e"]
    assert listed("--sort", "steps") == ["b", "d", "a", "c", "e"]
    assert [line.split()[0] for line in run("--sort", "loss").stdout.splitlines()] == [
        "run",
        *listed("--sort", "loss"),
    ]
    result = run("--sort", "colour")
    assert result.exit_code == 2
    assert "parameters" in result.stderr


def test_the_list_names_the_texts():
    source = load(FORMAT_2).sources[0]
    make_run("one", sources=(replace(source, path="/far/away/tea.txt"),))
    paths = ["/b/\x1b[31m.txt", "/a/two.txt", "/a/three.txt"]
    make_run("three", sources=tuple(replace(source, path=path) for path in paths), age=1)
    heading, one, three = run().stdout.splitlines()
    assert heading.split()[:4] == ["run", "model", "text", "parameters"]
    assert one.split()[:4] == ["one", "gru", "1x4", "tea.txt"]
    assert "\\x1b[31m.txt, two.txt and 1 more" in three
    assert json.loads(run("--json").stdout)[0]["texts"] == ["tea.txt"]


def test_the_list_has_the_time_and_bits_per_byte():
    # Characters of 1, 2, 3 and 4 bytes: 2.25 on average, as one of them is frequent.
    symbols = {**load(FORMAT_2).vocabulary.to_json(), "symbols": [97, 0xE9, 0xAC00, 0x1F600]}
    texts = {"vocabulary": Vocabulary.from_json(symbols), "counts": np.array([4, 2, 1, 1])}
    history = {"best_nats": 2.25 * log(2), "seconds": 3725.0}
    make_run("a", history=history, **texts)
    (entry,) = json.loads(run("--json").stdout)
    mean = (4 + 2 * 2 + 3 + 4) / 8
    assert entry["best_bits_per_byte"] == pytest.approx(2.25 / mean)
    heading, row = run().stdout.splitlines()
    assert heading.split()[5:9] == ["time", "best", "bits/byte", "size"]
    assert f"1:02:05  1.560 nats      {2.25 / mean:.3f}" in row
    unknown = {"best_nats": None}
    make_run("b", history=unknown, age=1, **texts)
    make_run("c", history=history, age=2, counts=None)
    assert [entry["best_bits_per_byte"] for entry in json.loads(run("--json").stdout)[1:]] == [
        None,
        None,
    ]


def test_the_bytes_of_jamo_are_those_of_their_syllables():
    jamo = [ord(symbol) for symbol in unicodedata.normalize("NFD", "\uac01")]
    symbols = {**load(FORMAT_2).vocabulary.to_json(), "symbols": jamo, "normalize": "nfd"}
    texts = {"vocabulary": Vocabulary.from_json(symbols), "counts": np.array([1, 1, 1])}
    make_run("a", history={"best_nats": log(2)}, **texts)
    (entry,) = json.loads(run("--json").stdout)
    assert entry["best_bits_per_byte"] == pytest.approx(1.0)  # three jamo in three bytes
    accents = {**symbols, "symbols": [97, 0x301]}
    texts = {"vocabulary": Vocabulary.from_json(accents), "counts": np.array([1, 1])}
    make_run("b", history={"best_nats": log(2)}, age=1, **texts)
    assert json.loads(run("--json").stdout)[1]["best_bits_per_byte"] is None


def test_a_narrow_terminal_has_the_names_and_what_came_of_them(monkeypatch):
    make_run("a-run-with-a-long-name", history={"best_nats": 1.5, "seconds": 60.0})
    columns = {"run": ["a" * 20], "parameters": ["1"], "size": ["1 kB"], "best": ["1.5 nats"]}
    runs._fit(columns, 46)
    assert list(columns) == ["run", "size", "best"]
    runs._fit(columns, 10)
    assert list(columns) == ["run", "best"]
    monkeypatch.setattr(runs, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    heading = run().stdout.splitlines()[0].split()
    assert {"run", "text", "best", "age", "state"} <= set(heading)
    assert not {"parameters", "size"} & set(heading)


def test_the_list_says_what_is_predicted_where_that_is_not_text():
    make_run("a")
    assert "predicts" not in run().stdout
    make_run("bad")
    Path("runs/bad/last.npz").write_bytes(b"PK")
    assert "predicts" not in run().stdout
    assert run().stdout.count("damaged") == 1


def test_the_size_of_the_cache_is_said():
    make_run("a")
    assert "encoded texts" not in run().stderr
    cache = Path("runs/.cache")
    cache.mkdir()
    (cache / "corpus-0123456789abcdef.codes").write_bytes(b"x" * 1500)
    (cache / "corpus-0123456789abcdef.json").write_bytes(b"x" * 500)
    (cache / "mine.txt").write_bytes(b"x" * 5000)
    result = run()
    assert "runs/.cache has 2.0 kB of encoded texts" in result.stderr
    assert "--clear-cache" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["run", "a"]
    assert run("--json").stderr == ""
    assert "2.0 kB of encoded texts deleted" in run("--clear-cache").stderr
    assert [path.name for path in cache.iterdir()] == ["mine.txt"]


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    return {line[0].strip(): [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}


ROWS = [(10, 2.0, 1.75), (20, 1.5, 1.25)]


def test_only_what_differs_is_shown():
    scores = {"rows": ROWS, "best_nats": 1.25, "step": 20, "seconds": 61.0}
    make_run("a", history=scores)
    worse = {**scores, "best_nats": 1.5, "best_interval": 0.0625}
    make_run("b", hidden_size=8, history=worse, settings={"learning_rate": 0.25})
    rows = rows_of(run("a", "runs/b"))
    assert rows.pop("") == ["a", "runs/b"]
    assert rows.pop("hidden_size") == ["4", "8"]
    assert rows.pop("learning_rate")[1] == "0.25"
    assert rows.pop("parameters") == [
        f"{load(Path('runs') / name / 'last.npz').num_parameters:,}" for name in "ab"
    ]
    assert rows.pop("time") == ["1:01", "1:01"]
    assert rows.pop("steps made") == ["20", "20"]
    assert rows.pop("state") == ["done", "done"]
    assert rows.pop("training loss per character") == 2 * ["1.500 nats 2.164 bits"]
    assert rows.pop("best validation loss per character") == [
        "1.250 nats 1.803 bits",
        "1.500 nats 2.164 bits within 0.062",
    ]
    assert not rows
    same = run("a", "a")
    assert "no setting differs" in same.stderr
    assert "parameters" not in same.stdout


@pytest.mark.parametrize(
    ("changes", "unlike"),
    [
        ({"held_out": 50}, ["split"]),
        ({"settings": {"batch_size": 2}}, []),
        ({"settings": {"random_seed": 3}}, []),
        ({"validation": {"val_characters": 7}}, []),
        ({"settings": {"items": "line", "split_mode": "hashed"}}, ["task", "split"]),
        ({"text": replace(load(FORMAT_2).text, normalize="nfc")}, ["reading"]),
        ({"sources": (replace(load(FORMAT_2).sources[0], sha256="0" * 64),)}, ["text"]),
        ({"sources": (replace(load(FORMAT_2).sources[0], path="/moved.txt"),)}, []),
    ],
)
def test_losses_are_compared_where_the_split_is_the_same(changes, unlike):
    make_run("a")
    make_run("b", **changes)
    make_run("c")
    assert compare_runs(["a", "b", "c"]).unlike == unlike
    result = run("a", "b", "c")
    assert ("best validation loss" in result.stdout) == (not unlike)
    assert ("not compared" in result.stderr) == bool(unlike)
    assert all(word in result.stderr for word in unlike)


def test_the_loss_with_counts_is_shown_beside_that_of_the_network():
    make_run("a", history={"best_nats": 1.5, "mixed_nats": 1.25})
    make_run("b", history={"best_nats": 1.5})
    assert "1.500 nats (with counts 1.250)" in run().stdout
    assert rows_of(run("a", "b"))["with counts, per character"] == ["1.250 nats 1.803 bits", "-"]
    symbols = {**load(FORMAT_2).vocabulary.to_json(), "symbols": [97, 0xE9], "unit": "char"}
    texts = {"vocabulary": Vocabulary.from_json(symbols), "counts": np.array([1, 1])}
    make_run("c", history={"best_nats": 3 * log(2), "mixed_nats": 1.5 * log(2)}, **texts)
    (c, *_) = [found for found in list_runs() if found.name == "c"]
    assert c.best_bits_per_byte == pytest.approx(2)
    assert c.mixed_bits_per_byte == pytest.approx(1)
    data = json.loads(run("a", "b", "--json").stdout)
    assert [entry["mixed_nats"] for entry in data["runs"]] == [1.25, None]


def test_the_comparison_as_json():
    make_run("a")
    make_run("b", hidden_size=8, held_out=50)
    data = json.loads(run("a", "b", "--json").stdout)
    assert data["settings"] == {"hidden_size": [4, 8]}
    assert data["unlike"] == ["split"]
    assert [entry["name"] for entry in data["runs"]] == ["a", "b"]
    assert data["runs"][0]["best_nats"] == load(FORMAT_2).history.best_nats


def test_how_many_labels_are_right_is_compared_too():
    make_run("a", history={"best_accuracy": 0.5})
    make_run("b", history={"best_accuracy": 0.75})
    assert rows_of(run("a", "b"))["labels"] == ["50.0 % right", "75.0 % right"]


def test_what_is_compared_may_have_no_best_state_or_be_a_file():
    make_run("a")
    folder = make_run("b", hidden_size=8)
    (folder / "best.npz").unlink()
    assert compare_runs(["b", "runs/a/best.npz"]).settings == {"hidden_size": [8, 4]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a"], "see charrnn info a"),
        (["a", "missing"], "missing is neither a checkpoint nor a run"),
        (["a", "x\0y"], "neither a checkpoint nor a run"),
        (["a", "a", "--sort", "name"], "--sort applies only to the list"),
        (["a", "a", "--clear-cache"], "--clear-cache applies only to the list"),
        (["a", "bad"], "is not a usable checkpoint"),
    ],
)
def test_what_cannot_be_compared_is_one_line(words, message):
    make_run("a")
    Path("runs/bad").mkdir()
    Path("runs/bad/last.npz").write_bytes(b"PK")
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert message in line


def test_no_weights_are_read_to_compare():
    folder = make_run("a")
    make_run("b", hidden_size=8)
    for file in ("last.npz", "best.npz"):
        data = bytearray((folder / file).read_bytes())
        at = data.index(load(folder / file).weights["head.W"].tobytes())
        data[at] ^= 1  # its sum is wrong now
        (folder / file).write_bytes(data)
    assert compare_runs(["a", "b"]).settings == {"hidden_size": [4, 8]}


def test_files_of_one_name_are_told_apart():
    source = load(FORMAT_2).sources[0]
    for age, path in enumerate(("a/input.txt", "b/input.txt", "C:\\mine\\input.txt")):
        make_run(path[0], sources=(replace(source, path=path),), age=age)
    rows = run().stdout.splitlines()[1:]
    assert ["a/input.txt" in rows[0], "b/input.txt" in rows[1], "mine" in rows[2]] == [True] * 2 + [
        False
    ]
