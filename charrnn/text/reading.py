"""Reading one file of a corpus in the encoding that fits, and appending it to the text."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import files
from charrnn.text.cache import CodesWriter
from charrnn.text.choosing import Utf8Watch, explain, first_codec, next_codec
from charrnn.text.codes import LINE_END, Codes, utf8_length
from charrnn.text.columns import cells_of
from charrnn.text.decoding import Findings, Misfit, TextDecoder
from charrnn.text.guessing import binary_message
from charrnn.text.inputs import Input
from charrnn.text.sources import Source
from charrnn.text.surveying import Survey, survey
from charrnn.text.unpacking import Content

_LINE_ENDS = (ord("\r"), LINE_END)


class Added(NamedTuple):
    """What a file has added to a text.

    Attributes
    ----------
    source : Source
    begin : int, optional
        The index of its first character in the text; None if it is empty.
    num_bytes : int
        UTF-8 bytes of its characters, and of the newline before them if one was added.
    file_bytes : int
        Its bytes, decompressed but not decoded.
    last : int
        The code that the text ends with.
    """

    source: Source
    begin: int | None
    num_bytes: int
    file_bytes: int
    last: int


def read_file(
    file: Input, options: TextConfig, writer: CodesWriter, last: int, findings: Findings
) -> Added:
    """Read a file and append it to the text that a writer has collected.

    Parameters
    ----------
    file : Input
        The file to read.
    options : TextConfig
        How to read it. An encoding of ``file`` takes precedence over ``encoding``.
    writer : CodesWriter
        Receives the codes.
    last : int
        The code that the text ends with; a newline is added after anything but a newline.
    findings : Findings
        Collects notices for the user.

    Raises
    ------
    CorpusError
        If the file cannot be read or decoded.
    """
    return _Reading(file, options, writer, last).read(findings)


class _Reading:
    """Reads one file, and again if it turns out to be in another encoding."""

    def __init__(self, file: Input, options: TextConfig, writer: CodesWriter, last: int) -> None:
        self._file, self._options, self._writer = file, options, writer
        self._before = last
        self._mark = writer.mark()

    def read(self, findings: Findings) -> Added:
        """Read the file in the encoding that fits, and add its notices to `findings`."""
        found = Findings()
        try:
            added = self._attempt(None, found)
        except CorpusError as error:
            if self._file.expected is not None:
                self._file.hash()  # if the content changed, report that instead
            if not isinstance(error, Misfit):
                raise
            surveyed = self._survey()
            if self._is_sure:
                raise explain(error, surveyed, self._options) from None
            found = Findings()
            codec = next_codec(error, surveyed, self._options, found)
            self._writer.rewind(self._mark)
            added = self._attempt(codec, found)
        findings.merge(found)
        return added

    def _attempt(self, codec: str | None, findings: Findings) -> Added:
        """Read the whole file as `codec`, or as its first bytes suggest."""
        options, writer = self._options, self._writer
        begin, last = None, self._before
        num_bytes = 0
        with self._file.open() as raw:
            content = Content(raw, findings)
            head = content.read(files.HEAD)
            problem = binary_message(raw.name, head) if options.unit == "char" else None
            if problem:
                raise CorpusError(problem)
            strict = False
            self._is_sure = True
            if options.unit == "byte":
                codec = ""
            elif codec is None and self._file.encoding:
                codec = self._file.encoding
            elif codec is None:
                codec, self._is_sure = first_codec(raw.name, head, options, findings)
                strict = not self._is_sure
            watch = Utf8Watch(raw.name, codec, options, findings)
            decoder = TextDecoder(raw.name, codec, options, findings, strict=strict)
            pieces = _decoded(head, content, decoder, watch)
            if options.column is not None:
                pieces = cells_of(
                    pieces, options.column, raw.name, options.errors, findings, options.unit
                )
            for codes in pieces:
                if begin is None:
                    if last not in _LINE_ENDS:
                        findings.add("a newline was added before it", raw.name)
                        writer.append(np.array([LINE_END], np.uint8))
                        num_bytes += 1
                    begin = writer.count
                writer.append(codes)
                num_bytes += len(codes) if options.unit == "byte" else utf8_length(codes)
                last = int(codes[-1])
            source = replace(self._file.checked(raw.finish()), encoding=codec)
        return Added(source, begin, num_bytes, content.size, last)

    def _survey(self) -> Survey:
        with self._file.open() as raw:
            content = Content(raw)
            return survey(iter(lambda: content.read(files.CHUNK), b""))


def _decoded(
    head: bytes, content: Content, decoder: TextDecoder, watch: Utf8Watch
) -> Iterator[Codes]:
    """Yield the text of a file in non-empty pieces."""
    for data, final in _pieces(head, content):
        codes = decoder.feed(data, final)
        watch.feed(data, final)
        if len(codes):
            yield codes


def _pieces(head: bytes, content: Content) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes of a file in chunks, each with whether it is the last; that one is empty."""
    for start in range(0, len(head), files.CHUNK):
        yield head[start : start + files.CHUNK], False
    while data := content.read(files.CHUNK):
        yield data, False
    yield b"", True
