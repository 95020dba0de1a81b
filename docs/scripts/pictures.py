"""Draws the pictures of docs/rnn.md and docs/lstm.md: python docs/scripts/pictures.py

Their numbers are those of ``hello.py`` and of ``charrnn gradients``. The pictures have no words,
so that each page can explain them in its own language. Each brings its colors for light and dark.
"""

from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from hello import READ, SYMBOLS, TARGETS, read
from threadpoolctl import threadpool_limits

from charrnn.data.streams import Streams
from charrnn.evaluation.gradients import DISTANCES, untrained
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes

FOLDER = Path(__file__).parent.parent / "pictures"
LABELS = {
    "rnn (tanh), uniform": (-10, 4, "end"),
    "rnn (tanh), orthogonal": (10, -2, "start"),
    "lstm, uniform": (10, 4, "start"),
    "lstm, orthogonal": (10, 12, "start"),
}
"""Where the name of a curve stands beside its last point."""
TIMES, SIGMA = "\N{MULTIPLICATION SIGN}", "\N{GREEK SMALL LETTER SIGMA}"
STYLE = """
text { font: 14px sans-serif; fill: #1f2328 }
.mono { font-family: monospace; font-size: 16px }
.small { font-size: 12px }
.faint { fill: #59636e }
.page { fill: #ffffff }
.line { stroke: #59636e; fill: none }
.grid { stroke: #d1d9e0; fill: none }
.box { fill: #ffffff; stroke: #59636e }
.bar { fill: #c8d1da }
.a { fill: #b6e3ff } .b { fill: #ffd8b5 } .c { fill: #c3efc3 }
.forward { stroke: #0969da; fill: none; stroke-width: 1.8 }
.backward { stroke: #bc4c00; fill: none; stroke-width: 1.8; stroke-dasharray: 5 4 }
.dashed { stroke-dasharray: 5 4 } .solid { stroke-dasharray: none }
.forwards { fill: #0969da } .backwards { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .faint { fill: #9198a1 }
  .page { fill: #0d1117 }
  .line { stroke: #9198a1 }
  .grid { stroke: #30363d }
  .box { fill: #0d1117; stroke: #9198a1 }
  .bar { fill: #3d444d }
  .a { fill: #0c4a80 } .b { fill: #7a3b0c } .c { fill: #1f5a2a }
  .forward { stroke: #58a6ff } .backward { stroke: #f0883e }
  .forwards { fill: #58a6ff } .backwards { fill: #f0883e }
}
"""


class Drawing:
    """Shapes, in the order in which they are drawn."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.shapes = []

    def add(self, name, text="", /, **attributes):
        """Add one element; ``class_`` is its class, and numbers are rounded."""
        words = ""
        for key, value in attributes.items():
            shown = f"{value:.1f}" if isinstance(value, float) else value
            words += f' {key.rstrip("_").replace("_", "-")}="{shown}"'
        self.shapes.append(f"<{name}{words}>{escape(text)}</{name}>")

    def text(self, x, y, text, kind="", anchor="middle"):
        """Write at a place."""
        self.add("text", text, x=x, y=y, class_=kind, text_anchor=anchor)

    def box(self, x, y, width, height, kind="box"):
        """A box around a place."""
        self.add(
            "rect", x=x - width / 2, y=y - height / 2, width=width, height=height, rx=4, class_=kind
        )

    def circle(self, x, y, text, kind="box"):
        """A sign in a circle."""
        self.add("circle", cx=x, cy=y, r=14, class_=kind)
        self.text(x, y + 5, text)

    def arrow(self, *points, kind="forward"):
        """A line through points with a head at its end."""
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        self.add("path", d=path, class_=kind, marker_end=f"url(#{kind.split()[0]})")

    def line(self, *points, kind="line"):
        """A line through points."""
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.add("path", d=path, class_=kind)

    def svg(self):
        """All of it as a file's text."""
        heads = "".join(
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" class="{kind}s"/></marker>'
            for kind in ("forward", "backward")
        )
        size = f'width="{self.width}" height="{self.height}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
                f'viewBox="0 0 {self.width} {self.height}">',
                f"<style>{STYLE}</style><defs>{heads}</defs>",
                f'<rect {size} rx="6" class="page"/>',
                *self.shapes,
                "</svg>\n",
            ]
        )


