"""What is left of a gradient, as a chart: where its lines lie, and that it is a picture."""

from math import inf, nan
from xml.etree import ElementTree

import pytest

from charrnn.views.decay import (
    COLOURS,
    FLOOR,
    LEFT,
    PLOT_HEIGHT,
    TOP,
    Line,
    decay_svg,
    decay_text,
)

SVG = "{http://www.w3.org/2000/svg}"
HALVED = Line("halved", [(1, 0.5), (2, 0.25), (4, 0.0625)])
TENTH = Line("tenth", [(1, 0.1), (2, 0.01), (4, 1e-4)])
HOSTILE = '<script>&"\x1b\u202e\n'


def rows_of(lines):
    return [row.partition("|")[2] for row in decay_text(lines) if "|" in row]


def places(lines):
    """The rows in which each letter stands, by column."""
    rows = rows_of(lines)
    found = {}
    for number, row in enumerate(rows):
        for column, mark in enumerate(row):
            found.setdefault(mark, {}).setdefault(column, number)
    return found


def test_a_text_has_a_line_for_half_a_decade_and_a_column_for_an_eighth_of_a_doubling():
    a = places([TENTH])["a"]
    assert (a[0], a[8], a[16]) == (2, 4, 8)  # 1e-1, 1e-2 and 1e-4, two lines each
    assert sorted(a) == list(range(17))
    assert a[4] == 3  # in between on a straight line of the logarithms


def test_a_text_has_its_labels():
    drawn = decay_text([HALVED, TENTH])
    assert [row.split("|")[0].strip() for row in drawn[:9:2]] == [
        "1", "1e-01", "1e-02", "1e-03", "1e-04",
    ]  # fmt: skip
    assert drawn[-1].split() == ["1", "2", "4", "steps", "back"]
    assert drawn[-1].index("4") - drawn[0].index("|") == 17


def test_growth_is_in_the_picture():
    a = places([Line("grows", [(1, 2.0), (2, 30.0)])])["a"]
    assert a[0] > a[8] >= 0
    assert decay_text([Line("grows", [(1, 2.0), (2, 30.0)])])[0].startswith("  1e+02")


def test_a_line_ends_at_the_floor_and_where_nothing_is_left():
    falls = Line("falls", [(1, 1.0), (2, 1e-4), (4, 1e-12), (8, 1e-30)])
    a = places([falls])["a"]
    assert max(a) == 12  # half way between 1e-4 and 1e-12 lies the floor
    assert a[12] == 16
    assert FLOOR == 1e-8
    assert max(places([Line("ends", [(1, 1.0), (2, 0.5), (4, 0.0)])])["a"]) == 8
    assert places([Line("nothing", [(1, 0.0), (2, 0.0)])]).get("a") is None


@pytest.mark.parametrize("last", [1e300, inf, nan])
def test_what_cannot_be_drawn_ends_a_line(last):
    drawn = decay_text([Line("explodes", [(1, 1.0), (2, 10.0), (4, last), (8, 1.0)])])
    assert len(drawn) < 20
    assert max(places([Line("explodes", [(1, 1.0), (2, 10.0), (4, last), (8, 1.0)])])["a"]) == 8


def points_of(svg):
    found = []
    for line in ElementTree.fromstring(svg).iter(f"{SVG}polyline"):
        pairs = [pair.split(",") for pair in line.get("points").split()]
        found.append([(float(x), float(y)) for x, y in pairs])
    return found


def test_an_svg_is_xml_with_a_line_for_each():
    svg = decay_svg([HALVED, TENTH], title="what is left")
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert [text.text for text in root.iter(f"{SVG}text")][-2:] == ["halved", "tenth"]
    halved, tenth = points_of(svg)
    assert halved[0][0] == tenth[0][0] == LEFT
    assert [y for _, y in tenth] == sorted(y for _, y in tenth)
    assert tenth[-1][1] == TOP + PLOT_HEIGHT
    # One decade is as high as another.
    assert tenth[1][1] - tenth[0][1] == pytest.approx((tenth[2][1] - tenth[1][1]) / 2, abs=0.2)
    assert all(y >= TOP for points in (halved, tenth) for _, y in points)


def test_an_svg_needs_nothing_and_obeys_nobody():
    svg = decay_svg([Line(HOSTILE, [(1, 0.5), (2, 0.2)])], title=HOSTILE)
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()}
    assert tags == {"svg", "title", "rect", "line", "text", "polyline"}
    assert "url(" not in svg
    assert svg.count("http") == 1


def test_every_name_and_line_of_the_legend_lies_in_the_picture():
    svg = decay_svg([Line("n" * 60, HALVED.left)] * 40, title="many")
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    names = [text for text in root.iter(f"{SVG}text") if text.text.startswith("n")]
    assert len(names) == 40
    assert float(names[0].get("x")) + 60 * 6 < width
    assert float(names[-1].get("y")) < height


def test_more_lines_than_colours_are_told_apart():
    svg = decay_svg([HALVED] * (len(COLOURS) + 1), title="many")
    styles = [
        (line.get("stroke"), line.get("stroke-dasharray"))
        for line in ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    ]
    assert len(set(styles)) == len(COLOURS) + 1
    one = Line("one", [(1, 0.0)])
    assert points_of(decay_svg([one], title="nothing is left")) == [[]]
