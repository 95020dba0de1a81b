"""The sources of a corpus, by name and by content."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from charrnn.config import STDIN

MEMORY = "<memory>"
"""The path of a text that a program gave, which is in no file."""

_NO_FILES = {STDIN: "standard input", MEMORY: "text in memory"}
"""Names of sources that are not files, for messages."""


@dataclass(frozen=True)
class Source:
    """One file that a corpus was read from.

    Attributes
    ----------
    path : str
        Absolute, or ``STDIN`` or ``MEMORY``.
    sha256 : str
        SHA-256 of the bytes on disk, before decompression, in hexadecimal; for a text in memory, of
        its UTF-8 bytes.
    size : int
        Number of those bytes.
    encoding : str
        The encoding that it was decoded with; "" if that is unknown, as in old records, or if its
        bytes were not decoded.
    """

    path: str
    sha256: str
    size: int
    encoding: str = ""

    @property
    def is_file(self) -> bool:
        """Whether it came from a file, so that its path says where to find it."""
        return self.path not in _NO_FILES


def fingerprint(sources: Iterable[Source]) -> str:
    """Return one SHA-256 over the content of all sources in order, independent of their paths."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.size} {source.sha256}\n".encode("ascii"))
    return digest.hexdigest()


def absolute(path: str | Path) -> str:
    """Return an absolute path without `.` and `..`; symbolic links are kept."""
    return os.path.normpath(Path.cwd() / path)


def show_path(path: str | Path) -> str:
    """Return a path for messages: relative if shorter, with only printable characters."""
    text = str(path)
    if text in _NO_FILES:
        return _NO_FILES[text]
    here = str(Path.cwd())
    if text.startswith(here + os.sep):
        text = text[len(here) + 1 :]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def portable_name(path: str) -> str:
    """Return a path that reveals nothing about the machine, to be stored in shared files.

    That is the path relative to the working directory for a file inside it, else its last
    component; ``STDIN`` and ``MEMORY`` stay.
    """
    if path in _NO_FILES:
        return path
    full = Path(absolute(path))
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.name
