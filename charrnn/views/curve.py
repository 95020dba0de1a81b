"""The loss curve of a run: an SVG with the colours of the page."""

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

from charrnn.views.markup import attribute, shown

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 24, 24
"""Margins for labels, in pixels."""
TRAINING, VALIDATION = "#2f81f7", "#f0710f"
"""Colours that stand out on white and on black."""
MOST_POINTS = 300
"""Most points of a line; with more, each is the mean of several."""
TICKS = 5

Point = tuple[float, float]


def loss_curve(
    training: Sequence[Point],
    validation: Sequence[Point] = (),
    *,
    best: Point | None = None,
    caption: str = "",
) -> str:
    """Return the losses of a run as a self-contained HTML fragment.

    Parameters
    ----------
    training, validation : sequence of (step, nats)
        Ordered by step; values that are not finite are left out.
    best : (step, nats), optional
        The point to mark.
    caption : str
        A line below the chart, as plain text.
    """
    both = [("training", TRAINING, training), ("validation", VALIDATION, validation)]
    lines = [(name, colour, _thinned(_finite(points))) for name, colour, points in both]
    lines = [line for line in lines if line[2]]
    marked = _finite([best] if best else [])
    below = f'<div style="font-size:85%;opacity:.75">{shown(caption)}</div>' if caption else ""
    points = [point for *_, line in lines for point in line] + marked
    if not points:
        return f'<div class="charrnn-curve">{below}</div>'
    axes = _Axes([x for x, _ in points], [y for _, y in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{attribute(caption or "loss by step")}" font-family="sans-serif" '
        f'font-size="11" style="width:100%;max-width:{WIDTH}px;height:auto">',
        axes.grid(),
    ]
    for number, (name, colour, line) in enumerate(lines):
        parts.append(axes.line(line, colour, dots=name == "validation"))
        x = LEFT + 90 * number
        parts.append(f'<rect x="{x}" y="8" width="10" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="13" fill="currentColor">{name}</text>')
    for point in marked:
        parts.append(axes.mark(point, LEFT + 90 * len(lines)))
    parts.append("</svg>")
    return f'<div class="charrnn-curve">{"".join(parts)}{below}</div>'


class _Axes:
    """Maps steps and losses to positions in the picture."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.x_ticks = _ticks(min(xs), max(xs))
        self.y_ticks = _ticks(min(ys), max(ys))
        self.left, self.right = min(xs), max(max(xs), min(xs) + 1)
        self.low, self.high = min(self.y_ticks[0], *ys), max(self.y_ticks[-1], *ys)

    def place(self, point: Point) -> tuple[float, float]:
        """Return x and y in the picture."""
        along = (point[0] - self.left) / (self.right - self.left)
        up = (point[1] - self.low) / (self.high - self.low)
        x = LEFT + along * (WIDTH - LEFT - RIGHT)
        return round(x, 1), round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1)

    def grid(self) -> str:
        """Return the horizontal grid lines and the labels of both axes."""
        parts = []
        for nats in self.y_ticks:
            y = self.place((self.left, nats))[1]
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="currentColor" '
                f'opacity=".15"/><text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" '
                f'fill="currentColor">{nats:g}</text>'
            )
        for step in self.x_ticks:
            if self.left <= step <= self.right:
                x = self.place((step, self.low))[0]
                parts.append(
                    f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="middle" '
                    f'fill="currentColor">{step:,.0f}</text>'
                )
        parts.append(
            f'<text x="{WIDTH - RIGHT}" y="13" text-anchor="end" fill="currentColor">'
            "nats per character, by step</text>"
        )
        return "".join(parts)

    def line(self, points: Sequence[Point], colour: str, *, dots: bool) -> str:
        """Return a line, with a dot at each point if ``dots`` is true."""
        places = [self.place(point) for point in points]
        path = " ".join(f"{x},{y}" for x, y in places)
        drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        if not dots:
            return drawn
        return drawn + "".join(
            f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places
        )

    def mark(self, point: Point, left: int) -> str:
        """Return a ring around the best point, and its loss in the legend at ``left``."""
        x, y = self.place(point)
        ring = 'r="5" fill="none" stroke="currentColor"'
        return (
            f'<circle cx="{x}" cy="{y}" {ring}/><circle cx="{left + 5}" cy="9.5" {ring}/>'
            f'<text x="{left + 14}" y="13" fill="currentColor">best {point[1]:.3f}</text>'
        )


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if isfinite(x) and isfinite(y)]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most ``MOST_POINTS`` points, each the mean of a group."""
    size = ceil(len(points) / MOST_POINTS) or 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _ticks(low: float, high: float) -> list[float]:
    """Return about ``TICKS`` round numbers that cover the range."""
    span = max(high - low, 1e-3 * abs(high), 1e-9)
    power = 10.0 ** floor(log10(span / TICKS))
    size = next(power * step for step in (1, 2, 5, 10) if power * step * TICKS >= span)
    first, last = floor(low / size), ceil(high / size)
    if last == first:
        last += 1
    return [round(number * size, 12) for number in range(first, last + 1)]
