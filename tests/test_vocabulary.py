"""Characters and ids: nothing is lost on the way there and back, nothing unknown gets in."""

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import VocabularyError
from charrnn.text import Vocabulary, show_character, vocabulary
from charrnn.text.codes import to_codes, to_text
from charrnn.text.normalizing import Normalizer, may_split_before

KOREAN = "동해 물과 백두산이 마르고 닳도록"


def make(text, **options):
    return Vocabulary.from_codes(to_codes(text), **options)


@given(st.text(min_size=1))
def test_round_trip(text):
    vocab = make(text)
    ids = vocab.encode_text(text)
    assert to_text(vocab.symbols) == "".join(sorted(set(text)))
    assert ids.dtype == vocab.dtype
    assert vocab.decode(ids) == text
    assert Vocabulary.from_json(vocab.to_json()) == vocab


@pytest.mark.parametrize(
    ("text", "width"), [("", 1), ("ab", 1), ("éÿ", 1), ("é한", 2), ("\uffff", 2), ("a😀", 4)]
)
def test_codes_take_the_smallest_type(text, width):
    codes = to_codes(text)
    assert codes.itemsize == width
    assert to_text(codes) == text


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, "u1"), (255, "u1"), (256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")],
)
def test_ids_take_the_smallest_type(size, dtype):
    codes = np.arange(0xE000, 0xE000 + size, dtype=np.uint32)
    vocab = Vocabulary.from_codes(codes)
    assert len(vocab) == size
    assert vocab.dtype == dtype
    assert (vocab.encode(codes) == np.arange(size)).all()
    with pytest.raises(VocabularyError, match="does not know 2 characters"):
        vocab.encode(np.array([codes[-1] + 1, 0xE000, 5], np.uint32))


def test_long_texts_are_taken_in_chunks(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 7)
    codes = to_codes("the quick brown fox " * 5)
    vocab = Vocabulary.from_codes(codes)
    ids = vocab.encode(codes)
    assert (vocab.symbols[ids] == codes).all()
    out = np.zeros(len(codes), np.uint16)
    assert vocab.encode(codes, out) is out
    assert (out == ids).all()
    with pytest.raises(
        VocabularyError, match=r"'!' \(U\+0021\) 2 times, first at line 1, column 81;"
    ):
        vocab.encode(to_codes("the quick brown fox " * 4 + "!a!"))


def test_symbols_are_counted(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 3)
    known = make("abc")
    codes = to_codes("abracadabra")
    assert known.count(codes).tolist() == [5, 2, 1]
    assert known.count(codes[:0]).tolist() == [0, 0, 0]
    assert make("ab").entropy(to_codes("aabab" * 2)) == pytest.approx(0.6730116670)
    assert known.entropy(to_codes("aaa")) == 0


def test_unknown_characters_are_named():
    vocab = make("abc")
    with pytest.raises(VocabularyError) as caught:
        vocab.encode_text("a\nb한\n\x1b")
    assert str(caught.value) == (
        "the model does not know 3 characters of the text: "
        "'\\n' (U+000A) 2 times, first at line 1, column 2; "
        "'한' (U+D55C) 1 time, first at line 2, column 2; "
        "'\\x1b' (U+001B) 1 time, first at line 3, column 1: "
        "remove or replace them, or use a model whose training text has them"
    )
    with pytest.raises(
        VocabularyError, match=r"does not know 26 char.*'J'.* time, .*; and 16 more"
    ):
        vocab.encode_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_the_line_and_column_of_an_unknown_character(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 5)
    text = "".join(f"line {number}\n" for number in range(1, 1235)) + "ab?\n\nc?!"
    known = make(text.replace("?", "").replace("!", ""))
    where = r"'\?' \(.*\) 2 times, first at line 1,235, column 3; '!' .* line 1,237, column 3:"
    with pytest.raises(VocabularyError, match=where):
        known.encode_text(text)


def test_unknown_symbols_are_counted_without_ids(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 3)
    codes = to_codes("xaxbyc\U0001f600")
    assert make("abc").unknown(codes) == {ord("x"): 2, ord("y"): 1, 0x1F600: 1}
    assert make("abc").unknown(to_codes("abcabc")) == make("abc").unknown(codes[:0]) == {}


