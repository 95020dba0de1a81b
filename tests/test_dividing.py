"""A text divided into items: of every kind, in characters and bytes, and in whole items again."""

import tracemalloc
from itertools import accumulate, groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig, TrainConfig
from charrnn.data.dividing import (
    ENDS,
    as_items,
    chunks_of_items,
    divide,
    division_of,
    end_of,
    is_line,
    last_items,
    texts_of,
)
from charrnn.data.tasks import task_for
from charrnn.errors import ConfigError
from charrnn.text import Corpus, read_corpus
from charrnn.text.codes import LINE_END, to_codes, to_text

RS = ENDS[0]
MARKS = ["%", "aa", "\n%\n", "\n\n\n", "한", "a\nb", "😀"]


def items_of(text, items, *, end=None, starts=(0,), unit="char"):
    """Return the items of a text, and check that they are all that it has when divided."""
    codes = np.frombuffer(text.encode(), np.uint8) if unit == "byte" else to_codes(text)
    end = end_of(codes, items) if end is None else end
    divided = divide(codes, items, end, starts=starts, unit=unit)
    assert divided.dtype == codes.dtype
    found = texts_of(divided, end)
    assert all(found)
    assert "".join(item + chr(end) for item in found) == to_text(divided)
    return [item.encode("latin-1").decode() for item in found] if unit == "byte" else found


# Each kind


@pytest.mark.parametrize("unit", ["char", "byte"])
@pytest.mark.parametrize(
    ("items", "text", "wanted"),
    [
        ("line", "a\nb\n", ["a", "b"]),
        ("line", "\n\na\n\n\nbc\n\n", ["a", "bc"]),
        ("line", "한\n\n국", ["한", "국"]),
        ("line", "", []),
        ("line", "\n\n", []),
        ("blank-line", "a\nb\n\nc", ["a\nb", "c"]),
        ("blank-line", "\n\n a\n\n\n\n  b\n c\n\n", [" a", "  b\n c"]),
        ("blank-line", "a\n \t\nb\n   ", ["a", "b"]),
        ("blank-line", "  \na", ["a"]),
        ("blank-line", "a\nb", ["a\nb"]),
        ("blank-line", " \n\t", []),
        ("blank-line", "가\r\n나\r\n\r\n😀\r\n", ["가\r\n나", "😀"]),
        ("file", "a\n\nb\n", ["a\n\nb"]),
        ("file", "\r\n\n", []),
        ("%", "a\n%\nb%c\n%\n", ["a", "b", "c"]),
        ("%", "%%a%%", ["a"]),
        ("%", "no mark", ["no mark"]),
        ("aa", "aaa b aa c", ["a b ", " c"]),
        ("\n%\n", "%\n50 %\nof %s\n%\n%\nb\n%", ["50 %\nof %s", "b"]),
        ("\n%\n", "a\r\n%\r\nb\r\n% \t\nc", ["a", "b", "c"]),
        ("\n\n\n", "f\n\ng\n\n\nh\n\n\n\ni", ["f\n\ng", "h", "i"]),
        ("끝", "하나끝둘끝", ["하나", "둘"]),
        (".", "a.b*c", ["a", "b*c"]),
    ],
)
def test_every_kind(unit, items, text, wanted):
    assert items_of(text, items, unit=unit) == wanted


@pytest.mark.parametrize("items", ["line", "blank-line", "file", "%", "\n%\n"])
def test_no_item_goes_on_from_one_file_to_the_next(items):
    files = ["a\n%\n\nb\n", "", "c\n", "\n\nd\n%\n"]
    starts = [0, *accumulate(map(len, files[:-1]))]
    end = LINE_END if items == "line" else RS
    of_each = [item for file in files for item in items_of(file, items, end=end)]
    assert items_of("".join(files), items, end=end, starts=starts) == of_each
    assert "b\nc" not in of_each


def blank(line):
    return not line.strip(" \t\r")


def slow_items(text, items):
    """Return the items line by line, without regular expressions."""
    if items == "line":
        return [line for line in text.split("\n") if line]
    if items == "file":
        pieces = [text]
    elif items == "blank-line" or is_line(items):
        is_mark = blank if items == "blank-line" else None
        lines = [
            (is_mark(line) if is_mark else line.rstrip(" \t\r") == items[1:-1], line)
            for line in text.split("\n")
        ]
        groups = groupby(lines, key=lambda line: line[0])
        pieces = ["\n".join(line for _, line in group) for mark, group in groups if not mark]
    else:
        pieces = text.split(items)
    return [item for piece in pieces if (item := piece.strip("\r\n")) and not item.isspace()]


texts = st.text("ab% \n\r\t한😀", max_size=60)


@given(texts, st.sampled_from(["line", "blank-line", "file", *MARKS]))
@settings(deadline=None, max_examples=400)
def test_the_items_are_those_of_a_plain_division(text, items):
    assert items_of(text, items) == slow_items(text, items)


@given(texts, st.sampled_from(["line", "blank-line", "file", *MARKS]))
@settings(deadline=None)
def test_bytes_divide_as_characters_do(text, items):
    assert items_of(text, items, unit="byte") == items_of(text, items)


# The end


