"""Exported pages as files: what is in them, how large they are, what nobody can make them do."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import item_texts
import labelled_texts
import numpy as np
import pytest
from pages import block, decided, untrained
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.errors import CharrnnError, ConfigError
from charrnn.exports import FORMATS, export
from charrnn.exports.page import assembling, page_of
from charrnn.exports.page.assembling import WEB, data_block
from charrnn.storage.checkpoint import load, save
from charrnn.text import Vocabulary

BYTES_PER_WEIGHT, BYTES = 2.8, 60_000
HOSTILE = [
    "</script><script>parent.broken = 1</script>",
    "<!--<script>",
    "]]>&lt;&amp;",
    "\u202egnp.exe",
    "a\0b\r\n\x1b[31m",
    "\ud800 and \udfff",
    "{{script}}{{weights}}",
    "\u2028\u2029\ufeff\U000e0041",
    "'\"`${alert(1)}\\u003c",
]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


def text_models():
    korean = Vocabulary(np.arange(0xAC00, 0xAC00 + 11_000, dtype=np.uint32))
    labels = [f"label number {number}" for number in range(300)]
    whole = {"settings": decided(predict="label", items="line"), "head": "item"}
    return [
        untrained(hidden_size=1),
        untrained(cell="lstm", hidden_size=300, num_layers=2),
        untrained(vocabulary=Vocabulary.from_codes(np.zeros(0, np.uint8), unit="byte")),
        untrained(vocabulary=korean, embedding_size=16, hidden_size=16),
        untrained(labels=labels, **whole, hidden_size=1),
        untrained(labels=["", " "], settings=decided(predict="spaces", items="line"), directions=2),
    ]


@pytest.mark.parametrize("checkpoint", text_models())
def test_a_page_takes_half_of_the_weights_and_little_else(checkpoint):
    page = page_of(checkpoint, "a model")
    assert len(page) <= BYTES_PER_WEIGHT * checkpoint.num_parameters + BYTES


def test_the_weights_are_float16_numbers_in_their_order():
    checkpoint = untrained(cell="lstm", members=2)
    page = page_of(checkpoint, "a model")
    numbers = np.frombuffer(base64.b64decode(block(page, "weights")), "<f2")
    stored = np.concatenate([values.ravel() for values in checkpoint.weights.values()])
    np.testing.assert_array_equal(numbers, stored.astype(np.float16))
    shapes = json.loads(block(page, "model"))["weights"]
    assert shapes == {name: list(values.shape) for name, values in checkpoint.weights.items()}


def test_the_policy_allows_one_script_one_style_one_worker_and_no_network():
    page = page_of(untrained(), "a model").decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    styles = re.findall(r"<style>(.*?)</style>", page, re.S)
    for name, (text,) in (("script-src", scripts), ("style-src", styles)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(name) == f"'sha256-{digest}'"
    none = dict.fromkeys(["default-src", "base-uri", "form-action"], "'none'")
    assert rules == none | {"worker-src": "blob:"}
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"\s(src|href|action|style|on[a-z]+)=|https?:|url\(|@import", page)


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.js")), ids=lambda path: path.stem)
def test_no_script_makes_markup_or_code_of_text(path):
    text = path.read_text("utf-8")
    made = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|setAttribute|</script"
    )
    assert not re.search(made, text)
    assert text.isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_data_stays_data(text):
    shown = data_block([text])
    assert not re.search("[<>&]", shown)
    assert shown.isprintable()
    assert json.loads(shown) == [text]
    shown.encode()


def test_hostile_names_and_labels_end_no_block():
    settings = decided(predict="label", items="line")
    checkpoint = untrained("<>&\0\u202e/", settings=settings, labels=HOSTILE, head="item")
    for title in HOSTILE:
        page = page_of(checkpoint, title).decode()
        assert len(re.findall("<script", page)) == len(re.findall("</script", page)) == 4
        assert "<!--" not in page
        described = json.loads(block(page.encode(), "model"))
        assert described["title"] == title
        assert described["labels"] == HOSTILE
        (shown,) = re.findall("<title>(.*?)</title>", page, re.S)
        assert not re.search("[<>\x00\u202e\ud800]", shown)


# What is refused


def test_a_weight_that_is_too_large_for_float16(tmp_path):
    checkpoint = untrained()
    checkpoint.weights["head.W"][0, 0] = 7e4
    with pytest.raises(CharrnnError, match=r"head\.W has a weight of 7e\+04, .* 65,504"):
        export(tmp_path / "model.html", checkpoint)
    assert not list(tmp_path.iterdir())


def test_a_model_that_no_browser_would_load(monkeypatch):
    monkeypatch.setattr(assembling, "MOST_PARAMETERS", 100)
    with pytest.raises(CharrnnError, match="weights, and a page has at most 100"):
        page_of(untrained(), "a model")


@pytest.mark.parametrize("name", ["model.htm", "model", "model.HTML.gz"])
def test_another_ending_names_those_that_there_are(tmp_path, name):
    with pytest.raises(ConfigError, match=r"ends in neither \.html nor \.safetensors"):
        export(tmp_path / name, untrained())


def test_each_ending_has_what_writes_it(tmp_path):
    pytest.importorskip("safetensors")
    for ending in FORMATS:
        export(tmp_path / f"model{ending}", untrained())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".safetensors"]


def test_a_disk_that_is_full_leaves_no_half_of_a_page(tmp_path, monkeypatch):
    def full(path, data):
        Path.open(path, "wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CharrnnError, match=r"cannot be written \(No space left on device\): free"):
        export(tmp_path / "model.html", untrained())
    assert not list(tmp_path.iterdir())


# The command


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Be in a folder with a run."""
    monkeypatch.chdir(tmp_path)
    Path("runs/small").mkdir(parents=True)
    save(Path("runs/small/best.npz"), untrained())
    return tmp_path


