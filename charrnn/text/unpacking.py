"""Compressed files (gzip, bzip2, xz), recognized by content and decompressed as they are read."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from charrnn.errors import CorpusError
from charrnn.text.decoding import Findings
from charrnn.text.files import HEAD, RawFile

_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
_BZIP2_BLOCKS = (
    b"1AY&SY",
    b"\x17rE8P\x90",
)  # a text may begin with BZh, but not continue like this


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def compression(head: bytes) -> str | None:
    """Return the compression of a file from its first bytes, or None."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else None


class Content:
    """The content of a file, decompressed as it is read.

    Attributes
    ----------
    size : int
        Bytes read so far.
    """

    def __init__(self, raw: RawFile, findings: Findings | None = None) -> None:
        self._name = raw.name
        self._kind = compression(raw.peek(HEAD))
        self.size = 0
        expected = _SUFFIXES.get(Path(raw.name).suffix.lower())
        if expected is not None and self._kind is None:
            raise CorpusError(
                f"{raw.name} is not a {expected} file, although its name says so: download it "
                "again or, if it is plain text, rename it"
            )
        if self._kind != expected and findings is not None:
            findings.add(f"compressed with {self._kind}, and decompressed", raw.name)
        file = cast(Any, raw)
        openers: dict[str | None, Callable[[], _Readable]] = {
            None: lambda: raw,
            "gzip": lambda: gzip.GzipFile(fileobj=file, mode="rb"),
            "bzip2": lambda: bz2.BZ2File(file),
            "xz": lambda: lzma.LZMAFile(file),  # noqa: SIM115
        }
        self._file = openers[self._kind]()

    def read(self, size: int) -> bytes:
        """Return `size` bytes; fewer only at the end."""
        try:
            data = self._file.read(size)
        except EOFError:
            raise CorpusError(
                f"{self._name}: the {self._kind} file is truncated: get the whole file"
            ) from None
        except (OSError, zlib.error, lzma.LZMAError) as error:
            if self._kind is None:
                raise
            raise CorpusError(
                f"{self._name}: the {self._kind} file is damaged ({error}): download it again"
            ) from None
        self.size += len(data)
        return data
