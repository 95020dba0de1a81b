"""Finding the files of a corpus again, by content: where they were, moved, renamed or grown."""

import gzip
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import IO

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.storage import write_whole
from charrnn.text.corpus import Corpus, read_inputs
from charrnn.text.decoding import Findings
from charrnn.text.files import (
    CHUNK,
    HEAD,
    Source,
    compression,
    find_files,
    hash_file,
    open_source,
    show_path,
)
from charrnn.text.inputs import Input

ADVICE = "name the file to score, as in: charrnn eval FILE"


@dataclass(frozen=True)
class Located:
    """A file of a corpus that was found again.

    Attributes
    ----------
    source : Source
        As recorded.
    path : str
        Where it is: absolute, or "-" for standard input that was kept.
    grown : bool
        The file has more bytes now: only its first ``source.size`` are the recorded ones.
    """

    source: Source
    path: str
    grown: bool = False


def locate(
    sources: Sequence[Source],
    *,
    recorded: Mapping[str, str] | None = None,
    folders: Sequence[Path] = (),
    named: Sequence[str | Path] = (),
    kept_stdin: Path | None = None,
    advice: str = ADVICE,
) -> tuple[Located, ...]:
    """Find the files of a corpus, byte for byte the same, wherever they may be by now.

    Parameters
    ----------
    sources : sequence of Source
        What is looked for.
    recorded : mapping of str to str, optional
        SHA-256 to the absolute path where the file was.
    folders : sequence of Path
        Where else it may be: under its path, under its name, or under another name.
    named : sequence of str or Path
        Files and folders that the user named: they come first. Each must be, or hold, one of
        the sources.
    kept_stdin : Path, optional
        The gzip file that keeps what came from standard input.
    advice : str
        How the message of an error ends.

    Returns
    -------
    tuple of Located
        One for each source, in their order.

    Raises
    ------
    CorpusError
        If a source is missing or has changed, or a named file is none of them.
    """
    finder = _Finder(recorded or {}, folders, named, kept_stdin)
    located = tuple(finder.find(source, advice) for source in sources)
    finder.check_named(sources, located)
    return located


def check_sources(sources: Sequence[Source], advice: str = ADVICE) -> None:
    """Make sure that recorded sources are still there; errors as for ``locate``."""
    locate(sources, advice=advice)


class _Finder:
    """Looks for one source after another, and hashes nothing twice."""

    def __init__(
        self,
        recorded: Mapping[str, str],
        folders: Sequence[Path],
        named: Sequence[str | Path],
        kept_stdin: Path | None,
    ) -> None:
        self._recorded, self._folders, self._kept_stdin = recorded, folders, kept_stdin
        self._named = [Path(name) for name in named if str(name) != "-"]
        self._hashes: dict[tuple[str, int], str] = {}
        self._sizes: dict[str, int] = {}
        self._unreadable: dict[str, CorpusError] = {}

    def find(self, source: Source, advice: str) -> Located:
        """Return where a source is; CorpusError if it is nowhere."""
        if source.path == "-":
            if self._kept_stdin is not None and self._kept_stdin.is_file():
                return Located(source, "-")
            for path in self._places(source):  # what was piped in may have been a file
                grown = self._same(path, source)
                if grown is not None:
                    return Located(source, path, grown)
            raise CorpusError(f"this run was trained on standard input, which is gone: {advice}")
        changed = None
        for path in self._places(source):
            grown = self._same(path, source)
            if grown is not None:
                return Located(source, path, grown)
            if changed is None and path in self._usual(source):
                changed = path
        if changed in self._unreadable:
            raise self._unreadable[changed]
        if changed is not None:
            size = self._size(changed)
            what = "SHA-256 differs" if size == source.size else "its size differs"
            raise CorpusError(
                f"{show_path(changed)} has changed since this run was trained ({what}): {advice}"
            )
        raise CorpusError(
            f"{show_path(source.path)}, which this run was trained on, is gone: {advice}"
        )

    def check_named(self, sources: Sequence[Source], located: Sequence[Located]) -> None:
        """Refuse a named file that is none of the sources, or a folder that holds none."""
        parents = {parent for found in located for parent in Path(found.path).parents}
        for name in self._named:
            full = _absolute(name)
            if not os.path.lexists(full):
                raise CorpusError(f"{show_path(full)}: no such file or folder: check the name")
            is_one = any(self._same(full, source) is not None for source in sources)
            if not is_one and Path(full) not in parents:
                raise CorpusError(
                    f"{show_path(full)} is not what this run was trained on: leave it out, "
                    "or train a new run on it with --init-from"
                )

    def _usual(self, source: Source) -> list[str]:
        """Return where a source was."""
        usual = [self._recorded[source.sha256]] if source.sha256 in self._recorded else []
        return usual if source.path == "-" else [*usual, _absolute(source.path)]

    def _places(self, source: Source) -> Iterator[str]:
        """Return regular files that may be a source, the likeliest first."""
        seen = set()
        for path in self._every_place(source):
            if path not in seen and self._size(path) is not None:
                seen.add(path)
                yield path

    def _every_place(self, source: Source) -> Iterator[str]:
        basename = Path(source.path).name
        for named in self._named:
            if named.is_dir():
                yield from self._of_size(_walk(named), source.size)
                yield _absolute(named / source.path)
                yield _absolute(named / basename)
            else:
                yield _absolute(named)
        yield from self._usual(source)
        if source.path == "-":
            return
        for folder in self._folders:
            yield _absolute(folder / source.path)
            yield _absolute(folder / basename)
        for folder in self._folders:
            yield from self._of_size(_files_in(folder), source.size)

    def _of_size(self, paths: Iterable[str], size: int) -> Iterator[str]:
        return (path for path in paths if self._size(path) == size)

    def _size(self, path: str) -> int | None:
        """Return the bytes of a regular file; None if there is none."""
        if path not in self._sizes:
            try:
                status = Path(path).stat()
            except (OSError, ValueError):
                return None
            if not stat.S_ISREG(status.st_mode):
                return None
            self._sizes[path] = status.st_size
        return self._sizes[path]

    def _same(self, path: str, source: Source) -> bool | None:
        """Return whether the file has grown since it was the source; None if it is another."""
        size = self._size(path)
        if size is None or size < source.size or path in self._unreadable:
            return None
        grown = size > source.size
        key = (path, source.size)
        try:
            if grown and (not source.size or _is_compressed(path)):
                return None
            if key not in self._hashes:
                self._hashes[key] = hash_file(path, source.size if grown else None).sha256
        except CorpusError as error:
            self._unreadable[path] = error
            return None
        return grown if self._hashes[key] == source.sha256 else None


