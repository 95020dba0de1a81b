"""A file of a corpus on disk: opened, counted, hashed and checked for changes."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from charrnn.errors import CorpusError
from charrnn.system.files import SpecialFileError, open_regular
from charrnn.text.sources import Source, show_path

CHUNK = 1 << 18
"""Bytes read at once; they fit in the processor's cache."""
HEAD = 4096
"""Bytes from which the kind of a file is recognized."""


class RawFile:
    """The bytes of a file on disk, counted and hashed as they are read.

    Parameters
    ----------
    file : binary file
    path : str
    before : stat_result, optional
        The status of the file when it was opened; it must be the same at the end.
    limit : int, optional
        Read only this many bytes; what follows them may change.
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
        """Return the first `size` bytes without consuming them; only before any `read`."""
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
            raise CorpusError(self._changed())  # now, as the file may grow faster than it is read
        return data

    def digest_at(self, size: int) -> str:
        """Read up to byte `size` and return the SHA-256 of all bytes before it."""
        while self._size < size and self.read(min(CHUNK, size - self._size)):
            pass
        return self._sha256.hexdigest()

    def finish(self) -> Source:
        """Read the rest, and check that the file did not change since it was opened."""
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
        return f"{self.name} changed while it was being read: run again when nothing writes to it"


@contextmanager
def open_source(
    path: str, stdin: BinaryIO | None = None, limit: int | None = None
) -> Iterator[RawFile]:
    """Open a regular file, or the bytes of standard input; anything else is an error.

    With `limit`, only that many bytes of a file are read.
    """
    try:
        if stdin is not None:
            yield RawFile(stdin, path, None)
            return
        with os.fdopen(open_regular(path), "rb", buffering=0) as file:
            yield RawFile(file, path, os.fstat(file.fileno()), limit)
    except SpecialFileError as error:
        raise CorpusError(
            f"{show_path(path)} is {error.kind}, not a text file: name a file, or use - to read "
            "the text from standard input"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: OSError) -> CorpusError:
    """Return the error for a file or folder that cannot be read."""
    reason = error.strerror or str(error)
    return CorpusError(
        f"{show_path(path)} cannot be read ({reason}): check the name and its permissions"
    )


def no_text_in(paths: Sequence[str]) -> CorpusError:
    """Return the error for files that are all empty."""
    name = show_path(paths[0]) if len(paths) == 1 else f"each of {len(paths)} files"
    return CorpusError(f"{name} is empty: name a file with text")


def hash_file(path: str, limit: int | None = None) -> Source:
    """Return the size and SHA-256 of a file or of its first bytes; CorpusError if unreadable."""
    with open_source(path, limit=limit) as raw:
        return raw.finish()
