"""Runs on items: what is held out, what is scored, and what goes on where it stopped."""

from math import log
from pathlib import Path

import numpy as np
import pytest
from item_texts import NAMES, POEMS, TEXT, new, trained
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import EvalConfig, TrainConfig
from charrnn.data.dividing import ENDS, texts_of
from charrnn.data.items import steps_of
from charrnn.errors import CharrnnError, ConfigError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.sampling.items import known_items
from charrnn.storage.checkpoint import load
from charrnn.storage.own_text import find_own_text
from charrnn.text import read_corpus
from charrnn.text.codes import to_text
from charrnn.training.items import division_words
from charrnn.training.resume import resume

POEM_TEXT = "\n\n".join(POEMS) + "\n"
PERCENT = [poem + " 50%" * (n % 5 == 0) for n, poem in enumerate(POEMS)]
MIXED = "".join(f"{name * (1 + 5 * (n % 7 == 0))}\n" for n, name in enumerate(NAMES))
"""Some of whose lines take several windows of 8 steps."""


def run(*words, stdin=None):
    words = [str(word) for word in words]
    return CliRunner().invoke(app, words, prog_name="charrnn", input=stdin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    (folder / "names.txt").write_text(TEXT)
    trained(folder / "run", folder / "names.txt")
    return folder


def test_whole_lines_are_held_out(folder):
    checkpoint = load(folder / "run" / "best.npz")
    assert checkpoint.settings.items == "line"
    sides = checkpoint.sides(read_corpus([folder / "names.txt"]))
    held = sides.held
    lines = to_text(held).splitlines()
    assert checkpoint.held_out == len(held)
    assert 0.1 < len(lines) / len(NAMES) < 0.3
    assert set(lines) < set(NAMES)
    assert not set(lines) & set(to_text(sides.learned).splitlines())
    assert known_items(checkpoint) == sorted(set(NAMES))  # what is held out is the user's own too
    found = evaluate_checkpoint(checkpoint, baselines=True)
    assert found.nats_per_char == pytest.approx(checkpoint.history.best_nats, rel=1e-6)
    assert found.characters == found.num_bytes == checkpoint.held_out
    assert "each item is scored from a zero state" in found.protocol
    assert {row.characters for row in found.baselines} == {checkpoint.held_out}


@pytest.mark.parametrize(("text", "seq_len"), [(TEXT, 256), (MIXED, 8)])
def test_a_resumed_run_equals_one_that_never_stopped(tmp_path, text, seq_len):
    (tmp_path / "names.txt").write_text(text)
    settings = {"schedule": "constant", "warmup": 0.0, "validations": 1, "patience": 0}
    settings["seq_len"] = seq_len
    found = []
    for name, stops in (("whole", [20]), ("parts", [7, 13, 20])):
        trained(tmp_path / name, tmp_path / "names.txt", steps=stops[0], **settings)
        for steps in stops[1:]:
            again = resume(tmp_path / name, length=TrainConfig(steps=steps), threads=2)
            list(again.train())
        last = load(tmp_path / name / "last.npz")
        found.append({**last.weights, **last.training})
    assert bool(found[0]["state"].any()) == (text == MIXED)  # it stopped within long lines
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_epochs_count_items(folder, tmp_path):
    settings = {"split_mode": "contiguous"}
    run = new(tmp_path / "run", folder / "names.txt", epochs=2.5, **settings)
    assert run.plan.train.steps == 25
    assert run.plan.train.seq_len == steps_of(1 + max(map(len, NAMES)))
    assert run.plan.held_out == len("\n".join(NAMES[160:]) + "\n")
    list(run.train())
    longer = resume(tmp_path / "run", length=TrainConfig(epochs=3))
    assert longer.plan.train.steps == 30
    longer.close()


def test_it_learns(tmp_path):
    (tmp_path / "two.txt").write_text("abcde\nedcba\n" * 90)
    settings = {"split_mode": "contiguous", "learning_rate": 0.02}
    run = new(tmp_path / "run", tmp_path / "two.txt", steps=150, **settings)
    list(run.train())
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"))
    assert found.nats_per_char == pytest.approx(log(2) / 6, abs=0.03)


def test_line_ends_of_windows_and_text_without_a_last_one(tmp_path):
    (tmp_path / "crlf.txt").write_bytes(TEXT.removesuffix("\n").replace("\n", "\r\n").encode())
    run = new(tmp_path / "run", tmp_path / "crlf.txt")
    list(run.train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    assert checkpoint.text.newlines == "lf"
    assert "\r" not in checkpoint.vocabulary.decode(np.arange(len(checkpoint.vocabulary)))
    found = evaluate_checkpoint(checkpoint)
    assert found.characters == checkpoint.held_out
    assert checkpoint.characters == len(TEXT) - 1
    run = new(tmp_path / "end", tmp_path / "crlf.txt", split_mode="contiguous")
    list(run.train())
    checkpoint = load(tmp_path / "end" / "best.npz")
    found = evaluate_checkpoint(checkpoint)
    assert found.characters == checkpoint.held_out


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("abcdef" * 100, {}, "finds 1 item"),
        (TEXT, {"reset": 0.5, "lines": True}, "--reset has no effect with --lines"),
        (TEXT, {"reset": 0.5}, "--reset has no effect with --items"),
        (TEXT, {"items": "@"}, "--items '@' is not in the text"),
        (TEXT, {"items": "file"}, "--items file finds 1 item"),
        (" \n\n", {"items": "blank-line"}, "--items blank-line finds no item"),
    ],
)
def test_what_is_refused(tmp_path, text, settings, said):
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(ConfigError, match=said):
        new(tmp_path / "run", tmp_path / "text.txt", **settings)


