"""Codes of a large corpus in a memory-mapped file, so that the text need not fit in memory.

An entry is two files, `corpus-KEY.codes`, the bare array, and `corpus-KEY.json`, its header. KEY is
a hash of the content of the sources and of the options. Both files are written under a temporary
name and renamed when complete, the header last: an entry without a valid header is ignored.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import numpy as np

from charrnn.errors import CorpusError
from charrnn.text.codes import Codes

FORMAT = 3
MEMORY_LIMIT = 64 << 20
"""Most bytes of codes that are kept in memory; more go to the cache, if there is one."""
BLOCK = 1 << 20
"""Codes copied at once."""

_OURS = re.compile(r"corpus-([0-9a-f]{16}\.(codes|json)|\w{8}\.tmp)")


@dataclass(frozen=True)
class Header:
    """The header of a cache entry: where its codes come from, and how to map them."""

    sources: list[dict[str, Any]]
    starts: list[int]
    options: dict[str, Any]
    dtype: str
    count: int
    num_bytes: int
    file_bytes: int
    notices: list[str]
    format: int = FORMAT

    @property
    def counts(self) -> tuple[int, int, int]:
        """The totals of the entry: codes, bytes of text, bytes of the files."""
        return self.count, self.num_bytes, self.file_bytes

    @property
    def encodings(self) -> list[str]:
        """The encoding of each source."""
        return [source["encoding"] for source in self.sources]

    @property
    def sizes(self) -> list[int]:
        """The size of each source in bytes."""
        return [source["size"] for source in self.sources]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the header in `path`; None if it is missing, damaged or of another format."""
        try:
            header = cls(**json.loads(path.read_text("utf-8")))
            valid = (
                header.format == FORMAT
                and header.dtype in ("uint8", "uint16", "uint32")
                and all(type(n) is int and n > 0 for n in header.counts)
                and all(type(source["encoding"]) is str for source in header.sources)
                and all(type(size) is int for size in header.sizes)
                and len(header.starts) == len(header.sources)
                and header.starts[:1] == [0]
                and all(type(start) is int for start in header.starts)
                and all(a <= b for a, b in pairwise([*header.starts, header.count]))
                and all(isinstance(notice, str) for notice in header.notices)
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return header if valid else None


def may_hold(folder: Path, options: dict[str, Any], sizes: list[int]) -> bool:
    """Whether any entry has these options and sources of these sizes.

    Only then is it worth hashing the sources to compare them.
    """
    headers = (Header.read(path) for path in folder.glob("corpus-*.json"))
    return any(h is not None and h.options == options and h.sizes == sizes for h in headers)


def load(folder: Path, key: str) -> tuple[Codes, Header] | None:
    """Map the entry `key`; None if it is missing or incomplete."""
    header = Header.read(folder / f"corpus-{key}.json")
    path = folder / f"corpus-{key}.codes"
    if header is None:
        return None
    dtype = np.dtype(header.dtype)
    try:
        if path.stat().st_size != header.count * dtype.itemsize:
            return None
        return np.memmap(path, dtype, "r", shape=(header.count,)), header
    except OSError:
        return None


def cache_size(cache_dir: str | Path) -> int:
    """Return the bytes of the cache files in `cache_dir`, which may be missing."""
    total = 0
    for path in _cache_files(cache_dir):
        with suppress(OSError):  # removed in the meantime
            total += path.lstat().st_size
    return total


def remove_cache(cache_dir: str | Path) -> int:
    """Delete the cache files in `cache_dir`, and only those; return the bytes freed.

    Raises
    ------
    CorpusError
        If a cache file cannot be deleted.
    """
    freed = 0
    for path in _cache_files(cache_dir):
        with _explained(path.parent):
            size = path.lstat().st_size
            path.unlink()
            freed += size
    return freed


def _cache_files(cache_dir: str | Path) -> list[Path]:
    found = sorted(Path(cache_dir).glob("corpus-*"))
    return [path for path in found if _OURS.fullmatch(path.name) and path.is_file()]


@dataclass(frozen=True)
class Mark:
    """A position in the codes of a ``CodesWriter``."""

    count: int
    width: np.dtype[Any]


class CodesWriter:
    """Collects pieces of codes, first in memory and, above a limit, in a file in `folder`.

    The codes as a whole have the width of the widest piece, which is known only at the end. In
    memory, codes are widened when a wider piece is added; in the file, each run of pieces keeps
    its width until the end. Use it as a context manager, which removes temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.count = 0
        self._buffer = bytearray()  # grows in place, which an array cannot
        self._width: np.dtype[Any] = np.dtype(np.uint8)
        self._file: BinaryIO | None = None
        self._runs: list[tuple[np.dtype[Any], int]] = []
        self._temporary: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk may make even closing fail
                self._file.close()
        for path in self._temporary:
            path.unlink(missing_ok=True)

    def append(self, codes: Codes) -> None:
        """Append `codes (n,)`."""
        self.count += len(codes)
        if self._file is not None:
            assert self.folder is not None
            with _explained(self.folder):
                self._write(codes)
            return
        if codes.itemsize > self._width.itemsize:
            self._width, self._buffer = codes.dtype, bytearray(self.gather().astype(codes.dtype))
        self._buffer += codes.astype(self._width, copy=False).data
        if self.folder is not None and len(self._buffer) > MEMORY_LIMIT:
            with _explained(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._file = self._create(self.folder)
                self._write(self.gather())
            self._buffer = bytearray()

    def mark(self) -> "Mark":
        """Return the current position, for ``rewind``."""
        return Mark(self.count, self._width)

    def rewind(self, mark: "Mark") -> None:
        """Drop what was appended since `mark` was taken."""
        self.count = mark.count
        if self._file is None:
            kept = self.gather()[: mark.count].astype(mark.width)
            self._width, self._buffer = mark.width, bytearray(kept.tobytes())
            return
        runs, left, size = [], mark.count, 0
        for dtype, count in self._runs:
            count = min(count, left)
            if count:
                runs.append((dtype, count))
            left, size = left - count, size + count * dtype.itemsize
        self._runs = runs
        with _explained(cast(Path, self.folder)):
            self._file.seek(size)
            self._file.truncate()

    @property
    def in_memory(self) -> bool:
        """Whether all codes are in memory."""
        return self._file is None

    def gather(self) -> Codes:
        """Return all codes as one array; only while they are in memory."""
        return np.frombuffer(self._buffer, self._width)

    def store(self, key: str, header: dict[str, Any]) -> Codes:
        """Turn the file into the cache entry `key`, and return its memory-mapped codes.

        `header` holds the fields of `Header` except `dtype` and `count`.
        """
        assert self.folder is not None
        assert self._file is not None
        with _explained(self.folder):
            width = max((dtype for dtype, _ in self._runs), key=lambda dtype: dtype.itemsize)
            if any(dtype != width for dtype, _ in self._runs):
                self._widen(width)
            self._publish(self._file, f"corpus-{key}.codes")
            complete = Header(dtype=str(width), count=self.count, **header)
            note = self._create(self.folder)
            note.write(json.dumps(asdict(complete), indent=1).encode("ascii"))
            self._publish(note, f"corpus-{key}.json")
        entry = load(self.folder, key)
        if entry is None:
            raise CorpusError(
                f"{self.folder}: the corpus cache was removed while it was written: run the "
                "command again"
            )
        return entry[0]

    def _write(self, codes: Codes) -> None:
        assert self._file is not None
        self._file.write(codes.data)
        if self._runs and self._runs[-1][0] == codes.dtype:
            self._runs[-1] = (codes.dtype, self._runs[-1][1] + len(codes))
        else:
            self._runs.append((codes.dtype, len(codes)))

    def _widen(self, width: np.dtype[Any]) -> None:
        assert self.folder is not None
        assert self._file is not None
        narrow, self._file = self._file, self._create(self.folder)
        narrow.seek(0)
        for dtype, count in self._runs:
            for start in range(0, count, BLOCK):
                block = narrow.read(min(BLOCK, count - start) * dtype.itemsize)
                self._file.write(np.frombuffer(block, dtype).astype(width).data)
        narrow.close()

    def _create(self, folder: Path) -> BinaryIO:
        descriptor, name = tempfile.mkstemp(prefix="corpus-", suffix=".tmp", dir=folder)
        self._temporary.append(Path(name))
        return os.fdopen(descriptor, "w+b")

    def _publish(self, file: BinaryIO, name: str) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        path = self._temporary[-1]
        path.replace(path.with_name(name))


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{folder}: the corpus cache cannot be written ({error.strerror}): free some space "
            "there, or choose another folder for the run"
        ) from None
