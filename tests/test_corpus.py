# ruff: noqa: RUF001 - texts in many scripts
"""Reading text: the right result, or one clear line that says what, where and what to do."""

import bz2
import gzip
import hashlib
import lzma

import pytest

from charrnn.errors import ConfigError, CorpusError
from charrnn.text import (
    Source,
    files,
    read_corpus,
)
from tests import texts
from tests.texts import CHINESE, EMOJI, FRENCH, HAN, JAPANESE, KOREAN, LONG_LINE, RUSSIAN, text_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    return texts.writer(tmp_path, monkeypatch)


# Every text that is read: its bytes, options, the text, and a word of the notice if there is one.
GOOD = {
    "one character": (b"x", {}, "x", None),
    "one distinct character": (b"x" * 9, {}, "x" * 9, None),
    "five characters": (b"hello", {}, "hello", None),
    "a long single line": (LONG_LINE, {}, LONG_LINE.decode(), None),
    "NUL": (b"ab\0cd\0\n", {}, "ab\0cd\0\n", "2 NUL characters"),
    "control characters": (b"\x01\x1b[31m\x7f\x85"[:7], {}, "\x01\x1b[31m\x7f", None),
    "a UTF-8 mark": (b"\xef\xbb\xbfhi\n", {}, "hi\n", "byte-order mark (BOM) removed"),
    "only the first mark goes": (b"\xef\xbb\xbf" * 2 + b"hi", {}, "\ufeffhi", "removed"),
    "UTF-16 LE mark": (b"\xff\xfe" + KOREAN.encode("utf-16-le"), {}, KOREAN, "utf-16-le"),
    "UTF-16 BE mark": (b"\xfe\xff" + KOREAN.encode("utf-16-be"), {}, KOREAN, "utf-16-be"),
    "UTF-32 LE mark": ("\ufeffhi 😀".encode("utf-32-le"), {}, "hi 😀", "utf-32-le"),
    "UTF-32 BE mark": ("\ufeffhi 😀".encode("utf-32-be"), {}, "hi 😀", "utf-32-be"),
    "UTF-16 unmarked": (
        "hello there\n".encode("utf-16-le"),
        {},
        "hello there\n",
        "has no byte-order mark: read as utf-16-le",
    ),
    "UTF-32 unmarked": ("hello".encode("utf-32-be"), {}, "hello", "read as utf-32-be"),
    "Korean UTF-16 unmarked": (KOREAN.encode("utf-16-be"), {}, KOREAN, "read as utf-16-be"),
    "cp949 unasked": (KOREAN.encode("cp949"), {}, KOREAN, "not UTF-8; read as cp949"),
    "Shift-JIS unasked": (JAPANESE.encode("shift_jis"), {}, JAPANESE, "read as shift_jis"),
    "EUC-JP unasked": (JAPANESE.encode("euc-jp"), {}, JAPANESE, "not UTF-8; read as euc-jp"),
    "GB 18030 unasked": (CHINESE.encode("gb18030"), {}, CHINESE, "not UTF-8; read as gb18030"),
    "cp1252 unasked": ("“It’s a café”\n".encode("cp1252"), {}, "“It’s a café”\n", "as cp1252"),
    "Latin-1 unasked": (FRENCH.encode("latin-1"), {}, FRENCH, "not UTF-8; read as cp1252"),
    "cp1251 unasked": (RUSSIAN.encode("cp1251"), {}, RUSSIAN, "not UTF-8; read as cp1251"),
    "KOI8-R unasked": (RUSSIAN.encode("koi8-r"), {}, RUSSIAN, "not UTF-8; read as koi8-r"),
    "cp866 unasked": (RUSSIAN.encode("cp866"), {}, RUSSIAN, "not UTF-8; read as cp866"),
    "one strange byte": (b"one\ntwo\nth\xffree\n", {}, "one\ntwo\nthÿree\n", "as cp1252"),
    "Latin-1 that looks cut": (b"un caf\xe9", {}, "un café", "not UTF-8; read as cp1252"),
    "UTF-8 asked": (KOREAN.encode(), {"encoding": "UTF8"}, KOREAN, None),
    "UTF-8 read as Latin-1": (
        "é\n".encode(),
        {"encoding": "latin-1"},
        "Ã©\n",
        "is valid UTF-8 but read as latin-1; leave out --encoding",
    ),
    "ASCII read as Latin-1": (b"plain\n", {"encoding": "latin-1"}, "plain\n", None),
    "ASCII in UTF-16": ("a\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, "a\n", None),
    "Korean in UTF-16": (KOREAN.encode("utf-16-be"), {"encoding": "utf-16-be"}, KOREAN, None),
    "ASCII read as UTF-7": (b"plain\n", {"encoding": "utf-7"}, "plain\n", None),
    "UTF-8 read as UTF-8 with a mark": ("é\n".encode(), {"encoding": "utf-8-sig"}, "é\n", None),
    "damaged, replaced": (
        b"caf\xc3\xa9 \xff\xe2\x82 caf\xc3\xa9 \xef\xbf\xbd\n",
        {"errors": "replace"},
        "café \ufffd\ufffd café \ufffd\n",
        "3 bytes that are not UTF-8 were replaced by U+FFFD",
    ),
    "damaged, left out": (
        b"caf\xc3\xa9 \xff\xe2\x82 caf\xc3\xa9 \xef\xbf\xbd\n",
        {"errors": "skip"},
        "café  café \ufffd\n",
        "3 bytes that are not UTF-8 were left out",
    ),
    "cut, left out": (
        KOREAN.encode()[:-2],
        {"errors": "skip"},
        KOREAN[:-2],
        "2 bytes that are not UTF-8 were left out",
    ),
    "asked, damaged, replaced": (
        KOREAN.encode("cp949") + b"\xff\n",
        {"encoding": "cp949", "errors": "replace"},
        KOREAN + "\ufffd\n",
        "1 byte that is not cp949 was replaced by U+FFFD",
    ),
    "UTF-7 with half a pair": (
        b"ab+2D0-c",
        {"encoding": "utf-7", "errors": "skip"},
        "abc",
        "left out",
    ),
    "another encoding that fits, with errors allowed": (
        FRENCH.encode("latin-1"),
        {"errors": "replace"},
        FRENCH,
        "not UTF-8; read as cp1252",
    ),
    "UTF-16 asked, mark": (KOREAN.encode("utf-16"), {"encoding": "utf-16"}, KOREAN, None),
    "UTF-16 asked, no mark": (
        "hi there".encode("utf-16-be"),
        {"encoding": "utf-16"},
        "hi there",
        "read as utf-16-be",
    ),
    "UTF-16-LE asked, mark": (
        "\ufeffhi".encode("utf-16-le"),
        {"encoding": "utf-16-le"},
        "hi",
        "removed",
    ),
    "cp949": (KOREAN.encode("cp949"), {"encoding": "cp949"}, KOREAN, None),
    "EUC-KR": (KOREAN.encode("euc-kr"), {"encoding": "EUC-KR"}, KOREAN, None),
    "Shift-JIS": (JAPANESE.encode("shift_jis"), {"encoding": "shift_jis"}, JAPANESE, None),
    "Latin-1": (FRENCH.encode("latin-1"), {"encoding": "latin-1"}, FRENCH, None),
    "a mark that was overruled": (
        b"\xef\xbb\xbfhi",
        {"encoding": "latin-1"},
        "ï»¿hi",
        "has the byte-order mark of utf-8",
    ),
    "mixed line ends": (
        b"a\r\nb\nc\rd\n\re",
        {"newlines": "keep"},
        "a\r\nb\nc\rd\n\re",
        "1 CR LF, 2 LF, 2 CR; use --newlines lf",
    ),
    "CR only": (b"a\rb\r", {"newlines": "keep"}, "a\rb\r", "2 CR; use --newlines lf"),
    "mixed line ends to LF": (
        b"a\r\nb\nc\rd\n\re\r",
        {},
        "a\nb\nc\nd\n\ne\n",
        "line endings: 1 CR LF and 3 CR read as LF; use --newlines keep to keep them",
    ),
    "NFC and NFD mixed": ("é e\u0301".encode(), {}, "é e\u0301", "--normalize nfc"),
    "Hangul mixed": ("한 \u1112\u1161\u11ab".encode(), {}, "한 \u1112\u1161\u11ab", "normalize"),
    "NFC alone": (KOREAN.encode(), {}, KOREAN, None),
    "mixed to NFC": ("é e\u0301".encode(), {"normalize": "nfc"}, "é é", None),
    "to NFD": ("한".encode(), {"normalize": "nfd"}, "\u1112\u1161\u11ab", None),
    "to NFKC": ("ﬁ ｶﾞ".encode(), {"normalize": "nfkc"}, "fi ガ", None),
    "emoji sequences": (EMOJI.encode(), {}, EMOJI, None),
    "20,992 distinct characters": (HAN.encode(), {}, HAN, None),
    "gzip named .txt": (gzip.compress(KOREAN.encode()), {}, KOREAN, "compressed with gzip"),
    "bzip2 named .txt": (bz2.compress(b"hello"), {}, "hello", "compressed with bzip2"),
    "xz named .txt": (lzma.compress(b"hello"), {}, "hello", "compressed with xz"),
    "two gzip members": (gzip.compress(b"a") + gzip.compress(b"b"), {}, "ab", "gzip"),
    "a text that begins with BZh": (b"BZh9 is a word", {}, "BZh9 is a word", None),
    "bytes": ("é\r\n".encode() + b"\xff", {"unit": "byte"}, "é\r\n\ufffd", None),
    "bytes of an old run": (b"a\r\n\xff", {"unit": "byte", "newlines": "lf"}, "a\n\ufffd", "CR LF"),
    "bytes, a mark is kept": (b"\xef\xbb\xbfa", {"unit": "byte"}, "\ufeffa", None),
}


@pytest.mark.parametrize("case", GOOD)
def test_texts_that_are_read(write, case):
    data, options, text, notice = GOOD[case]
    path = write(data)
    result = read_corpus([path], **options)
    assert text_of(result) == text
    unit_codes = data if options.get("unit") == "byte" else None
    if "newlines" in options and unit_codes is not None:
        unit_codes = data.replace(b"\r\n", b"\n")
    if unit_codes is not None:
        assert result.codes.tobytes() == unit_codes
        assert result.num_bytes == len(unit_codes)
    else:
        assert result.codes.tolist() == list(map(ord, text))
        assert result.num_bytes == len(text.encode())
    widest = int(result.codes.max())
    assert result.codes.itemsize == (1 if widest < 256 else 2 if widest < 65536 else 4)
    digest = hashlib.sha256(data).hexdigest()
    (source,) = result.sources
    assert source == Source(str(path), digest, len(data), source.encoding)
    assert bool(source.encoding) == (unit_codes is None)
    assert result.stdin is None
    assert len(result.notices) == (notice is not None)
    assert all(notice in line for line in result.notices)


BAD = {
    "empty": (b"", {}, "notes.txt is empty: name a file with text"),
    "only a mark": (b"\xef\xbb\xbf", {}, "notes.txt is empty: name a file with text"),
    "empty gzip": (gzip.compress(b""), {}, "notes.txt is empty: name a file with text"),
    "one damaged byte": (
        KOREAN.encode() + b"\xff" + KOREAN.encode(),
        {},
        f"notes.txt: byte {len(KOREAN.encode())} (line 4) is not UTF-8, though other parts of the "
        "file are: repair or remove the damaged bytes, or read it with --errors replace, "
        "--errors skip or --unit byte",
    ),
    "a UTF-8 mark, then another encoding": (
        b"\xef\xbb\xbf" + FRENCH.encode("cp1252"),
        {},
        "notes.txt: byte 5 (line 1) is not UTF-8",
    ),
    "half UTF-8, half cp1252": (
        FRENCH.encode() + FRENCH.encode("cp1252"),
        {},
        "is not UTF-8, though other parts of the file are",
    ),
    "UTF-8 cut": (
        KOREAN.encode()[:-2],
        {},
        f"notes.txt: the file ends in the middle of a UTF-8 character at byte "
        f"{len(KOREAN[:-2].encode())} (line 3): get the whole file, remove its last 2 bytes, or "
        "read it with --errors replace, --errors skip or --unit byte",
    ),
    "cp949 with a damaged byte": (
        KOREAN.encode("cp949") * 9 + b"\xff",
        {},
        "notes.txt: byte 0 (line 1) is not UTF-8; the file looks like cp949 with a few damaged "
        "bytes: repair them, or read it with --encoding cp949 --errors replace",
    ),
    "UTF-16 cut": (
        b"\xff\xfea\0\nb"[:-1] + b"\0x",
        {},
        "the file ends in the middle of a UTF-16-LE character at byte 6 (line 2)",
    ),
    "surrogate in UTF-8": (
        b"ab\n\xed\xa0\xbd",
        {},
        "notes.txt: byte 3 (line 2) is a lone surrogate (U+D83D), half of a pair: repair the "
        "text, or read it with --errors replace, --errors skip or --unit byte",
    ),
    "surrogate in UTF-16": (
        b"\xff\xfea\0\x3d\xd8b\0",
        {},
        "notes.txt: byte 4 (line 1) is a lone surrogate (U+D83D)",
    ),
    "surrogate in UTF-7": (
        b"a+2D0-b",
        {"encoding": "utf-7"},
        "notes.txt: ",
    ),
    "UTF-16 unmarked, UTF-8 asked": (
        "hello there".encode("utf-16-le"),
        {"encoding": "utf-8"},
        "notes.txt has many NUL bytes and looks like utf-16-le: leave out --encoding, or give "
        "--encoding utf-16-le",
    ),
    "cp949, UTF-8 asked": (
        KOREAN.encode("cp949"),
        {"encoding": "utf-8"},
        "notes.txt: byte 0 (line 1) is not UTF-8; the file looks like cp949: leave out --encoding, "
        "or give --encoding cp949",
    ),
    "cp1251, cp949 asked": (RUSSIAN.encode("cp1251"), {"encoding": "cp949"}, "looks like cp1251"),
    "UTF-8 read as cp949": (
        KOREAN.encode(),
        {"encoding": "cp949"},
        "is not cp949; the file is valid UTF-8: leave out --encoding",
    ),
    "noise": (
        bytes(range(256)) * 9,
        {},
        "it looks like binary data: name a text file or its --encoding, or read it with --errors",
    ),
    "a PDF": (b"%PDF-1.7\n", {}, "notes.txt is a PDF, not text"),
    "a zip": (b"PK\x03\x04abc", {}, "notes.txt is a zip archive"),
    "a tar in a gzip": (gzip.compress(b"a" * 257 + b"ustar"), {}, "is a tar archive"),
    "gzip cut": (gzip.compress(LONG_LINE)[:-9], {}, "the gzip file is truncated"),
    "bzip2 cut": (bz2.compress(b"hello")[:-9], {}, "the bzip2 file is truncated"),
    "xz cut": (lzma.compress(b"hello")[:-9], {}, "the xz file is truncated"),
    "gzip damaged": (gzip.compress(b"hello")[:-8] + b"12345678", {}, "gzip file is damaged"),
    "gzip, wrong inside": (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", {}, "gzip file is damaged"),
    "xz damaged": (lzma.compress(b"hello")[:-9] + b"123456789", {}, "xz file is damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_texts_that_are_refused(write, case):
    data, options, message = BAD[case]
    write(data)
    with pytest.raises(CorpusError) as caught:
        read_corpus(["notes.txt"], **options)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()  # one line, nothing that a terminal would act on


def test_a_late_error_names_byte_and_line(write, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 1000)
    korean = "한국어".encode("cp949") + b"\n"
    write(b"line\r\n" * 5000 + korean)
    with pytest.raises(CorpusError, match=r"byte 30000 \(line 5001\) is not UTF-8.* cp949: leave"):
        read_corpus(["notes.txt"], encoding="utf-8")
    result = read_corpus(["notes.txt"])
    assert text_of(result) == "line\n" * 5000 + "한국어\n"
    assert result.notices[0] == "notes.txt: not UTF-8; read as cp949"
    assert len(result.notices) == 2


def test_surrogates_from_a_lax_codec(write):
    write(b"ab+2D0-c")  # UTF-7 spells UTF-16 code units
    with pytest.raises(CorpusError, match=r"lone surrogate|is not UTF-7|the file ends"):
        read_corpus(["notes.txt"], encoding="utf-7")


@pytest.mark.parametrize(
    "encoding", ["klingon", "hex", "rot13", "idna", "undefined", "", "a\0b", "unicode_escape"]
)
def test_unknown_encoding(write, encoding):
    write(b"hi")
    with pytest.raises(ConfigError, match=r"^--encoding .* is unknown: common ones are utf-8, .*"):
        read_corpus(["notes.txt"], encoding=encoding)


@pytest.mark.parametrize(
    "options",
    [
        {"newlines": "crlf"},
        {"errors": "ignore"},
        {"normalize": "NFC"},
        {"unit": "word"},
        {"unit": "byte", "normalize": "nfc"},
    ],
)
def test_unknown_options(write, options):
    write(b"hi")
    with pytest.raises(ConfigError, match=r"^--"):
        read_corpus(["notes.txt"], **options)
