"""Verbatim copies of a text: exact, however it is cut, and reported in words."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import NAMES, TEXT, trained
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation import copied
from charrnn.evaluation.copied import NGRAMS, find_copies
from charrnn.text.codes import to_codes


def run(*words):
    return CliRunner().invoke(app, words)


def naive(text, learned):
    """Return the longest run, and how many n-grams there are and are new, by the definition."""
    longest = max(
        stop - start
        for start in range(len(text) + 1)
        for stop in range(start, len(text) + 1)
        if text[start:stop] in learned
    )
    grams = [[text[i : i + n] for i in range(len(text) - n + 1)] for n in NGRAMS]
    new = [sum(gram not in learned for gram in row) for row in grams]
    return longest, tuple(map(len, grams)), tuple(new)


def check(texts, learned):
    found = find_copies([to_codes(text) for text in texts], to_codes(learned))
    for text, copies in zip(texts, found, strict=True):
        assert (copies.longest, copies.ngrams, copies.new) == naive(text, learned)
        assert copies.symbols == len(text)
        assert text[copies.start : copies.stop] in learned


@st.composite
def texts_and_learned(draw):
    """Texts that share long and short pieces with a learned one, and repeat themselves."""
    alphabet = draw(st.sampled_from(["a", "ab", "abc", "a한🌍\n"]))
    learned = draw(st.text(alphabet, max_size=60)) * draw(st.integers(1, 3))
    texts = []
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(learned)))
        piece = learned[start : start + draw(st.integers(0, 90))]
        ends = st.text(alphabet + "z", max_size=6)
        texts.append(draw(ends) + piece + draw(ends))
    return texts, learned


@given(texts_and_learned(), st.sampled_from([1, 7, 64, 1000]), st.sampled_from([0, 30, 1 << 22]))
@settings(deadline=None, max_examples=150)
def test_what_is_found_is_what_there_is(data, chunk, dense):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied, "CHUNK", chunk)
        patch.setattr(copied, "DENSE", dense)
        check(*data)


def test_a_run_over_the_border_of_two_chunks(monkeypatch):
    monkeypatch.setattr(copied, "CHUNK", 100)
    learned = "".join(chr(0x4E00 + i) for i in range(1000))
    for start in range(80, 120):
        check([f"x{learned[start : start + 37]}y", "z"], learned)


def test_many_texts_are_looked_for_in_groups(monkeypatch):
    monkeypatch.setattr(copied, "AT_ONCE", 10)
    check(["abcd", "cdab", "", "bcdabcdabcdabc", "x" * 30, "ab"], "abcdabcd")


def test_strings_do_not_go_on_from_one_text_to_the_next():
    first, second = find_copies([to_codes("abcd"), to_codes("efgh")], to_codes("abcdefgh"))
    assert first.longest == second.longest == 4
    check(["abcd", "efgh"], "abcdefgh")


def test_nothing_to_look_for_or_in():
    check(["", ""], "abc")
    check(["abc"], "")
    assert find_copies([], to_codes("abc")) == []


def test_other_types_of_codes():
    learned = np.array([300, 5, 70000, 5, 300], np.uint32)
    (found,) = find_copies([np.array([5, 300, 5], np.uint16)], learned)
    assert found.longest == 2


# What a model copied


@pytest.fixture(scope="module")
def model():
    return trained(TEXT + "a zebra kicked\n" * 4)


def test_a_model_compares_with_what_it_learned(model):
    found = model.copied(["pack my bxx", "jugs"])
    assert [text.longest for text in found.texts] == [9, 4]
    assert (found.all.longest, found.all.run, found.all.symbols) == (9, "pack my b", 15)
    assert found.texts[0].ngrams == {4: 8, 8: 4, 16: 0, 32: 0}
    assert found.texts[0].new == {4: 2, 8: 2, 16: 0, 32: 0}
    assert found.all.share(4) == 2 / 9
    assert found.all.share(16) is None
    assert found.held_out.symbols == 15
    assert "9 of 15 characters in one run" in repr(found)
    assert json.loads(json.dumps(found.to_json()))["all"]["new_ngrams"]["8"] == 0.5


def test_what_was_held_out_is_not_learned(model):
    # The zebra is at the very end of the text, which was held out.
    assert model.copied("zebra").all.longest < 5
    assert model.copied("x" * 60).held_out.longest < 60


def test_a_text_alone_is_one_text(model):
    assert model.copied("pack").to_json() == model.copied(["pack"]).to_json()
    for nothing in ("", [], ["", ""]):
        with pytest.raises(ConfigError, match="nothing to compare"):
            model.copied(nothing)


def test_characters_that_the_model_does_not_know_are_new(model):
    assert model.copied("pack é my").texts[0].run == "pack "


def test_the_table_of_a_notebook_is_harmless(model):
    html = model.copied("pack <b>")._repr_html_()
    assert "<table>" in html
    assert "held-out text" in html
    assert "<b>" not in html
    assert "longest run: pack " in html


def test_items_are_compared_with_items():
    names = trained(NAMES, items="line", steps=5)
    found = names.copied(["bala", "balabala", "xyz"])
    assert found.texts[0].symbols == 4
    assert found.texts[1].longest <= 4  # the end of an item is between them
    assert found.held_out.symbols == 12


def test_prompts_are_not_what_is_copied():
    rows = "".join(f"{prompt}\t{text}\n" for prompt in "xyz" for text in ("abab", "baba", "bbaa"))
    model = trained(rows * 9, prompted=True, steps=3)
    assert model.copied(["xabab"]).texts[0].run == "abab"


def test_parts_of_letters_and_bytes_are_compared_as_the_model_reads_them():
    text = "나는 학교에 간다\n" * 40
    jamo = trained(text, normalize="nfd", steps=3).copied("학교")
    assert (jamo.all.longest, jamo.all.run) == (5, "학교")
    assert jamo.unit != "characters"
    whole = trained(text, unit="byte", steps=3).copied("학교")
    assert (whole.all.longest, whole.all.run, whole.unit) == (6, "학교", "bytes")


def test_nothing_was_held_out():
    model = trained(TEXT, steps=3, val_fraction=0)
    assert model.copied("pack").held_out is None
    assert "held-out" not in repr(model.copied("pack"))
    assert "held-out" not in model.copied("pack")._repr_html_()


def test_a_text_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT)
    list(charrnn.train("t.txt", out="runs/t", steps=2, hidden_size=8, threads=1))
    (tmp_path / "t.txt").unlink()
    with pytest.raises(CorpusError, match="to see what is copied"):
        charrnn.load("runs/t").copied("pack")
    result = run("sample", "--length", "9", "--copied", "--json")
    assert result.exit_code == 0
    assert "to see what is copied" in result.stderr
    assert [*json.loads(result.stdout)] == ["sample", "seed", "text", "log_probability"]


# The command


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Go where there is a run on a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT)
    list(charrnn.train("t.txt", out="runs/t", steps=60, hidden_size=16, threads=1, dropout=0.0))


@pytest.mark.usefixtures("here")
def test_the_command_says_what_is_copied():
    drawn = ("sample", "--length", "40", "-n", "2", "--random-seed", "1", "--temperature", "0")
    plain, result = run(*drawn), run(*drawn, "--copied")
    assert result.exit_code == 0, result.output
    assert result.stdout == plain.stdout
    lines = result.stderr.splitlines()
    (table,) = [place for place, line in enumerate(lines) if line.endswith("held-out text")]
    assert lines[table + 1].split() == ["characters", "80", "80"]
    assert lines[table + 2].split() == ["longest", "run", "copied", "40", "40"]
    assert lines[table + 3].split() == ["new", "4-grams", "0.0", "%", "0.0", "%"]
    assert lines[-1].startswith("longest run, in sample 1 of 2: '")
    assert len({len(line) for line in lines[table : table + 6]}) == 1


@pytest.mark.usefixtures("here")
def test_the_seed_is_not_copied():
    seed = "pack my box with five"
    said = run("sample", "--seed", seed, "--length", "1", "--copied").stderr
    assert "characters" in said
    longest = next(line for line in said.splitlines() if line.startswith("longest run copied"))
    assert longest.split()[3] == "1"


@pytest.mark.usefixtures("here")
def test_the_figures_as_json():
    result = run("sample", "--length", "30", "-n", "2", "--json", "--copied")
    first, second, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["copied"]["symbols"] == second["copied"]["symbols"] == 30
    assert first["copied"]["run"] in first["text"]
    assert last["summary"]["samples"]["symbols"] == last["summary"]["held_out"]["symbols"] == 60
    assert {*first["copied"]["new_ngrams"]} == {"4", "8", "16", "32"}
    assert "longest run" not in result.stderr


def test_items_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(NAMES)
    list(charrnn.train("names.txt", items="line", out="runs/n", steps=30, hidden_size=8, threads=1))
    words = ("sample", "-n", "5", "--random-seed", "1", "--seed", "ba", "--copied")
    said = run(*words).stderr
    assert "of 5 new" in said
    assert "longest run copied" in said
    *rows, last = [json.loads(line) for line in run(*words, "--json").stdout.splitlines()]
    assert [row["copied"]["symbols"] for row in rows] == [len(row["text"]) - 2 for row in rows]
    assert "summary" in last