def test_unknown_characters_can_be_dropped():
    vocab = make("abc")
    ids, unknown = vocab.encode_known(to_codes("xaxbyc\U0001f600"))
    assert vocab.decode(ids) == "abc"
    assert ids.dtype == vocab.dtype
    assert unknown == {ord("x"): 2, ord("y"): 1, 0x1F600: 1}
    assert vocab.encode_known(to_codes(""))[1] == {}


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\n", r"'\n' (U+000A)"),
        ("한", "'한' (U+D55C)"),
        ("\u202e", r"'\u202e' (U+202E)"),
        ("\u0301", r"'\u0301' (U+0301)"),
        ("'", '"\'" (U+0027)'),
        ("\x1b", r"'\x1b' (U+001B)"),
        ("\ue000", r"'\ue000' (U+E000)"),
        ("😀", "'😀' (U+1F600)"),
    ],
)
def test_show_character(character, shown):
    assert show_character(ord(character)) == shown


def test_it_cannot_be_changed():
    symbols = np.array([97, 98], np.uint32)
    vocab = Vocabulary(symbols)
    symbols[0] = 0
    assert vocab.decode([0, 1]) == "ab"
    with pytest.raises(ValueError, match="read-only"):
        vocab.symbols[0] = 1
    with pytest.raises(AttributeError):
        vocab.unit = "byte"
    assert vocab == make("ab")
    assert hash(vocab) == hash(make("ab"))
    assert vocab != make("abc")
    assert vocab != make("ab", normalize="nfd")
    assert "2 symbols" in repr(vocab)


@pytest.mark.parametrize("ids", [[2], [-1], [0.5], np.array([300], np.uint16)])
def test_ids_outside_are_refused(ids):
    with pytest.raises(VocabularyError, match="from 0 to 1"):
        make("ab").decode(ids)
    assert make("ab").decode([]) == ""


def test_codes_that_are_none():
    with pytest.raises(VocabularyError, match="empty"):
        Vocabulary.from_codes(np.array([], np.uint8))
    with pytest.raises(VocabularyError, match="not code points"):
        Vocabulary.from_codes(np.array([0xFFFFFFFF], np.uint32))
    with pytest.raises(VocabularyError, match="number 4294967295 1 time"):
        make("a").encode(np.array([0xFFFFFFFF], np.uint32))


GOOD_JSON = {"unit": "char", "normalize": "none", "symbols": [1, 2, 3]}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"symbols": [1]},
        GOOD_JSON | {"more": 1},
        GOOD_JSON | {"unit": "word"},
        GOOD_JSON | {"unit": ["char"]},
        GOOD_JSON | {"normalize": "NFC"},
        GOOD_JSON | {"normalize": None},
        GOOD_JSON | {"symbols": "abc"},
        GOOD_JSON | {"symbols": []},
        GOOD_JSON | {"symbols": [2, 1]},
        GOOD_JSON | {"symbols": [1, 1]},
        GOOD_JSON | {"symbols": [True, 2]},
        GOOD_JSON | {"symbols": [1.0]},
        GOOD_JSON | {"symbols": ["a"]},
        GOOD_JSON | {"symbols": [[1]]},
        GOOD_JSON | {"symbols": [-1]},
        GOOD_JSON | {"symbols": [0xD800]},
        GOOD_JSON | {"symbols": [0x110000]},
        GOOD_JSON | {"symbols": [10**30]},
        GOOD_JSON | {"symbols": [1] * 0x110001},
        GOOD_JSON | {"unit": "byte", "symbols": [256]},
    ],
)
def test_bad_json_is_refused(data):
    with pytest.raises(VocabularyError) as caught:
        Vocabulary.from_json(data)
    assert str(caught.value).isprintable()


# Bytes


def test_a_vocabulary_of_bytes_has_every_byte():
    vocab = Vocabulary.from_codes(np.frombuffer(b"abc", np.uint8), unit="byte")
    assert vocab.symbols.tolist() == list(range(256))
    assert vocab.unknown(vocab.text_to_codes("한국어\r\n")) == {}