def test_eval_of_a_file(folder):
    checkpoint = load(folder / "run" / "best.npz")
    (folder / "other.txt").write_text("abc\n\nfeZd")
    skip = EvalConfig(unknown="skip")
    found = evaluate_checkpoint(checkpoint, [folder / "other.txt"], config=skip, baselines=True)
    assert (found.characters, found.num_bytes) == (8, 8)
    assert sum(found.unknown.values()) == 1
    charged = evaluate_checkpoint(checkpoint, [folder / "other.txt"])
    assert (charged.characters, charged.num_bytes) == (9, 9)
    assert charged.total_nats > found.total_nats + charged.unknown_cost
    (folder / "other.txt").write_text("\n\n")
    with pytest.raises(CharrnnError, match="no item"):
        evaluate_checkpoint(checkpoint, [folder / "other.txt"])
    for config in ({"exact": True}, {"cold_windows": 5}, {"dynamic": True}, {"adapt": "both"}):
        with pytest.raises(ConfigError, match="trained on items"):
            evaluate_checkpoint(checkpoint, config=EvalConfig(**config))


def test_a_checkpoint_from_before_there_were_lines_has_none():
    settings = TrainConfig(steps=1).to_json()
    del settings["lines"]
    assert TrainConfig.from_json(settings).lines is False


def test_a_line_of_unknown_symbols_alone_is_charged_and_its_end_is_not(folder):
    checkpoint = load(folder / "run" / "best.npz")
    path = folder / "odd.txt"
    path.write_text("ab\n日\n")
    skipped = evaluate_checkpoint(checkpoint, [path], config=EvalConfig(unknown="skip"))
    assert (skipped.characters, skipped.num_bytes) == (3, 3)
    charged = evaluate_checkpoint(checkpoint, [path], baselines=True)
    assert (charged.characters, charged.num_bytes) == (4, 6)
    assert {row.characters for row in charged.baselines} == {4}


# What is held out


FILES = {f"{number:03}.txt": poem + "\n" for number, poem in enumerate(POEMS)}
KINDS = {
    "line": ("line", {"names.txt": TEXT}, list(dict.fromkeys(NAMES))),
    "blank-line": ("blank-line", {"poems.txt": POEM_TEXT}, POEMS),
    "file": ("file", FILES, POEMS),
    "mark": ("@", {"marked.txt": "@".join(POEMS)}, POEMS),
    "lines": ("%", {"lines.txt": "\n%\n".join(PERCENT)}, PERCENT),
}
"""How a text is divided, its files, and its items."""


@pytest.fixture(params=KINDS)
def divided(tmp_path, request):
    """A folder of files, how they are divided, and their items."""
    items, files, wanted = KINDS[request.param]
    (tmp_path / "text").mkdir()
    for name, text in files.items():
        (tmp_path / "text" / name).write_text(text)
    return tmp_path / "text", items, wanted


