"""Files, folders, patterns, archives and standard input, as the user names them."""

import bz2
import gzip
import hashlib
import io
import os
import socket
from pathlib import Path

import pytest

from charrnn.errors import CorpusError
from charrnn.text import (
    Source,
    files,
    fingerprint,
    inputs,
    read_corpus,
)
from tests import texts
from tests.texts import FRENCH, KOREAN, text_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    return texts.writer(tmp_path, monkeypatch)


SEPARATE = "name a file, or use - to read the text from standard input"


def test_files_are_joined_in_the_order_given(write):
    write(b"one", "b.txt"), write(b"two\n", "a.txt"), write(b"", "e.txt"), write(b"3", "c.txt")
    result = read_corpus(["b.txt", "a.txt", "e.txt", Path("c.txt")])
    assert text_of(result) == "one\ntwo\n3"
    assert result.num_bytes == 9
    assert [Path(s.path).name for s in result.sources] == ["b.txt", "a.txt", "e.txt", "c.txt"]
    assert sorted(result.notices) == [
        "a.txt: a newline was added before it",
        "e.txt: is empty: left out",
    ]


@pytest.mark.parametrize("end", ["x", "é", "한", "😀"])
def test_a_newline_is_added_after_any_character(write, end):
    write(end.encode(), "a.txt"), write(b"b\n", "b.txt")
    result = read_corpus(["a.txt", "b.txt"])
    assert text_of(result) == end + "\nb\n"
    assert result.notices == ("b.txt: a newline was added before it",)


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
    with pytest.raises(
        CorpusError, match=r"folder data has no text file \(1 other file left out\)"
    ):
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
    assert result.sources[0] == Source("-", digest, len(data), "utf-8")
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
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        for path, kind in (("/dev/null", "a device"), ("sock", "a socket")):
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
    with pytest.raises(
        CorpusError, match=r"a.txt.gz is not a gzip file, although its name says so"
    ):
        read_corpus(["a.txt.gz"])
    write(bz2.compress(b"text"), "b.gz")
    assert read_corpus(["b.gz"]).notices == ("b.gz: compressed with bzip2, and decompressed",)
    write(gzip.compress(b"text"), "c.gz")
    assert read_corpus(["c.gz"]).notices == ()


def test_names_are_shown_safely(write):
    write(b"", "a\n\x1b[31m\udcff.txt")
    with pytest.raises(CorpusError) as caught:
        read_corpus(["a\n\x1b[31m\udcff.txt"])
    assert str(caught.value) == r"a\n\x1b[31m\udcff.txt is empty: name a file with text"


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
    with pytest.raises(CorpusError, match=r"^notes.txt changed while it was being read: run again"):
        read_corpus([path])


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

    monkeypatch.setattr(inputs.KeptInput, "write", fail)
    with pytest.raises(CorpusError, match=r"^standard input cannot be .*No space left.*free some"):
        read_corpus(["-"], stdin=io.BytesIO(b"a"))


def test_fingerprint_follows_content_and_order(write):
    a, b = write(b"a", "a"), write(b"b", "b")
    both = read_corpus([a, b]).sources
    assert fingerprint(both) == fingerprint(list(both))
    assert fingerprint(both) != fingerprint(both[::-1])
    moved = write(b"a", "elsewhere/c")
    assert fingerprint(read_corpus([moved, b]).sources) == fingerprint(both)
