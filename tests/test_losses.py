"""The curve of the losses, as text and on the live display."""

import io
import math
import re

import pytest
from rich.console import Console

from charrnn.cli.show import progress
from charrnn.cli.show.losses import MOST_POINTS, Curve, draw_losses, shows_braille
from charrnn.cli.show.progress import LineDisplay, LiveDisplay
from charrnn.training.events import Progress, Sampled, Validated


def falling(count, every=10):
    return [(step * every, 1 + 3 * math.exp(-step / 20)) for step in range(1, count + 1)]


@pytest.mark.parametrize("braille", [True, False])
@pytest.mark.parametrize(("width", "height"), [(40, 5), (60, 8), (61, 9), (200, 40)])
@pytest.mark.parametrize("count", [2, 3, 50, 500])
def test_a_chart_fills_its_place_and_no_more(braille, width, height, count):
    lines = draw_losses(
        falling(count), falling(count)[::7], width=width, height=height, braille=braille
    )
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert all(line.isascii() for line in lines) != braille
    assert len(lines[-1]) == width
    assert lines[-1].endswith(f" {10 * count:,}")


def test_what_is_drawn():
    training = [(0, 2.0), (10, 1.5), (20, 1.0)]
    lines = draw_losses(training, [(20, 1.5)], width=40, height=7, braille=False)
    assert lines == [
        "nats by step  ** training 1.00",
        "1.50 |                ***              o",
        "     |                   ****",
        "1.25 |                       ****",
        "     |                           ****",
        "1.00 |                               ***",
        "     +0 ----------------------------- 20",
    ]


def test_a_straight_line_is_straight_in_dots():
    lines = draw_losses([(0, 1.0), (10, 1.0)], [], width=40, height=5)
    assert lines[2] == "1.00 │" + 34 * "⠒"
    assert [lines[1], lines[3]] == 2 * ["1.00 │"]


def test_the_first_losses_are_left_out_of_the_scale():
    lines = draw_losses(
        [(1, 100.0), *falling(100)], [], width=60, height=10, show="{:.1f}".format, braille=False
    )
    highest, lowest = float(lines[1].split("|")[0]), float(lines[-2].split("|")[0])
    assert 2 < highest < 3
    assert lowest == pytest.approx(1, abs=0.05)
    steep = draw_losses([(1, 1.0), (100, 9.0)], [], width=60, height=10, braille=False)
    assert steep[1].startswith("9.00 |")


def test_too_little_to_draw():
    assert draw_losses([], [], width=80, height=9) == []
    assert draw_losses([(5, 1.0)], [(5, 2.0)], width=80, height=9) == []
    assert draw_losses(falling(9), [], width=39, height=9) == []
    assert draw_losses(falling(9), [], width=80, height=4) == []


def test_a_legend_names_what_is_there_and_fits():
    points = falling(9)
    (both, *_) = draw_losses(points, points, width=60, height=9, unit="nats")
    assert both == "nats by step  ⠒⠒ training 2.91  o validation 2.91"
    (alone, *_) = draw_losses([], points, width=60, height=9, unit="% right")
    assert alone == "% right by step  o validation 2.91"
    (short, *_) = draw_losses(points, points, width=40, height=9)
    assert short == "nats by step  ⠒⠒ training 2.91"


def test_a_curve_stays_small_and_keeps_its_means():
    curve = Curve()
    for step in range(10_000):
        curve.add(step, step % 2)
    assert MOST_POINTS / 2 <= len(curve.points) < MOST_POINTS
    steps, values = zip(*curve.points, strict=True)
    assert set(values) == {0.5}
    assert list(steps) == sorted(steps)
    assert steps[-1] > 9900