def unrolled():
    """The four steps of hello.py side by side, with their states and predictions."""
    d, (_, h, p, _) = Drawing(720, 400), read()
    y_x, y_h, y_p = 360, 270, 190
    for t in range(len(READ) + 1):
        x = 50 + 150 * t
        d.box(x, y_h, 76, 50, "box a" if t else "box")
        for index, value in enumerate(h[t]):
            d.text(x, y_h - 5 + 18 * index, f"{value:.3f}", "mono small")
        d.text(x - 38, y_h - 31, f"h[{t}]", "small faint", "start")
        if not t:
            continue
        d.arrow((x - 110, y_h - 10), (x - 40, y_h - 10))
        d.arrow((x - 40, y_h + 12), (x - 110, y_h + 12), kind="backward")
        d.text(x - 75, y_h - 16, "Wh h", "small forwards")
        d.text(x - 75, y_h + 28, "Whᵀ dz", "small backwards")
        d.box(x, y_x, 34, 30)
        d.text(x, y_x + 5, READ[t - 1], "mono")
        d.arrow((x, y_x - 16), (x, y_h + 27))
        d.text(x + 6, y_x - 32, "Wx x + b", "small forwards", "start")
        d.arrow((x, y_h - 26), (x, y_p + 22))
        d.text(x + 6, y_h - 36, "Wy h + by", "small forwards", "start")
        for index, symbol in enumerate(SYMBOLS):
            left, share = x - 46 + 24 * index, float(p[t][index])
            right = symbol == TARGETS[t - 1]
            d.box(left + 10, y_p - 60 * share, 18, 120 * share, "forwards" if right else "bar")
            d.text(left + 10, y_p + 15, symbol, "mono small")
            if share >= 0.05:
                kind = "small" if right else "small faint"
                d.text(left + 10, y_p - 120 * share - 5, f"{share:.2f}", kind)
        d.line((x - 50, y_p), (x + 50, y_p))
        d.text(x, 40, f"→ {TARGETS[t - 1]}", "mono")
    return d


def truncated():
    """What goes over the border of two windows, and what does not."""
    d = Drawing(720, 250)
    y, border = 140, 360
    for t, x in enumerate((130, 270, 450, 590), 1):
        d.box(x, y, 60, 44, "box a" if t < 3 else "box b")
        d.text(x, y + 5, f"h[{t}]", "mono")
        d.text(x, y + 90, READ[t - 1], "mono")
        d.arrow((x, y + 72), (x, y + 26))
        d.arrow((x, y - 68), (x, y - 26), kind="backward")
        d.text(x, y - 76, f"loss {t}", "small backwards")
    for start, stop in ((40, 96), (164, 236), (304, 416), (484, 556)):
        d.arrow((start, y - 10), (stop, y - 10))
    for start, stop in ((236, 164), (416, border + 8), (556, 484)):
        d.arrow((start, y + 10), (stop, y + 10), kind="backward")
    d.text(border - 6, y + 17, TIMES, "mono backwards", "end")
    d.line((border, 20), (border, 240), kind="line")
    for left, right in ((96, 300), (420, 624)):
        d.line((left, 32), (left, 26), (right, 26), (right, 32))
        d.text((left + right) / 2, 20, "T = 2", "small")
    return d


def streams():
    """Three streams of a text, and their first two windows, as ``Streams`` cuts them."""
    text, N, T = "the cat sat on the mat. ", 3, 4
    codes = to_codes(text)
    batches = Streams(codes, Vocabulary.from_codes(codes), N, T)
    d, size, kinds = Drawing(720, 300), 26, "abc"
    starts = batches.starts.tolist()
    for place, symbol in enumerate(text):
        x, stream = 61 + size * place, max(n for n in range(N) if starts[n] <= place)
        d.box(x, 60, size, size, f"box {kinds[stream]}")
        d.text(x, 65, symbol.replace(" ", "␣"), "mono")
        if place in starts:
            d.text(x, 38, f"{place}", "small")
    for step in (1, 2):
        window = batches.window(step, slice(None))
        left = 150 + 280 * (step - 1)
        d.text(left + 1.5 * size, 124, f"T = {T}", "small")
        d.line((left - 13, 136), (left - 13, 130), (left + 91, 130), (left + 91, 136))
        for n in range(N):
            y = 160 + 44 * n
            for t in range(T):
                place = (starts[n] + (step - 1) * T + t) % len(text)
                assert batches.vocabulary.encode(codes[place : place + 1])[0] == window.ids[t, n]
                d.box(left + size * t, y, size, size, f"box {kinds[n]}")
                d.text(left + size * t, y + 5, text[place].replace(" ", "␣"), "mono")
            d.text(60, y + 5, f"n = {n}", "small")
            d.arrow((left + 93, y), (left + 160 + (70 if step == 1 else 0), y))
            d.text(left + 128, y - 6, "h", "small forwards")
    return d