def test_the_end_is_a_control_character_that_the_text_does_not_have():
    assert end_of(to_codes("a\x1eb"), "line") == LINE_END
    assert end_of(to_codes("ab"), "file") == RS
    assert end_of(to_codes("a\x1e\x1db\x1c"), "file") == 0x1F
    assert items_of("a\x1eb\x1d\x1ec", "\x1e") == ["a", "b\x1d", "c"]
    without = "".join(map(chr, ENDS[:-1]))
    assert end_of(to_codes(without), "file") == ENDS[-1]
    assert items_of(f"a{without}b\n\nc", "blank-line") == [f"a{without}b", "c"]
    with pytest.raises(ConfigError, match="--items % needs an unused control character"):
        end_of(to_codes("".join(map(chr, ENDS))), "\n%\n")


def test_an_end_in_another_text_divides_it():
    assert items_of("\x1ea\x1e\x1eb\n\nc\x1e", "blank-line", end=RS) == ["a", "b", "c"]


@pytest.mark.parametrize("end", ENDS)
def test_no_end_is_part_of_a_text_file(end):
    assert chr(end) not in "\t\n\v\f\r"


# Marks on lines of their own


FORTUNES = "50 % of all\n%\n100%\n%\nno % at all\n%\n"


@pytest.mark.parametrize(
    ("items", "text", "wanted"),
    [
        ("%", FORTUNES, "\n%\n"),
        ("%", FORTUNES.replace("\n", "\r\n"), "\n%\n"),
        ("%", FORTUNES + "100 % of % % %\n", "%"),  # mostly inside lines
        ("%", "a%b%c", "%"),
        ("%", "a%\n%\n%b", "%"),
        ("\n%\n", FORTUNES, "\n%\n"),
        ("line", "line\n", "line"),
        ("file", "file\n", "file"),
        ("<|end|>", "a\n<|end|>\nb\n<|end|>\n", "\n<|end|>\n"),
    ],
)
def test_a_mark_that_mostly_stands_on_a_line_of_its_own(items, text, wanted):
    assert division_of(Corpus.from_text(text, TextConfig(newlines="keep")), items) == wanted
    assert division_of(Corpus.from_text(text.encode(), TextConfig(unit="byte")), items) == wanted


@pytest.mark.parametrize("mark", ["blankline", "%\n%", "\n\n\n\n"])
def test_a_mark_that_the_text_does_not_have_is_refused(tmp_path, mark):
    for name in ("a.txt", "b.txt"):  # else each of the two files would be an item
        (tmp_path / name).write_text("one\n\ntwo\n")
    corpus = read_corpus([tmp_path / "a.txt", tmp_path / "b.txt"], errors="strict")
    with pytest.raises(ConfigError, match=r"is not in the text.*: give the mark"):
        division_of(corpus, mark)


def test_what_a_mark_is_of_follows_from_all_files(tmp_path):
    for name, text in (("a", "1 % % %\n%"), ("b", "\n%\n%\n%")):
        (tmp_path / name).write_text(text)
    assert division_of(read_corpus([tmp_path / "a"]), "%") == "%"
    assert division_of(read_corpus([tmp_path / "a", tmp_path / "b"]), "%") == "\n%\n"


@pytest.mark.parametrize("form", ["nfc", "nfd", "nfkc"])
def test_a_mark_takes_the_form_of_the_text(form):
    corpus = Corpus.from_text("하나끝둘끝", TextConfig(normalize=form))
    task = task_for(TrainConfig(items="끝"), corpus)
    divided = task.text(corpus).codes
    found = [
        Corpus.from_text(item, TextConfig(normalize="nfc")).text()
        for item in texts_of(divided, task.end)
    ]
    assert found == ["하나", "둘"]


# Divided texts


def test_items_have_an_end_and_none_is_empty():
    for text, wanted in [("a\nb\n", "a\nb\n"), ("\n\na\n\nbc", "a\nbc\n"), ("", ""), ("\n", "")]:
        assert to_text(as_items(to_codes(text))) == wanted
    ids = np.array([3, 0, 3, 3, 1], np.uint8)
    assert as_items(ids, 3).tolist() == [0, 3, 1, 3]


def test_the_last_items():
    codes = to_codes("aaaa\nb\ncc\nd\n")
    assert [last_items(codes, share) for share in (0, 0.1, 0.25, 0.5, 0.75)] == [0, 0, 2, 5, 7]
    assert last_items(to_codes("aa%b%"), 0.5, ord("%")) == 2
    assert last_items(codes[:0], 0.5) == 0


@given(st.lists(st.text("ab한", min_size=1, max_size=9), max_size=20), st.integers(1, 30))
@settings(deadline=None)
def test_chunks_are_whole_items(items, size):
    codes = to_codes("".join(item + "\n" for item in items))
    chunks = list(chunks_of_items(codes, size=size))
    assert [item for chunk in chunks for item in texts_of(chunk)] == items
    assert all(chunk[-1] == LINE_END for chunk in chunks)
    longest = max(map(len, items), default=0)
    assert all(len(chunk) <= size + longest for chunk in chunks)


def test_dividing_takes_little_memory():
    text = to_codes(("a line of some words\n" * 40 + "\n") * 2_000)
    tracemalloc.start()
    divide(text, "blank-line", RS)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 * len(text)
