"""Decoding the bytes of a file to code points, chunk by chunk: encoding, marks, newlines."""

import codecs
import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charrnn.config import TextConfig
from charrnn.config.words import listing
from charrnn.errors import CorpusError
from charrnn.text.codes import Codes, to_codes
from charrnn.text.guessing import HANGUL, surrogate_at
from charrnn.text.marking import FIRST_BAD, MARK_BAD, NEXT_BAD
from charrnn.text.normalizing import Normalizer

_CUT_SHORT = {"unexpected end of data", "truncated data", "incomplete multibyte sequence"}
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass
class Findings:
    """Notices about the text for the user, collected over all files of a corpus."""

    crlf: int = 0
    lf: int = 0
    cr: int = 0
    nul: int = 0
    composed: bool = False
    decomposed: bool = False
    _named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, message: str, name: str) -> None:
        """Add `message` about the file `name`; equal messages become one line."""
        self._named.setdefault(message, []).append(name)

    def merge(self, other: "Findings") -> None:
        """Add the findings of another file."""
        for name in ("crlf", "lf", "cr", "nul"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.composed |= other.composed
        self.decomposed |= other.decomposed
        for message, names in other._named.items():
            self._named.setdefault(message, []).extend(names)

    def lines(self, options: TextConfig) -> tuple[str, ...]:
        """All notices, one line each."""
        lines = []
        for message, names in self._named.items():
            lines.append(f"{listing(names, 1)}: {message}")
        if options.newlines == "lf" and (self.crlf or self.cr):
            changed = (("CR LF", self.crlf), ("CR", self.cr))
            counts = " and ".join(f"{count:,} {name}" for name, count in changed if count)
            lines.append(f"line endings: {counts} read as LF; use --newlines keep to keep them")
        elif (self.crlf or self.cr) and options.unit == "char":
            ends = (("CR LF", self.crlf), ("LF", self.lf), ("CR", self.cr))
            counts = ", ".join(f"{count:,} {name}" for name, count in ends if count)
            lines.append(f"line endings: {counts}; use --newlines lf to turn all of them into LF")
        if self.nul and options.unit == "char":
            lines.append(f"the text has {self.nul:,} NUL characters (U+0000), which are kept")
        if self.composed and self.decomposed:
            lines.append(
                "the text has both composed (NFC) and decomposed (NFD) letters; use --normalize "
                "nfc to unify them"
            )
        return tuple(lines)

    def note_forms(self, codes: Codes) -> None:
        """Detect composed letters, and sequences that could be composed."""
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
    """Counts newlines and, with `lf`, turns CR LF and CR into LF, also across chunks."""

    def __init__(self, lf: bool) -> None:
        self._lf = lf
        self.held = ""
        self.crlf_count = self.lf_count = self.cr_count = 0

    @property
    def total(self) -> int:
        """Newlines counted so far."""
        return self.crlf_count + self.lf_count + self.cr_count

    def feed(self, text: str, final: bool = False) -> str:
        """Return the converted text; a CR at the end is held back until the next chunk."""
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


class Misfit(CorpusError):
    """Bytes that cannot be decoded in the encoding that a file is read in.

    Attributes
    ----------
    name : str
        The file, as messages show it.
    where : str
        Byte (from 0) and line (from 1).
    codec : str
    rest : int
        Bytes of an incomplete character at the end of the file; 0 elsewhere.
    surrogate : int, optional
        The lone surrogate that the bytes encode, if they do.
    """

    def __init__(
        self, name: str, where: str, codec: str, rest: int = 0, surrogate: int | None = None
    ) -> None:
        self.name, self.where, self.codec = name, where, codec
        self.rest, self.surrogate = rest, surrogate
        super().__init__(f"{name}: {where} is not {show_codec(codec)}")


def show_codec(codec: str) -> str:
    """Return the name of an encoding as messages show it."""
    return codec.upper() if codec.startswith("utf") else codec


class TextDecoder:
    """Turns the bytes of one file into code points, chunk by chunk.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    codec : str
        The encoding; ignored for unit "byte".
    options : TextConfig
    findings : Findings
        Collects notices for the user.
    strict : bool
        Whether undecodable bytes are an error regardless of the options.
    """

    def __init__(
        self,
        name: str,
        codec: str,
        options: TextConfig,
        findings: Findings,
        *,
        strict: bool = False,
    ) -> None:
        self._name, self._options, self._findings = name, options, findings
        self._codec = "latin-1" if options.unit == "byte" else codec
        self._strict = strict or options.errors == "strict"
        errors = "strict" if self._strict else MARK_BAD
        self._decoder = codecs.getincrementaldecoder(self._codec)(errors)
        self._ends = LineEnds(options.newlines == "lf")
        form = options.normalize
        self._normalizer = None if form == "none" else Normalizer(form)
        self._bytes = self._characters = self._bad = 0
        self._at_start = True

    def feed(self, data: bytes, final: bool = False) -> Codes:
        """Return the code points that are final; `final` with the last bytes.

        Raises
        ------
        Misfit
            If `data` cannot be decoded and that is an error.
        CorpusError
            If the codec returns half of a surrogate pair.
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
            self._conclude()
        return codes

    def _conclude(self) -> None:
        """Add the counts of the file to the findings."""
        self._findings.crlf += self._ends.crlf_count
        self._findings.lf += self._ends.lf_count
        self._findings.cr += self._ends.cr_count
        if self._bad:
            many = self._bad > 1
            what = f"{self._bad:,} byte{'s' * many} that {'are' if many else 'is'} not "
            done = "replaced by U+FFFD" if self._options.errors == "replace" else "left out"
            self._findings.add(
                f"{what}{show_codec(self._codec)} {'were' if many else 'was'} {done}", self._name
            )

    def _decode(self, data: bytes, final: bool) -> str:
        pending = self._decoder.getstate()[0] if self._strict else b""
        try:
            text = self._decoder.decode(data, final)
        except UnicodeError as error:
            raise self._misfit(pending + data, error, final, len(pending)) from None
        self._bytes += len(data)
        if not self._strict and not text.isascii() and FIRST_BAD in text:
            self._bad += text.count(FIRST_BAD) + text.count(NEXT_BAD)
            # One U+FFFD per sequence of bytes, as decoders usually do.
            mark = "\ufffd" if self._options.errors == "replace" else ""
            text = text.replace(FIRST_BAD, mark).replace(NEXT_BAD, "")
        return text

    def _drop_bom(self, text: str) -> str:
        self._at_start = False
        if not text.startswith("\ufeff"):
            return text
        if self._codec == self._options.encoding or self._codec == "utf-8":
            # otherwise the byte-order mark has been reported already
            self._findings.add("byte-order mark (BOM) removed", self._name)
        return text[1:]

    def _to_codes(self, text: str) -> Codes:
        try:
            codes = to_codes(text)
        except UnicodeEncodeError as error:  # UTF-7 can encode half of a pair
            if not self._strict:
                mark = "\ufffd" if self._options.errors == "replace" else ""
                self._bad += len(_SURROGATES.findall(text))
                return self._to_codes(_SURROGATES.sub(mark, text))
            where, code = self._characters + error.start, ord(text[error.start])
            raise CorpusError(
                f"{self._name}: character {where:,} is a lone surrogate (U+{code:04X}), half of a "
                "pair: repair the text, or read it with --errors replace or --errors skip"
            ) from None
        self._characters += len(codes)
        plain = self._options.unit == "byte" or self._options.normalize != "none"
        if not plain and not text.isascii():
            self._findings.note_forms(codes)
        return codes

    def _misfit(self, data: bytes, error: UnicodeError, final: bool, pending: int) -> Misfit:
        """Return the error with its position; `pending` bytes of `data` came earlier."""
        start = getattr(error, "start", 0)
        reason = getattr(error, "reason", str(error))
        before = LineEnds(lf=False)
        before.feed(self._ends.held + data[:start].decode(self._codec, "replace"), final=True)
        line = 1 + self._ends.total + before.total
        return Misfit(
            self._name,
            f"byte {self._bytes - pending + start} (line {line})",
            self._codec,
            rest=len(data) - start if final and reason in _CUT_SHORT else 0,
            surrogate=surrogate_at(data, start, self._codec),
        )
