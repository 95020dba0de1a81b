"""A terminal as far as a recording needs one: what a program wrote in, styled lines out."""

import re
from typing import NamedTuple

STYLES = {
    "36": "cyan",
    "33": "yellow",
    "38;5;197": "pink",
    "38;5;237": "grey",
    "38;5;70": "green",
}
"""The colours that charrnn uses, by their codes in a terminal of 256 colours."""
TOKEN = re.compile(
    r"\x1b\[(?P<codes>[\d;?]*)(?P<final>[A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|(?P<char>[^\x1b])",
    re.S,
)


class Style(NamedTuple):
    """How a character looks."""

    color: str = ""
    bold: bool = False
    dim: bool = False


class Run(NamedTuple):
    """Neighbouring characters of one style; ``line`` counts from the first that was written."""

    line: int
    column: int
    text: str
    style: Style


class Terminal:
    """Lines of ``columns`` characters, of which the last ``rows`` are in view.

    A control sequence that is not known raises ``ValueError``: a recording is right or fails.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._lines: list[list[tuple[str, Style]]] = [[]]
        self._line = self._column = 0
        self._style = Style()
        self._rest = ""

    @property
    def top(self) -> int:
        """The first line in view."""
        return max(0, len(self._lines) - self.rows)

    def feed(self, text: str) -> None:
        """Take in what a program wrote; half a sequence waits for its other half."""
        text = self._rest + text
        end = 0
        while end < len(text) and (match := TOKEN.match(text, end)):
            end = match.end()
            if match["final"]:
                self._control(match["codes"], match["final"])
            elif match["char"]:
                self._put(match["char"])
        self._rest = text[end:]
        if len(self._rest) > 100:
            raise ValueError(f"no control sequence: {self._rest[:20]!r}")

    def runs(self) -> set[Run]:
        """Return what is in view, without the spaces around it."""
        found = set()
        for number in range(self.top, len(self._lines)):
            line, begin = self._lines[number], 0
            for end in range(1, len(line) + 1):
                if end == len(line) or line[end][1] != line[begin][1]:
                    text = "".join(char for char, _ in line[begin:end])
                    if kept := text.strip():
                        column = begin + len(text) - len(text.lstrip())
                        found.add(Run(number, column, kept, line[begin][1]))
                    begin = end
        return found

    def _put(self, char: str) -> None:
        if char == "\n":
            self._line += 1
        elif char == "\r":
            self._column = 0
        elif char < " ":
            raise ValueError(f"no control character that is known: {char!r}")
        else:
            if self._column == self.columns:
                self._line, self._column = self._line + 1, 0
            line = self._current()
            line += [(" ", Style())] * (self._column + 1 - len(line))
            line[self._column] = char, self._style
            self._column += 1
        self._current()

    def _current(self) -> list[tuple[str, Style]]:
        while len(self._lines) <= self._line:
            self._lines.append([])
        return self._lines[self._line]

    def _control(self, codes: str, final: str) -> None:
        if final == "m":
            self._color(codes)
        elif final == "A":
            self._line = max(self.top, self._line - int(codes or 1))
        elif final == "K" and codes == "2":
            self._current().clear()
        elif codes != "?25":  # the cursor is not drawn
            raise ValueError(f"no control sequence that is known: {codes}{final}")

    def _color(self, codes: str) -> None:
        numbers = re.findall(r"38;5;\d+|\d+", codes) or ["0"]
        for number in numbers:
            if number == "0":
                self._style = Style()
            elif number == "1":
                self._style = self._style._replace(bold=True)
            elif number == "2":
                self._style = self._style._replace(dim=True)
            elif number in STYLES:
                self._style = self._style._replace(color=STYLES[number])
            else:
                raise ValueError(f"no colour that is known: {number}")
