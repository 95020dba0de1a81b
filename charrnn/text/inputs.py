"""The inputs of a corpus, which can be read more than once: files, or standard input."""

import gzip
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from charrnn.errors import CorpusError
from charrnn.text.files import CHUNK, RawFile, open_source
from charrnn.text.sources import Source, show_path

STDIN_MEMORY = 64 << 20
"""Most bytes of standard input kept in memory; more go to a temporary file."""


@dataclass(frozen=True)
class Input:
    """A file that can be opened again.

    Attributes
    ----------
    path : str
        Absolute, or ``STDIN`` or ``MEMORY``.
    encoding : str
        The encoding that it must be decoded with; "" if that is to be chosen.
    limit : int, optional
        Read only this many bytes.
    stdin : binary file, optional
        The bytes of an input that is not a file, from the beginning; it can be rewound.
    kept : Path, optional
        The gzip file with the stored bytes of standard input.
    expected : Source, optional
        The recorded source; the content must be the same when it is read.
    """

    path: str
    encoding: str = ""
    limit: int | None = None
    stdin: BinaryIO | None = None
    kept: Path | None = None
    expected: Source | None = None

    @contextmanager
    def open(self) -> Iterator[RawFile]:
        """Open it at the beginning."""
        if self.kept is not None:
            with open_source(str(self.kept)) as outer:
                most = None if self.expected is None else self.expected.size
                unpacked = _Unpacked(outer, most)
                yield RawFile(cast(BinaryIO, unpacked), self.path, None)
            return
        if self.stdin is not None:
            self.stdin.seek(0)
        with open_source(self.path, self.stdin, self.limit) as raw:
            yield raw

    def size(self) -> int:
        """Return its size in bytes; OSError if that is not known."""
        if self.expected is not None:
            return self.expected.size
        if self.stdin is not None:
            return self.stdin.seek(0, 2)
        return Path(self.path).stat().st_size

    def hash(self) -> Source:
        """Return its size and SHA-256."""
        with self.open() as raw:
            return self.checked(raw.finish())

    def checked(self, source: Source) -> Source:
        """Return `source`; CorpusError if it is not the expected one."""
        was = self.expected
        if was is not None and (was.size, was.sha256) != (source.size, source.sha256):
            if self.kept is not None:
                raise _another(show_path(self.kept))
            raise CorpusError(
                "the corpus changed while it was being read: run again when nothing writes to it"
            )
        return source


def _another(name: str) -> CorpusError:
    return CorpusError(
        f"{name}, the copy of standard input, is not the text of this run: use another copy of the "
        "run, or name the file"
    )


class _Unpacked:
    """The content of a gzip file, readable by ``RawFile``.

    Parameters
    ----------
    outer : RawFile
    most : int, optional
        More bytes than this are an error: the file may be untrusted, and a small one may unpack to
        more than fits on a disk.
    """

    def __init__(self, outer: RawFile, most: int | None) -> None:
        self._name = outer.name
        self._left = None if most is None else most + 1
        self._file = gzip.GzipFile(fileobj=cast(BinaryIO, outer), mode="rb")

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        if self._left is not None:
            size = min(size, self._left)
        try:
            data = self._file.read(size)
        except (EOFError, OSError, zlib.error) as error:
            raise CorpusError(
                f"{self._name}, the copy of standard input, is damaged ({error}): use another copy "
                "of the run, or train a new one"
            ) from None
        if self._left is not None:
            self._left -= len(data)
            if not self._left:
                raise _another(self._name)
        return data


class KeptInput(tempfile.SpooledTemporaryFile[bytes]):
    """The bytes of standard input, closed without a warning when no longer referenced."""

    def __del__(self) -> None:
        self.close()


def spool(stdin: BinaryIO | None) -> BinaryIO:
    """Read all of standard input, so that it can be read more than once.

    Bytes that were read before are returned as they are.
    """
    if isinstance(stdin, KeptInput):
        return cast(BinaryIO, stdin)
    if stdin is None:
        if sys.stdin is None or sys.stdin.closed:
            raise CorpusError("standard input (-) is closed: name a file")
        stdin = sys.stdin.buffer
    kept = KeptInput(max_size=STDIN_MEMORY)
    try:
        while data := stdin.read(CHUNK):
            kept.write(data)
            if len(data) < CHUNK and stdin.isatty():
                break  # otherwise typed input would have to be ended twice
        kept.seek(0)
    except OSError as error:
        kept.close()
        reason = error.strerror or str(error)
        raise CorpusError(
            f"standard input cannot be read or stored ({reason}): free some space in "
            f"{tempfile.gettempdir()}, or name a file"
        ) from None
    except BaseException:
        kept.close()
        raise
    return cast(BinaryIO, kept)
