"""What ``docs/rnn.md`` and ``docs/lstm.md`` compute, quote and draw is so, in both languages."""

import contextlib
import io
import re
import sys
from code import InteractiveConsole
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn.cli.app import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.append(str(DOCS / "scripts"))
hello, pictures = import_module("hello"), import_module("pictures")


def text_of(page):
    """A page's text."""
    return (DOCS / page).read_text("utf-8")


RNN, LSTM = ["rnn.md", "ko/rnn.md"], ["lstm.md", "ko/lstm.md"]
PAGES = {page: text_of(page) for page in RNN + LSTM}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+")


def blocks(page, language=None):
    """The fenced blocks of a page."""
    return [body for kind, body in FENCED.findall(PAGES[page]) if language in (None, kind)]


@pytest.mark.parametrize("page", RNN)
def test_each_part_of_the_script_stands_in_the_page_as_it_is_printed(page, capsys):
    command = "$ python docs/scripts/hello.py "
    shown = {}
    for block in blocks(page, "console"):
        first, _, rest = block.partition("\n")
        if first.startswith(command):
            shown[first.removeprefix(command)] = rest
    printed = {}
    for name, part in hello.PARTS.items():
        part()
        printed[name] = capsys.readouterr().out
    assert shown == printed


def test_the_small_network_is_the_same_on_every_processor():
    _, exact = hello.trained()
    to_border = np.abs(exact * 10 % 1 - 0.5) / 10
    assert to_border.min() > 1e-3
    _, h, _, loss = hello.read()  # compares itself with charrnn
    assert sorted(h) == [0, 1, 2, 3, 4]
    assert max(loss.values()) < np.log(2)


@pytest.mark.parametrize(("page", "checks"), [(LSTM[0], 7), (LSTM[1], 7), ("ko/README.md", 2)])
def test_what_is_pasted_into_python_prints_what_follows_it(page, checks):
    console, printed, shown = InteractiveConsole(), "", ""
    for kind, body in FENCED.findall(text_of(page)):
        if kind == "text":
            shown += body
        elif kind == "python" and not body.startswith(" "):
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                for line in [*body.splitlines(), ""]:
                    console.push(line)
            printed += out.getvalue()
    assert printed == shown
    assert printed.count("True") == checks


def test_the_options_of_the_table_for_readers_of_the_book_are_options():
    page = text_of("ko/README.md")
    options = set(re.findall(r"--[a-z][a-z-]+", page))
    known = set()
    for command in ("train", "sample", "eval"):
        known |= set(
            re.findall(r"--[a-z][a-z-]+", CliRunner().invoke(app, [command, "--help"]).output)
        )
    assert len(options) > 20
    assert options <= known


@pytest.mark.parametrize("page", PAGES)
def test_quoted_code_is_the_code(page):
    name = Path(page).stem
    source = (ROOT / "charrnn" / "nn" / "cells" / f"{name}.py").read_text("utf-8")
    quoted = [block for block in blocks(page, "python") if block.startswith(" ")]
    assert len(quoted) == 2
    for block in quoted:
        assert block in source
    rows = re.findall(r"\| `([^`]+)` \| \[([^]]+)\]\(([^)]+)\) \|$", PAGES[page], re.M)
    assert len(rows) > 10
    for line, title, link in rows:
        file = (DOCS / page).parent / link
        assert file.name == title
        assert line in file.read_text("utf-8"), f"{line} is not in {title}"


@pytest.mark.parametrize("page", LSTM)
@pytest.mark.parametrize("function", ["unpack", "naive_lstm", "naive_gru"])
def test_the_naive_forms_are_those_of_the_tests(page, function):
    cells = (Path(__file__).parent / "cells.py").read_text("utf-8")
    found = re.search(rf"^def {function}\(.*?(?=\n\n\n)", cells, re.M | re.S)[0]
    assert any(found in block for block in blocks(page, "python"))


@pytest.mark.parametrize(("english", "korean"), [RNN, LSTM])
def test_both_languages_show_the_same(english, korean):
    assert blocks(english) == blocks(korean)
    tables = [re.findall(r"\| `([^`]+)` \| \[", PAGES[page]) for page in (english, korean)]
    assert tables[0] == tables[1]


def curve(name):
    (found,) = [curve for curve in pictures.measured() if curve.name == name]
    return found


@pytest.mark.parametrize("page", RNN)
def test_the_measured_gradients_are_those_of_charrnn(page):
    (block,) = [block for block in blocks(page) if block.startswith("$ charrnn gradients")]
    rows = re.findall(r"^[ab]  (rnn \(tanh\), \w+) +(.*)$", block, re.M)
    assert [name for name, _ in rows] == ["rnn (tanh), uniform", "rnn (tanh), orthogonal"]
    for name, shares in rows:
        assert list(map(float, shares.split())) == pytest.approx(curve(name).left, rel=0.05)


@pytest.mark.parametrize("page", LSTM)
def test_the_table_of_gates_is_what_is_measured(page):
    rows = re.findall(r"^\| (rnn \(tanh\)|lstm|gru) \| ([\d.]+) \| ([\d.]+) \|$", PAGES[page], re.M)
    assert len(rows) == 3
    for cell, *shares in rows:
        for drawn, share in zip(("uniform", "orthogonal"), shares, strict=True):
            measured = curve(f"{cell}, {drawn}")
            at = measured.distances.index(8)
            assert float(share) == pytest.approx(measured.left[at], rel=0.05)


@pytest.mark.parametrize("page", RNN)
def test_every_number_of_the_text_is_one_of_a_block(page):
    prose = FENCED.sub("", PAGES[page])
    known = {number for block in blocks(page) for number in NUMBER.findall(block)}
    told = set(NUMBER.findall(prose))
    assert len(told) > 10
    assert told <= known


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_pictures_are_what_the_script_draws(name):
    file = DOCS / "pictures" / f"{name}.svg"
    svg = file.read_text("utf-8")
    assert svg == pictures.PICTURES[name]().svg(), "run python docs/scripts/pictures.py"
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 < float(text.get("x")) < width
        assert 0 < float(text.get("y")) < height
    assert "prefers-color-scheme: dark" in svg
    assert "://" not in svg.replace("http://www.w3.org/2000/svg", "")  # nothing is loaded
    for page in PAGES:
        if Path(page).stem == name.split("-")[0]:
            assert f"pictures/{name}.svg)" in PAGES[page]
