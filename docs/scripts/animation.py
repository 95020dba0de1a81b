"""Frames of a terminal in, one animated SVG out; it refers to nothing outside itself.

A piece of text is drawn once, for as long as it stays where it is. Box drawing and braille are
paths, so that they look alike in every font. Without animation the last frame is shown.
"""

import re
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

from terminal import Run, Style

CELL_WIDTH, CELL_HEIGHT = 8, 16
MARGIN, BAR = 16, 34
"""Pixels around the text, and the height of the bar above it."""
BRAILLE = range(0x2801, 0x2900)
DOTS = [(2, 2), (2, 6), (2, 10), (6, 2), (6, 6), (6, 10), (2, 14), (6, 14)]
"""Where the dot of each bit of a braille character lies in its cell."""
BOXES = {
    "─": "M{0} {4}H{2}",
    "│": "M{1} {3}V{5}",
    "└": "M{1} {3}V{4}H{2}",
    "╭": "M{1} {5}V{4}H{2}",
    "╮": "M{0} {4}H{1}V{5}",
    "╰": "M{1} {3}V{4}H{2}",
    "╯": "M{0} {4}H{1}V{3}",
}
BARS = {"━": "M{0} {4}H{2}", "╸": "M{0} {4}H{1}", "╺": "M{1} {4}H{2}"}
"""Paths by left, middle, right, top, centre and bottom of a cell."""
CSS = """\
svg{--back:#fbfbfa;--bar:#e9e9e6;--text:#24292f;--dim:#75797f;--cyan:#0b7285;--yellow:#a65a00;\
--pink:#c2185b;--grey:#d0d0cc;--green:#4c7a12}
@media(prefers-color-scheme:dark){svg{--back:#16181d;--bar:#24272e;--text:#d8dbe0;--dim:#8b9098;\
--cyan:#4cc3d9;--yellow:#f2c14e;--pink:#f92672;--grey:#3a3d44;--green:#8fb83a}}
text{font:13.3px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
fill:var(--text);white-space:pre}
path{fill:none;stroke:var(--text)}
.box{stroke-width:1}.bar{stroke-width:3}.dots{stroke-width:2.6;stroke-linecap:round}
.bold{font-weight:bold}text.dim{fill:var(--dim)}path.dim{stroke:var(--dim)}
"""


class Frame(NamedTuple):
    """What is in view from a time (seconds) on, and the line at the top."""

    seconds: float
    top: int
    runs: set[Run]


def animate(
    frames: Sequence[Frame], *, columns: int, rows: int, seconds: float, begin: float, title: str
) -> str:
    """Return an SVG that plays the frames again and again, ``seconds`` each time.

    It opens with what is shown at ``begin`` (seconds), since an empty terminal says nothing.
    """
    width = columns * CELL_WIDTH + 2 * MARGIN
    height = rows * CELL_HEIGHT + BAR + MARGIN
    css = [CSS]
    for color in ("cyan", "yellow", "pink", "grey", "green"):
        css.append(f"text.{color}{{fill:var(--{color})}}path.{color}{{stroke:var(--{color})}}\n")

    def percent(when: float) -> str:
        return f"{100 * when / seconds:.2f}%"

    tops = [next(group) for _, group in groupby(frames, key=lambda frame: frame.top)]
    steps = "".join(f"{percent(f.seconds)}{{transform:{_up(f.top)}}}" for f in tops)
    css.append(f"@keyframes up{{{steps}to{{transform:{_up(tops[-1].top)}}}}}\n")
    play = f"{seconds:g}s -{begin:g}s step-end infinite"
    css.append(f".up{{transform:{_up(tops[-1].top)};animation:up {play}}}\n")

    groups: dict[tuple[float, float], list[Run]] = {}
    for run, first, end in _shown(frames, seconds):
        groups.setdefault((first, end), []).append(run)
    body = []
    for number, ((first, end), runs) in enumerate(sorted(groups.items())):
        name = f"t{number}"
        hidden, last = "visibility:hidden", end >= seconds
        keys = f"0%{{{hidden}}}" if first else ""
        keys += f"{percent(first)}{{visibility:visible}}"
        keys += "" if last else f"{percent(end)}{{{hidden}}}to{{{hidden}}}"
        rest = "" if last else hidden + ";"
        css.append(f"@keyframes {name}{{{keys}}}\n")
        css.append(f".{name}{{{rest}animation:{name} {play}}}\n")
        body.append(f'<g class="{name}">{"".join(map(_drawn, sorted(runs)))}</g>')
    css.append("@media(prefers-reduced-motion:reduce){*{animation:none!important}}\n")
    lights = "".join(
        f'<circle cx="{MARGIN + 4 + 16 * i}" cy="{BAR // 2 - 3}" r="5" fill="var(--grey)"/>'
        for i in range(3)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>\n{''.join(css)}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="var(--back)"/>'
        f'<path d="M0 {BAR - 6}V8Q0 0 8 0H{width - 8}Q{width} 0 {width} 8V{BAR - 6}Z" '
        f'style="fill:var(--bar);stroke:none"/>{lights}\n'
        f'<svg x="{MARGIN}" y="{BAR}" width="{width - 2 * MARGIN}" '
        f'height="{rows * CELL_HEIGHT}"><g class="up">\n' + "\n".join(body) + "\n</g></svg></svg>\n"
    )