def sides_of(checkpoint, corpus=None):
    """Return the items that are learned from and those that are held out."""
    sides = checkpoint.sides(corpus or find_own_text(checkpoint)[0])
    end = checkpoint.task.end
    return texts_of(sides.learned, end), texts_of(sides.held, end)


@pytest.mark.parametrize("mode", ["hashed", "contiguous"])
def test_whole_items_of_every_kind_are_held_out(divided, tmp_path, mode):
    corpus, items, wanted = divided
    settings = {"items": items, "split_mode": mode, "steps": 2, "seq_len": 24}
    checkpoint = load(trained(tmp_path / "run", corpus, **settings) / "best.npz")
    learned, held = sides_of(checkpoint)
    assert set(learned) | set(held) == set(wanted)
    assert 0.1 < len(held) / len(learned + held) < 0.3
    if mode == "hashed":
        assert not set(learned) & set(held)
    else:
        assert held == (NAMES if items == "line" else wanted)[-len(held) :]
    assert checkpoint.held_out == sum(map(len, held)) + len(held)
    found = evaluate_checkpoint(checkpoint)
    assert found.nats_per_char == pytest.approx(checkpoint.history.best_nats, rel=1e-6)
    assert found.characters == checkpoint.held_out
    assert known_items(checkpoint) == sorted(wanted)


def test_the_split_follows_from_the_key_alone(divided, tmp_path):
    corpus, items, _ = divided
    sides = []
    for name, more in (("one", {}), ("two", {"random_seed": 5}), ("key", {"split_key": 5})):
        run = trained(tmp_path / name, corpus, items=items, steps=1, **more)
        sides.append(sides_of(load(run / "best.npz")))
    assert sides[0] == sides[1]
    assert set(sides[0][1]) != set(sides[2][1])


def test_items_that_are_all_alike_are_not_held_out(tmp_path):
    (tmp_path / "same.txt").write_text("one poem\nof two lines\n\n" * 50)
    run = new(tmp_path / "run", tmp_path / "same.txt", items="blank-line", split_key=0)
    assert run.plan.held_out == 0
    assert any("--split-key N makes another split" in notice for notice in run.notices)
    run.close()
    settings = {"items": "blank-line", "split_mode": "contiguous", "val_fraction": 0.01}
    run = new(tmp_path / "run", tmp_path / "same.txt", **settings)
    assert "nothing is held out: there are too few distinct items" in run.notices
    run.close()


# Files of their own


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(TEXT)
    Path("poems.txt").write_text(POEM_TEXT)
    Path("val").mkdir()
    for name, poem in list(FILES.items())[:30]:
        (Path("val") / name).write_text(poem.replace("a", "e"))
    Path("val.txt").write_text("\n\n".join(poem.replace("a", "e") for poem in POEMS[:30]))
    return tmp_path


TRAIN = ["--steps", "3", "--hidden-size", "8", "--threads", "1", "--out", "runs/it"]
HELD = [poem.replace("a", "e") for poem in POEMS[:30]]


@pytest.mark.parametrize(
    ("items", "val"),
    [
        *(("blank-line", val) for val in ("val", "val/*.txt", "val.txt", "-")),
        ("file", "val"),
        ("file", "val.txt"),
    ],
)
def test_files_of_their_own_are_held_out(here, items, val):
    corpus = ["poems.txt", "names.txt"]
    result = run(
        "train", *corpus, "--items", items, "--val", val, *TRAIN, stdin=Path("val.txt").read_text()
    )
    assert result.exit_code == 0, result.output
    assert "in files of their own) held out" in result.stderr
    checkpoint = load("runs/it/best.npz")
    learned, held = sides_of(checkpoint)
    if items == "file":
        assert learned == [POEM_TEXT.strip("\n"), TEXT.strip("\n")]
        assert held == (HELD if val == "val" else ["\n\n".join(HELD)])
    else:
        assert learned == [*POEMS, TEXT.strip("\n")]
        assert held == HELD
    result = run("eval", "--json", "--model", "runs/it")
    assert result.exit_code == 0, result.output
    assert f'"characters": {checkpoint.held_out}' in result.stdout
    names = {"-": "standard input", "val.txt": "val.txt"}.get(val, "val/000.txt, val/001.txt")
    assert f"characters of {names}" in result.stdout
    result = run("train", "--resume", "runs/it", "--steps", "4", "--threads", "1")
    assert result.exit_code == 0, result.output


