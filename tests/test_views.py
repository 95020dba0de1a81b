"""Pictures of numbers: well-formed, harmless whatever the text, readable in light and in dark."""

import doctest
import re
from html.parser import HTMLParser
from math import inf, nan

import pytest

from charrnn.views import curve, heat, markup
from charrnn.views.curve import loss_curve
from charrnn.views.heat import FULL, HOT, MOST_CELLS, OPACITY, Cell, heat_map

HOSTILE = (
    "<script>alert(1)</script>&amp;\"' onmouseover=x\x1b[31m\x00\u202e\u200b\ud83d\U000e0041\r"
)


class Fragment(HTMLParser):
    """Checks that every element is closed in order; collects elements and text."""

    VOID = ("rect", "line", "circle", "polyline")

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def tags(self, name):
        return [attrs for tag, attrs in self.elements if tag == name]


def cells_of(text, nats=1.0):
    return [Cell(c, nats) for c in text]


def test_the_examples():
    failed, tried = doctest.testmod(markup)
    assert (failed, tried > 0) == (0, True)


# Heat maps


def test_a_heat_map_has_the_text_and_its_costs():
    html = heat_map([Cell("a", 0.0), Cell("b", FULL), Cell("\n", 1.5)], caption="3 characters")
    found = Fragment(html)
    assert found.text.startswith("ab\u21b5\n3 characters")
    a, b, end = (span for span in found.tags("span") if "title" in span)
    assert a["title"] == "a (U+0061): 0.000 nats, 0.000 bits, probability 1"
    assert end["title"].startswith("\\n (U+000A): 1.500 nats, 2.164 bits, probability 0.223")
    assert a["style"] == "background:rgba(255,96,0,0.00)"
    assert b["style"] == f"background:rgba(255,96,0,{OPACITY:.2f})"


def test_warmer_is_dearer():
    html = heat_map([Cell("x", nats) for nats in (0, 1, 2, 5, 6, 9, inf, nan)])
    shades = [float(n) for n in re.findall(r'background:rgba\(255,96,0,([\d.]+)\)"', html)]
    assert shades == sorted(shades)
    assert len(set(shades[:5])) == 5
    assert set(shades[4:8]) == {OPACITY}


@pytest.mark.parametrize("place", ["cells", "caption", "context"])
def test_no_text_is_obeyed(place):
    cells = cells_of(HOSTILE) if place == "cells" else cells_of("a")
    more = {place: HOSTILE} if place != "cells" else {}
    html = heat_map(cells, **more)
    found = Fragment(html)
    assert {tag for tag, _ in found.elements} <= {"div", "span"}
    assert {name for _, attrs in found.elements for name in attrs} <= {"class", "style", "title"}
    assert "<script>alert(1)</script>&amp;\"' onmouseover=x\\x1b[31m\\x00\\u202e" in found.text
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff]", html
    )
    html.encode()
    for attrs in found.tags("span"):
        assert attrs.get("title", "").isprintable()


def test_a_mark_does_not_join_what_precedes_it():
    assert "e\u25cc\u0301" in Fragment(heat_map(cells_of("e\u0301"))).text


def test_unknown_and_joined_symbols_are_told():
    one, two = (
        span
        for span in Fragment(
            heat_map([Cell("x", 9.0, unknown=True), Cell("한", 2.0, symbols=3)])
        ).tags("span")
        if "title" in span
    )
    assert "dashed" in one["style"]
    assert one["title"].endswith("unknown to the model")
    assert "dashed" not in two["style"]
    assert two["title"].endswith("in 3 symbols")


def test_a_long_text_is_cut():
    html = heat_map(cells_of("a" * (MOST_CELLS + 1234)))
    found = Fragment(html)
    assert len([span for span in found.tags("span") if "title" in span]) == MOST_CELLS
    assert "... and 1,234 more characters" in found.text


