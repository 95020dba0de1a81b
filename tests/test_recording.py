"""The recording of the README is one SVG of what commands wrote, without anything from outside."""

import importlib
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "docs" / "scripts"
SVG = "{http://www.w3.org/2000/svg}"
COMMANDS = (
    "charrnn train text.txt --steps 8 --hidden-size 8 --threads 1",
    "charrnn sample --length 20",
)


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("recording"), importlib.import_module("terminal")


def check_alone(svg):
    """Check that an SVG is well-formed and refers to nothing; return its lines of text."""
    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {
        SVG + name for name in ("svg", "title", "style", "rect", "path", "circle", "g", "text")
    }
    assert not re.search(r"url\(|@import|@font-face|href|<!|//", svg.replace(SVG[1:-1], ""))
    return [element.text for element in root.iter(f"{SVG}text")]


def test_a_recording_shows_commands_and_what_they_wrote(scripts, tmp_path):
    recording, _ = scripts
    (tmp_path / "text.txt").write_text("the cat sat on the mat and saw a rat\n" * 99)
    svg = recording.play([(words, recording.run(words, tmp_path)) for words in COMMANDS])
    shown = " ".join(check_alone(svg))
    for words in (f"$ {COMMANDS[1]}", "done: 8 steps", "model: runs/text", "sample at step"):
        assert words in shown
    assert "100 %" in shown


def test_the_kept_recording_is_small_and_stands_alone(scripts):
    recording, _ = scripts
    svg = (ROOT / "docs" / "pictures" / "terminal.svg").read_text("utf-8")
    assert len(svg.encode()) < 150_000
    check_alone(svg)
    assert "; ".join(recording.COMMANDS) in ElementTree.fromstring(svg)[0].text


def test_text_is_shown_from_when_it_is_written_until_it_is_overwritten(scripts):
    recording, _ = scripts
    pieces = [(0.0, "first\r\n"), (1.0, "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1mnext\x1b[0m\r\n")]
    svg = recording.play([("charrnn info", pieces)])
    assert re.search(r'class="bold">next</text>', svg)
    gone, last = (
        re.search(rf'<g class="(t\d+)"><text [^>]*>{text}<', svg)[1]
        for text in ("first", r"\$ charrnn info")
    )
    assert f".{gone}{{visibility:hidden;" in svg
    assert f".{last}{{animation:" in svg
    opening = re.findall(r"animation:\w+ ([\d.]+)s -([\d.]+)s", svg)  # not with an empty terminal
    assert {float(begin) for _, begin in opening} == {min(recording.BEGIN, float(opening[0][0]))}


def test_half_a_frame_is_never_shown(scripts):
    recording, _ = scripts
    again = "\r\x1b[2K\x1b[1A\x1b[2K"
    pieces = [(0.0, "a1\r\n"), (1.0, again), (2.0, "b2\r\n"), (3.0, f"{again}c3\r\n")]
    frames, _ = recording.frames_of([("charrnn info", pieces)])
    shown = [sorted(run.text for run in frame.runs if run.line) for frame in frames[-3:]]
    assert shown == [["a1"], ["b2"], ["c3"]]


@pytest.mark.parametrize("text", ["\x1b[3Z", "\x1b[31m", "\x07"])
def test_what_a_terminal_obeys_and_a_recording_does_not_know_is_an_error(scripts, text):
    _, terminal = scripts
    with pytest.raises(ValueError, match="known"):
        terminal.Terminal(80, 5).feed(text)


def test_a_sequence_in_two_pieces_is_one(scripts):
    _, terminal = scripts
    screen = terminal.Terminal(5, 2)
    for piece in ("\x1b[", "1", "mbold!\x1b]0;title", "\x07"):
        screen.feed(piece)
    assert sorted(run[:3] for run in screen.runs()) == [(0, 0, "bold!")]
    screen.feed("x\r\ny\r\nz")
    assert screen.top == 2
    assert sorted(run[:3] for run in screen.runs()) == [(2, 0, "y"), (3, 0, "z")]


def test_lines_and_dots_are_drawn_where_their_characters_stand(scripts):
    animation = importlib.import_module("animation")
    assert animation.strokes("╭──││", 0, 0) == "M4 16V8H8M8 8H24M28 0V16M36 0V16"
    assert animation.dots("⣀⠉", 16, 8) == "M10 30h0m4 0h0m4 -12h0m4 0h0"