@cache
def measured():
    """The curves of untrained cells of 128 units."""
    with threadpool_limits(1):
        return untrained(128, [("rnn", "tanh"), ("lstm", "tanh"), ("gru", "tanh")])


def vanishing():
    """What is left of a gradient k steps before the loss, on a logarithmic scale."""
    d = Drawing(720, 330)
    left, top, width, height, decades = 80, 24, 440, 260, 6

    def place(k, share):
        x = left + width * np.log2(k) / np.log2(DISTANCES[-1])
        return x, top + height * -np.log10(share) / decades

    for power in range(decades + 1):
        y = top + height * power / decades
        d.line((left, y), (left + width, y), kind="grid")
        d.text(left - 8, y + 4, f"{10.0**-power:g}", "small", "end")
    for k in DISTANCES:
        d.text(place(k, 1)[0], top + height + 20, f"{k}", "small")
    d.text(left + width / 2, top + height + 38, "k", "small")
    kinds = {"uniform": "backward", "orthogonal": "forward"}
    for curve in measured():
        cell, drawn = curve.name.split(", ")
        if cell == "gru":
            continue
        kind = f"{kinds[drawn]} {'solid' if cell.startswith('rnn') else 'dashed'}"
        dots = [
            place(k, share)
            for k, share in zip(curve.distances, curve.left, strict=True)
            if share > 10.0**-decades
        ]
        d.line(*dots, kind=kind)
        for x, y in dots:
            d.add("circle", cx=float(x), cy=float(y), r=3, class_=f"{kinds[drawn]}s")
        x, y = dots[-1]
        dx, dy, anchor = LABELS[curve.name]
        d.text(x + dx, y + dy, curve.name, f"small {kinds[drawn]}s", anchor)
    return d


def lstm_cell():
    """One step of an LSTM: c runs along the top, h along the bottom."""
    d = Drawing(720, 340)
    y_c, y_gate, y_z, y_h = 60, 190, 250, 300
    gates = {"f": 170, "i": 270, "g": 350, "o": 490}
    d.text(30, y_c + 5, "c[t-1]", "mono small")
    d.text(692, y_c + 5, "c[t]", "mono small")
    d.text(30, y_h + 5, "h[t-1]", "mono small")
    d.text(692, 160, "h[t]", "mono small")
    d.text(60, 245, "x[t]", "mono small")
    d.arrow((60, y_c), (gates["f"] - 15, y_c))
    d.arrow((gates["f"] + 15, y_c), (310 - 15, y_c))
    d.arrow((310 + 15, y_c), (668, y_c))
    d.arrow((60, y_h), (110, y_h), (110, y_z), (gates["f"] - 42, y_z))
    d.line((82, 240), (110, 240), (110, y_z), kind="forward")
    d.box(330, y_z, 400, 30, "box a")
    d.text(330, y_z + 5, "z = Wx x[t] + b + Wh h[t-1]", "mono small")
    for name, x in gates.items():
        kind = "c" if name == "g" else "b"
        d.arrow((x, y_z - 16), (x, y_gate + 17))
        d.box(x, y_gate, 56, 32, f"box {kind}")
        d.text(x, y_gate + 5, "tanh" if name == "g" else SIGMA, "mono small")
        d.text(x + 6, y_gate - 24, name, "mono", "start")
    d.circle(gates["f"], y_c, TIMES)
    d.circle(310, y_c, "+")
    d.circle(310, 120, TIMES)
    d.arrow((gates["f"], y_gate - 17), (gates["f"], y_c + 16))
    d.arrow((gates["i"], y_gate - 17), (gates["i"], 120), (310 - 16, 120))
    d.arrow((gates["g"], y_gate - 17), (gates["g"], 120), (310 + 16, 120))
    d.arrow((310, 104), (310, y_c + 16))
    d.circle(580, 155, TIMES)
    d.arrow((580, y_c), (580, 82))
    d.box(580, 98, 56, 30, "box c")
    d.text(580, 103, "tanh", "mono small")
    d.arrow((580, 114), (580, 139))
    d.arrow((gates["o"], y_gate - 17), (gates["o"], 155), (580 - 16, 155))
    d.arrow((580 + 16, 155), (668, 155))
    return d


PICTURES = {
    "rnn-unrolled": unrolled,
    "rnn-truncated": truncated,
    "rnn-streams": streams,
    "rnn-vanishing": vanishing,
    "lstm-cell": lstm_cell,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), "utf-8")
