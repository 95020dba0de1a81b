"""From the bytes of a file to code points, chunk by chunk: encodings, marks, line ends."""

import codecs
import unicodedata
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.vocabulary import Codes, Normalize, Normalizer, Unit, to_codes

Newlines = Literal["keep", "lf"]

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_CUT_SHORT = {"unexpected end of data", "truncated data", "incomplete multibyte sequence"}

_HANGUL, _KANA, _HAN = (0xAC00, 0xD7A3), (0x3041, 0x30FE), (0x4E00, 0x9FFF)
_LATIN, _CYRILLIC = (0xC0, 0x24F), (0x410, 0x451)
# Encodings to suggest, the likelier of two equals first: the script that each is used for, its
# companion script with a lower weight, and the character set that holds what is really in use.
_CANDIDATES: dict[str, tuple[tuple[int, int], tuple[int, int] | None, str]] = {
    "cp949": (_HANGUL, None, "euc_kr"),
    "euc-kr": (_HANGUL, None, "euc_kr"),
    "shift_jis": (_KANA, _HAN, "shift_jis"),
    "euc-jp": (_KANA, _HAN, "euc_jp"),
    "gb18030": (_HAN, None, "gb2312"),
    "big5": (_HAN, None, "big5"),
    "cp1251": (_CYRILLIC, None, "cp1251"),
    "latin-1": (_LATIN, None, "latin-1"),
    "cp1252": (_LATIN, None, "cp1252"),
}
_FREQUENT_HAN = frozenset("的一是不了在人有我他这這中大来來上国國个個到说說们們为為")
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\f\b\x1b") + b"\x7f"
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive (perhaps .docx, .odt or .epub)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x1f\x8b\x08", "a gzip archive inside another"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x7fELF", "a program"),
)
_TYPOGRAPHY = frozenset("‘’“”–—…•«»¿¡°§€£")  # noqa: RUF001


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
            ranges = ((0xC0, 0x1FFF), (0x304C, 0x30FE), _HANGUL)
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
        marked = next((codec for bom, codec in _BOMS if head.startswith(bom)), None)
        if asked == "utf-8":
            wide = None if marked else _wide_pattern(head)
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
            wide = _wide_pattern(head)
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
        surrogate = _surrogate_at(data, start, self._codec)
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
        if self._codec == "utf-8" and (self._not_ascii or _mostly_utf8(data, start)):
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


def _surrogate_at(data: bytes, start: int, codec: str) -> int | None:
    """Return the lone surrogate that `data` spells at `start`, if it is one."""
    if codec == "utf-8" and data[start : start + 1] == b"\xed" and len(data) >= start + 3:
        code = 0xD000 | (data[start + 1] & 0x3F) << 6 | (data[start + 2] & 0x3F)
    elif codec in ("utf-16-le", "utf-16-be") and len(data) >= start + 2:
        code = int.from_bytes(data[start : start + 2], "little" if codec[-2] == "l" else "big")
    elif codec in ("utf-32-le", "utf-32-be") and len(data) >= start + 4:
        code = int.from_bytes(data[start : start + 4], "little" if codec[-2] == "l" else "big")
    else:
        return None
    return code if 0xD800 <= code <= 0xDFFF else None


def _mostly_utf8(data: bytes, start: int) -> bool:
    text = data[max(0, start - 32_768) : start + 32_768].decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(character >= "\x80" for character in text) - bad
    return good >= 4 * bad


