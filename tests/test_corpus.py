# ruff: noqa: RUF001 - texts in many scripts
"""Reading text: the right result, or one clear line that says what, where and what to do."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import socket
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charrnn.errors import ConfigError, CorpusError
from charrnn.text import cache, corpus, files, fingerprint, inputs, read_corpus, remove_cache
from charrnn.text.guessing import wide_pattern
from charrnn.text.surveying import survey

KOREAN = (
    "동해 물과 백두산이 마르고 닳도록\n하느님이 보우하사 우리나라 만세\n무궁화 삼천리 화려 강산\n"
)
JAPANESE = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n"
CHINESE = "这是一个中文的句子，我们在这里说话。\n他来到了中国，人们都很高兴。\n"
FRENCH = "L'été dernier, nous étions à la forêt près du château.\nÇa va très bien.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга.\n"
EMOJI = "👩‍👩‍👧‍👦 family, 🇰🇷 flag, 👍🏽 skin, ❤️ heart\n"
HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 20_992)))
LONG_LINE = b"a long line " * 430_000


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_file(data, name="notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write_file


def text_of(result):
    return result.text(0, len(result))


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
        "begins with the byte-order mark of utf-8",
    ),
    "mixed line ends": (
        b"a\r\nb\nc\rd\n\re",
        {"newlines": "keep"},
        "a\r\nb\nc\rd\n\re",
        "1 CR LF, 2 LF, 2 CR; --newlines lf",
    ),
    "CR only": (b"a\rb\r", {"newlines": "keep"}, "a\rb\r", "2 CR; --newlines lf"),
    "mixed line ends to LF": (
        b"a\r\nb\nc\rd\n\re\r",
        {},
        "a\nb\nc\nd\n\ne\n",
        "line ends: 1 CR LF and 3 CR read as LF; --newlines keep keeps them",
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
    assert source == corpus.Source(str(path), digest, len(data), source.encoding)
    assert bool(source.encoding) == (unit_codes is None)
    assert result.stdin is None
    assert len(result.notices) == (notice is not None)
    assert all(notice in line for line in result.notices)


SEPARATE = "name a file, or send the text to standard input"
BAD = {
    "empty": (b"", {}, "notes.txt is empty: there is no text in it"),
    "only a mark": (b"\xef\xbb\xbf", {}, "notes.txt is empty: there is no text in it"),
    "empty gzip": (gzip.compress(b""), {}, "notes.txt is empty: there is no text in it"),
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
        "notes.txt: byte 0 (line 1) is not UTF-8; the file reads as cp949, but for a few damaged "
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
        "notes.txt is full of NUL bytes and reads as utf-16-le: leave out --encoding, or give "
        "--encoding utf-16-le",
    ),
    "cp949, UTF-8 asked": (
        KOREAN.encode("cp949"),
        {"encoding": "utf-8"},
        "notes.txt: byte 0 (line 1) is not UTF-8; the file reads as cp949: leave out --encoding, "
        "or give --encoding cp949",
    ),
    "cp1251, cp949 asked": (RUSSIAN.encode("cp1251"), {"encoding": "cp949"}, "reads as cp1251"),
    "UTF-8 read as cp949": (
        KOREAN.encode(),
        {"encoding": "cp949"},
        "is not cp949; the file reads as UTF-8: leave out --encoding",
    ),
    "noise": (
        bytes(range(256)) * 9,
        {},
        "it looks like binary data: name a text file or its --encoding, or read it with --errors",
    ),
    "a PDF": (b"%PDF-1.7\n", {}, "notes.txt holds a PDF, not text"),
    "a zip": (b"PK\x03\x04abc", {}, "notes.txt holds a zip archive"),
    "a tar in a gzip": (gzip.compress(b"a" * 257 + b"ustar"), {}, "holds a tar archive"),
    "gzip cut": (gzip.compress(LONG_LINE)[:-9], {}, "the gzip archive is cut short"),
    "bzip2 cut": (bz2.compress(b"hello")[:-9], {}, "the bzip2 archive is cut short"),
    "xz cut": (lzma.compress(b"hello")[:-9], {}, "the xz archive is cut short"),
    "gzip damaged": (gzip.compress(b"hello")[:-8] + b"12345678", {}, "gzip archive is damaged"),
    "gzip, wrong inside": (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", {}, "gzip archive is damaged"),
    "xz damaged": (lzma.compress(b"hello")[:-9] + b"123456789", {}, "xz archive is damaged"),
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
    ("text", "encoding"),
    [
        (KOREAN, "cp949"),
        ("The word 한국어 in English.\n", "cp949"),
        ("똠방각하 펲시콜라\n", "cp949"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc-jp"),
        (CHINESE, "gb18030"),
        ("Le mot 한국어.\n" * 2 + "plain words\n" * 50_000, "cp949"),
        ("plain words\n" * 50_000 + FRENCH + "plain words\n" * 50_000, "cp1252"),
        ("“quoted”\n" * 20 + FRENCH * 20, "cp1252"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "utf-8"),
    ],
)
def test_the_right_encoding_is_suggested_first(text, encoding):
    data = text.encode(encoding)
    chunks = [data[start : start + 4096] for start in range(0, len(data), 4096)]
    found = survey(chunks)
    assert found.fits[0] == encoding
    assert len(found.fits) <= 3
    assert not found.mixed


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń, wyłącz światło, łódź\n", "cp1250"),
        ("من خلال استخدام الهوائي ثنائي القطب المعدل\n", "cp1256"),
        ("โลกอาจจะน่าโมโหและดูไร้สาระ\n", "cp874"),
        ("Все счастливые семьи похожи\n", "iso8859-5"),
    ],
)
def test_an_encoding_that_is_not_a_candidate_is_not_taken_for_one(text, encoding):
    assert survey([text.encode(encoding)]).fits == []


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE.replace("\n", "") * 9000, "gb18030"),  # one line, without a space
        (JAPANESE.replace("\n", "") * 9000, "shift_jis"),
        (JAPANESE * 900 + "①②\n" + JAPANESE * 900, "cp932"),  # Shift-JIS but for these
        ("a" * 5000 + FRENCH.replace("\n", " ") * 900, "cp1252"),
    ],
)
def test_long_lines_and_rare_characters(text, encoding):
    data = text.encode(encoding)
    found = survey([data[start : start + 65_536] for start in range(0, len(data), 65_536)])
    assert found.fits[0] == encoding


def test_many_bad_bytes_are_not_all_counted():
    data = (KOREAN * 3000).encode("cp949")
    chunks = [data[start : start + 65_536] for start in range(0, len(data), 65_536)]
    assert survey(chunks).fits[0] == "cp949"
    damaged = (KOREAN * 3000).encode() + b"\xff" * 9
    assert survey([damaged]).mixed


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


# Files, folders, patterns, standard input


def test_files_are_joined_in_the_order_given(write):
    write(b"one", "b.txt"), write(b"two\n", "a.txt"), write(b"", "e.txt"), write(b"3", "c.txt")
    result = read_corpus(["b.txt", "a.txt", "e.txt", Path("c.txt")])
    assert text_of(result) == "one\ntwo\n3"
    assert result.num_bytes == 9
    assert [Path(s.path).name for s in result.sources] == ["b.txt", "a.txt", "e.txt", "c.txt"]
    assert sorted(result.notices) == [
        "a.txt: begins after a newline that was added",
        "e.txt: is empty: left out",
    ]


def test_no_newline_is_added_after_one(write):
    write(b"a\r", "a.txt"), write(b"b\r\n", "b.txt"), write(b"\nc", "c.txt")
    assert text_of(read_corpus(["a.txt", "b.txt", "c.txt"], newlines="keep")) == "a\rb\r\n\nc"
    assert text_of(read_corpus(["a.txt", "b.txt", "c.txt"])) == "a\nb\n\nc"


def test_a_folder_gives_its_texts_in_order(write):
    for name in ("b.txt", "a/z.txt", "a/.hidden", ".git/config", "c.txt.gz"):
        text = f"{name}\n".encode()
        write(gzip.compress(text) if name.endswith("gz") else text, f"data/{name}")
    write(b"\x7fELF\0\0\0", "data/program")
    write(b"\x89PNG\r\n" + bytes(50), "data/picture.png")
    result = read_corpus(["data"])
    assert text_of(result) == "b.txt\nc.txt.gz\na/z.txt\n"
    assert result.notices == ("data/picture.png and 1 more: left out, because it is not text",)


def test_a_folder_gives_no_run(write):
    write(b"text", "data/a.txt")
    for name in ("lock", "log.jsonl", "notes/b.txt"):
        write(b"of a run", f"data/runs/a/{name}")
    result = read_corpus(["data"])
    assert text_of(result) == "text"
    assert result.notices == ("data/runs/a: left out, because it is a run of charrnn",)


def test_a_folder_of_utf16_without_marks(write):
    write(KOREAN.encode("utf-16-le"), "data/a.txt")
    assert text_of(read_corpus(["data"], encoding="utf-16-le")) == KOREAN


def test_a_folder_without_text(write):
    write(bytes(100), "data/zeros")
    with pytest.raises(CorpusError, match=r"folder data holds no text \(1 other files left out\)"):
        read_corpus(["data"])


def test_patterns(write):
    for name in ("b.txt", "a.txt", "deep/er/c.txt", "a.md"):
        write(f"{name}\n".encode(), name)
    assert text_of(read_corpus(["*.txt"])) == "a.txt\nb.txt\n"
    assert text_of(read_corpus(["**/*.txt"])) == "a.txt\nb.txt\ndeep/er/c.txt\n"
    with pytest.raises(CorpusError, match=r"pattern \*\.rst matches nothing"):
        read_corpus(["*.rst"])


def test_a_file_whose_name_is_a_pattern(write):
    write(b"literal", "a[1]*.txt")
    assert text_of(read_corpus(["a[1]*.txt"])) == "literal"


def test_standard_input(write):
    write(b"file", "a.txt")
    data = gzip.compress(b"piped")
    result = read_corpus(["-", "a.txt"], stdin=io.BytesIO(data))
    assert text_of(result) == "piped\nfile"
    digest = hashlib.sha256(data).hexdigest()
    assert result.sources[0] == corpus.Source("-", digest, len(data), "utf-8")
    assert result.stdin.read() == data
    assert result.file_bytes == len(b"piped") + len(b"file")
    with pytest.raises(CorpusError, match="standard input is empty"):
        read_corpus(["-"], stdin=io.BytesIO())
    with pytest.raises(CorpusError, match="named twice"):
        read_corpus(["-", "-"], stdin=io.BytesIO(b"x"))


def test_standard_input_in_dribs():
    class Dribble(io.RawIOBase):
        def __init__(self):
            self.data = list(b"\xff\xfe" + "hé\r\n".encode("utf-16-le"))

        def readable(self):
            return True

        def readinto(self, buffer):
            if self.data:
                buffer[0] = self.data.pop(0)
                return 1
            return 0

    assert text_of(read_corpus(["-"], stdin=Dribble())) == "hé\n"


def test_what_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        for path, kind in (("/dev/null", "a device"), ("pipe", "a pipe"), ("sock", "a socket")):
            with pytest.raises(CorpusError, match=f"{path} is {kind}, not a text file: {SEPARATE}"):
                read_corpus([path])
    Path("here").symlink_to("nowhere")
    with pytest.raises(CorpusError, match="here cannot be read"):
        read_corpus(["here"])
    for path in ("gone.txt", "", "a\0b", "n" * 300):
        with pytest.raises(CorpusError) as caught:
            read_corpus([path])
        assert str(caught.value).isprintable()
    with pytest.raises(CorpusError, match="no text was named"):
        read_corpus([])


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(write, monkeypatch):
    path = write(b"text")
    before = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda self, **_: before)
    with pytest.raises(CorpusError, match="is a pipe"):
        read_corpus([path])


def test_no_permission(write, monkeypatch):
    path = write(b"text")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(
        CorpusError, match=r"^notes.txt cannot be read \(Permission denied\): check"
    ):
        read_corpus([path])


def test_a_gz_that_is_no_gzip(write):
    write(b"plain", "a.txt.gz")
    with pytest.raises(CorpusError, match=r"a.txt.gz is not gzip, though its name says so"):
        read_corpus(["a.txt.gz"])
    write(bz2.compress(b"text"), "b.gz")
    assert read_corpus(["b.gz"]).notices == ("b.gz: compressed with bzip2, read as such",)
    write(gzip.compress(b"text"), "c.gz")
    assert read_corpus(["c.gz"]).notices == ()


def test_names_are_shown_safely(write):
    write(b"", "a\n\x1b[31m\udcff.txt")
    with pytest.raises(CorpusError) as caught:
        read_corpus(["a\n\x1b[31m\udcff.txt"])
    assert str(caught.value) == r"a\n\x1b[31m\udcff.txt is empty: there is no text in it"


@pytest.mark.parametrize("change", ["grows", "shrinks", "is touched"])
def test_a_file_that_changes_while_it_is_read(write, monkeypatch, change):
    path = write(b"0123456789" * 1000)
    monkeypatch.setattr(files, "HEAD", 100)
    monkeypatch.setattr(files, "CHUNK", 100)
    read = files.RawFile.read

    def read_and_change(self, size):
        if self._size == 500:
            if change == "is touched":
                os.utime(path, ns=(1, 1))
            else:
                os.truncate(path, 20_000 if change == "grows" else 800)
        return read(self, size)

    monkeypatch.setattr(files.RawFile, "read", read_and_change)
    with pytest.raises(CorpusError, match=r"^notes.txt changed while it was read: run again"):
        read_corpus([path])


# Chunk borders

ALPHABET = "ab \n\r\r\0é한\u1112\u1161\u11abがか\u3099e\u0301\u0323😀的ｶﾞﾡﾂＡﬁ\u0344\ufeff"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16", "utf-32-be", "gb18030", "cp949", "shift_jis", "utf-7")


@settings(max_examples=250, deadline=None)
@given(
    text=st.text(ALPHABET, min_size=1, max_size=60),
    encoding=st.sampled_from(ENCODINGS),
    newlines=st.sampled_from(["keep", "lf"]),
    normalize=st.sampled_from(["none", "nfc", "nfd", "nfkc"]),
    chunk=st.integers(1, 9),
)
def test_chunk_borders_change_nothing(tmp_path_factory, text, encoding, newlines, normalize, chunk):
    data = text.encode(encoding, "ignore")
    assume(encoding != "utf-8" or not wide_pattern(data))  # refused: it is another encoding
    expected = data.decode("utf-16-le" if encoding == "utf-16" else encoding).removeprefix("\ufeff")
    if newlines == "lf":
        expected = expected.replace("\r\n", "\n").replace("\r", "\n")
    if normalize != "none":
        expected = unicodedata.normalize(normalize.upper(), expected)
    path = tmp_path_factory.mktemp("chunks") / "a.txt"
    path.write_bytes(data)
    options = {"encoding": encoding, "newlines": newlines, "normalize": normalize}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", chunk)
        if not expected:
            with pytest.raises(CorpusError, match="is empty"):
                read_corpus([path], **options)
        else:
            result = read_corpus([path], **options)
            assert text_of(result) == expected
            assert result.num_bytes == len(expected.encode())


@settings(max_examples=300, deadline=None)
@given(data=st.binary(min_size=1, max_size=40), chunk=st.integers(1, 9), unit=st.booleans())
def test_any_bytes_are_read_or_refused_at_the_right_byte(tmp_path_factory, data, chunk, unit):
    path = tmp_path_factory.mktemp("noise") / "a.txt"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", chunk)
        result, message = attempt(path, "byte" if unit else "char")
    try:
        text, wrong = data.decode().removeprefix("\ufeff"), None
    except UnicodeDecodeError as error:
        text, wrong = None, error.start
    if result is not None and unit:
        assert result.codes.tobytes() == data
    elif result is not None:
        (source,) = result.sources
        assert text is None or source.encoding == "utf-8" or wide_pattern(data)
        assert text_of(result) == data.decode(source.encoding).removeprefix("\ufeff").replace(
            "\r\n", "\n"
        ).replace("\r", "\n")
    elif " UTF-8" in message or "surrogate" in message:
        assert f"byte {wrong} (line " in message
    elif result is None:
        other = "holds a|full of NUL|is empty|archive|not (gzip|UTF)|-(LE|BE)"
        assert re.search(other, message)


def attempt(path, unit):
    try:
        return read_corpus([path], unit=unit), ""
    except CorpusError as error:
        return None, str(error)


# The cache


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 100)
    monkeypatch.setattr(files, "CHUNK", 64)
    monkeypatch.setattr(files, "HEAD", 64)


def cached(result):
    return isinstance(result.codes, np.memmap)


MIXED = "ascii only " * 30 + KOREAN * 5 + EMOJI * 5 + "and ascii again " * 30


@pytest.mark.parametrize("text", ["ascii " * 100, KOREAN * 9, EMOJI * 9, MIXED])
def test_a_large_corpus_is_mapped_and_used_again(write, small_memory, monkeypatch, text):
    path = write(b"\xef\xbb\xbf" + text.encode())
    first = read_corpus([path], cache_dir=Path("cache"))
    assert cached(first)
    assert not first.codes.flags.writeable
    assert text_of(first) == text
    assert sorted(p.suffix for p in Path("cache").iterdir()) == [".codes", ".json"]
    plain = read_corpus([path])
    assert not cached(plain)
    assert (plain.codes.dtype, plain.num_bytes) == (first.codes.dtype, first.num_bytes)
    monkeypatch.setattr(corpus, "TextDecoder", None)  # it must not be decoded again
    again = read_corpus([path], cache_dir=Path("cache"))
    assert cached(again)
    assert text_of(again) == text
    assert (again.notices, again.sources) == (first.notices, first.sources)
    assert (again.num_bytes, again.notices) == (plain.num_bytes, plain.notices)


def test_a_small_corpus_makes_no_cache(write, small_memory):
    assert not cached(read_corpus([write(b"small")], cache_dir=Path("cache")))
    assert not Path("cache").exists()


def test_the_cache_follows_the_content_not_the_clock(write, small_memory):
    path = write(b"a" * 500)
    read_corpus([path], cache_dir=Path("cache"))
    old = path.stat()
    path.write_bytes(b"b" * 500)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert text_of(read_corpus([path], cache_dir=Path("cache"))) == "b" * 500


def test_the_cache_follows_the_options(write, small_memory):
    path = write(b"a\r\n" * 100)
    folder = Path("cache")
    assert len(read_corpus([path], cache_dir=folder, newlines="keep")) == 300
    assert len(read_corpus([path], cache_dir=folder)) == 200
    assert len(read_corpus([path], cache_dir=folder, newlines="keep")) == 300
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize(
    "damage",
    ["codes cut", "codes gone", "json gone", "json cut", "json deep", "json of another shape"],
)
def test_a_damaged_cache_is_made_again(write, small_memory, damage):
    path = write(b"hello there " * 50)
    folder = Path("cache")
    read_corpus([path], cache_dir=folder)
    (codes,), (header,) = folder.glob("*.codes"), folder.glob("*.json")
    match damage:
        case "codes cut":
            os.truncate(codes, 599)
        case "codes gone":
            codes.unlink()
        case "json gone":
            header.unlink()
        case "json cut":
            os.truncate(header, 40)
        case "json deep":
            header.write_text("[" * 100_000)
        case _:
            header.write_text(json.dumps(json.loads(header.read_text()) | {"count": -1}))
    (folder / "corpus-abcdefgh.tmp").write_bytes(b"half")
    result = read_corpus([path], cache_dir=folder)
    assert text_of(result) == "hello there " * 50
    assert cached(read_corpus([path], cache_dir=folder))


def test_an_error_leaves_nothing_behind(write, small_memory):
    path = write(b"a" * 500 + b"\xff")
    with pytest.raises(CorpusError, match="byte 500"):
        read_corpus([path], cache_dir=Path("cache"), encoding="utf-8")
    assert list(Path("cache").iterdir()) == []


def test_a_full_disk_is_a_clear_error(write, small_memory, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CorpusError, match=r"^cache: .*No space left on device.*free some space"):
        read_corpus([write(b"a" * 500)], cache_dir=Path("cache"))
    assert list(Path("cache").iterdir()) == []


def test_standard_input_is_mapped_too(write, small_memory):
    result = read_corpus(["-"], stdin=io.BytesIO(b"a" * 500), cache_dir=Path("cache"))
    assert cached(result)
    assert text_of(result) == "a" * 500


def test_remove_cache_deletes_only_the_cache(write, small_memory):
    folder = Path("cache")
    read_corpus([write(b"a" * 500)], cache_dir=folder)
    keep = ["corpus-notes.txt", "best.npz", "corpus-0123456789abcdef.npz"]
    for name in keep:
        (folder / name).write_bytes(b"keep")
    (folder / "corpus-abcd1234.tmp").write_bytes(b"half")
    freed = sum(p.stat().st_size for p in folder.iterdir()) - 4 * len(keep)
    assert remove_cache(folder) == freed > 500
    assert sorted(p.name for p in folder.iterdir()) == sorted(keep)
    assert remove_cache(folder) == remove_cache("nowhere") == 0


def test_each_file_of_a_folder_is_read_as_what_it_is(write):
    write(b"plain words\n" * 20, "mix/a.txt")
    write("crème brûlée, café noir\r\n".encode("cp1252") * 20, "mix/b.txt")
    write("un thé glacé, naïve\n".encode() * 20, "mix/c.txt")
    write("한국어\n".encode("cp949") * 20, "mix/d.txt")
    write("\ufeffhé\n".encode("utf-16-le"), "mix/e.txt")
    result = read_corpus(["mix"])
    assert text_of(result) == (
        "plain words\n" * 20
        + "crème brûlée, café noir\n" * 20
        + "un thé glacé, naïve\n" * 20
        + "한국어\n" * 20
        + "hé\n"
    )
    encodings = ["utf-8", "cp1252", "utf-8", "cp949", "utf-16-le"]
    assert [source.encoding for source in result.sources] == encodings
    assert result.notices == (
        "mix/b.txt: not UTF-8; read as cp1252",
        "mix/d.txt: not UTF-8; read as cp949",
        "mix/e.txt: has a byte-order mark: read as utf-16-le",
        "line ends: 20 CR LF read as LF; --newlines keep keeps them",
    )
    asked = read_corpus(["mix"], encoding="latin-1")
    assert "mix/c.txt: is valid UTF-8 but read as latin-1; leave out" in asked.notices[0]
    assert not any("a.txt" in notice for notice in asked.notices)


@pytest.mark.parametrize("data", ["été\n".encode(), b"text", b"\xef\xbb\xbfabc"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-le"])
def test_utf8_that_is_read_as_a_wide_encoding(write, encoding, data):
    write(data)
    result = read_corpus(["notes.txt"], encoding=encoding, errors="replace")
    assert result.notices[-1] == (
        f"notes.txt: is valid UTF-8 but read as {result.sources[0].encoding}; leave out "
        "--encoding to read it as UTF-8"
    )


def test_a_rival_that_gives_another_text_is_named(write):
    write("〜から、まで。\n".encode("shift_jis") * 9)
    result = read_corpus(["notes.txt"])
    assert result.notices == (
        "notes.txt: not UTF-8; read as shift_jis (it may be cp932: --encoding cp932)",
    )
    assert result.text(0, 3) == "〜から"


@pytest.mark.parametrize("first", ["", "plain\n" * 30, KOREAN * 9, EMOJI * 9])
@pytest.mark.parametrize("folder", [None, Path("cache")])
def test_what_was_read_wrongly_is_forgotten(write, small_memory, monkeypatch, first, folder):
    write((first or "\n").encode(), "a.txt")
    before = "plain " * 60 + "\n"
    write((before + "한국어\n" * 5).encode("cp949"), "b.txt")
    write(b"the end", "c.txt")
    result = read_corpus(["a.txt", "b.txt", "c.txt"], cache_dir=folder)
    assert text_of(result) == (first or "\n") + before + "한국어\n" * 5 + "the end"
    assert result.num_bytes == len(text_of(result).encode())
    assert result.file_bytes == sum(source.size for source in result.sources)
    assert cached(result) == (folder is not None)


def test_a_writer_forgets_to_the_width_that_it_had():
    with cache.CodesWriter(None) as writer:
        writer.append(np.array([1, 2], np.uint8))
        mark = writer.mark()
        writer.append(np.array([60_000], np.uint16))
        writer.rewind(mark)
        writer.append(np.array([3], np.uint8))
        assert (writer.gather().tolist(), writer.gather().dtype) == ([1, 2, 3], np.uint8)
        assert writer.count == 3


def test_bytes_of_archives_are_counted_unpacked(write):
    write(gzip.compress(b"hello\r\n" * 9), "a.gz")
    result = read_corpus(["a.gz"])
    assert (result.file_bytes, result.num_bytes, len(result)) == (63, 54, 54)


def test_standard_input_that_is_not_utf8(write):
    data = FRENCH.encode("cp1252")
    result = read_corpus(["-"], stdin=io.BytesIO(data))
    assert text_of(result) == FRENCH
    assert result.notices == ("standard input: not UTF-8; read as cp1252",)
    assert result.stdin.read() == data


def test_much_standard_input_goes_to_a_file(monkeypatch):
    monkeypatch.setattr(inputs, "STDIN_MEMORY", 100)
    result = read_corpus(["-"], stdin=io.BytesIO(b"a" * 500))
    assert result.stdin.read() == b"a" * 500


def test_standard_input_that_cannot_be_kept(monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inputs.shutil, "copyfileobj", fail)
    with pytest.raises(CorpusError, match=r"^standard input cannot be .*No space left.*free some"):
        read_corpus(["-"], stdin=io.BytesIO(b"a"))


def test_another_encoding_needs_little_memory_too(write, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 1 << 20)
    path = write(("한국어 " * 1_000_000).encode("cp949"))
    read_corpus([write("한국어\n".encode("cp949"), "warm.txt")])
    tracemalloc.start()
    result = read_corpus([path], cache_dir=Path("cache"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result) == 4_000_000
    assert peak < 8 << 20


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_streaming_needs_little_memory(write, monkeypatch, compress):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 1 << 20)
    path = write(compress(("한국어 " * 5_000_000)[:8_000_000].encode()))
    read_corpus([write(b"warm", "warm.txt")])
    tracemalloc.start()
    result = read_corpus([path], cache_dir=Path("cache"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result) == 8_000_000
    assert peak < 8 << 20  # the codes alone take 16 MB


# Sources


def test_fingerprint_follows_content_and_order(write):
    a, b = write(b"a", "a"), write(b"b", "b")
    both = read_corpus([a, b]).sources
    assert fingerprint(both) == fingerprint(list(both))
    assert fingerprint(both) != fingerprint(both[::-1])
    moved = write(b"a", "elsewhere/c")
    assert fingerprint(read_corpus([moved, b]).sources) == fingerprint(both)
