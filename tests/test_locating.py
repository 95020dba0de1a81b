"""Finding a corpus again: where it was, moved, renamed or grown, and never another text."""

import gzip
import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import (
    Located,
    Source,
    TrainedOn,
    files,
    locate,
    locating,
    portable_name,
    read_corpus,
    read_located,
    recognizing,
    trained_on,
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
    with pytest.raises(CorpusError, match=r"^a.txt, which .* is missing: get it$"):
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
    with pytest.raises(CorpusError, match=r"^a.txt, which this run was trained on, is missing"):
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
        locating, "hash_file", lambda path, limit: hashed.append(path) or real(path, limit)
    )
    assert locate([source, source], folders=[Path("data"), Path()])[0].path == hashed[0]
    assert [Path(path).name for path in hashed] == ["b.txt"]


def test_a_file_that_cannot_be_read(here, monkeypatch):
    source = source_of(write("a.txt"))

    def refuse(path, limit):
        raise CorpusError(f"{path} cannot be read")

    monkeypatch.setattr(locating, "hash_file", refuse)
    with pytest.raises(CorpusError, match=r"a.txt cannot be read$"):
        locate([source])
    Path("a.txt").rename("b.txt")  # one that only might be it is passed over
    with pytest.raises(CorpusError, match=r"^a.txt, which this run was trained on, is missing"):
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
    with pytest.raises(
        CorpusError, match=r"^b.txt is not a file that this run was trained on: leave it"
    ):
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
    monkeypatch.setattr(locating, "hash_file", counted("hash", files.hash_file))
    monkeypatch.setattr(recognizing, "open_source", counted("hash", files.open_source))
    monkeypatch.setattr(os, "walk", counted("list", os.walk))
    monkeypatch.setattr(os, "scandir", counted("list", os.scandir))
    assert [found.path for found in locate(sources, **where)] == paths
    assert calls["hash"] == number
    assert calls["list"] <= 2 * 31
    # Each may be under its own name in each of the folders to be searched.
    places = 2 + 2 * len(where.get("folders", ()))
    assert calls["stat"] <= (5 + places) * number


# What a text has to do with the corpus


def test_which_files_a_model_was_trained_on(here, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 7)
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
