"""Record charrnn in a terminal as ``docs/pictures/terminal.svg``.

    python docs/scripts/recording.py

The commands run as written, in an empty folder with ``corpora/garden.txt``; what is shown is what
they wrote. Only time is shortened: a command that takes longer than ``LONGEST`` is played faster.
"""

import argparse
import codecs
import fcntl
import os
import pty
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from animation import Frame, animate
from terminal import Terminal

ROOT = Path(__file__).parents[2]
COLUMNS, ROWS = 80, 36
COMMANDS = (
    "charrnn train garden.txt --minutes 1",
    'charrnn sample --seed "CAPTAIN SORREL: " --length 300 --temperature 0.7 --random-seed 1',
    "charrnn eval",
)
LONGEST = 12.0
"""Seconds of the recording that a command may take."""
APART = 0.3
"""Seconds between two frames, at least."""
TYPED, KEYS = 0.12, 3
"""Seconds between two frames while a command is typed, and the characters of each."""
START, PAUSE, END = 0.4, 1.5, 6.0
"""Seconds before a command writes, after it, and after the last one."""
BEGIN = 8.0
"""Seconds in at which the picture opens: in the midst of training."""
REDRAWN = "\r\x1b[2K"
"""How a display begins to draw itself again: what stood before is whole."""

Piece = tuple[float, str]
"""Seconds since a command began, and what it wrote then."""


def run(command: str, folder: Path, columns: int = COLUMNS, rows: int = ROWS) -> list[Piece]:
    """Run a command of charrnn in a terminal of its own.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    for name in ("COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    environment["PYTHONPATH"] = str(ROOT)
    words = [sys.executable, "-m", *shlex.split(command)]
    streams = {"stdin": its, "stdout": its, "stderr": its}
    process = subprocess.Popen(words, cwd=folder, env=environment, **streams)
    os.close(its)
    begin, pieces, decoder = time.monotonic(), [], codecs.getincrementaldecoder("utf-8")()
    while data := _read(ours):
        pieces.append((time.monotonic() - begin, decoder.decode(data)))
    os.close(ours)
    if process.wait():
        raise RuntimeError(f"{command} failed: {''.join(text for _, text in pieces)}")
    return pieces


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # on Linux, how the end of a terminal shows
        return b""


def frames_of(
    played: Sequence[tuple[str, Sequence[Piece]]], columns: int = COLUMNS, rows: int = ROWS
) -> tuple[list[Frame], float]:
    """Return what commands and their output show, and how many seconds that takes."""
    terminal, frames, now = Terminal(columns, rows), [], 0.0

    def take() -> None:
        frames.append(Frame(now, terminal.top, terminal.runs()))

    for command, pieces in played:
        terminal.feed("$ ")
        take()
        now += 1.0
        for i in range(0, len(command), KEYS):
            terminal.feed(command[i : i + KEYS])
            take()
            now += TYPED
        terminal.feed("\r\n")
        first, last = pieces[0][0], pieces[-1][0]
        began, speed, redrawn = now + START, max(1.0, (last - first) / LONGEST), False
        for seconds, text in pieces:
            now = began + (seconds - first) / speed
            again = text.startswith(REDRAWN)
            if now >= frames[-1].seconds + APART and (again or not redrawn):
                take()
            redrawn = redrawn or again
            terminal.feed(text)
        take()
        now += PAUSE
    return frames, round(now + END, 2)


def play(
    played: Sequence[tuple[str, Sequence[Piece]]], columns: int = COLUMNS, rows: int = ROWS
) -> str:
    """Return commands and what they wrote as an animated SVG."""
    frames, seconds = frames_of(played, columns, rows)
    title = f"A terminal in which these commands run: {'; '.join(name for name, _ in played)}"
    size = {"columns": columns, "rows": rows}
    return animate(frames, **size, seconds=seconds, begin=min(BEGIN, seconds), title=title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures" / "terminal.svg")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "corpora" / "garden.txt", folder)
        played = [(command, run(command, Path(folder))) for command in COMMANDS]
    out.write_text(play(played), "utf-8")
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
