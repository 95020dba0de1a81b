"""Finding a corpus again: where it was, moved, renamed or grown, and never another text."""

import gzip
import hashlib
import io
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig
from charrnn.errors import CheckpointError, CorpusError
from charrnn.text import (
    Located,
    Source,
    TrainedOn,
    cache,
    corpus,
    files,
    keep_stdin,
    locate,
    portable_name,
    read_corpus,
    read_located,
    trained_on,
)
from charrnn.text import locating as locating_module

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


# Where a source may be


def test_it_is_where_it_was(here):
    source = source_of(write("data/a.txt"), "data/a.txt")
    (found,) = locate([source])
    assert (found.source, found.path, found.grown) == (source, str(here / "data/a.txt"), False)


def test_it_is_where_it_was_recorded(here, monkeypatch):
    path = write("data/a.txt")
    source = source_of(path, "a.txt")
    monkeypatch.chdir("/")
    assert locate([source], recorded={source.sha256: path})[0].path == path
    with pytest.raises(CorpusError, match=r"^a.txt, which .* is gone: get it$"):
        locate([source], advice="get it")


@pytest.mark.parametrize(
    "place", ["runs/a/data/a.txt", "runs/a/a.txt", "runs/data/a.txt", "a.txt", "runs/other.txt"]
)
def test_it_is_found_in_the_folders(here, place):
    source = source_of(write("data/a.txt"), "data/a.txt")
    Path("data/a.txt").unlink()
    write("runs/a/best.npz", b"no text")
    path = write(place)
    folders = [Path("runs/a"), Path("runs"), Path()]
    assert locate([source], folders=folders)[0].path == path


def test_a_file_of_the_same_size_is_not_taken_for_it(here):
    source = source_of(write("a.txt"))
    Path("a.txt").unlink()
    write("b.txt", TEXT[::-1])
    with pytest.raises(CorpusError, match=r"^a.txt, which this run was trained on, is gone"):
        locate([source], folders=[Path()])


@pytest.mark.parametrize(
    ("data", "what"), [(TEXT[::-1], "SHA-256 differs"), (b"short", "its size differs")]
)
def test_it_has_changed(here, data, what):
    source = source_of(write("a.txt"))
    write("a.txt", data)
    with pytest.raises(CorpusError) as caught:
        locate([source])
    assert str(caught.value) == (
        f"a.txt has changed since this run was trained ({what}): "
        "name the file to score, as in: charrnn eval FILE"
    )
    other = write("elsewhere/a.txt")  # the right one is elsewhere: no word of the other
    assert locate([source], folders=[Path("elsewhere")])[0].path == other


def test_nothing_is_hashed_whose_size_rules_it_out(here, monkeypatch):
    source = source_of(write("data/a.txt"), "data/a.txt")
    Path("data/a.txt").rename("data/b.txt")
    for number in range(5):
        write(f"data/{number}.txt", bytes([65 + number]) * (len(TEXT) - 1 - number))
    hashed = []
    real = files.hash_file
    monkeypatch.setattr(
        locating_module, "hash_file", lambda path, limit: hashed.append(path) or real(path, limit)
    )
    assert locate([source, source], folders=[Path("data"), Path()])[0].path == hashed[0]
    assert [Path(path).name for path in hashed] == ["b.txt"]


def test_a_file_that_cannot_be_read(here, monkeypatch):
    source = source_of(write("a.txt"))

    def refuse(path, limit):
        raise CorpusError(f"{path} cannot be read")

    monkeypatch.setattr(locating_module, "hash_file", refuse)
    with pytest.raises(CorpusError, match=r"a.txt cannot be read$"):
        locate([source])
    Path("a.txt").rename("b.txt")  # one that only might be it is passed over
    with pytest.raises(CorpusError, match=r"^a.txt, which this run was trained on, is gone"):
        locate([source], folders=[Path()])


# Files that the user named


def test_a_named_file_comes_first(here):
    source = source_of(write("a.txt"))
    other = write("moved/b.txt")
    assert locate([source], named=["moved/b.txt"])[0].path == other
    assert locate([source], named=["moved"])[0].path == other
    assert locate([source], named=[Path("moved/b.txt"), "a.txt"])[0].path == other


def test_a_named_file_that_is_another_text_is_an_error(here):
    source = source_of(write("a.txt"))
    write("b.txt", b"another text")
    with pytest.raises(CorpusError, match=r"^b.txt is not what this run was trained on: leave it"):
        locate([source], named=["b.txt"])
    with pytest.raises(CorpusError, match=r"^gone.txt: no such file or folder: check"):
        locate([source], named=["gone.txt"])


def test_several_named_files_may_have_any_order(here):
    a, b = write("a.txt", b"one\n"), write("b.txt", b"two and three\n")
    sources = [source_of(a, "x.txt"), source_of(b, "y.txt")]
    assert [found.path for found in locate(sources, named=["b.txt", "a.txt"])] == [a, b]


# Files that have grown


def test_a_file_that_has_grown(here):
    path = write("a.txt")
    source = source_of(path)
    with Path(path).open("ab") as file:
        file.write("é and more".encode())
    (found,) = locate([source])
    assert found.grown
    again = read_located([found], TextConfig())
    assert again.text(0, len(again)) == TEXT.decode()
    assert again.sources == (source,)
    assert again.file_bytes == len(TEXT)


