"""Several files as one text: where each begins, and which are held out."""

import io
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import cache, files, locate, read_corpus, read_located, reading

KOREAN = "동해 물과 백두산이 마르고 닳도록\n하느님이 보우하사 우리나라 만세\n"
FRENCH = "l'été à la forêt, un élève rêve déjà\r\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_file(name, data):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    return write_file


@pytest.fixture
def mixed(write):
    """Files of many kinds, in the order of their names."""
    write("mix/a.txt", KOREAN.encode())
    write("mix/b.txt", KOREAN.encode("cp949").rstrip(b"\n"))
    write("mix/c.txt", b"")
    write("mix/d.txt", FRENCH.encode("cp1252"))
    write("mix/e.txt", "\ufeffé".encode("utf-16-le"))
    write("mix/f.txt", b"\xef\xbb\xbf")
    return [f"mix/{name}.txt" for name in "abcdef"]


TEXTS = [KOREAN, KOREAN, "", FRENCH.replace("\r", ""), "é", ""]


def pieces(corpus):
    """Return the text of each file."""
    return [corpus.text(*border) for border in pairwise((*corpus.starts, len(corpus)))]


# Where files begin


@pytest.mark.parametrize("folder", [None, "cache"])
def test_where_each_file_begins(mixed, monkeypatch, folder):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 50)
    monkeypatch.setattr(files, "CHUNK", 64)
    corpus = read_corpus(mixed, cache_dir=folder)
    assert pieces(corpus) == TEXTS
    assert corpus.starts[0] == 0
    assert corpus.held_out == 0
    assert isinstance(corpus.codes, np.memmap) == (folder is not None)
    again = [read_located(locate(corpus.sources), TextConfig(), folder)]
    if folder is not None:
        monkeypatch.setattr(reading, "TextDecoder", None)  # it must not be decoded again
        again.append(read_corpus(mixed, cache_dir=folder))
    for other in again:
        assert other.starts == corpus.starts
        assert (other.codes == corpus.codes).all()


def test_an_added_newline_belongs_to_the_file_before(write):
    names = [write("a", b"one"), write("b", b""), write("c", b""), write("d", b"\ntwo"), "b"]
    corpus = read_corpus(names)
    assert pieces(corpus) == ["one\n", "", "", "\ntwo", ""]
    assert corpus.starts == (0, 4, 4, 4, 8)
    assert read_corpus(["b", "a"]).starts == (0, 0)


def test_characters_are_not_joined_over_a_border(write):
    a, b = write("a", b"e\n"), write("b", "\u0301\u1112".encode())
    c, d = write("c", "\u1161".encode()), write("d", b"\r")
    corpus = read_corpus([a, b, c], normalize="nfc")
    assert pieces(corpus) == ["e\n", "\u0301\u1112\n", "\u1161"]
    assert pieces(read_corpus([d, a], newlines="keep")) == ["\r", "e\n"]
    e = write("e", b"\n")
    assert pieces(read_corpus([d, e])) == ["\n", "\n"]


def test_where_a_file_begins_that_has_grown(write):
    a, b = write("a", FRENCH.encode("cp1252")), write("b", KOREAN.encode())
    corpus = read_corpus([a, b])
    with Path("a").open("ab") as file:
        file.write("été".encode("cp1252"))
    again = read_located(locate(corpus.sources), TextConfig())
    assert again.starts == corpus.starts
    assert again.text() == corpus.text()


TEXT = st.text("ab \n\r\0é한я\u0301\u1161\ufeff😀", max_size=12)
ENCODING = st.sampled_from(["utf-8", "utf-16", "utf-16-be", "cp949", "cp1252", "koi8-r"])


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.tuples(TEXT, ENCODING), min_size=2, max_size=5),
    number=st.integers(1, 4),
    newlines=st.sampled_from(["keep", "lf"]),
    normalize=st.sampled_from(["none", "nfc", "nfd"]),
    unit=st.sampled_from(["char", "byte"]),
    small=st.booleans(),
)
def test_a_corpus_is_its_files_one_after_another(
    tmp_path_factory, texts, number, newlines, normalize, unit, small
):
    folder = tmp_path_factory.mktemp("files")
    options = {"errors": "skip", "newlines": newlines, "unit": unit}
    options["normalize"] = "none" if unit == "byte" else normalize
    paths, alone = [], []
    for place, (text, encoding) in enumerate(texts):
        paths.append(folder / f"{place}.txt")
        paths[-1].write_bytes(text.encode(encoding, "ignore"))
        own, message = attempt(paths[-1:], **options)
        assert own or "is empty" in message
        alone.append(own)
    number = min(number, len(paths) - 1)
    where = folder / "cache" if small else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "MEMORY_LIMIT", 4)
        corpus, message = attempt(
            paths[:number], held_out=paths[number:], **options, cache_dir=where
        )
        if corpus is None:
            contents = [own.sources[0].sha256 if own else "" for own in alone]
            learned, held = ({*side} - {""} for side in (contents[:number], contents[number:]))
            wrong = "same content" if learned & held else "empty"
            assert wrong in message
            assert learned & held or not (learned and held)
            return
        again = read_located(locate(corpus.sources), TextConfig(**options), where)
    added = 0
    for place, (start, stop) in enumerate(pairwise((*corpus.starts, len(corpus)))):
        own = alone[place]
        codes = corpus.codes[start:stop].tolist()
        if own is None:
            assert codes == []
            continue
        is_last = not any(alone[place + 1 :])
        end = [] if is_last or own.codes[-1] in (10, 13) else [10]
        assert codes == [*own.codes.tolist(), *end]
        assert corpus.sources[place] == own.sources[0]
        added += len(end)
    assert corpus.num_bytes == sum(each.num_bytes for each in alone if each) + added
    assert corpus.held_out == len(corpus) - corpus.starts[number]
    assert again.codes.tolist() == corpus.codes.tolist()
    assert (again.starts, again.sources) == (corpus.starts, corpus.sources)
    assert again.num_bytes == corpus.num_bytes