def read_located(
    located: Sequence[Located],
    text: TextConfig,
    cache_dir: str | Path | None = None,
    kept_stdin: Path | None = None,
) -> Corpus:
    """Read exactly the bytes that were recorded, decoded as they were.

    Parameters
    ----------
    located : sequence of Located
        From ``locate``.
    text : TextConfig
        How they were read. A recorded encoding takes the place of its ``encoding``.
    cache_dir : Path, optional
        As for ``read_corpus``.
    kept_stdin : Path, optional
        As for ``locate``.

    Raises
    ------
    CorpusError
        If a file cannot be read, or is another by now.
    """
    inputs = [
        Input(
            path=found.path,
            encoding=found.source.encoding,
            limit=found.source.size if found.grown else None,
            kept=kept_stdin if found.path == "-" else None,
            expected=found.source,
        )
        for found in located
    ]
    return read_inputs(inputs, text, Findings(), cache_dir)


def keep_stdin(corpus: Corpus, path: Path) -> None:
    """Keep what came from standard input in a gzip file: all of it, or nothing.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    stdin = corpus.stdin
    if stdin is None:
        return

    def write(file: IO[bytes]) -> None:
        stdin.seek(0)
        # Neither time nor name is stored: the same bytes make the same file.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            copyfileobj(stdin, packed, CHUNK)
        stdin.seek(0)

    write_whole(path, write)


@dataclass(frozen=True)
class TrainedOn:
    """Which of some files a model was trained on.

    Attributes
    ----------
    same : tuple of str
        Absolute paths of files that are one of its sources, byte for byte.
    begins : tuple of str
        Those that begin with one and have grown.
    others : tuple of str
        All the rest.
    """

    same: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.same or self.begins)

    @property
    def all_same(self) -> bool:
        """Whether there is nothing in them that the model was not trained on."""
        return bool(self.same) and not (self.begins or self.others)


def trained_on(sources: Iterable[Source], paths: Sequence[str | Path]) -> TrainedOn:
    """Find out which of the files that the user named are among the recorded sources.

    Each file is read once, at most; standard input is not looked at.

    Parameters
    ----------
    sources : iterable of Source
        What the model was trained on.
    paths : sequence of str or Path
        Files, folders and patterns, as for ``read_corpus``.
    """
    recorded: dict[int, set[str]] = {}
    for source in sources:
        if source.size:
            recorded.setdefault(source.size, set()).add(source.sha256)
    kinds: dict[str, list[str]] = {"same": [], "begins": [], "others": []}
    for path in find_files(paths, "auto", Findings()):
        kinds[_kind(path, recorded)].append(path)
    return TrainedOn(**{name: tuple(found) for name, found in kinds.items()})


def _kind(path: str, recorded: Mapping[int, set[str]]) -> str:
    if path == "-":
        return "others"
    try:
        size = Path(path).stat().st_size
    except OSError:
        return "others"  # reading it will say what is wrong
    begins = sorted(at for at in recorded if at < size)
    if _is_compressed(path):
        begins = []  # what follows it changes nothing in what an archive begins with
    if not begins and size not in recorded:
        return "others"
    kind = "others"
    with open_source(path) as raw:
        for at in begins:
            if raw.digest_at(at) in recorded[at]:
                kind = "begins"
        if size in recorded and raw.finish().sha256 in recorded[size]:
            kind = "same"
    return kind


def _is_compressed(path: str) -> bool:
    with open_source(path, limit=HEAD) as raw:
        return compression(raw.peek(HEAD)) is not None


def _absolute(path: str | Path) -> str:
    return os.path.normpath(Path.cwd() / path)


def _files_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return
    yield from (_absolute(folder / name) for name in names)


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (_absolute(Path(parent, name)) for name in sorted(names))
