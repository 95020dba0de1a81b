"""Curves of runs, drawn by matplotlib as SVG with the colours and fonts of the page.

No user text is in a picture: names are in the page's own legend.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import isfinite
from typing import Any

from charrnn.errors import CharrnnError
from charrnn.views.markup import attribute
from charrnn.views.report.content import Moment, RunContent

COLOURS = 6
"""Colours of runs; with more runs, some share a colour."""
MARKER = "#0a0b{:02x}"
"""A placeholder colour that is replaced by one of the page's style sheet: 0 to 5 are runs."""
INK, FAINT = MARKER.format(0xF0), MARKER.format(0xF1)
WIDTH, HEIGHT = 4.6, 3.0
"""In inches of 72 pixels; about the width of a phone, so that the text is legible there."""
MOST_POINTS, TRAINING_POINTS = 400, 60
"""Most points of a curve; with more, each is the mean of several. Training losses are noisy."""
STEPS = (1, 2, 2.5, 5, 10)
"""Steps between the ticks of an axis, times a power of ten."""
FEW = 40
"""Curves with at most this many points have markers."""
WIDE = 30
"""Ratio of the largest to the smallest gradient norm above which the axis is logarithmic."""
WARM_UP = 0.03
"""The first part of a run, whose losses may be cut off, as they start far above the rest."""

Value = Callable[[Moment], float | None]
MISSING = "a report needs matplotlib, which is not installed: pip install matplotlib"


@dataclass(frozen=True)
class Chart:
    """A drawn chart."""

    title: str
    svg: str


def charts(runs: Sequence[RunContent], colours: Sequence[int]) -> list[Chart]:
    """Return the charts of runs whose losses can be compared.

    Parameters
    ----------
    runs : sequence of RunContent
        At least one run.
    colours : sequence of int
        The colour of each run.

    Raises
    ------
    CharrnnError
        If matplotlib is missing.
    """
    drawn = []
    per = runs[0].per
    timed = any(moment.seconds is not None for run in runs for moment in run.moments)
    drawn.append(_losses(runs, colours, f"Loss by step, in nats per {per}", lambda at: at.step))
    if timed:
        unit, length = _time_unit(runs)
        by = lambda at: None if at.seconds is None else at.seconds / length  # noqa: E731
        drawn.append(_losses(runs, colours, f"Loss by time in {unit}s, in nats per {per}", by))
    others: list[tuple[str, Value, str]] = [
        ("Held-out accuracy, by step", lambda at: at.accuracy, "linear"),
        ("Gradient norm before clipping, by step", lambda at: at.norm, "log"),
        ("Learning rate, by step", lambda at: at.rate, "linear"),
    ]
    for title, value, scale in others:
        drawn.append(_values(runs, colours, title, value, scale))
    return [chart for chart in drawn if chart is not None]


def line_of(runs: Sequence[RunContent]) -> tuple[str, float] | None:
    """Return the baseline of runs that share a held-out text, with its loss."""
    return next((run.line for run in runs if run.line is not None), None)


def _losses(
    runs: Sequence[RunContent], colours: Sequence[int], title: str, by: Value
) -> Chart | None:
    lines = []
    for run, colour in zip(runs, colours, strict=True):
        training = _line(run.moments, by, lambda at: at.training, most=TRAINING_POINTS)
        validation = _line(run.moments, by, lambda at: at.validation)
        lines.append((colour, training, validation))
    if not any(training or validation for _, training, validation in lines):
        return None
    baseline = line_of(runs)

    def draw(axes: Any) -> None:
        kept = []
        for colour, training, validation in lines:
            mark = MARKER.format(colour)
            axes.plot(*_columns(training), color=mark, linewidth=1, alpha=0.45)
            dots = {"marker": "o", "markersize": 3} if len(validation) <= FEW else {}
            axes.plot(*_columns(validation), color=mark, linewidth=1.8, **dots)
            end = max((x for x, _ in training + validation), default=0)
            kept += [y for x, y in training + validation if x >= min(end, WARM_UP * end)]
        if baseline is not None:
            axes.axhline(baseline[1], color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
            kept.append(baseline[1])
        low, high = min(kept), max(kept)
        room = 0.05 * max(high - low, 0.02 * abs(high), 1e-6)
        axes.set_ylim(low - room, high + room)

    return Chart(title, _svg(draw, title, colours))


def _values(
    runs: Sequence[RunContent], colours: Sequence[int], title: str, value: Value, scale: str
) -> Chart | None:
    lines = [_line(run.moments, lambda at: at.step, value) for run in runs]
    if not any(len(line) > 1 for line in lines):
        return None

    def draw(axes: Any) -> None:
        for line, colour in zip(lines, colours, strict=True):
            dots = {"marker": "o", "markersize": 3} if len(line) <= FEW else {}
            axes.plot(*_columns(line), color=MARKER.format(colour), linewidth=1.5, **dots)
        values = [y for line in lines for _, y in line]
        if scale == "log" and min(values) > 0 and max(values) > WIDE * min(values):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)

    return Chart(title, _svg(draw, title, colours))


