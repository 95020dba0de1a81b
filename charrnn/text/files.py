"""Files, folders, patterns and standard input: found, opened, decompressed and hashed, as bytes."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from charrnn.errors import CorpusError
from charrnn.text.decoding import Findings
from charrnn.text.guessing import binary_kind, looks_binary

CHUNK = 1 << 18
"""Bytes read at once: few enough to stay in the processor's cache."""
HEAD = 4096
"""Bytes that decide what kind of file it is."""
RUN_FILES = {"lock", "log.jsonl"}
"""What marks a folder that ``train`` has written."""

_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # a text may begin with BZh, but not go on so


@dataclass(frozen=True)
class Source:
    """One file that a corpus was read from.

    Attributes
    ----------
    path : str
        Absolute, or "-" for standard input.
    sha256 : str
        Of the bytes as they lie on disk, compressed or not, in hexadecimal.
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


def show_path(path: str | Path) -> str:
    """Return a path as messages show it: relative where shorter, with nothing but printables."""
    text = str(path)
    if text == "-":
        return "standard input"
    here = str(Path.cwd())
    if text.startswith(here + os.sep):
        text = text[len(here) + 1 :]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def portable_name(path: str) -> str:
    """Return a path that says nothing of the machine, to be stored where others may read it.

    That is the path from the working folder if it lies inside it, else its last component; "-"
    stays.
    """
    if path == "-":
        return path
    full = Path(_absolute(path))
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.name


def find_files(paths: Sequence[str | Path], encoding: str, findings: Findings) -> list[str]:
    """Turn what the user named into absolute paths of files, and "-"; CorpusError for none."""
    if isinstance(paths, str | Path):
        paths = [paths]
    files: list[str] = []
    for path in map(str, paths):
        if path == "-":
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
        elif not exists and "\0" not in path and has_magic(path):
            # Path.glob takes no absolute patterns
            matches = sorted(glob(path, recursive=True))  # noqa: PTH207
            if not matches:
                raise CorpusError(f"pattern {show_path(path)} matches nothing: check the pattern")
            files += _texts_among(matches, f"pattern {show_path(path)}", encoding, findings)
        elif not exists:
            raise CorpusError(f"{show_path(path)}: no such file or folder: check the name")
        else:
            files.append(_absolute(path))
    if not files:
        raise CorpusError("no text was named: give a file, a folder, or - for standard input")
    if files.count("-") > 1:
        raise CorpusError("standard input (-) is named twice, but can be read only once")
    return files


def _absolute(path: str) -> str:
    return os.path.normpath(Path.cwd() / path)


def _walk(folder: str, findings: Findings) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise CorpusError(_os_message(str(error.filename), error)) from None

    for parent, folders, names in os.walk(folder, onerror=refuse):
        if set(names) >= RUN_FILES:
            findings.add("left out, because it is a run of charrnn", show_path(parent))
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (str(Path(parent, name)) for name in sorted(names) if name[0] != ".")


def _texts_among(paths: Iterable[str], where: str, encoding: str, findings: Findings) -> list[str]:
    """Keep the regular files that look like text; `where` is what the user named."""
    # In UTF-16 and UTF-32, NUL bytes and the like are parts of characters.
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
                texts.append(_absolute(path))
    if not texts:
        others = f" ({left_out} other files left out)" if left_out else ""
        raise CorpusError(f"{where} holds no text{others}: name a text file")
    return texts


class RawFile:
    """The bytes of a file as they lie on disk, counted and hashed as they pass.

    Parameters
    ----------
    file : binary file
    path : str
    before : stat_result, optional
        What the file was when it was opened; it must be the same at the end.
    limit : int, optional
        Only so many bytes are read, and what comes after them may change.
    """

    def __init__(
        self,
        file: BinaryIO | io.FileIO,
        path: str,
        before: os.stat_result | None,
        limit: int | None = None,
    ) -> None:
        self._file, self._path = file, path
        self._before = before if limit is None else None
        self._left = limit
        self.name = show_path(path)
        self._ahead = b""
        self._sha256 = hashlib.sha256()
        self._size = 0

    def peek(self, size: int) -> bytes:
        """Return the first `size` bytes, without taking them; before any `read`."""
        while len(self._ahead) < size and (more := self._take(size - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def _take(self, size: int) -> bytes:
        if self._left is None:
            return self._file.read(size) or b""
        data = self._file.read(min(size, self._left)) or b""
        self._left -= len(data)
        return data

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._take(size)
        self._sha256.update(data)
        self._size += len(data)
        if self._before is not None and self._size > self._before.st_size:
            raise CorpusError(self._changed())  # at once: it may grow faster than it is read
        return data

    def digest_at(self, size: int) -> str:
        """Read on to byte `size`, and return the SHA-256 of all bytes before it."""
        while self._size < size and self.read(min(CHUNK, size - self._size)):
            pass
        return self._sha256.hexdigest()

    def finish(self) -> Source:
        """Read what is left, and make sure that the file is the one that was opened."""
        while self.read(CHUNK):
            pass
        before = self._before
        if before is not None:
            after = os.fstat(self._file.fileno())
            changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
            if changed or self._size != before.st_size:
                raise CorpusError(self._changed())
        return Source(self._path, self._sha256.hexdigest(), self._size)

    def _changed(self) -> str:
        return f"{self.name} changed while it was read: run again when nothing writes to it"


@contextmanager
def open_source(
    path: str, stdin: BinaryIO | None = None, limit: int | None = None
) -> Iterator[RawFile]:
    """Open a regular file for reading, or what came from standard input; say what else it is.

    With `limit`, only so many bytes of a file are read.
    """
    try:
        if stdin is not None:
            yield RawFile(stdin, path, None)
            return
        _refuse_special(path, Path(path).stat().st_mode)
        # Should a pipe have taken the file's place meanwhile, opening it must not wait.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            _refuse_special(path, before.st_mode)
            yield RawFile(file, path, before, limit)
    except OSError as error:
        raise CorpusError(_os_message(path, error)) from None


def _refuse_special(path: str, mode: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(mode))
    if kind is not None:
        raise CorpusError(
            f"{show_path(path)} is {kind}, not a text file: name a file, "
            "or send the text to standard input and name -"
        )


def _os_message(path: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{show_path(path)} cannot be read ({reason}): check the name and its permissions"


def hash_file(path: str, limit: int | None = None) -> Source:
    """Return a file's size and SHA-256, or those of its first bytes; CorpusError if unreadable."""
    with open_source(path, limit=limit) as raw:
        return raw.finish()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def compression(head: bytes) -> str | None:
    """Name what a file is compressed with, from its first bytes."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else None


class Content:
    """What a file holds, decompressed as it is read.

    Attributes
    ----------
    size : int
        Bytes that were read so far.
    """

    def __init__(self, raw: RawFile, findings: Findings | None = None) -> None:
        self._name = raw.name
        self._kind = compression(raw.peek(HEAD))
        self.size = 0
        expected = _SUFFIXES.get(Path(raw.name).suffix.lower())
        if expected is not None and self._kind is None:
            raise CorpusError(
                f"{raw.name} is not {expected}, though its name says so: "
                "get it again or, if it is plain text, rename it"
            )
        if self._kind != expected and findings is not None:
            findings.add(f"compressed with {self._kind}, read as such", raw.name)
        file = cast(Any, raw)
        openers: dict[str | None, Callable[[], _Readable]] = {
            None: lambda: raw,
            "gzip": lambda: gzip.GzipFile(fileobj=file, mode="rb"),
            "bzip2": lambda: bz2.BZ2File(file),
            "xz": lambda: lzma.LZMAFile(file),  # noqa: SIM115
        }
        self._file = openers[self._kind]()

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only before the end."""
        try:
            data = self._file.read(size)
        except EOFError:
            raise CorpusError(
                f"{self._name}: the {self._kind} archive is cut short: get the whole file"
            ) from None
        except (OSError, zlib.error, lzma.LZMAError) as error:
            if self._kind is None:
                raise
            raise CorpusError(
                f"{self._name}: the {self._kind} archive is damaged ({error}): get it again"
            ) from None
        self.size += len(data)
        return data
