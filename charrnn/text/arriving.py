"""Lines of a text that arrives: decoded as they come, so that a stream takes no memory."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.choosing import first_codec
from charrnn.text.codes import LINE_END, Codes
from charrnn.text.decoding import Findings, Misfit, TextDecoder
from charrnn.text.files import CHUNK, no_text_in
from charrnn.text.guessing import binary_message
from charrnn.text.sources import STDIN, show_path
from charrnn.text.unpacking import compression


class Arriving(Protocol):
    """A file whose ``read1`` waits for something, and for no more than there is."""

    def read1(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""


class ArrivingLines:
    """Yields pieces of a text as they arrive, each of whole lines.

    Parameters
    ----------
    file : binary file
        What arrives.
    options : TextConfig
        How it is read. An encoding that is left open is what the first bytes say, else UTF-8: the
        rest is not there yet.
    at_least : int
        Symbols that a piece should have, where it may wait for them.

    Raises
    ------
    CorpusError
        While it is read: if it is empty, compressed, no text, or not in the encoding.
    """

    def __init__(self, file: Arriving, options: TextConfig, *, at_least: int = 1) -> None:
        self._file, self._options, self._at_least = file, options, at_least
        self._findings = Findings()

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should be told of what was read so far, one line each."""
        return self._findings.lines(self._options)

    def __iter__(self) -> Iterator[Codes]:
        parts: list[Codes] = []
        size, ended, empty = 0, 0, True
        for codes in self._decoded():
            ends = np.flatnonzero(codes == LINE_END)
            if len(ends):
                ended = size + int(ends[-1]) + 1
            parts.append(codes)
            empty = False
            size += len(codes)
            if ended >= self._at_least:
                whole = np.concatenate(parts)
                yield whole[:ended]
                parts, size, ended = [whole[ended:]], size - ended, 0
        if size:
            yield np.concatenate(parts)
        elif empty:
            raise no_text_in([STDIN])

    def _decoded(self) -> Iterator[Codes]:
        head = self._file.read1(CHUNK)
        decoder = self._decoder(head)
        data = head
        while True:
            try:
                codes = decoder.feed(data, final=not data)
            except Misfit as error:
                raise CorpusError(
                    f"{error}; what arrives cannot be read again: name its --encoding, or read it "
                    "with --errors replace"
                ) from None
            if len(codes):
                yield codes
            if not data:
                return
            data = self._file.read1(CHUNK)

    def _decoder(self, head: bytes) -> TextDecoder:
        name = show_path(STDIN)
        kind = compression(head)
        if kind is not None:
            raise CorpusError(
                f"{name} is compressed with {kind}: unpack it first, or name the file"
            )
        if self._options.unit == "byte":
            return TextDecoder(name, "", self._options, self._findings)
        if problem := binary_message(name, head):
            raise CorpusError(problem)
        codec, _ = first_codec(name, head, self._options, self._findings)
        return TextDecoder(name, codec, self._options, self._findings)