def attempt(paths, **options):
    try:
        return read_corpus(paths, **options), ""
    except CorpusError as error:
        return None, str(error)


# Files that are held out


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("folder", [None, "cache"])
def test_files_are_held_out(mixed, monkeypatch, number, folder):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 50)
    learned, held = mixed[:number], mixed[number:]
    for _ in range(2):
        corpus = read_corpus(learned, held_out=held, cache_dir=folder)
        assert pieces(corpus) == TEXTS
        assert corpus.held_out == len("".join(TEXTS[number:]))
        assert corpus.text(len(corpus) - corpus.held_out) == "".join(TEXTS[number:])
        encodings = ["utf-8", "cp949", "utf-8", "cp1252", "utf-16-le", "utf-8"]
        assert [source.encoding for source in corpus.sources] == encodings
        assert corpus.notices == (
            "mix/b.txt: not UTF-8; read as cp949",
            "mix/c.txt and 1 more: is empty: left out",
            "mix/d.txt: not UTF-8; read as cp1252",
            "mix/d.txt: a newline was added before it",
            "mix/e.txt: has a byte-order mark: read as utf-16-le",
            "mix/f.txt: byte-order mark (BOM) removed",
            "line endings: 1 CR LF read as LF; use --newlines keep to keep them",
        )
    # One cache entry, wherever the border is.
    assert folder is None or len(list(Path("cache").glob("*.codes"))) == 1
    again = read_located(locate(corpus.sources), TextConfig(), folder)
    assert again.text() == corpus.text()


def test_each_side_has_its_usual_order(write):
    for name in ("train/b", "train/a", "val/d", "val/c"):
        write(name, name.encode() + b"\n")
    corpus = read_corpus(["train/b", "train/a"], held_out="val")
    assert corpus.text() == "train/b\ntrain/a\nval/c\nval/d\n"
    assert corpus.held_out == len("val/c\nval/d\n")
    corpus = read_corpus("train", held_out=Path("val/d"))
    assert corpus.text() == "train/a\ntrain/b\nval/d\n"
    assert read_corpus("train", held_out=[]).held_out == 0


@pytest.mark.parametrize("held", ["val.txt", "link.txt"])
@pytest.mark.parametrize("name", ["val.txt", "./val.txt", "link.txt", "data", "*.txt"])
def test_a_file_on_both_sides_is_refused_before_it_is_read(write, monkeypatch, name, held):
    write("val.txt", b"some text")
    write("data/other.txt", b"another text")
    Path("link.txt").symlink_to("val.txt")
    Path("data/linked.txt").symlink_to("../val.txt")
    monkeypatch.setattr(reading, "TextDecoder", None)
    with pytest.raises(CorpusError) as caught:
        read_corpus([name], held_out=[held])
    assert str(caught.value) == (
        f"{held} is both a file to train on and one to hold out: leave it out on one side"
    )


@pytest.mark.parametrize("folder", [None, "cache"])
def test_the_same_content_on_both_sides_is_refused(write, monkeypatch, folder):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 5)
    names = [write("a", b"some text"), write("b", b"more text"), write("c", b"more text")]
    message = (
        "c, a file to hold out, has the same content as b, a file to train on: "
        "leave out one of them"
    )
    assert read_corpus(names, cache_dir=folder).starts == (0, 10, 20)  # as one text, it may be
    for _ in range(2):
        with pytest.raises(CorpusError) as caught:
            read_corpus(names[:2], held_out=names[2:], cache_dir=folder)
        assert str(caught.value) == message
    os.link("a", "d")
    with pytest.raises(CorpusError, match="d, a file to hold out, has the same content as a,"):
        read_corpus(["a"], held_out=["d"])
    with pytest.raises(CorpusError, match=r"standard input, a file to hold out, .* as a,"):
        read_corpus(["a"], held_out=["-"], stdin=io.BytesIO(b"some text"))


