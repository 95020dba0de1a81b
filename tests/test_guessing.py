# ruff: noqa: RUF001 - texts in many scripts
"""The encoding of a file that does not say it: the right one, or none."""

import pytest

from charrnn.text import read_corpus
from charrnn.text.surveying import survey
from tests import texts
from tests.texts import CHINESE, FRENCH, JAPANESE, KOREAN, RUSSIAN, text_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    return texts.writer(tmp_path, monkeypatch)


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
        "line endings: 20 CR LF read as LF; use --newlines keep to keep them",
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
