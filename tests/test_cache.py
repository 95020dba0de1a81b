"""Large corpora are mapped from a cache, which is never believed without a look."""

import gzip
import io
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from charrnn.errors import CorpusError
from charrnn.text import cache, files, read_corpus, reading, remove_cache
from tests import texts
from tests.texts import EMOJI, KOREAN, text_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    return texts.writer(tmp_path, monkeypatch)


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
    monkeypatch.setattr(reading, "TextDecoder", None)  # it must not be decoded again
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