def _up(top: int) -> str:
    return f"translateY({-top * CELL_HEIGHT}px)"


def _shown(frames: Sequence[Frame], seconds: float) -> list[tuple[Run, float, float]]:
    """Return each run with the times at which it comes and goes."""
    shown, since = [], {}
    for frame in (*frames, Frame(seconds, 0, set())):
        for run in [run for run in since if run not in frame.runs]:
            shown.append((run, since.pop(run), frame.seconds))
        for run in frame.runs:
            since.setdefault(run, frame.seconds)
    return shown


def _drawn(run: Run) -> str:
    """Return a run as text and paths."""
    parts, column = [], run.column
    for kind, group in groupby(run.text, key=_kind):
        text = "".join(group)
        if kind == "text":
            parts.append(_text(text, run.line, column, run.style))
        else:
            draw = dots if kind == "dots" else strokes
            path = draw(text, run.line * CELL_HEIGHT, column * CELL_WIDTH)
            parts.append(f'<path class="{_names(kind, run.style)}" d="{path}"/>')
        column += len(text)
    return "".join(parts)


def _kind(char: str) -> str:
    if ord(char) in BRAILLE:
        return "dots"
    return "box" if char in BOXES else "bar" if char in BARS else "text"


def _text(text: str, line: int, column: int, style: Style) -> str:
    column += len(text) - len(text.lstrip())
    if not (text := text.strip()):
        return ""
    names = _names("", style)
    place = f'x="{column * CELL_WIDTH}" y="{line * CELL_HEIGHT + 12}"'
    length = f' textLength="{len(text) * CELL_WIDTH}"' if len(text) > 1 else ""
    kind = f' class="{names}"' if names else ""
    return f"<text {place}{length}{kind}>{escape(text)}</text>"


def _names(kind: str, style: Style) -> str:
    names = [kind, style.color, "bold" * style.bold, "dim" * style.dim]
    return " ".join(filter(None, names))


def strokes(text: str, top: int, left: int) -> str:
    """Return the path of box drawing; neighbours of a horizontal line are one stroke."""
    path = ""
    for part in re.findall("─+|━+|.", text):
        form, right = BOXES.get(part[0]) or BARS[part[0]], left + len(part) * CELL_WIDTH
        path += form.format(left, left + 4, right, top, top + 8, top + CELL_HEIGHT)
        left = right
    return path


def dots(text: str, top: int, left: int) -> str:
    """Return the path of braille, with each dot placed from the one before."""
    places = [
        (left + i * CELL_WIDTH + x, top + y)
        for i, char in enumerate(text)
        for bit, (x, y) in enumerate(DOTS)
        if (ord(char) - BRAILLE.start + 1) >> bit & 1
    ]
    moves = (f"m{x - x0} {y - y0}h0" for (x0, y0), (x, y) in pairwise(places))
    return f"M{places[0][0]} {places[0][1]}h0{''.join(moves)}"
