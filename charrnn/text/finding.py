"""Finding the files that a user names: single files, folders and glob patterns."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from glob import glob, has_magic
from itertools import islice
from pathlib import Path

from charrnn.config import STDIN
from charrnn.config.words import count
from charrnn.errors import CorpusError
from charrnn.text.decoding import Findings
from charrnn.text.files import HEAD, open_source, unreadable
from charrnn.text.guessing import binary_kind, looks_binary
from charrnn.text.sources import absolute, show_path
from charrnn.text.unpacking import Content

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
MOST_COMPARED = 10_000
"""Most names in a folder that are compared with a misspelled one."""
RUN_FILES = {"lock", "log.jsonl"}
"""Files that identify the folder of a run."""


def find_files(paths: Sequence[str | Path], encoding: str, findings: Findings) -> list[str]:
    """Return absolute paths of the named files, and "-"; CorpusError if there are none."""
    if isinstance(paths, str | Path):
        paths = [paths]
    files: list[str] = []
    for path in map(str, paths):
        if path == STDIN:
            files.append(path)
            continue
        try:
            is_folder, exists = Path(path).is_dir(), os.path.lexists(path)
        except (OSError, ValueError):
            is_folder, exists = False, False
        if is_folder:
            files += _texts_among(
                _walk(path, findings), f"folder {show_path(path)}", encoding, findings
            )
        elif not exists and "\0" not in path and has_magic(path) and not _ADDRESS.match(path):
            # Path.glob does not accept absolute patterns
            matches = sorted(glob(path, recursive=True))  # noqa: PTH207
            if not matches:
                raise CorpusError(f"pattern {show_path(path)} matches nothing: check the pattern")
            files += _texts_among(matches, f"pattern {show_path(path)}", encoding, findings)
        elif not exists:
            raise CorpusError(f"{show_path(path)}: no such file or folder: {_advice(path)}")
        else:
            files.append(absolute(path))
    if not files:
        raise CorpusError("no text was named: give a file, a folder, or - for standard input")
    if files.count(STDIN) > 1:
        raise CorpusError(
            "standard input (-) is named twice, but can be read only once: name it once"
        )
    return files


def _walk(folder: str, findings: Findings) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise unreadable(str(error.filename), error) from None

    for parent, folders, names in os.walk(folder, onerror=refuse):
        if set(names) >= RUN_FILES:
            findings.add("left out, because it is a run of charrnn", show_path(parent))
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (str(Path(parent, name)) for name in sorted(names) if name[0] != ".")


def _texts_among(paths: Iterable[str], where: str, encoding: str, findings: Findings) -> list[str]:
    """Return the regular files that look like text; `where` names them in messages."""
    # In UTF-16 and UTF-32, bytes such as NUL are parts of characters.
    is_binary = binary_kind if encoding.startswith(("utf-16", "utf-32")) else looks_binary
    texts = []
    left_out = 0
    for path in paths:
        if not Path(path).is_file():
            continue
        with open_source(path) as raw:
            if is_binary(Content(raw).read(HEAD)):
                findings.add("left out, because it is not text", show_path(path))
                left_out += 1
            else:
                texts.append(absolute(path))
    if not texts:
        others = f" ({count(left_out, 'other file')} left out)" if left_out else ""
        raise CorpusError(f"{where} has no text file{others}: name a text file")
    return texts


def _advice(path: str) -> str:
    """Return advice for a name that does not exist."""
    if _ADDRESS.match(path):
        return f"URLs are not read; download it first, as in curl -L -o text.txt '{path}'"
    place = Path(path)
    with suppress(OSError, ValueError):
        names = [found.name for found in islice(place.parent.iterdir(), MOST_COMPARED)]
        if near := get_close_matches(place.name, names, 1, 0.75):
            return f"did you mean {show_path(str(place.with_name(near[0])))}?"
    return "check the name"
