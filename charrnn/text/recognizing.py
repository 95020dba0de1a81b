"""Recognizing by content which files a model was trained on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from charrnn.config import STDIN
from charrnn.text.decoding import Findings
from charrnn.text.files import HEAD, open_source
from charrnn.text.finding import find_files
from charrnn.text.sources import Source
from charrnn.text.unpacking import compression


@dataclass(frozen=True)
class TrainedOn:
    """The files that a model was trained on, among those that the user named.

    Attributes
    ----------
    same : tuple of str
        Absolute paths of files that are a source of the model, byte for byte.
    begins : tuple of str
        Absolute paths of files that begin with a source and have grown.
    """

    same: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.same or self.begins)


def trained_on(sources: Iterable[Source], paths: Sequence[str | Path]) -> TrainedOn:
    """Return which of the named files are among the recorded sources.

    Each file is read at most once; standard input is not read.

    Parameters
    ----------
    sources : iterable of Source
        The sources that the model was trained on.
    paths : sequence of str or Path
        Files, folders and patterns, as in ``read_corpus``.
    """
    recorded = hashes_by_size(source for source in sources if source.size)
    found: dict[Literal["same", "begins"], list[str]] = {"same": [], "begins": []}
    for path in find_files(paths, "auto", Findings()):
        kind = kind_of(path, recorded)
        if kind is not None:
            found[kind].append(path)
    return TrainedOn(tuple(found["same"]), tuple(found["begins"]))


def hashes_by_size(sources: Iterable[Source]) -> dict[int, set[str]]:
    """Return the SHA-256 of sources by size; a file of another size need not be hashed."""
    hashes: dict[int, set[str]] = {}
    for source in sources:
        hashes.setdefault(source.size, set()).add(source.sha256)
    return hashes


def kind_of(path: str, recorded: Mapping[int, set[str]]) -> Literal["same", "begins"] | None:
    """Return whether a file is a source or begins with one; it is read once."""
    if path == STDIN:
        return None
    try:
        size = Path(path).stat().st_size
    except OSError:
        return None  # reading it will report the error
    begins = sorted(at for at in recorded if 0 < at < size)
    if begins and is_compressed(path):
        begins = []  # bytes after an archive would change its unpacked content
    if not begins and size not in recorded:
        return None
    kind: Literal["same", "begins"] | None = None
    with open_source(path) as raw:
        for at in begins:
            if raw.digest_at(at) in recorded[at]:
                kind = "begins"
        if size in recorded and raw.finish().sha256 in recorded[size]:
            kind = "same"
    return kind


def is_compressed(path: str) -> bool:
    """Whether a file is compressed, by its content."""
    with open_source(path, limit=HEAD) as raw:
        return compression(raw.peek(HEAD)) is not None
