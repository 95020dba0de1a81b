"""Finding the files of a corpus again by content: in place, moved, renamed or grown."""

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from charrnn.config import STDIN
from charrnn.errors import CorpusError
from charrnn.text.files import hash_file
from charrnn.text.recognizing import hashes_by_size, is_compressed, kind_of
from charrnn.text.sources import Source, absolute, show_path

ADVICE = "name the file to score, as in: charrnn eval FILE"


@dataclass(frozen=True)
class Located:
    """A file of a corpus that was found again.

    Attributes
    ----------
    source : Source
        The recorded source.
    path : str
        Where it is: an absolute path, or ``STDIN`` for a stored copy of standard input.
    grown : bool
        Whether the file has more bytes now; its first ``source.size`` are the recorded ones.
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
    """Find the files of a corpus, byte for byte the same, also if they were moved.

    Parameters
    ----------
    sources : sequence of Source
        The sources to find.
    recorded : mapping of str to str, optional
        Maps SHA-256 to the absolute path where the file was.
    folders : sequence of Path
        Other folders to search: under the file's path, its name, or another name.
    named : sequence of str or Path
        Files and folders that the user named; they are searched first. Each one must be, or
        contain, a source. A text from memory is found among them, or in its stored copy.
    kept_stdin : Path, optional
        The gzip file with the stored copy of standard input or of a text from memory.
    advice : str
        The end of error messages: what to do.

    Returns
    -------
    tuple of Located
        One per source, in the same order.

    Raises
    ------
    CorpusError
        If a source is missing or has changed, or a named file is not a source.
    """
    finder = _Finder(recorded or {}, folders, named, kept_stdin)
    # Unchanged files first: one of them may begin like another source.
    exact = [finder.find_exact(source) for source in sources]
    taken = {found.path for found in exact if found is not None}
    located = tuple(
        found or finder.find_grown(source, taken, advice)
        for source, found in zip(sources, exact, strict=True)
    )
    finder.check_named(sources, located)
    return located


class _Finder:
    """Searches for sources one by one; lists each folder and hashes each file at most once."""

    def __init__(
        self,
        recorded: Mapping[str, str],
        folders: Sequence[Path],
        named: Sequence[str | Path],
        kept_stdin: Path | None,
    ) -> None:
        self._recorded, self._folders = recorded, folders
        self._kept_stdin = kept_stdin is not None and kept_stdin.is_file()
        self._hashes: dict[tuple[str, int | None], str] = {}
        self._sizes: dict[str, int | None] = {}
        self._unreadable: dict[str, CorpusError] = {}
        self._named = [absolute(name) for name in named if str(name) != STDIN]
        self._named_folders = [Path(name) for name in self._named if Path(name).is_dir()]
        walked = {str(folder): _walk(folder) for folder in self._named_folders}
        self._among_named = _Listing(
            self, (path for name in self._named for path in walked.get(name, [name]))
        )
        self._among_folders = {
            folder: _Listing(self, _files_in(Path(folder))) for folder in map(absolute, folders)
        }

    def find_exact(self, source: Source) -> Located | None:
        """Return where a source is unchanged, or None."""
        path = self._among_named.find(source)
        if path is None and not self._is_kept(source):
            path = next((path for path in self._places(source) if self._is(path, source)), None)
        if path is None and source.is_file:
            listings = self._among_folders.values()
            path = next(filter(None, (listing.find(source) for listing in listings)), None)
        return None if path is None else Located(source, path)

    def find_grown(self, source: Source, taken: Collection[str], advice: str) -> Located:
        """Return a file that begins with a source, or the stored copy, if no unchanged file exists.

        `taken` are files that are other unchanged sources; they are tried last. CorpusError if
        there is none.
        """
        kept = self._is_kept(source)
        last = []
        for path in self._files_named if kept else self._larger(source):
            if path in taken:
                last.append(path)
            elif self._has_grown_from(path, source):
                return Located(source, path, grown=True)
        if kept:
            return Located(source, STDIN)
        for path in last:
            if self._has_grown_from(path, source):
                return Located(source, path, grown=True)
        raise self._missing(source, advice)

    def _missing(self, source: Source, advice: str) -> CorpusError:
        if not source.is_file:
            gone = show_path(source.path)
            return CorpusError(f"this run was trained on {gone}, which is not available: {advice}")
        changed = next((path for path in self._usual(source) if self.size(path) is not None), None)
        if changed in self._unreadable:
            return self._unreadable[changed]
        if changed is not None:
            size = self.size(changed)
            what = "SHA-256 differs" if size == source.size else "its size differs"
            return CorpusError(
                f"{show_path(changed)} has changed since this run was trained ({what}): {advice}"
            )
        return CorpusError(
            f"{show_path(source.path)}, which this run was trained on, is missing: {advice}"
        )

    def check_named(self, sources: Sequence[Source], located: Sequence[Located]) -> None:
        """Raise CorpusError for a named file that is not a source, or a folder without one."""
        used = {found.path for found in located}
        used |= {str(parent) for found in located for parent in Path(found.path).parents}
        by_size = hashes_by_size(sources)
        for name in self._named:
            if not os.path.lexists(name):
                raise CorpusError(f"{show_path(name)}: no such file or folder: check the name")
            if name in used or (self.size(name) is not None and kind_of(name, by_size) is not None):
                continue
            raise CorpusError(
                f"{show_path(name)} is not a file that this run was trained on: leave it out, or "
                "fine-tune on it with --init-from"
            )

    def _usual(self, source: Source) -> list[str]:
        """Return the paths where a source was."""
        usual = [self._recorded[source.sha256]] if source.sha256 in self._recorded else []
        return [*usual, absolute(source.path)] if source.is_file else usual

    def _places(self, source: Source) -> Iterator[str]:
        """Yield paths where a source may be under its own name, the most likely first."""
        yield from self._under(self._named_folders, source)
        yield from self._usual(source)
        if source.is_file:
            yield from self._under(self._folders, source)

    def _under(self, folders: Iterable[Path], source: Source) -> Iterator[str]:
        for folder in folders:
            yield absolute(folder / source.path)
            yield absolute(folder / Path(source.path).name)

    def _larger(self, source: Source) -> Iterator[str]:
        """Yield files that may begin with a source, the most likely first; they may repeat."""
        yield from self._files_by_name.get(Path(source.path).name, ())
        yield from self._places(source)
        yield from self._files_named

    @cached_property
    def _files_named(self) -> list[str]:
        return [path for path in self._named if self.size(path) is not None]

    @cached_property
    def _files_by_name(self) -> dict[str, list[str]]:
        files: dict[str, list[str]] = {}
        for path in self._files_named:
            files.setdefault(Path(path).name, []).append(path)
        return files

    def size(self, path: str) -> int | None:
        """Return the size of a regular file in bytes; None if there is no such file."""
        if path not in self._sizes:
            try:
                status = Path(path).stat()
                self._sizes[path] = status.st_size if stat.S_ISREG(status.st_mode) else None
            except (OSError, ValueError):
                self._sizes[path] = None
        return self._sizes[path]

    def hash(self, path: str, limit: int | None = None) -> str:
        """Return the SHA-256 of a file or of its beginning; "" if it cannot be read."""
        key = (path, limit)
        if key not in self._hashes:
            try:
                self._hashes[key] = hash_file(path, limit).sha256
            except CorpusError as error:
                self._unreadable[path] = error
                self._hashes[key] = ""
        return self._hashes[key]

    def _is_kept(self, source: Source) -> bool:
        return not source.is_file and self._kept_stdin

    def _is(self, path: str, source: Source) -> bool:
        return self.size(path) == source.size and self.hash(path) == source.sha256

    def _has_grown_from(self, path: str, source: Source) -> bool:
        size = self.size(path)
        if size is None or not 0 < source.size < size:
            return False
        # Bytes after an archive would change its unpacked content.
        return self.hash(path, source.size) == source.sha256 and not is_compressed(path)


class _Listing:
    """Files by size, listed and hashed only when needed.

    Parameters
    ----------
    finder : _Finder
        Caches sizes and hashes.
    paths : iterable of str
        The files, the most likely first.
    """

    def __init__(self, finder: _Finder, paths: Iterable[str]) -> None:
        self._finder, self._paths = finder, paths
        self._hashed: dict[str, str] = {}

    def find(self, source: Source) -> str | None:
        """Return the first file that is a source, byte for byte."""
        waiting = self._by_size.get(source.size)
        while waiting and source.sha256 not in self._hashed:
            path = waiting.popleft()
            self._hashed.setdefault(self._finder.hash(path), path)
        return self._hashed.get(source.sha256)

    @cached_property
    def _by_size(self) -> dict[int, deque[str]]:
        by_size: dict[int, deque[str]] = {}
        for path in self._paths:
            size = self._finder.size(path)
            if size is not None:
                by_size.setdefault(size, deque()).append(path)
        return by_size


def _files_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return
    yield from (absolute(folder / name) for name in names)


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (absolute(Path(parent, name)) for name in sorted(names))