def test_what_is_not_finite_is_no_point():
    curve = Curve()
    for value in (1.0, math.inf, math.nan, 2.0):
        curve.add(1, value)
    assert [value for _, value in curve.points] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("encoding", "environment", "shown"),
    [
        ("utf-8", {"LANG": "de_DE.UTF-8", "TERM": "xterm"}, True),
        ("utf-8", {}, True),
        ("utf-8", {"LC_CTYPE": "C.UTF-8"}, True),
        ("utf-8", {"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),  # Python set the former
        ("utf-8", {"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, False),
        ("utf-8", {"LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, True),
        ("utf-8", {"TERM": "linux"}, False),
        ("iso8859-1", {"LANG": "en_US"}, False),
        ("ascii", {}, False),
    ],
)
def test_where_braille_is_shown(encoding, environment, shown):
    assert shows_braille(encoding, environment) == shown


# On the live display


@pytest.fixture
def terminal(monkeypatch):
    """A function: the display's lines on a terminal of some size, after some events."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "TERM", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)

    def shown(width, height, events, log=(), locale="C.UTF-8"):
        monkeypatch.setenv("LC_ALL", locale)
        written = io.TextIOWrapper(io.BytesIO(), "utf-8")
        console = Console(
            file=written, force_terminal=True, width=width, height=height, color_system=None
        )
        monkeypatch.setattr(progress, "make_console", lambda stderr: console)
        display = LiveDisplay(None)
        displays.append(display.__enter__())
        display.recall(log)
        for event in events:
            display.show(event)
        written.seek(0)
        written.truncate()
        display._draw()
        written.seek(0)
        return written.read().replace("\x1b[2K", "").replace("\x1b[1A", "").split("\n"), display

    displays = []
    yield shown
    for display in displays:
        display.__exit__()


def progress_at(step, nats):
    return Progress(step, 100, 1.0, step / 1000, nats, 0.1, 0.01, 5e4, step / 10, 9.0)


def a_run(steps=60, accuracy=None):
    for step, nats in falling(steps):
        yield progress_at(step, nats)
        if step % 100 == 0:
            yield Validated(step, nats + 0.1, True, accuracy and accuracy + step / 10_000)
    yield Sampled(step, "a sample\n" * 30)


def row_of(lines, word):
    return next((number for number, line in enumerate(lines) if word in line), None)


def test_a_wide_terminal_shows_curve_and_sample_side_by_side(terminal):
    lines, _ = terminal(120, 30, a_run())
    assert row_of(lines, "nats by step") == row_of(lines, "sample at step")
    assert len(lines) == 14  # the first returns to where it was drawn before
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize("width", [120, 100, 99, 80, 40])
def test_what_a_terminal_echoes_of_ctrl_c_begins_no_line(terminal, width):
    lines, _ = terminal(width, 30, a_run())
    assert len(lines[-1]) + len("^C") < width


def test_a_narrower_one_shows_the_curve_above(terminal):
    lines, _ = terminal(80, 24, a_run())
    assert row_of(lines, "sample at step") == row_of(lines, "nats by step") + progress.CURVE_LINES
    assert len(lines) < 24


@pytest.mark.parametrize(("width", "height"), [(71, 40), (80, 20), (40, 15)])
def test_a_small_one_shows_none(terminal, width, height):
    lines, _ = terminal(width, height, a_run())
    assert row_of(lines, "by step") is None
    assert row_of(lines, "sample at") is not None


def test_long_lines_of_a_sample_do_not_push_the_display_beyond_the_terminal(terminal):
    lines, _ = terminal(80, 24, [*a_run(), Sampled(9, "word " * 300)])
    assert len(lines) < 24


def test_the_numbers_fit_80_columns_whatever_they_are(terminal):
    huge = Progress(
        123_456, 10**6, 99.994, 0.9999, 12.345, 1234.56, 1.2e-05, 2_345_678.9, 5e5, 99.0, 0.0004
    )
    labelled = Validated(123_000, 1.25, False, 0.9996)
    scored = [*a_run(), Validated(100, 1.5, True, 0.8), labelled, huge]
    for events in (scored, [*a_run(), Validated(9, 1.5, True), Validated(99, 12.0, False), huge]):
        lines, _ = terminal(80, 30, events)
        assert all(len(line) <= 80 for line in lines)
        rows = [row_of(lines, word) for word in ("epoch", "training  ", "validation  ")]
        assert rows == [rows[0], rows[0] + 1, rows[0] + 2]
    assert " 99 %  step 123,456" in lines[rows[0]]  # 100 % is the end alone
    lines, _ = terminal(140, 30, scored)
    row = lines[row_of(lines, "validation  ")]
    assert "99.9 % right  (best 80.0 %)" in row
    assert "2,345,679 characters a second, <1 % overhead" in row


def test_a_panel_says_that_its_samples_differ_by_the_model_alone(terminal):
    lines, display = terminal(80, 30, a_run())
    assert row_of(lines, "sample at step 600, always by the same random numbers") is not None
    display._is_drawn = False  # the labels of texts
    assert display._title(Sampled(5, "x")) == "sample at step 5"


def test_lines_show_a_sample_now_and_then(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    display = LineDisplay(None)
    shown = []
    for second in range(200):
        now = float(second)
        display.show(Sampled(second, f"a\x1b\nb {second}\n" + "c\n" * 20))
        if "sample" in (said := capsys.readouterr().err):
            shown.append(second)
    assert shown == [2, 6, 14, 30, 62, 126]  # the first samples are of a model that knows nothing
    assert said == ""
    now = 1000.0
    display.show(Sampled(7, "a\x1b\nb\n" + "c\n" * 20))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "sample at step 7, always by the same random numbers:",
        "    a\\x1b",
        "    b",
    ]
    assert len(lines) == 1 + progress.SAMPLE_LINES


def test_in_the_locale_c_the_curve_is_ascii(terminal):
    lines, _ = terminal(120, 30, a_run(), locale="C")
    row = row_of(lines, "** training")
    assert any("|" in line and "*" in line for line in lines[row + 1 :])
    assert not any(0x2800 <= ord(character) < 0x2900 for line in lines for character in line)


def test_another_size_clears_the_screen_once(terminal):
    _, display = terminal(120, 30, a_run())
    console = display._live.console
    written = console.file
    for width, clears in ((120, 0), (90, 1), (90, 0)):
        written.seek(0)
        written.truncate()
        console.width = width
        display._draw()
        written.seek(0)
        assert written.read().count("\x1b[2J") == clears


def test_of_labels_it_shows_how_many_are_right(terminal):
    lines, _ = terminal(120, 30, a_run(accuracy=0.8))
    assert any("% right by step  o validation 86.0" in line for line in lines)


def test_a_resumed_run_goes_on_with_its_curve(terminal):
    log = [
        {"event": "notice", "message": "begun", "step": 0},
        {"event": "validated", "step": 100, "nats": 3.0, "train_nats": 2.5, "best": True},
        {"event": "validated", "step": 200, "nats": 2.75, "train_nats": None, "best": True},
        {"event": "validated", "step": 250, "nats": None, "best": True},
        {"event": "validated", "nats": 9.0, "train_nats": 9.0},
    ]
    lines, _ = terminal(120, 30, [progress_at(300, 1.0)], log)
    assert any(line.lstrip().startswith("└100 ") for line in lines)
    assert any("training 1.00  o validation 2.75" in line for line in lines)


def test_marks_at_the_end_of_a_line_are_found():
    losses = [(1, 2.0), (100, 1.0)], [(50, 1.6), (100, 1.5)]
    text = "\n".join(draw_losses(*losses, width=40, height=7, braille=True))
    assert "o\n" in text
    assert len(re.findall(progress.MARKS[1], text)) == 2