@pytest.mark.parametrize(("text", "page"), [("#1f2328", "#ffffff"), ("#d4d4d4", "#1e1e1e")])
def test_the_warmest_text_is_readable(text, page):
    """On light and dark pages the contrast is that of WCAG AA."""
    under = [int(page[i : i + 2], 16) for i in (1, 3, 5)]
    behind = [OPACITY * hot + (1 - OPACITY) * below for hot, below in zip(HOT, under, strict=True)]
    ink = [int(text[i : i + 2], 16) for i in (1, 3, 5)]
    dark, light = sorted(map(luminance, (behind, ink)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour):
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in colour)
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# Curves


def test_a_curve_has_its_lines_and_its_best_point():
    training = [(1, 3.0), (2, 2.0), (3, 1.5)]
    html = loss_curve(training, [(2, 2.2), (3, 1.9)], best=(3, 1.9), caption="done <b>")
    found = Fragment(html)
    assert [len(line["points"].split()) for line in found.tags("polyline")] == [3, 2]
    assert "training" in found.text
    assert "validation" in found.text
    assert "best 1.900" in found.text
    assert found.text.endswith("done <b>")
    assert found.tags("svg")[0]["aria-label"] == "done <b>"
    xs, ys = points_of(found.tags("polyline")[0])
    assert xs == sorted(xs)
    assert ys == sorted(ys)  # a falling loss: down the page
    ring = next(circle for circle in found.tags("circle") if circle["r"] == "5")
    assert (float(ring["cx"]), float(ring["cy"])) == tuple(
        axis[-1] for axis in points_of(found.tags("polyline")[1])
    )


def points_of(line):
    pairs = [pair.split(",") for pair in line["points"].split()]
    return [float(x) for x, _ in pairs], [float(y) for _, y in pairs]


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0.0)],
        [(5, 2.0), (5, 2.0)],
        [(1, 1e-12), (2, 2e-12)],
        [(1, 1e8), (2, 1e8 + 1)],
        [(1, nan), (2, 1.0), (3, inf)],
        [(10**12, 4.0), (10**12 + 1, 3.0)],
    ],
)
def test_every_loss_lies_in_the_picture(points):
    found = Fragment(loss_curve(points, points))
    for line in found.tags("polyline"):
        xs, ys = points_of(line)
        assert all(curve.LEFT <= x <= curve.WIDTH - curve.RIGHT for x in xs)
        assert all(curve.TOP <= y <= curve.HEIGHT - curve.BOTTOM for y in ys)


@pytest.mark.parametrize("points", [[], [(1, nan)]])
def test_a_curve_without_a_point(points):
    assert Fragment(loss_curve(points, caption="not begun")).elements[0][0] == "div"
    assert Fragment(loss_curve(points, caption="not begun")).text == "not begun"


def test_a_long_curve_is_thinned():
    points = [(step, 1 + (step % 2)) for step in range(10_000)]
    (line,) = Fragment(loss_curve(points)).tags("polyline")
    xs, ys = points_of(line)
    assert len(xs) <= curve.MOST_POINTS
    assert len(set(ys)) == 1  # means, and not every so many-th


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 5, [0, 1, 2, 3, 4, 5]), (1.37, 3.1, [1, 1.5, 2, 2.5, 3, 3.5]), (100, 900, [0, 200])],
)
def test_ticks_are_round_numbers(low, high, expected):
    ticks = curve._ticks(low, high)
    assert ticks[: len(expected)] == expected
    assert ticks[0] <= low
    assert ticks[-1] >= high


def test_nothing_is_loaded_from_elsewhere():
    for html in (heat_map(cells_of("abc")), loss_curve([(1, 1.0)])):
        assert set(re.findall(r"https?://[^\"]*", html)) <= {"http://www.w3.org/2000/svg"}
        assert "url(" not in html
        assert not {"script", "link", "img", "style"} & {t for t, _ in Fragment(html).elements}


def test_the_heat_map_is_small():
    html = heat_map(cells_of("a" * 1000))
    assert len(html) < 200 * 1000
    assert heat.heat_map([]).endswith("</div>")