@pytest.mark.parametrize("folder", [None, "cache"])
def test_a_side_without_text_is_refused(write, monkeypatch, folder):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 3)
    full, empty, mark = write("a", b"text"), write("b", b""), write("c", b"\xef\xbb\xbf")
    assert read_corpus([full, empty, mark], cache_dir=folder).starts == (0, 4, 4)
    for learned, held, name in (
        ([full], [empty], "b"),
        ([empty], [full], "b"),
        ([full], [empty, mark], "each of 2 files"),
        ([empty, mark], [full], "each of 2 files"),
    ):
        with pytest.raises(CorpusError) as caught:
            read_corpus(learned, held_out=held, cache_dir=folder)
        assert str(caught.value) == f"{name} is empty: name a file with text"
    other = write("d", b"other")
    # Two empty files are the same, and no leak.
    assert read_corpus([full, empty], held_out=[other, write("e", b"")]).held_out == 5
    with pytest.raises(CorpusError, match="no text was named"):
        read_corpus([], held_out=[full])
    with pytest.raises(CorpusError, match="gone: no such file or folder"):
        read_corpus([full], held_out=["gone"])
    Path("loop").symlink_to("loop")
    with pytest.raises(CorpusError, match="loop cannot be read"):
        read_corpus([full], held_out=["loop"])


def test_standard_input_on_one_side(write):
    name = write("a", b"text\n")
    corpus = read_corpus([name], held_out=["-"], stdin=io.BytesIO(FRENCH.encode("cp1252")))
    assert corpus.text() == "text\n" + FRENCH.replace("\r", "")
    assert corpus.held_out == len(FRENCH) - 1
    assert corpus.stdin.read() == FRENCH.encode("cp1252")
    corpus = read_corpus(["-"], held_out=[name], stdin=corpus.stdin)
    assert corpus.held_out == 5
    with pytest.raises(CorpusError, match=r"^standard input \(-\) is named twice"):
        read_corpus(["-"], held_out=["-"], stdin=io.BytesIO(b"text"))


@pytest.mark.parametrize("side", [0, 1])
def test_an_error_names_the_file_of_either_side(write, side):
    names = [write("a", KOREAN.encode()), write("b", KOREAN.encode() + b"\xff" + KOREAN.encode())]
    paths = {"paths": names[side : side + 1], "held_out": names[1 - side : 2 - side]}
    with pytest.raises(CorpusError, match=rf"^b: byte {len(KOREAN.encode())} \(line 3\) is not"):
        read_corpus(**paths)
    corpus = read_corpus(**paths, errors="replace")
    assert corpus.notices == ("b: 1 byte that is not UTF-8 was replaced by U+FFFD",)
    assert corpus.held_out == (len(KOREAN) if side else 2 * len(KOREAN) + 1)


def test_both_forms_of_a_letter_are_told_of_over_both_sides(write):
    names = write("a", "é".encode()), write("b", "e\u0301".encode())
    notices = read_corpus(names[:1], held_out=names[1:]).notices
    assert "composed (NFC) and decomposed (NFD)" in notices[-1]
    assert read_corpus(names[:1], held_out=names[1:], normalize="nfc").text() == "é\né"


def test_notices_of_a_cached_corpus_are_of_the_files_that_are_there(write, monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 5)
    write("data/a.txt", FRENCH.encode("cp1252"))
    left_out = "data/b: left out, because it is not text"
    for binary in (False, True, False):
        Path("data/b").unlink(missing_ok=True)
        if binary:
            write("data/b", bytes(50))
        corpus = read_corpus(["data"], cache_dir="cache")
        assert isinstance(corpus.codes, np.memmap)
        assert corpus.notices == (
            *[left_out] * binary,
            "data/a.txt: not UTF-8; read as cp1252",
            "line endings: 1 CR LF read as LF; use --newlines keep to keep them",
        )


@pytest.mark.parametrize(
    "starts", [[], [0, 3], [0, 9, 99], [-1, 3, 5], [0, "3", 5], [0, 6, 3], [1, 4, 8]]
)
def test_a_cache_entry_with_strange_starts_is_made_again(write, monkeypatch, starts):
    monkeypatch.setattr(cache, "MEMORY_LIMIT", 5)
    names = [write("a", b"one"), write("b", b"two"), write("c", b"three")]
    read_corpus(names, cache_dir="cache")
    (header,) = Path("cache").glob("*.json")
    header.write_text(json.dumps(json.loads(header.read_text()) | {"starts": starts}))
    assert cache.Header.read(header) is None
    assert read_corpus(names, cache_dir="cache").starts == (0, 4, 8)