@given(st.text(min_size=1))
def test_bytes_round_trip_one_at_a_time(text):
    data = np.frombuffer(text.encode(), np.uint8)
    vocab = Vocabulary.from_codes(data, unit="byte")
    decoder = vocab.decoder()
    ids = vocab.encode_text(text)
    assert "".join(decoder.decode(i) for i in ids) + decoder.flush() == text
    assert vocab.decode(ids) == text


def test_broken_utf8_becomes_a_replacement():
    vocab = Vocabulary(np.arange(256, dtype=np.uint32), unit="byte")
    decoder = vocab.decoder()
    assert decoder.decode([0x61, 0xED, 0x95]) == "a"
    assert decoder.decode(0x9C) == "한"
    assert decoder.decode([0xED, 0x95, 0x61, 0xFF, 0xED]) == "\ufffda\ufffd"
    assert decoder.flush() == "\ufffd"
    assert decoder.decode(0x61) == "a"
    with pytest.raises(VocabularyError, match=r"1 byte of the text: byte 0xC3 1 time"):
        Vocabulary(np.array([97]), unit="byte").encode(np.array([0xC3], np.uint8))


# Normal forms


def test_a_seed_is_brought_into_the_form_of_the_corpus():
    vocab = make(unicodedata.normalize("NFD", KOREAN), normalize="nfd")
    ids = vocab.encode_text(KOREAN)
    assert len(ids) > len(KOREAN)
    assert vocab.decode(ids) == KOREAN
    assert make("é", normalize="nfc").encode_text("e\u0301").tolist() == [0]
    with pytest.raises(VocabularyError, match=r"lone surrogate \(U\+DCFF\) at character 1"):
        vocab.encode_text("a\udcff")
    with pytest.raises(VocabularyError, match="lone surrogate"):
        Vocabulary(np.array([97]), unit="byte").encode_text("a\udcff")


def test_an_nfd_model_writes_composed_text():
    vocab = make(unicodedata.normalize("NFD", "한글 \ne\u0301x"), normalize="nfd")
    decoder = vocab.decoder()
    shown = [decoder.decode(i) for i in vocab.encode_text("한글 x")]
    assert shown == ["", "", "", "한", "", "", "글", " "]
    assert decoder.flush() == "x"
    assert decoder.flush() == ""


FORMS = st.sampled_from(["nfc", "nfd", "nfkc"])
PIECES = st.lists(st.text("ae \n\u0301\u0323\u0344한\u1112\u1161\u11abがか\u3099ｶﾞﾡﾂé\u0b47\u0b3e"))


@given(PIECES, FORMS)
def test_streaming_equals_the_whole(pieces, form):
    normalizer = Normalizer(form)
    text = "".join(map(normalizer.feed, pieces)) + normalizer.flush()
    assert text == unicodedata.normalize(form.upper(), "".join(pieces))


@given(st.lists(st.text(), max_size=5), FORMS)
def test_streaming_equals_the_whole_for_any_text(pieces, form):
    normalizer = Normalizer(form)
    text = "".join(map(normalizer.feed, pieces)) + normalizer.flush()
    assert text == unicodedata.normalize(form.upper(), "".join(pieces))


def test_no_character_that_composes_backwards_may_split_before():
    seconds = set()
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    seconds |= {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    assert len(seconds) > 100
    assert not [hex(ord(c)) for c in seconds if may_split_before(c)]
    assert all(map(may_split_before, "a \né한が的ᄒ가😀ไ"))


@pytest.mark.parametrize("cut", [1, 1000, 4096, 4097])
def test_a_hostile_run_of_marks_takes_bounded_time_and_is_cut_alike(cut):
    text = "a" + "\u0301\u0323" * 6000 + "b"
    normalizer = Normalizer("nfc")
    pieces = [normalizer.feed(text[i : i + cut]) for i in range(0, len(text), cut)]
    result = "".join(pieces) + normalizer.flush()
    whole = Normalizer("nfc")
    assert result == whole.feed(text) + whole.flush()
    assert len(result) >= len(text) - 2