def _wide_pattern(head: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 without a mark by where their NUL bytes lie."""
    head = head[: len(head) // 4 * 4]
    if len(head) < 8 or b"\0" not in head:
        return None
    nul = (np.frombuffer(head, np.uint8).reshape(-1, 4) == 0).mean(axis=0)
    if nul[2] > 0.8 and nul[3] == 1 and nul[0] < 0.2:
        return "utf-32-le"
    if nul[0] == 1 and nul[1] > 0.8 and nul[3] < 0.2:
        return "utf-32-be"
    even, odd = (nul[0] + nul[2]) / 2, (nul[1] + nul[3]) / 2
    if odd >= 0.4 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even >= 0.4 and odd == 0 else None


def binary_kind(head: bytes) -> str | None:
    """Name the kind of a well-known file that is not text, from its first 300 bytes."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((kind for start, kind in _SIGNATURES if head.startswith(start)), None)


def looks_binary(head: bytes) -> bool:
    """Whether `head`, the beginning of a file, is hardly that of a text."""
    if binary_kind(head):
        return True
    if _wide_pattern(head) or any(head.startswith(bom) for bom, _ in _BOMS):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > 0.05 * len(head)


def suggest_encodings(sample: bytes, data: bytes, failed: str, final: bool) -> list[str]:
    """Return at most three encodings that `sample` reads well in, the most plausible first.

    `data` is the chunk that `sample` ends, with its start aligned for UTF-16; `final` says that
    the file ends with it; `failed` is the encoding that did not fit.
    """
    scores: dict[str, float] = {}
    texts: set[str] = set()
    for name in ("utf-8", "utf-16-le", "utf-16-be", *_CANDIDATES):
        if codecs.lookup(name).name == codecs.lookup(failed).name:
            continue
        wide = name.startswith("utf-16")
        if wide and b"\0" not in data:
            continue
        try:
            decoder = codecs.getincrementaldecoder(name)()
            text = decoder.decode(data if wide else sample, final)[:65_536]
        except UnicodeError:
            continue
        score = _plausibility(text, name)
        if score >= 0.35 and text not in texts:
            texts.add(text)
            scores[name] = score
    ranked = sorted(scores, key=lambda name: -scores[name])
    return [name for name in ranked if scores[name] >= 0.75 * scores[ranked[0]]][:3]


def _plausibility(text: str, name: str) -> float:
    """Score how much `text` looks like what people write in the encoding `name`: 0 to 2."""
    if name == "utf-8":
        return 2.0
    strange = [character for character in text if character >= "\x80"]
    if name.startswith("utf-16"):
        usual = sum(
            any(low <= ord(character) <= high for low, high in (_HANGUL, _KANA, _HAN, _LATIN))
            for character in strange
        )
        plain = sum(" " <= character <= "~" or character in "\r\n\t" for character in text)
        return 1.5 if text and (usual + plain) / len(text) > 0.9 else 0.0
    # East Asian punctuation is the same in all of these encodings: it decides nothing.
    strange = [c for c in strange if not (0x3000 <= ord(c) <= 0x303F or 0xFF00 <= ord(c) <= 0xFF60)]
    if not strange:
        return 0.0
    script, companion, charset = _CANDIDATES[name]
    strange = strange[:4000]
    letters = sum(character.isascii() and character.isalpha() for character in text[:8000])
    score = sum(_weight(c, script, companion, charset) for c in strange) / len(strange)
    if companion is not None and not any(_KANA[0] <= ord(c) <= _KANA[1] for c in strange):
        score *= 0.5  # Japanese without any kana
    # Accents are rare in a Latin text, and Latin letters are rare in a Cyrillic one.
    unlikely = {_LATIN: len(strange) > letters, _CYRILLIC: len(strange) <= letters}
    return score * (0.3 if unlikely.get(script, False) else 1.0)


def _weight(
    character: str, script: tuple[int, int], companion: tuple[int, int] | None, charset: str
) -> float:
    code = ord(character)
    if character in _TYPOGRAPHY:
        return 0.8 if script == _LATIN else 0.1
    in_script = script[0] <= code <= script[1]
    in_companion = companion is not None and companion[0] <= code <= companion[1]
    if not in_script and not in_companion:
        return 0.0
    try:
        rare = len(character.encode(charset)) > 2  # EUC-KR spells rare syllables out in 8 bytes
    except UnicodeError:
        rare = True
    if rare:
        return 0.2
    if script == _HAN:
        return 1.0 if character in _FREQUENT_HAN else 0.7
    return 1.0 if in_script else 0.7
