"""Items that are drawn: whole, known or new, cut, and written so that they divide again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from item_texts import NAMES, POEMS, TEXT, trained
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import SampleConfig, TextConfig
from charrnn.data.dividing import divide, end_of, texts_of
from charrnn.errors import CharrnnError
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import Item, is_known, known_items, sample_items, separator
from charrnn.storage.checkpoint import load
from charrnn.text.codes import to_codes


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    (folder / "names.txt").write_text(TEXT)
    trained(folder / "run", folder / "names.txt")
    return folder


def test_items_are_whole_and_said_to_be_new_or_not(folder):
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=40, random_seed=0)
    drawn = list(sample_items(checkpoint, config, known=known_items(checkpoint)))
    assert len(drawn) == 40
    texts = [""] * 40
    options = SampleConfig(num_samples=40, random_seed=0, stop="\n")
    for number, text in generate(
        checkpoint.model(), checkpoint.vocabulary, options, seed="\n", never_first=0
    ):
        texts[number] += text
    assert [item.text + "\n" for item in drawn] == texts
    assert all(item.new == (item.text not in NAMES) for item in drawn)
    assert not any(item.cut for item in drawn)
    assert {item.new for item in sample_items(checkpoint, config, known=None)} == {None}


def test_an_item_that_reaches_the_length_is_cut(folder):
    checkpoint = load(folder / "run" / "best.npz")
    whole, short = (
        list(
            sample_items(
                checkpoint,
                SampleConfig(num_samples=40, random_seed=0, length=length),
                known=known_items(checkpoint),
            )
        )
        for length in (500, 4)
    )
    for item, part in zip(whole, short, strict=True):
        assert part.cut == (len(item.text) > 3)  # the end is drawn, too
        assert part.text == item.text[:4]
        assert part.new == (
            not any(name.startswith(part.text) for name in NAMES) if part.cut else item.new
        )
    assert {item.cut for item in short} == {True, False}


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=9), st.text("ab", max_size=4))
@settings(deadline=None)
def test_what_is_cut_is_known_where_an_item_begins_so(known, text):
    whole, cut = Item(text, cut=False), Item(text, cut=True)
    assert is_known(whole, sorted(known)) == (text in known)
    assert is_known(cut, sorted(known)) == any(item.startswith(text) for item in known)


DIVISIONS = ["line", "blank-line", "%", "한", "\n%\n", "\n\n\n", "<|end|>\n", "\n\n--"]


@given(st.lists(st.sampled_from(POEMS), min_size=1, max_size=9), st.sampled_from(DIVISIONS))
@settings(deadline=None)
def test_what_is_written_divides_as_the_text_did(poems, items):
    drawn = [poem.replace("\n", " ") if items == "line" else poem for poem in poems]
    text = "".join(f"{separator(items, n)}{item}\n" for n, item in enumerate(drawn))
    codes = to_codes(text)
    end = end_of(codes, items)
    assert texts_of(divide(codes, items, end), end) == drawn


def test_files_have_headings():
    assert separator("file", 0) == "--- sample 1 ---\n"
    assert separator("file", 1) == "--- sample 2 ---\n"


@pytest.mark.parametrize("temperature", [0, 0.5, 1, 3])
def test_no_item_is_empty(folder, temperature):
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=100, random_seed=0, temperature=temperature)
    # Weights that are sure of a line end, wherever it can be drawn.
    head = checkpoint.weights["head.W"].copy()
    head[checkpoint.vocabulary.encode_text("\n")[0], 0] += 200  # the bias is the first column
    sure = replace(checkpoint, weights={**checkpoint.weights, "head.W": head})
    for seed, length in (("", 1), ("a", 1), ("Z", 2)):  # Z is not known, and so begins nothing
        drawn = list(sample_items(sure, config, known=None, seed=seed, unknown="skip"))
        assert {len(item.text) for item in drawn} == {length}
        assert all(item.text.startswith(seed) for item in drawn)


def test_novel_items_are_new_and_distinct(folder, monkeypatch):
    monkeypatch.setattr("charrnn.sampling.items.ROUNDS", 3)
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=70, random_seed=0)
    known = known_items(checkpoint)
    drawn = list(sample_items(checkpoint, config, known=known, novel=True))
    assert len({item.text for item in drawn}) == 70
    assert all(item.new and item.text not in known for item in drawn)
    certain = SampleConfig(num_samples=2, temperature=0, random_seed=0)
    with pytest.raises(CharrnnError, match="of 2 items are new"):
        list(sample_items(checkpoint, certain, known=known, novel=True))


@pytest.mark.parametrize("text", [TextConfig(normalize="nfd"), TextConfig(unit="byte")])
def test_items_are_known_as_they_are_written(tmp_path, text):
    (tmp_path / "ko.txt").write_text("한국\n각막\n" * 30)
    more = {"steps": 150, "val_fraction": 0, "validations": None, "learning_rate": 0.02}
    trained(tmp_path / "run", tmp_path / "ko.txt", text=text, **more)
    checkpoint = load(tmp_path / "run" / "best.npz")
    known = known_items(checkpoint)
    assert known == ["각막", "한국"]
    config = SampleConfig(num_samples=20, temperature=0.3, random_seed=0)
    assert any(not item.new for item in sample_items(checkpoint, config, known=known))
    # Of jamo, the next one drawn may complete the syllable.
    seed = "하" if text.normalize == "nfd" else "한"
    drawn = list(sample_items(checkpoint, config, known=known, seed=seed))
    assert all(item.text.startswith((seed, "한")) for item in drawn)


def test_the_commands(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(TEXT)
    tiny = ["--steps", "20", "--hidden-size", "8", "--threads", "1"]
    result = run("train", "names.txt", "--lines", *tiny)
    assert result.exit_code == 0, result.output
    assert "lines to learn from, " in result.stderr
    result = run("sample", "-n", "20", "--random-seed", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 20
    assert "of 20 new" in result.stderr
    rows = [json.loads(row) for row in run("sample", "-n", "5", "--json").stdout.splitlines()]
    assert [row["sample"] for row in rows] == [1, 2, 3, 4, 5]
    assert all(row["new"] is (row["text"] not in NAMES) for row in rows)
    result = run("sample", "-n", "3000", "--random-seed", "1", "--temperature", "1.2")
    line = next(line for line in result.stderr.splitlines() if "of 3,000 new" in line)
    old = dict.fromkeys(text for text in result.stdout.splitlines() if text in NAMES)
    assert len(old) > 10
    listed = ", ".join(list(old)[:10])
    assert line.endswith(f"; in the text: {listed} and {len(old) - 10:,} more")
    result = run("sample", "-n", "3", "--novel", "--seed", "ab")
    assert all(line.startswith("ab") for line in result.stdout.splitlines())
    assert run("sample", "--stop", "a").exit_code == 2
    for seed in ("a\nb", "a\n", "\n"):
        assert "cannot contain the separator" in run("sample", "--seed", seed).stderr
    (tmp_path / "names.txt").write_text("other\n")
    result = run("sample", "-n", "2")
    assert result.exit_code == 0
    assert "to see which items are new" in result.stderr
    assert run("sample", "--novel").exit_code == 1


def test_novel_needs_a_model_of_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(TEXT)
    assert run("train", "names.txt", "--steps", "2", "--hidden-size", "8").exit_code == 0
    result = run("sample", "--novel")
    assert result.exit_code == 2
    assert "--items" in result.stderr


@pytest.fixture
def poems(tmp_path, monkeypatch):
    """Go where there is a model of poems."""
    monkeypatch.chdir(tmp_path)
    Path("poems.txt").write_text("\n\n".join(POEMS))
    trained(tmp_path / "runs" / "poems", "poems.txt", items="blank-line", steps=3)


@pytest.mark.usefixtures("poems")
def test_poems_are_written_with_a_blank_line_between():
    words = ["--random-seed", "1", "--seed", "fee\n"]
    result = run("sample", "-n", "3", *words)
    assert result.exit_code == 0, result.output
    rows = [
        json.loads(row) for row in run("sample", "-n", "3", "--json", *words).stdout.splitlines()
    ]
    assert result.stdout == "\n".join(f"{row['text']}\n" for row in rows)
    assert all(row["text"].startswith("fee\n") for row in rows)
    assert [row["cut"] for row in rows] == [len(row["text"]) == 504 for row in rows]
    result = run("sample", "--seed", "fee\n\n")
    assert result.exit_code == 2
    assert "cannot contain the separator" in result.stderr


@pytest.mark.usefixtures("poems")
def test_how_many_were_cut_is_said():
    result = run("sample", "-n", "4", "--length", "9", "--random-seed", "0")
    assert "notice: 3 of 4 cut off after 9 characters: give a higher --length" in result.stderr
    assert "cut off" not in run("sample", "-n", "4", "--length", "9000").stderr


@pytest.mark.usefixtures("poems")
def test_long_items_are_listed_shortened(monkeypatch):
    from charrnn.sampling import items

    known = [Item(poem, cut=False) for poem in POEMS[:15]]
    monkeypatch.setattr(items, "draw_items", lambda *args, **more: known)
    result = run("sample", "-n", "15")
    (line,) = [line for line in result.stderr.splitlines() if "of 15 new" in line]
    assert line.startswith("0 of 15 new; in the text: ")
    assert line.endswith(" and 5 more")
    assert len(line) < 11 * 43
    assert " ".join(POEMS[3].split())[:30] in line
