"""Lines of a text that arrives: whole ones, at once, whatever the pieces are."""

import codecs

import pytest
from texts import KOREAN

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.arriving import ArrivingLines
from charrnn.text.codes import to_text


class Arriving:
    """Gives a piece for each read."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def read1(self, size):
        return self.pieces.pop(0) if self.pieces else b""


def lines_of(pieces, at_least=1, **options):
    arriving = ArrivingLines(Arriving(pieces), TextConfig(**options), at_least=at_least)
    return [to_text(codes) for codes in arriving], arriving


@pytest.mark.parametrize("form", ["none", "nfc", "nfd"])
def test_each_line_is_there_when_its_end_is(form):
    found, _ = lines_of([b"on", b"e\ntwo\nth", b"ree", b"\n", b"four"], normalize=form)
    assert found == ["one\ntwo\n", "three\n", "four"]


def test_a_piece_waits_for_so_many_symbols():
    assert lines_of([b"a\n", b"b\n", b"ccc\n", b"d"], at_least=4)[0] == ["a\nb\n", "ccc\n", "d"][:3]
    assert lines_of([b"a\n", b"b\n"], at_least=100)[0] == ["a\nb\n"]


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_characters_may_be_cut(cut, encoding):
    data = KOREAN.encode(encoding)
    pieces = [data[i : i + cut] for i in range(0, len(data), cut)]
    if encoding == "utf-16":
        pieces = [data[:64], *pieces[64 // cut :]] if 64 % cut == 0 else [data]
    found, _ = lines_of(pieces, encoding=encoding)
    assert "".join(found) == KOREAN


def test_a_mark_and_line_ends_are_read_as_in_a_file():
    found, arriving = lines_of([codecs.BOM_UTF8 + b"one\r", b"\ntwo\rthree\r\n"])
    assert "".join(found) == "one\ntwo\nthree\n"
    assert any("2 CR LF and 1 CR read as LF" in notice for notice in arriving.notices)


@pytest.mark.parametrize(
    ("pieces", "options", "message"),
    [
        ([b"one\ntwo\n", b"\xff\n"], {}, r"line 3\) is not UTF-8; .* --encoding, .* --errors"),
        ([], {}, "standard input is empty"),
        ([b"\x1f\x8b\x08\0\0"], {}, "compressed with gzip: decompress it first"),
        ([b"%PDF-1.7\n\0\0"], {}, "extract its text first"),
    ],
)
def test_what_cannot_be_read(pieces, options, message):
    with pytest.raises(CorpusError, match=message):
        lines_of(pieces, **options)


def test_bytes_that_do_not_fit_may_be_replaced_and_bytes_are_any():
    assert lines_of([b"a\xffb\n"], errors="replace")[0] == ["a\ufffdb\n"]
    assert lines_of([b"a\xffb\r\n"], unit="byte")[0] == ["a\xffb\r\n"]