def test_what_was_held_out_is_known_again(here):
    assert run("train", "poems.txt", "--val", "val.txt", *TRAIN).exit_code == 0
    assert "this text was held out of training: val.txt" in run("eval", "val.txt").stderr
    assert "the model was trained on this text: poems.txt" in run("eval", "poems.txt").stderr
    of_file = run("eval", "val.txt", "--nats")
    # But for the first character, which follows on a line end in a file.
    own = float(run("eval", "--nats").stdout)
    assert float(of_file.stdout) == pytest.approx(own, abs=0.02)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--val", "poems.txt"], "poems.txt is both a file to train on and one to hold out"),
        (["--val", "copy.txt"], "copy.txt, a file to hold out, has the same content as poems"),
        (["--val", "nothing.txt"], "nothing.txt: no such file or folder"),
        (["--val", "binary"], "is not UTF-8"),
        (["--val", "empty.txt"], "empty.txt is empty"),
        (["--val", "short.txt"], "--val: 6 characters are too few for validation"),
        (["--val", "val.txt", "--split-key", "3"], "--split-key has nothing to choose"),
        (["--val", "val.txt", "--val-fraction", "0.1"], "--val-fraction has nothing to choose"),
        (["--split-mode", "files"], "name them with --val"),
    ],
)
def test_files_that_cannot_be_held_out(here, words, said):
    Path("copy.txt").write_text(POEM_TEXT)
    Path("binary").write_bytes(bytes(range(256)))
    Path("empty.txt").write_text("")
    Path("short.txt").write_text("short")
    result = run("train", "poems.txt", "--items", "blank-line", *words, *TRAIN)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("runs").exists()


def test_there_must_be_an_item_to_learn_from(here):
    Path("blank.txt").write_text(" \n\n\t\n")
    result = run("train", "blank.txt", "--items", "blank-line", "--val", "val.txt", *TRAIN)
    assert result.exit_code == 2
    assert "there is no item to train on, only blank text" in result.stderr


# A model to start from


def test_a_model_to_start_from_keeps_its_end_where_it_can(here):
    start = trained("start", "poems.txt", items="blank-line", val_fraction=0.3, steps=2)
    own = load("start/best.npz")
    again = load(trained("again", "poems.txt", items="blank-line", init_from=start) / "best.npz")
    assert again.task.end == own.task.end == ENDS[0]
    assert len(again.vocabulary) == len(own.vocabulary)
    Path("taken.txt").write_text(POEM_TEXT.replace("a", chr(ENDS[0])))
    taken = load(trained("taken", "taken.txt", items="blank-line", init_from=start) / "best.npz")
    assert taken.task.end == ENDS[1]
    assert len(taken.vocabulary) == len(own.vocabulary) + 1


def test_a_model_to_start_from_keeps_its_split_where_it_is_of_such_items(here):
    start = trained("start", "poems.txt", items="blank-line", split_key=3, steps=2)
    settings = {"items": "blank-line", "val_fraction": None, "init_from": start}
    again = load(trained("again", "poems.txt", **settings) / "best.npz")
    assert sides_of(again) == sides_of(load("start/best.npz"))
    lines = new("lines", "poems.txt", items="line", val_fraction=None, init_from=start)
    assert lines._setup.train.split_key == 0
    lines.close()
    files = new("files", "poems.txt", items="blank-line", val=["val.txt"], init_from=start)
    assert files._setup.train.split_mode == "files"
    files.close()


def test_a_mark_on_lines_of_its_own_is_kept(here):
    Path("fortunes").write_text("\n%\n".join(PERCENT))
    start = trained("start", "fortunes", items="%", steps=2)
    assert load("start/best.npz").settings.items == "\n%\n"
    again = new("again", "fortunes", items="%", val_fraction=None, init_from=start)
    assert again._setup.train.val_fraction == 0.2
    assert division_words(again.plan.train.items) == "text between lines of '%'"
    again.close()
    Path("one").write_text("only 50% of a fortune")  # no line has the mark alone
    found = evaluate_checkpoint(load("start/best.npz"), ["one"])
    assert found.characters == len("only 50% of a fortune") + 1
