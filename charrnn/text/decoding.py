"""From the bytes of a file to code points, chunk by chunk: encodings, marks, line ends."""

import codecs
import unicodedata
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.guessing import (
    BOMS,
    HANGUL,
    is_mostly_utf8,
    looks_binary,
    suggest_encodings,
    surrogate_at,
    wide_pattern,
)
from charrnn.text.vocabulary import Codes, Normalize, Normalizer, Unit, to_codes

Newlines = Literal["keep", "lf"]

_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_CUT_SHORT = {"unexpected end of data", "truncated data", "incomplete multibyte sequence"}


@dataclass(frozen=True)
class TextOptions:
    """How bytes become the text that is trained on; `read_corpus` explains each field.

    Raises
    ------
    ConfigError
        If a value is unknown or two of them contradict each other.
    """

    encoding: str = "utf-8"
    newlines: Newlines = "keep"
    normalize: Normalize = "none"
    unit: Unit = "char"

    def __post_init__(self) -> None:
        for name, choices in (("newlines", Newlines), ("normalize", Normalize), ("unit", Unit)):
            value = getattr(self, name)
            if value not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ConfigError(f"--{name} {value!r} is unknown: choose one of {known}")
        if self.unit == "byte" and self.normalize != "none":
            raise ConfigError(f"--normalize {self.normalize} needs characters: use --unit char")
        # One name for each codec, so that UTF8 and utf-8 share a cache.
        object.__setattr__(self, "encoding", _codec_name(self.encoding))


def _codec_name(encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        usable = codec._is_text_encoding and codec.name not in _NOT_FOR_FILES
    except (LookupError, ValueError):
        usable = False
    if not usable:
        raise ConfigError(
            f"--encoding {encoding!r} is unknown: common ones are utf-8, utf-16, cp949, euc-kr, "
            "shift_jis, gb18030, big5, latin-1, cp1252"
        )
    return codec.name


@dataclass
class Findings:
    """What the user should be told about the text, gathered over all files of a corpus."""

    crlf: int = 0
    lf: int = 0
    cr: int = 0
    nul: int = 0
    composed: bool = False
    decomposed: bool = False
    _named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, message: str, name: str) -> None:
        """Note `message` about the file `name`; equal messages become one line."""
        self._named.setdefault(message, []).append(name)

    def lines(self, options: TextOptions) -> tuple[str, ...]:
        """All that was found, one line each."""
        lines = []
        for message, names in self._named.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"{names[0]}{more}: {message}")
        if (self.crlf or self.cr) and options.newlines == "keep":
            ends = (("CR LF", self.crlf), ("LF", self.lf), ("CR", self.cr))
            counts = ", ".join(f"{count:,} {name}" for name, count in ends if count)
            lines.append(f"line ends: {counts}; --newlines lf makes every one a single LF")
        if self.nul and options.unit == "char":
            lines.append(f"the text holds {self.nul:,} NUL characters (U+0000), kept as they are")
        if self.composed and self.decomposed:
            lines.append(
                "the same letters are written composed (NFC) and decomposed (NFD); "
                "--normalize nfc makes them one"
            )
        return tuple(lines)

    def note_forms(self, codes: Codes) -> None:
        """Look for composed letters and for sequences that could be composed."""
        if not self.composed:
            ranges = ((0xC0, 0x1FFF), (0x304C, 0x30FE), HANGUL)
            found = np.unique(codes[np.flatnonzero(_within(codes, *ranges))[:10_000]])
            self.composed = any(len(unicodedata.normalize("NFD", chr(c))) > 1 for c in found)
        if not self.decomposed and codes.itemsize > 1:
            marks = _within(codes[1:], (0x300, 0x36F), (0x1161, 0x1175), (0x3099, 0x309A))
            where = np.flatnonzero(marks)[:10_000]
            pairs = {(chr(a) + chr(b)) for a, b in zip(codes[where], codes[where + 1], strict=True)}
            self.decomposed = any(len(unicodedata.normalize("NFC", pair)) == 1 for pair in pairs)


