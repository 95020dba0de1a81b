"""The losses of a run as a curve of braille dots, or in ASCII: points in, lines of text out."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

Point = tuple[float, float]
"""A step and its value."""

MOST_POINTS = 512
"""Points kept per curve: about two for each column of dots."""
BEGINNING = 0.1
"""Share of the first steps whose values are cut off if they lie beyond all later ones."""
LEAST_WIDTH, LEAST_HEIGHT = 40, 5
"""The smallest legible chart."""
BRAILLE = 0x2800
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot of a character, by its column and its row from the top."""
VALIDATION = "o"
"""As wide as any character, where a bullet may take two columns."""
TRAINING, ASCII_TRAINING = "⠒", "*"


class Curve:
    """The points of a run in constant memory: too many are averaged in pairs."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._waiting: list[Point] = []
        self._size = 1

    def add(self, step: float, value: float) -> None:
        """Add a point after all others; a value that is not finite is left out."""
        if not math.isfinite(value):
            return
        self._waiting.append((step, value))
        if len(self._waiting) < self._size:
            return
        self.points.append(_mean(self._waiting))
        self._waiting.clear()
        if len(self.points) == MOST_POINTS:
            self.points = [_mean(self.points[i : i + 2]) for i in range(0, MOST_POINTS, 2)]
            self._size *= 2


def shows_braille(encoding: str, environment: Mapping[str, str]) -> bool:
    """Say whether a terminal has a font and an encoding with braille dots, as far as can be known.

    In the locale C, Python also writes UTF-8, and then names another locale in ``LC_CTYPE``.
    """
    names = [environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    locale = next((name for name in names if name and name != "C.UTF-8"), "")
    return (
        encoding.lower().startswith("utf")
        and locale not in ("C", "POSIX")
        and environment.get("TERM") != "linux"  # the console's font has 512 characters at most
    )


def draw_losses(
    training: Sequence[Point],
    validation: Sequence[Point],
    *,
    width: int,
    height: int,
    unit: str = "nats",
    show: Callable[[float], str] = "{:.2f}".format,
    braille: bool = True,
) -> list[str]:
    """Return curves by step, with both axes and a legend.

    Parameters
    ----------
    training, validation : sequence of (step, value)
        Finite, in the order of their steps. The first are a line, the second a mark each.
    width, height : int
        Columns and rows to fill.
    unit : str
        Of the values, for the legend.
    show : callable
        Formats a value.
    braille : bool
        Without it all is ASCII.

    Returns
    -------
    list of str
        ``height`` lines of at most ``width`` characters; none where that is too small, or where
        there are no two points to draw.
    """
    steps = [step for step, _ in (*training, *validation)]
    if width < LEAST_WIDTH or height < LEAST_HEIGHT or len(set(steps)) < 2:
        return []
    first, last = min(steps), max(steps)
    low, high = _range(training, validation, first + BEGINNING * (last - first))
    legend = _legend(training, validation, unit, show, braille, width)
    training, validation = (
        [point for point in points if low <= point[1] <= high] for points in (training, validation)
    )
    rows = height - 2
    labels = {row: show(_at(row, rows, low, high)) for row in (0, rows // 2, rows - 1)}
    margin = max(map(len, labels.values())) + 1
    columns = width - margin - 1
    per_row, per_column = (4, 2) if braille else (1, 1)

    def place(point: Point, across: int, down: int) -> tuple[int, int]:
        x = (point[0] - first) / (last - first)
        y = (high - point[1]) / (high - low)
        return round(x * (across - 1)), round(y * (down - 1))

    dots = _line([place(point, per_column * columns, per_row * rows) for point in training])
    cells = _braille(dots, columns, rows) if braille else _ascii(dots, columns, rows)
    for point in validation:
        x, y = place(point, columns, rows)
        cells[y][x] = VALIDATION
    wall, corner, floor = "│└─" if braille else "|+-"
    lines = [legend]
    for row, line in enumerate(cells):
        lines.append(f"{labels.get(row, ''):>{margin - 1}} {wall}{''.join(line)}".rstrip())
    left, right = f"{first:,.0f}", f" {last:,.0f}"
    lines.append(
        " " * margin + f"{corner}{left} ".ljust(columns + 1 - len(right), floor)[:columns] + right
    )
    return lines


def _legend(
    training: Sequence[Point],
    validation: Sequence[Point],
    unit: str,
    show: Callable[[float], str],
    braille: bool,
    width: int,
) -> str:
    """Return the display with the newest values, without the parts that do not fit."""
    line = f"{unit} by step"
    mark = 2 * (TRAINING if braille else ASCII_TRAINING)
    for name, points in ((f"{mark} training", training), (f"{VALIDATION} validation", validation)):
        part = f"  {name} {show(points[-1][1])}" if points else ""
        if len(line) + len(part) <= width:
            line += part
    return line


def _range(
    training: Sequence[Point], validation: Sequence[Point], begin: float
) -> tuple[float, float]:
    """Return the lowest and the highest value from a step on, or of all; never the same."""
    both = (*training, *validation)
    values = [value for step, value in both if step >= begin]
    if len(values) < 2:
        values = [value for _, value in both]
    low, high = min(values), max(values)
    least = max(1e-3 * abs(high), 1e-6)
    return (low, high) if high - low >= least else (low - least, high + least)


def _at(row: int, rows: int, low: float, high: float) -> float:
    """Return the value in the middle of a row."""
    return high - (high - low) * row / (rows - 1)


def _line(places: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the dots of a line through places (column, row): those of one column are its mean."""
    heights: dict[int, list[int]] = {}
    for x, y in places:
        heights.setdefault(x, []).append(y)
    means = [(x, round(sum(ys) / len(ys))) for x, ys in sorted(heights.items())]
    dots = set(means)
    for (x, y), (to_x, to_y) in pairwise(means):
        length = max(to_x - x, abs(to_y - y))
        for i in range(1, length):
            dots.add((x + round(i * (to_x - x) / length), y + round(i * (to_y - y) / length)))
    return dots


def _braille(dots: set[tuple[int, int]], columns: int, rows: int) -> list[list[str]]:
    bits = [[0] * columns for _ in range(rows)]
    for x, y in dots:
        bits[y // 4][x // 2] |= DOTS[x % 2][y % 4]
    return [[chr(BRAILLE + bit) if bit else " " for bit in row] for row in bits]


def _ascii(dots: set[tuple[int, int]], columns: int, rows: int) -> list[list[str]]:
    return [
        [ASCII_TRAINING if (x, y) in dots else " " for x in range(columns)] for y in range(rows)
    ]


def _mean(points: Sequence[Point]) -> Point:
    steps, values = zip(*points, strict=True)
    return sum(steps) / len(points), sum(values) / len(points)
