"""What figures are per: characters, bytes, or the parts of Korean syllables."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config.words import count, with_noun
from charrnn.text import Vocabulary

KOREAN = "나는 학교에 간다\n값이 없다. 닭을 먹었다\n" * 60
SMALL = {"hidden_size": 8, "num_layers": 1, "threads": 1, "steps": 12}
OTHERS = {"byte": r"\b(char|character|jamo)s?\b", "jamo": r"\b(char|character)s?\b"}
"""What no line says of a model that reads bytes, or jamo."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nouns")
    (folder / "ko.txt").write_text(KOREAN, "utf-8")
    (folder / "new.txt").write_text("값이 간다", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        list(charrnn.train("ko.txt", out="runs/byte", unit="byte", **SMALL))
        list(charrnn.train("ko.txt", out="runs/jamo", normalize="nfd", **SMALL))
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


def run(*words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result


def test_a_vocabulary_says_what_its_symbols_are():
    of_text = {
        ("char", "none"): "character",
        ("byte", "none"): "byte",
        ("char", "nfc"): "character",
        ("char", "nfd"): "code point",
    }
    for (unit, normalize), noun in of_text.items():
        symbols = np.array([10, 97, 101], np.uint32)
        assert Vocabulary(symbols, unit, normalize).noun == noun
    assert Vocabulary(np.array([0x1100, 0x1161], np.uint32), "char", "nfd").noun == "jamo"


def test_words_about_characters_become_words_about_others():
    assert with_noun("each character of 5 characters", "byte") == "each byte of 5 bytes"
    assert with_noun("each character of 5 characters", "jamo") == "each jamo of 5 jamo"
    assert (count(1, "jamo"), count(2, "jamo"), count(2, "byte")) == ("1 jamo", "2 jamo", "2 bytes")


@pytest.mark.parametrize("name", ["byte", "jamo"])
@pytest.mark.parametrize(
    "words",
    [
        ("eval", "--baselines"),
        ("eval", "new.txt", "--cold-windows", "7"),
        ("eval", "--dynamic"),
        ("eval", "new.txt", "--adapt", "both", "--context", "나는 "),
    ],
)
def test_an_evaluation_speaks_of_what_the_model_reads(name, words):
    result = run(*words, "--model", name)
    assert not re.search(OTHERS[name], result.output)
    rows = dict(re.findall(r"^(\S.*?)  +(\S.*)$", result.stdout, re.MULTILINE))
    assert {f"nats per {name}", f"perplexity per {name}", "bits per byte", "bytes"} <= rows.keys()
    assert result.stdout.count("bits per byte ") == 1
    assert ("compare by" in rows) == (name == "jamo")


def test_figures_of_a_text_of_jamo_say_how_they_compare():
    words = run("eval", "--model", "jamo").stdout
    assert "bits per byte, counted on the composed text" in words
    found = charrnn.load("jamo").evaluate("new.txt")
    assert (found.per, found.characters, found.num_bytes) == ("jamo", 11, 13)
    assert json.loads(run("eval", "--json", "--model", "byte").stdout)["per"] == "byte"


@pytest.mark.parametrize(("name", "noun"), [("byte", "bytes"), ("jamo", "jamo")])
def test_training_and_info_speak_of_what_the_model_reads(name, noun, tmp_path):
    options = {"byte": ("--unit", "byte"), "jamo": ("--normalize", "nfd")}[name]
    small = ("--steps", "8", "--hidden-size", "8", "--threads", "1", "--out", str(tmp_path / "run"))
    for words in (("--plan",), ()):
        spoken = run("train", "ko.txt", *options, *small, *words).output
        assert not re.search(OTHERS[name], spoken)
        assert re.search(rf"ko\.txt: [\d,]+ {noun}, ", spoken)
    assert f"bits per {name}" in spoken
    shown = run("info", name).stdout.partition("\nsetting ")[0]
    assert not re.search(OTHERS[name], shown)
    assert re.search(rf"best validation +[\d.]+ nats [\d.]+ bits per {name}", shown)


def test_runs_on_other_symbols_of_one_text_are_compared_in_bits_per_byte():
    found = run("runs", "byte", "jamo")
    assert "bits per byte are compared" in found.stderr
    assert re.search(
        r"^best validation, bits per byte +[\d.]+ +[\d.]+$", found.stdout, re.MULTILINE
    )
    assert "loss per" not in found.stdout
    alone = run("runs", "byte", "byte/best.npz")
    assert "bits per byte" not in alone.stderr
    assert "best validation loss per byte" in alone.stdout


def test_scores_speak_of_what_the_model_reads():
    for name in ("byte", "jamo"):
        model = charrnn.load(name)
        assert re.search(rf"bits per {name}\b", repr(model.score("값이")))
        assert re.search(rf"bits per {name}\)", repr(model.score(["값이", "간다"])))
        assert f"bits/{name}" in model.score(["값이", "간다"])._repr_html_()
        row = json.loads(run("score", "new.txt", "--json", "--model", name).stdout)
        assert row["per"] == name
        assert row["text"] == "값이 간다"


@pytest.mark.parametrize("words", [("new.txt",), ("--per-file", "new.txt"), ("--text", "값")])
def test_a_text_of_which_a_model_knows_nothing_is_told_of(folder, words):
    Path("en.txt").write_text("plain\n" * 40)
    if not Path("runs/en").exists():
        list(charrnn.train("en.txt", out="runs/en", **SMALL))
    said = run("score", *words, "--model", "en").stderr
    assert said.count("the model knows none of the characters of this text") == 1
    both = run("score", *words, "--model", "en", "--model", "jamo").stderr
    assert "en knows none" in both
    assert "jamo knows none" not in both
    assert "knows none" not in run("score", "--text", "plain Ж", "--model", "en").stderr


def test_notices_of_short_texts_speak_of_bytes():
    told = charrnn.train(text="ab" * 12, unit="byte", **SMALL).notices
    assert any("bytes would be too few to hold out" in notice for notice in told)


def test_json_keeps_characters_readable():
    for words in (
        ("sample", "--seed", "나는", "--length", "3", "--json", "--model", "jamo"),
        ("info", "--json", "jamo"),
        ("eval", "new.txt", "--json", "--model", "jamo"),
    ):
        shown = run(*words).stdout
        assert "\\u" not in shown.replace("\\u0000", "")
        json.loads(shown)


def test_json_escapes_what_a_terminal_obeys():
    from charrnn.cli.show.console import write_json

    text = "값\x1b[0m\x9b\u202e\U000e0041\ud800\n"
    runner = CliRunner()
    import typer

    small = typer.Typer()
    small.command()(lambda: write_json({"text": text}))
    shown = runner.invoke(small).stdout
    assert shown.startswith('{"text": "값')
    assert shown.isascii() is False
    assert not re.search("[\x1b\x9b\u202e\U000e0041\ud800]", shown)
    assert json.loads(shown)["text"] == text
