"""Charts of a share that decays with distance, on logarithmic axes: as text and as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10

from charrnn.views.markup import attribute, shown

FLOOR, CEILING = 1e-8, 1e4
"""Smaller and larger values are not in the picture."""
STEP, ROWS_PER_DECADE, LABEL = 8, 2, 7
"""For text: columns per doubling, lines per power of ten, columns of a label."""
MARKS = "abcdefghijklmnopqrstuvwxyz"

PLOT_WIDTH, PLOT_HEIGHT = 454, 356
LEFT, TOP, BOTTOM = 56, 20, 44
"""Margins of the plot for labels."""
LEGEND, LETTER, LINE = 52, 6.5, 16
"""The legend: its width without names, the width of a letter, and the height of a line."""
COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#b8860b", "#c2185b", "#4d4d4d", "#008b8b")
DASHES = ("", "6 3", "2 3")
"""Lines beyond the number of colours are dashed."""


@dataclass(frozen=True)
class Line:
    """One line of the chart.

    Attributes
    ----------
    name : str
        The name; any text.
    left : sequence of (distance, share)
        Ordered by distance, which is at least 1; a share of 1 is everything.
    """

    name: str
    left: Sequence[tuple[int, float]]


def mark_of(number: int) -> str:
    """Return the letter that represents a line in a text chart."""
    return MARKS[number % len(MARKS)]


def decay_text(lines: Sequence[Line]) -> list[str]:
    """Return the lines of a chart for a terminal; each curve is drawn with its letter."""
    drawn = [_points(line) for line in lines]
    top, bottom = _range(drawn)
    furthest = max(k for line in lines for k, _ in line.left)
    columns = round(STEP * log2(furthest)) + 1
    rows = [[" "] * columns for _ in range((top - bottom) * ROWS_PER_DECADE + 1)]
    for number, points in enumerate(drawn):
        for column in range(columns):
            power = _between(points, column / STEP)
            if power is not None:
                rows[round((top - power) * ROWS_PER_DECADE)][column] = mark_of(number)
    chart = []
    for index, row in enumerate(rows):
        decades, rest = divmod(index, ROWS_PER_DECADE)
        label = "" if rest else "1" if decades == top else f"{10.0 ** (top - decades):.0e}"
        chart.append(f"{label:>{LABEL}} |{''.join(row)}".rstrip())
    chart.append(" " * LABEL + " +" + "-" * columns)
    ticks = [" "] * (columns + STEP)
    for doubling in range(floor(log2(furthest)) + 1):
        text = str(2**doubling)
        ticks[doubling * STEP : doubling * STEP + len(text)] = text
    chart.append(" " * (LABEL + 2) + "".join(ticks).rstrip() + "  steps back")
    return chart


def decay_svg(lines: Sequence[Line], *, title: str) -> str:
    """Return a chart as a self-contained SVG file.

    Parameters
    ----------
    lines : sequence of Line
        At least one, in the order of the legend.
    title : str
        The title of the chart, as plain text.
    """
    drawn = [_points(line) for line in lines]
    top, bottom = _range(drawn)
    furthest = max([2, *(k for line in lines for k, _ in line.left)])

    def x(doublings: float) -> float:
        return round(LEFT + doublings / log2(furthest) * PLOT_WIDTH, 1)

    def y(power: float) -> float:
        return round(TOP + (top - power) / (top - bottom) * PLOT_HEIGHT, 1)

    right, under = LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT
    width = ceil(right + LEGEND + LETTER * max(len(shown(line.name)) for line in lines))
    height = max(under + BOTTOM, TOP + LINE * (len(lines) + 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{attribute(title)}" font-family="sans-serif" font-size="11" fill="#222">',
        f"<title>{shown(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for power in range(top, bottom - 1, -1):
        at = y(power)
        parts.append(
            f'<line x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{10.0**power:g}</text>'
        )
    for doubling in range(floor(log2(furthest)) + 1):
        parts.append(
            f'<text x="{x(doubling)}" y="{under + 16}" text-anchor="middle">{2**doubling}</text>'
        )
    parts.append(f'<text x="{LEFT}" y="{under + BOTTOM - 8}">{shown(title)}</text>')
    for number, (line, found) in enumerate(zip(lines, drawn, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        dash = DASHES[number // len(COLOURS) % len(DASHES)]
        style = f'stroke="{colour}" stroke-width="1.8"' + f' stroke-dasharray="{dash}"' * bool(dash)
        points = " ".join(f"{x(at)},{y(power)}" for at, power in found)
        at = TOP + 8 + LINE * number
        parts.append(f'<polyline points="{points}" fill="none" {style}/>')
        parts.append(
            f'<line x1="{right + 12}" x2="{right + 34}" y1="{at}" '
            f'y2="{at}" {style}/>'
            f'<text x="{right + 40}" y="{at + 4}">{shown(line.name)}</text>'
        )
    return "".join([*parts, "</svg>\n"])


Point = tuple[float, float]


def _points(line: Line) -> list[Point]:
    """Return a line as (doublings, power of ten), up to where it leaves the picture."""
    points: list[Point] = []
    for k, share in line.left:
        at, power = log2(k), log10(share) if share > 0 else None
        if power is not None and FLOOR <= share <= CEILING:
            points.append((at, power))
            continue
        if points and power is not None and share < FLOOR:
            before, high = points[-1]
            part = (high - log10(FLOOR)) / (high - power)
            points.append((before + part * (at - before), log10(FLOOR)))
        break
    return points


def _range(lines: Sequence[Sequence[Point]]) -> tuple[int, int]:
    """Return the powers of ten at the top and at the bottom."""
    powers = [0.0, *(power for points in lines for _, power in points)]
    top = ceil(max(powers))
    return top, min(top - 1, floor(min(powers)))


def _between(points: Sequence[Point], at: float) -> float | None:
    """Return the interpolated power of ten at a number of doublings; None outside the line."""
    for (before, high), (after, low) in zip(points, points[1:] or points, strict=False):
        if before <= at <= after:
            part = (at - before) / (after - before) if after > before else 0.0
            return high + part * (low - high)
    return None