def _within(codes: Codes, *ranges: tuple[int, int]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(codes.shape, np.bool_)
    for low, high in ranges:
        if low <= np.iinfo(codes.dtype).max:
            inside |= (codes >= low) & (codes <= min(high, np.iinfo(codes.dtype).max))
    return inside


class LineEnds:
    """Counts line ends and, with `lf`, turns CR LF and CR into LF, whatever the chunk borders."""

    def __init__(self, lf: bool) -> None:
        self._lf = lf
        self.held = ""
        self.crlf_count = self.lf_count = self.cr_count = 0

    @property
    def total(self) -> int:
        """Line ends seen so far."""
        return self.crlf_count + self.lf_count + self.cr_count

    def feed(self, text: str, final: bool = False) -> str:
        """Return what can be said of `text`: a CR at its end waits for what follows it."""
        text, self.held = self.held + text, ""
        if text.endswith("\r") and not final:
            text, self.held = text[:-1], "\r"
        feeds = text.count("\n")
        if "\r" not in text:
            self.lf_count += feeds
            return text
        pairs = text.count("\r\n")
        self.crlf_count += pairs
        self.lf_count += feeds - pairs
        self.cr_count += text.count("\r") - pairs
        return text.replace("\r\n", "\n").replace("\r", "\n") if self._lf else text


class TextDecoder:
    """Turns the bytes of one file into code points, chunk by chunk.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    head : bytes
        Its first few thousand bytes, which decide what a byte-order mark says.
    options : TextOptions
    findings : Findings
        Collects what the user should be told.
    """

    def __init__(self, name: str, head: bytes, options: TextOptions, findings: Findings) -> None:
        self._name, self._options, self._findings = name, options, findings
        self._codec = "latin-1" if options.unit == "byte" else self._choose_codec(head)
        self._decoder = codecs.getincrementaldecoder(self._codec)()
        self._ends = LineEnds(options.newlines == "lf")
        form = options.normalize
        self._normalizer = None if form == "none" else Normalizer(form)
        self._bytes = self._characters = 0
        self._at_start, self._not_ascii = True, False
        self._previous = b""

    def feed(self, data: bytes, final: bool = False) -> Codes:
        """Return the code points that are certain by now; `final` with the last bytes.

        Raises
        ------
        CorpusError
            If `data` is not in the encoding; names the byte (from 0), the line (from 1) and
            the encodings that would fit.
        """
        text = self._decode(data, final)
        if self._at_start and text:
            text = self._drop_bom(text)
        text = self._ends.feed(text, final)
        if "\0" in text:  # far faster than counting
            self._findings.nul += text.count("\0")
        if self._normalizer is not None:
            text = self._normalizer.feed(text) + (self._normalizer.flush() if final else "")
        codes = self._to_codes(text)
        if final:
            self._findings.crlf += self._ends.crlf_count
            self._findings.lf += self._ends.lf_count
            self._findings.cr += self._ends.cr_count
        return codes

    def _choose_codec(self, head: bytes) -> str:
        asked = self._options.encoding
        marked = next((codec for bom, codec in BOMS if head.startswith(bom)), None)
        if asked == "utf-8":
            wide = None if marked else wide_pattern(head)
            if wide is not None:
                raise CorpusError(
                    f"{self._name} is full of NUL bytes and reads as {wide}: add --encoding {wide}"
                )
            if marked not in (None, "utf-8"):
                self._findings.add(f"has a byte-order mark: read as {marked}", self._name)
            return marked or asked
        if asked in ("utf-16", "utf-32"):
            if marked is not None and marked.startswith(asked):
                return marked
            wide = wide_pattern(head)
            chosen = wide if wide and wide.startswith(asked) else f"{asked}-le"
            self._findings.add(f"has no byte-order mark: read as {chosen}", self._name)
            return chosen
        if marked is not None and not asked.startswith(("utf", "gb18030")):
            self._findings.add(
                f"begins with the byte-order mark of {marked} but is read as {asked}; "
                "leave out --encoding to follow the mark",
                self._name,
            )
        return asked

    def _decode(self, data: bytes, final: bool) -> str:
        pending = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(data, final)
        except UnicodeError as error:
            raise CorpusError(self._explain(pending + data, error, final, len(pending))) from None
        self._bytes += len(data)
        self._previous = data
        self._not_ascii = self._not_ascii or not text.isascii()
        return text

    def _drop_bom(self, text: str) -> str:
        self._at_start = False
        if not text.startswith("\ufeff"):
            return text
        if self._codec == self._options.encoding:  # otherwise the mark has been spoken of
            self._findings.add("byte-order mark (BOM) removed", self._name)
        return text[1:]

    def _to_codes(self, text: str) -> Codes:
        try:
            codes = to_codes(text)
        except UnicodeEncodeError as error:
            where, code = self._characters + error.start, ord(text[error.start])
            raise CorpusError(
                f"{self._name}: character {where:,} is a lone surrogate (U+{code:04X}), half of a "
                "pair: repair the text"
            ) from None
        self._characters += len(codes)
        plain = self._options.unit == "byte" or self._options.normalize != "none"
        if not plain and not text.isascii():
            self._findings.note_forms(codes)
        return codes

    def _explain(self, data: bytes, error: UnicodeError, final: bool, pending: int) -> str:
        """Say in one line where `data`, of which `pending` bytes came earlier, went wrong."""
        start = getattr(error, "start", 0)
        reason = getattr(error, "reason", str(error))
        before = LineEnds(lf=False)
        before.feed(self._ends.held + data[:start].decode(self._codec, "replace"), final=True)
        line = 1 + self._ends.total + before.total
        where = f"byte {self._bytes - pending + start} (line {line})"
        shown = self._codec.upper() if self._codec.startswith("utf") else self._codec
        surrogate = surrogate_at(data, start, self._codec)
        if surrogate is not None:
            return (
                f"{self._name}: {where} is a lone surrogate (U+{surrogate:04X}), half of a pair: "
                "repair the text, or train with --unit byte"
            )
        context = self._previous[: len(self._previous) - pending]
        data, start = context + data, len(context) + start
        line_start = max(data.rfind(b"\n", 0, start), data.rfind(b"\r", 0, start)) + 1
        fits = suggest_encodings(data[line_start:], data, self._codec, final)
        if final and reason in _CUT_SHORT:
            rest = len(data) - start
            other = f"; if it is {fits[0]}, add --encoding {fits[0]}" if fits else ""
            return (
                f"{self._name}: the file ends in the middle of a {shown} character at {where}: "
                f"get the whole file, or remove its last {rest} byte{'s' if rest > 1 else ''}"
                + ("" if self._not_ascii else other)
            )
        if self._codec == "utf-8" and (self._not_ascii or is_mostly_utf8(data, start)):
            return (
                f"{self._name}: {where} is not UTF-8, though the text around it is: repair or "
                "remove the damaged bytes, or train with --unit byte"
            )
        wrong = f"{self._name}: {where} is not {shown}"
        if fits and fits[0] == "utf-8":
            return f"{wrong}; the file reads as UTF-8: leave out --encoding"
        if fits:
            return f"{wrong}; the file reads as {' or '.join(fits)}: add --encoding {fits[0]}"
        what = "it looks like binary data" if looks_binary(data) else "no common encoding fits"
        return f"{wrong}; {what}: name a text file, or train on its bytes with --unit byte"