def test_export_takes_a_run_or_the_newest(here):
    for words in (["small", "a.html"], ["runs/small/best.npz", "b.html"], ["c.html"]):
        result = run("export", *words)
        assert result.exit_code == 0, result.output
        assert not result.stdout
        assert "model: runs/small/best.npz" in result.stderr
        assert f"wrote {words[-1]}, " in result.stderr
    pages = [Path(f"{name}.html").read_text("utf-8") for name in "abc"]
    assert pages[0].replace('"a"', '"b"').replace(">a<", ">b<") == pages[1]
    assert "<title>c</title>" in pages[2]


def test_a_file_is_replaced_only_when_asked_for(here):
    Path("a.html").write_text("mine")
    result = run("export", "a.html")
    assert result.exit_code == 1
    assert "a.html exists: replace it with --overwrite, or name another file" in result.stderr
    assert Path("a.html").read_text() == "mine"
    assert run("export", "--overwrite", "a.html").exit_code == 0
    assert Path("a.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give a run and the FILE to write"),
        (["a", "b", "c.html"], "give a run and the FILE to write"),
        (["small.txt"], "small.txt ends in neither .html nor .safetensors"),
        (["none", "a.html"], "none is neither a checkpoint nor a run"),
        (["nowhere/a.html"], "the folder nowhere does not exist"),
        (["folder.html"], "folder.html is a folder"),
        (["a" * 300 + ".html"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(here, words, said):
    Path("folder.html").mkdir()
    result = run("export", *words)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not [path for path in here.iterdir() if path.name.endswith("a.html")]


def test_a_page_of_a_mixture_says_that_the_network_is_alone(tmp_path):
    corpus = tmp_path / "names.tsv"
    corpus.write_text(labelled_texts.names(), "utf-8")
    list(labelled_texts.new(tmp_path / "run", corpus, predict="label").train())
    best = load(tmp_path / "run" / "best.npz")
    best.mixture = (0.5, 0.5)
    facts = json.loads(block(page_of(best, "names"), "model"))["facts"]
    assert "n-grams" in facts["Note"]
    assert facts["Trained on"] == "names.tsv"
    assert facts["Held-out accuracy"].endswith(" %")
    alone = replace(best, mixture=(0.5,), ngrams=None)
    described = json.loads(block(page_of(alone, "names"), "model"))
    assert "Note" not in described["facts"]
    assert described["weight"] == 0.5


def test_a_model_with_counts_says_that_they_stay_behind(here):
    pytest.importorskip("safetensors")
    settings = {"hidden_size": 8, "num_layers": 1, "batch_size": 4, "threads": 1, "steps": 2}
    list(charrnn.train(text="pack my box with jugs\n" * 60, out="runs/c", counts=True, **settings))
    for name in ("c.html", "c.safetensors"):
        result = run("export", "c", name)
        assert result.exit_code == 0, result.output
        assert "notice: The counts that --counts mixes with this network are not" in result.stderr
        assert "notice" not in run("export", "small", f"small-{name}").stderr
    page = Path("c.html").read_bytes()
    assert "The counts" in json.loads(block(page, "model"))["facts"]["Note"]


def test_a_prompted_page_lists_the_prompts_of_its_text(tmp_path):
    corpus = tmp_path / "pairs.tsv"
    rows = [f"{'ab'[number % 2]}\t{name}\n" for number, name in enumerate(item_texts.NAMES)]
    corpus.write_text("".join(rows), "utf-8")
    item_texts.trained(tmp_path / "run", corpus, prompted=True, steps=2)
    best = load(tmp_path / "run" / "best.npz")
    described = json.loads(block(page_of(best, "pairs"), "model"))
    assert (described["prompts"], described["border"], described["end"]) == (["a", "b"], 9, 10)
    assert "nats" in described["facts"]["Held-out loss"]
    corpus.unlink()
    assert json.loads(block(page_of(best, "pairs"), "model"))["prompts"] == []
