"""A text that a program gives: read as a file of its UTF-8 bytes, and found again by content."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import (
    Corpus,
    Source,
    Vocabulary,
    fitting_corpus,
    locate,
    portable_name,
    read_corpus,
    read_located,
    trained_on,
)
from charrnn.text.codes import to_codes
from charrnn.text.sources import MEMORY

TEXT = "l'été à la forêt,\r\nun élève rêve déjà\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@settings(max_examples=80, deadline=None)
@given(
    text=st.text("ab \n\r\0é한\u1112\u1161e\u0301\ufeff😀\ud83d", max_size=30),
    errors=st.sampled_from(["strict", "replace", "skip"]),
    newlines=st.sampled_from(["keep", "lf"]),
    normalize=st.sampled_from(["none", "nfc", "nfd", "nfkc"]),
    unit=st.sampled_from(["char", "byte"]),
)
def test_it_is_read_as_a_file_is(tmp_path_factory, text, errors, newlines, normalize, unit):
    path = tmp_path_factory.mktemp("memory") / "a.txt"
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(data)
    normalize = "none" if unit == "byte" else normalize
    options = TextConfig(errors=errors, newlines=newlines, normalize=normalize, unit=unit)
    # UTF-8 without a guess: "auto" takes NUL bytes for UTF-16, and broken text for others.
    digest = hashlib.sha256(data).hexdigest()
    located = locate([Source(str(path), digest, len(data), "utf-8")])
    expected, refused = attempt(lambda: read_located(located, options))
    found, message = attempt(lambda: Corpus.from_text(text, options))
    name = str(path)
    assert message.replace("text in memory", name) == refused
    if found is None:
        return
    assert found.codes.tolist() == expected.codes.tolist()
    assert found.codes.dtype == expected.codes.dtype
    assert (found.num_bytes, found.file_bytes) == (expected.num_bytes, expected.file_bytes)
    assert found.starts == expected.starts == (0,)
    assert (found.unit, found.normalize, found.held_out) == (unit, normalize, 0)
    assert [notice.replace("text in memory", name) for notice in found.notices] == [
        *expected.notices
    ]
    encoding = expected.sources[0].encoding
    assert found.sources == (Source(MEMORY, digest, len(data), encoding),)


def attempt(read):
    try:
        return read(), ""
    except CorpusError as error:
        return None, str(error)


def test_line_ends_and_forms():
    found = Corpus.from_text(TEXT)
    assert found.text() == TEXT.replace("\r", "")
    assert found.notices == ("line endings: 1 CR LF read as LF; use --newlines keep to keep them",)
    assert Corpus.from_text(TEXT, TextConfig(newlines="keep")).text() == TEXT
    assert Corpus.from_text("e\u0301", TextConfig(normalize="nfc")).text() == "é"
    assert Corpus.from_text("é", TextConfig(encoding="cp949")).text() == "é"
    assert found.stdin is None


def test_bytes():
    options = TextConfig(unit="byte")
    assert Corpus.from_text("é\r\n", options).codes.tolist() == [0xC3, 0xA9, 13, 10]
    found = Corpus.from_text(b"\xff\0", options)
    assert found.codes.tolist() == [0xFF, 0]
    assert found.sources[0].sha256 == hashlib.sha256(b"\xff\0").hexdigest()
    with pytest.raises(CorpusError, match=r"^text is bytes, and the unit is char: decode it, or"):
        Corpus.from_text(b"text")


@pytest.mark.parametrize("text", ["", "\ufeff"])
def test_an_empty_text(here, text):
    with pytest.raises(CorpusError) as caught:
        Corpus.from_text(text)
    assert str(caught.value) == "text in memory is empty: name a file with text"


def test_half_of_a_character():
    with pytest.raises(CorpusError) as caught:
        Corpus.from_text("ab\n\ud83d")
    assert str(caught.value) == (
        "text in memory: byte 3 (line 2) is a lone surrogate (U+D83D), half of a pair: repair "
        "the text, or read it with --errors replace, --errors skip or --unit byte"
    )
    found = Corpus.from_text("ab\n\ud83dc", TextConfig(errors="replace"))
    assert found.text().startswith("ab\n\ufffd")
    assert found.text().endswith("c")


def test_it_is_brought_into_the_form_that_a_model_knows():
    vocabulary = Vocabulary.from_codes(to_codes("cafe\u0301"))
    found, used = fitting_corpus(
        lambda options: Corpus.from_text("café", options), TextConfig(), (), vocabulary
    )
    assert found.text() == "cafe\u0301"
    assert used.normalize == "nfd"


# Found again


def test_it_is_found_in_a_file_that_is_named(here):
    first = Corpus.from_text(TEXT)
    Path("a.txt").write_bytes(TEXT.encode())
    Path("data").mkdir()
    Path("data/b.txt").write_bytes(TEXT.encode())
    for name, path in (("a.txt", "a.txt"), ("data", "data/b.txt")):
        (found,) = locate(first.sources, named=[name])
        assert (found.path, found.grown) == (str(here / path), False)
        again = read_located([found], TextConfig())
        assert again.text() == first.text()
        assert again.sources[0].sha256 == first.sources[0].sha256
        assert again.sources[0].is_file  # from now on it is known where it is
    assert trained_on(first.sources, ["a.txt"]).same == (str(here / "a.txt"),)
    with Path("a.txt").open("ab") as file:
        file.write(b"more")
    (found,) = locate(first.sources, named=["a.txt"])
    assert found.grown
    assert read_located([found], TextConfig()).text() == first.text()


def test_it_is_found_nowhere_else(here):
    first = Corpus.from_text(TEXT)
    for name in ("a.txt", MEMORY):
        Path(name).write_bytes(TEXT.encode())
    with pytest.raises(CorpusError) as caught:
        locate(first.sources, folders=[Path()], advice="name it")
    assert (
        str(caught.value)
        == "this run was trained on text in memory, which is not available: name it"
    )
    Path("b.txt").write_bytes(TEXT[::-1].encode())
    with pytest.raises(CorpusError, match="text in memory, which is not available: name the file"):
        locate(first.sources, named=["b.txt"])


def test_its_name_says_nothing_of_the_machine(here):
    assert portable_name(MEMORY) == MEMORY
    assert not Corpus.from_text(TEXT).sources[0].is_file
    assert not read_corpus(["-"], stdin=io.BytesIO(b"text")).sources[0].is_file
    Path("a.txt").write_text("text")
    assert read_corpus(["a.txt"]).sources[0].is_file