def test_an_archive_that_has_grown_is_another(here):
    path = write("a.gz", gzip.compress(TEXT))
    source = source_of(path)
    write("a.gz", gzip.compress(TEXT) * 2)
    with pytest.raises(CorpusError, match="its size differs"):
        locate([source])


def test_a_file_that_begins_like_another_has_not_grown(here):
    first, second = write("a.txt", TEXT), write("b.txt", TEXT * 2)
    sources = [source_of(first, "x.txt"), source_of(second, "y.txt")]
    for named in (["b.txt", "a.txt"], ["a.txt", "b.txt"], ["."]):
        found = locate(sources, named=named)
        assert [(each.path, each.grown) for each in found] == [(first, False), (second, False)]
    # Of those that are named, one that is no source itself is rather what it has become.
    third = write("c.txt", TEXT * 3)
    Path(first).unlink()
    found = locate(sources, named=["b.txt", "c.txt"])
    assert [(each.path, each.grown) for each in found] == [(third, True), (second, False)]
    assert locate(sources, named=["b.txt"])[0] == Located(sources[0], second, grown=True)


def test_a_copy_that_is_named_too_is_no_error(here):
    source = source_of(write("a.txt"))
    write("b.txt")
    write("c.txt", TEXT + b"more")
    assert not locate([source], named=["a.txt", "b.txt", "c.txt"])[0].grown
    empty = source_of_empty(write("e.txt", b""))
    write("f.txt", b"")
    assert len(locate([source, empty], named=["a.txt", "e.txt", "f.txt"])) == 2


def source_of_empty(path):
    return Source(path, hashlib.sha256().hexdigest(), 0)


@pytest.mark.parametrize("same_size", [False, True])
@pytest.mark.parametrize("how", ["files", "folder", "folders", "search"])
def test_each_of_many_files_is_looked_at_a_few_times(here, monkeypatch, how, same_size):
    number = 300
    texts = [b"%05d" % n + b"x" * (0 if same_size else n) for n in range(number)]
    paths = [write(f"data/{n % 30}/{n}.txt", text) for n, text in enumerate(texts)]
    sources = [source_of(path, f"was/{n}.old") for n, path in enumerate(paths)]
    where = {
        "files": {"named": paths[::-1]},
        "folder": {"named": ["data"]},
        "folders": {"named": [f"data/{n}" for n in range(30)]},
        "search": {"folders": [Path("data", str(n)) for n in range(30)]},
    }[how]
    calls = Counter()

    def counted(name, real):
        def call(*args, **more):
            calls[name] += 1
            return real(*args, **more)

        return call

    monkeypatch.setattr(Path, "stat", counted("stat", Path.stat))
    monkeypatch.setattr(locating_module, "hash_file", counted("hash", files.hash_file))
    monkeypatch.setattr(locating_module, "open_source", counted("hash", files.open_source))
    monkeypatch.setattr(os, "walk", counted("list", os.walk))
    monkeypatch.setattr(os, "scandir", counted("list", os.scandir))
    assert [found.path for found in locate(sources, **where)] == paths
    assert calls["hash"] == number
    assert calls["list"] <= 2 * 31
    # Each may be under its own name in each of the folders to be searched.
    places = 2 + 2 * len(where.get("folders", ()))
    assert calls["stat"] <= (5 + places) * number


# Reading


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
    with pytest.raises(CorpusError, match="the corpus changed while it was read"):
        read_located(found, TextConfig())


def test_the_cache_is_used_again(here, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 100)
    path = write("a.txt", "été, naïve\n".encode("cp1252") * 50)
    first = read_corpus([path], cache_dir="cache")
    assert first.sources[0].encoding == "cp1252"
    monkeypatch.setattr(corpus, "TextDecoder", None)  # it must not be decoded again
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
    with pytest.raises(CorpusError, match="trained on standard input, which is gone: get it"):
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
            "stdin.gz, the copy of standard input, is not what this run was trained on: take "
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
    with pytest.raises(CorpusError, match="is not what this run was trained on: take another"):
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


# What a text has to do with the corpus


def test_which_files_a_model_was_trained_on(here, monkeypatch):
    monkeypatch.setattr(locating_module, "CHUNK", 7)
    a, b = write("d/a.txt"), write("d/b.txt", b"other\n")
    grown = write("d/c.txt", TEXT + b"more")
    same = [source_of(a), Source("x", "0" * 64, 3), Source("e", "0" * 64, 0)]
    found = trained_on(same, ["d"])
    assert found == TrainedOn(same=(a,), begins=(grown,))
    assert found
    assert trained_on(same, [a]) == TrainedOn(same=(a,))
    assert not trained_on(same, [b, "-"])
    archive = write("c.gz", gzip.compress(TEXT))
    longer = write("l.gz", gzip.compress(TEXT) * 2)
    assert trained_on([source_of(archive)], [longer]) == TrainedOn()


def test_names_that_say_nothing_of_the_machine(here):
    assert portable_name(str(here / "data" / "a.txt")) == "data/a.txt"
    assert portable_name("data/../b.txt") == "b.txt"
    assert portable_name("/home/somebody/text.txt") == "text.txt"
    assert portable_name("../c.txt") == "c.txt"
    assert portable_name("-") == "-"
