"""Lines of a live stream, decoded as they arrive, so that memory use does not grow."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from charrnn.config import STDIN, TextConfig
from charrnn.errors import CorpusError
from charrnn.text.choosing import first_codec
from charrnn.text.codes import LINE_END, Codes
from charrnn.text.decoding import Findings, Misfit, TextDecoder
from charrnn.text.files import CHUNK, no_text_in
from charrnn.text.guessing import binary_message
from charrnn.text.sources import show_path
from charrnn.text.unpacking import compression


class Arriving(Protocol):
    """A file whose ``read1`` waits for data and returns what is available."""

    def read1(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""


class ArrivingLines:
    """Yields pieces of a text as they arrive; each has only whole lines.

    Parameters
    ----------
    file : binary file
        The stream.
    options : TextConfig
        How to read it. If the encoding is "auto", only the first bytes can decide; the default is
        UTF-8.
    at_least : int
        Fewest symbols of a piece, except the last.

    Raises
    ------
    CorpusError
        During iteration, if the stream is empty, compressed, not text, or not in the encoding.
    """

    def __init__(self, file: Arriving, options: TextConfig, *, at_least: int = 1) -> None:
        self._file, self._options, self._at_least = file, options, at_least
        self._findings = Findings()

    @property
    def notices(self) -> tuple[str, ...]:
        """Notices about what was read so far, one line each."""
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
                    f"{error}; a stream cannot be read again: name its --encoding, or read it with "
                    "--errors replace"
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
                f"{name} is compressed with {kind}: decompress it first, or name the file"
            )
        if self._options.unit == "byte":
            return TextDecoder(name, "", self._options, self._findings)
        if problem := binary_message(name, head):
            raise CorpusError(problem)
        codec, _ = first_codec(name, head, self._options, self._findings)
        return TextDecoder(name, codec, self._options, self._findings)
