"""Reading a corpus again: the same bytes, decoded as they were; what came from standard input."""

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig
from charrnn.errors import CheckpointError, CorpusError
from charrnn.text import (
    Source,
    cache,
    keep_stdin,
    locate,
    read_corpus,
    read_located,
    reading,
)

TEXT = b"some text, and more of it\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, data=TEXT):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path.absolute())


def source_of(path, name=None):
    (source,) = read_corpus([path]).sources
    return Source(name or source.path, source.sha256, source.size, source.encoding)


@pytest.mark.parametrize("codec", ["cp1252", "utf-16-le", "utf-8", "cp949"])
def test_it_is_read_as_it_was(here, codec):
    text = "한국어 text\n" if codec == "cp949" else "été, naïve café\n"
    path = write("a.txt", text.encode(codec))
    source = Source(path, source_of(path).sha256, len(text.encode(codec)), codec)
    again = read_located(locate([source]), TextConfig())
    assert again.text() == text
    assert again.sources == (source,)


def test_the_recorded_encoding_wins(here):
    path = write("a.txt", "été\n".encode())
    source = source_of(path)
    latin = Source(source.path, source.sha256, source.size, "latin-1")
    assert read_located(locate([latin]), TextConfig()).text() == "Ã©tÃ©\n"
    old = Source(source.path, source.sha256, source.size)  # from before encodings were recorded
    assert read_located(locate([old]), TextConfig(encoding="utf-8")).text() == "été\n"


def test_a_file_that_changes_after_it_was_found(here):
    found = locate([source_of(write("a.txt"))])
    write("a.txt", TEXT[::-1])
    with pytest.raises(CorpusError, match="the corpus changed while it was being read"):
        read_located(found, TextConfig())


def test_the_cache_is_used_again(here, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 100)
    path = write("a.txt", "été, naïve\n".encode("cp1252") * 50)
    first = read_corpus([path], cache_dir="cache")
    assert first.sources[0].encoding == "cp1252"
    monkeypatch.setattr(reading, "TextDecoder", None)  # it must not be decoded again
    again = read_located(locate(first.sources), TextConfig(), "cache")
    assert again.text(0, 11) == "été, naïve\n"
    assert (again.sources, again.notices) == (first.sources, first.notices)
    assert (again.num_bytes, again.file_bytes) == (first.num_bytes, first.file_bytes)


def test_a_cache_entry_of_another_encoding_is_not_used(here, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 100)
    path = write("a.txt", "été, naïve\n".encode("cp1252") * 50)
    (source,) = read_corpus([path], cache_dir="cache").sources
    other = Source(source.path, source.sha256, source.size, "cp1250")
    for _ in range(2):
        again = read_located(locate([other]), TextConfig(), "cache")
        assert again.text(0, 11) == "été, naďve\n"
    assert read_corpus([path], cache_dir="cache").text(0, 11) == "été, naïve\n"


@settings(max_examples=100, deadline=None)
@given(
    text=st.text("ab \n\r\0é한я\u0301\ufeff", min_size=1, max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be", "cp949", "cp1252", "koi8-r"]),
    errors=st.sampled_from(["strict", "replace", "skip"]),
    bad=st.binary(max_size=2),
)
def test_what_was_read_is_read_again(tmp_path_factory, text, encoding, errors, bad):
    path = tmp_path_factory.mktemp("again") / "a.txt"
    path.write_bytes(text.encode(encoding, "ignore") + bad)
    config = TextConfig(errors=errors)
    try:
        first = read_corpus([path], **config.to_json())
    except CorpusError:
        return
    again = read_located(locate(first.sources), config)
    assert again.codes.tolist() == first.codes.tolist()
    assert again.sources == first.sources


# Standard input


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT, mtime=0), "été\r\n".encode("cp1252")])
def test_standard_input_is_kept(here, data):
    first = read_corpus(["-"], stdin=io.BytesIO(data))
    keep_stdin(first, Path("stdin.gz"))
    keep_stdin(first, Path("again.gz"))
    assert Path("stdin.gz").read_bytes() == Path("again.gz").read_bytes()
    assert gzip.decompress(Path("stdin.gz").read_bytes()) == data
    found = locate(first.sources, kept_stdin=Path("stdin.gz"))
    assert found[0].path == "-"
    again = read_located(found, TextConfig(), kept_stdin=Path("stdin.gz"))
    assert again.text() == first.text()
    assert again.sources == first.sources
    # The next reading of the same input takes what was kept.
    assert read_corpus(["-"], stdin=first.stdin).text() == first.text()