def _line(
    moments: Sequence[Moment], by: Value, value: Value, *, most: int = MOST_POINTS
) -> list[tuple[float, float]]:
    """Return the finite points of a curve, averaged over neighbors if there are too many."""
    pairs = [(by(moment), value(moment)) for moment in moments]
    points = [
        (x, y) for x, y in pairs if x is not None and y is not None and isfinite(x) and isfinite(y)
    ]
    size = -(-len(points) // most) or 1
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _time_unit(runs: Sequence[RunContent]) -> tuple[str, float]:
    """Return the most readable unit for the longest run, and its length in seconds."""
    longest = max(moment.seconds or 0 for run in runs for moment in run.moments)
    if longest >= 7200:
        return "hour", 3600
    return ("minute", 60) if longest >= 120 else ("second", 1)


def check_drawable() -> None:
    """Raise CharrnnError if matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise CharrnnError(MISSING)


def _svg(draw: Callable[[Any], None], title: str, colours: Sequence[int]) -> str:
    """Return a chart as SVG, with placeholder colours that ``_of_the_page`` replaces."""
    check_drawable()
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": title,
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.edgecolor": FAINT,
        "xtick.color": INK,
        "ytick.color": INK,
        "ytick.left": False,
        "ytick.minor.left": False,
        "grid.color": FAINT,
        "grid.linewidth": 0.6,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.formatter.useoffset": False,
    }
    with rc_context(style):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.add_axes((0.125, 0.1, 0.845, 0.86))
        axes.patch.set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        draw(axes)
        axes.xaxis.set_major_formatter(_number)
        if axes.get_yscale() == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
        else:
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(_number)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _of_the_page(file.getvalue(), title, "-".join(map(str, colours)))


def _number(value: float, place: float | None = None) -> str:
    """Return the label of a tick: ``25,000``, ``0.02``."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _of_the_page(svg: str, title: str, key: str) -> str:
    """Adapt an SVG to the page: its colours and fonts, no header, and unique ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<defs>\s*<style type="text/css">.*?</style>\s*</defs>', "", svg, flags=re.DOTALL)
    svg = re.sub("<!--.*?-->", "", svg, flags=re.DOTALL)
    for mark, colour in _page_colours():
        svg = svg.replace(mark, colour)
    svg = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font: \1 var(--sans)", svg)
    svg = re.sub(r"(<text style=\")", r"\1fill: var(--ink); ", svg)
    used = set(re.findall(r'(?:url\(#|href="#)([\w-]+)', svg))
    prefix = re.sub(r"\W+", "-", f"{title} {key}".lower())
    svg = re.sub(
        r' id="([\w.-]+)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        svg,
    )
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    head = f'<svg role="img" aria-label="{attribute(title)}" class="chart"'
    svg = re.sub(r"<svg\b", head, svg, count=1)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    return re.sub(r">\s+<", "><", svg)


def _page_colours() -> Iterator[tuple[str, str]]:
    yield INK, "var(--ink)"
    yield FAINT, "var(--line)"
    for number in range(COLOURS):
        yield MARKER.format(number), f"var(--run-{number})"
