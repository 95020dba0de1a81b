"""What a corpus was read from, by name and by content."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STDIN = "-"
"""The path of standard input."""
MEMORY = "<memory>"
"""The path of a text that a program gave, which lies in no file."""

_NO_FILES = {STDIN: "standard input", MEMORY: "text in memory"}
"""What is no file, as messages show it."""


@dataclass(frozen=True)
class Source:
    """One file that a corpus was read from.

    Attributes
    ----------
    path : str
        Absolute, or ``STDIN`` or ``MEMORY``.
    sha256 : str
        Of the bytes as they lie on disk, compressed or not, in hexadecimal; of the UTF-8 bytes
        of a text in memory.
    size : int
        Number of these bytes.
    encoding : str
        What its text was decoded with; "" where that is unknown, as in an old record, or where
        bytes were taken as they are.
    """

    path: str
    sha256: str
    size: int
    encoding: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it came from a file: only then does its path say where to find it."""
        return self.path not in _NO_FILES


def fingerprint(sources: Iterable[Source]) -> str:
    """Return one SHA-256 over the content of all sources in their order, wherever they lie."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.size} {source.sha256}\n".encode("ascii"))
    return digest.hexdigest()


def absolute(path: str | Path) -> str:
    """Return a path from the root, without `.` and `..`; links in it stay."""
    return os.path.normpath(Path.cwd() / path)


def show_path(path: str | Path) -> str:
    """Return a path as messages show it: relative where shorter, with nothing but printables."""
    text = str(path)
    if text in _NO_FILES:
        return _NO_FILES[text]
    here = str(Path.cwd())
    if text.startswith(here + os.sep):
        text = text[len(here) + 1 :]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def portable_name(path: str) -> str:
    """Return a path that says nothing of the machine, to be stored where others may read it.

    That is the path from the working folder if it lies inside it, else its last component;
    ``STDIN`` and ``MEMORY`` stay.
    """
    if path in _NO_FILES:
        return path
    full = Path(absolute(path))
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.name