def test_standard_input_that_was_not_kept(here):
    (source,) = read_corpus(["-"], stdin=io.BytesIO(TEXT)).sources
    with pytest.raises(
        CorpusError, match="trained on standard input, which is not available: get it"
    ):
        locate([source], kept_stdin=Path("stdin.gz"), advice="get it")
    path = write("a.txt")
    assert locate([source], named=["a.txt"])[0].path == path


def test_a_damaged_copy_of_standard_input(here):
    first = read_corpus(["-"], stdin=io.BytesIO(TEXT * 100))
    kept = Path("stdin.gz")
    keep_stdin(first, kept)
    whole = kept.read_bytes()
    found = locate(first.sources, kept_stdin=kept)
    for damaged in (whole[:-9], whole[:30] + b"\0\0\0\0" + whole[34:], b"none"):
        kept.write_bytes(damaged)
        with pytest.raises(CorpusError, match=r"^stdin.gz, the copy of standard input, is damaged"):
            read_located(found, TextConfig(), kept_stdin=kept)
    kept.write_bytes(gzip.compress(b"another text"))
    for other in (b"another text", b"\xff", b"", gzip.compress(TEXT)[:-1]):
        kept.write_bytes(gzip.compress(other))
        with pytest.raises(CorpusError) as caught:
            read_located(found, TextConfig(), kept_stdin=kept)
        assert str(caught.value) == (
            "stdin.gz, the copy of standard input, is not the text of this run: use "
            "another copy of the run, or name the file"
        )


def test_a_kept_copy_is_not_unpacked_beyond_what_was_recorded(here, monkeypatch):
    first = read_corpus(["-"], stdin=io.BytesIO(TEXT))
    Path("stdin.gz").write_bytes(gzip.compress(TEXT + bytes(10_000_000)))
    sizes = []
    real = gzip.GzipFile.read

    def count(self, size):
        data = real(self, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", count)
    (found,) = locate(first.sources, kept_stdin=Path("stdin.gz"))
    with pytest.raises(CorpusError, match="is not the text of this run: use another"):
        read_located([found], TextConfig(), kept_stdin=Path("stdin.gz"))
    assert max(sizes) <= len(TEXT) + 1


def test_a_named_file_comes_before_the_kept_copy(here):
    first = read_corpus(["-"], stdin=io.BytesIO(TEXT))
    kept = Path("stdin.gz")
    kept.write_bytes(b"none")
    path, grown = write("a.txt"), write("b.txt", TEXT + b"more")
    assert locate(first.sources, named=["a.txt"], kept_stdin=kept)[0].path == path
    found = locate(first.sources, named=["b.txt", "a.txt"], kept_stdin=kept)
    assert (found[0].path, found[0].grown) == (path, False)
    assert locate(first.sources, named=["b.txt"], kept_stdin=kept)[0].path == grown
    # One that is another source, and begins like it, does not.
    sources = [*first.sources, source_of(grown)]
    assert [found.path for found in locate(sources, named=[grown], kept_stdin=kept)] == ["-", grown]


def test_nothing_is_kept_in_part(here):
    first = read_corpus(["-"], stdin=io.BytesIO(TEXT))
    with pytest.raises(CheckpointError, match="could not be written"):
        keep_stdin(first, Path("nowhere/stdin.gz"))
    keep_stdin(read_corpus([write("a.txt")]), Path("stdin.gz"))
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt"]
