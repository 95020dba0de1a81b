"""What is removed from plain text can be put back, whatever the text and the labels are."""

import unicodedata
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.labels.restoring import MARKS, RESTORERS

CASES = (
    "aBÉñ đĐłŁøØǿß ẞ İ \u0131 ǅ \u017f \u212a ς Σ ΐ ᾧ й Ё 한국 \u1112\u1161 \u0627\u0654 e\u0301 "
    "q\u0303 e\u0301\u0303 ... …… ،؟ 。、 \u3000 \u00a0 \x1c \t \u200b ½ ﬁ \U0001d400 か\u3099"
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\n")), st.text(st.sampled_from(CASES), max_size=40)
)
LABELS = st.lists(
    st.one_of(st.text(max_size=4), st.sampled_from(["", " ", "U", "L", ".", "\u0301", "\u0338"]))
)
NAMES = sorted(RESTORERS)


@pytest.mark.parametrize("name", NAMES)
@given(text=TEXTS)
def test_what_is_removed_can_be_put_back(name, text):
    restorer = RESTORERS[name]
    normal = restorer.normal(text)
    bare, labels = restorer.remove(text)
    assert len(bare) == len(labels)
    assert restorer.restore(bare, labels) == normal
    assert restorer.normal(normal) == normal
    assert restorer.remove(normal) == (bare, labels)
    assert (bare == normal) == all(label == restorer.neutral for label in labels)
    assert restorer.nothing_to_restore([text]) == (bare == normal)


@pytest.mark.parametrize("name", NAMES)
@given(bare=st.one_of(TEXTS, st.text(st.sampled_from("abcdoeiDOLßς한."))), labels=LABELS)
def test_labels_that_do_not_fit_change_nothing(name, bare, labels):
    restorer = RESTORERS[name]
    restored = restorer.restore(bare, labels)
    assert len(restored) >= len(bare)
    assert restorer.restore(bare, []) == bare
    assert restorer.restore(bare, [restorer.neutral] * len(bare)) == bare
    assert restorer.restore(bare, ["nonsense"] * len(bare)) == bare
    for character, label in zip(bare, labels, strict=False):
        alone = character + "x"
        if character not in MARKS and restorer.remove(alone)[0] == alone:  # as bare text has it
            changed = restorer.restore(alone, [label])
            assert changed == alone or restorer.remove(changed) == (
                alone,
                [label, restorer.neutral],
            )


@pytest.mark.parametrize(
    ("name", "text", "bare", "labels"),
    [
        ("spaces", "  나는  학교에 ", "나는학교에", ["", " ", "", "", ""]),
        ("spaces", "a\u00a0b\tc", "abc", [" ", " ", ""]),
        ("spaces", " ", "", []),
        ("case", "Aß İÉ", "aß İé", [*"ULLLU"]),
        ("case", "ΣςǅẞK", "\u03c3ςǅẞk", [*"ULLLU"]),
        ("marks", "Oh, no!? 3.5", "Oh no 35", ["", ",", "", "", "!?", "", ".", ""]),
        ("marks", "...a....b...", "...a....b", [""] * 8 + ["..."]),
        ("marks", "好。م؟", "好م", ["。", "؟"]),
        ("accents", "é Ę", "e E", ["\u0301", "", "\u0328"]),
        ("accents", "e\u0301", "e", ["\u0301"]),
        ("accents", "đŁø\u0131", "dLoi", ["\u0338", "\u0338", "\u0338", "\u0131"]),
        ("accents", "ǿế", "oe", ["\u0338\u0301", "\u0302\u0301"]),
        ("accents", "ᾧйΆ", "ωиΑ", ["\u0314\u0342\u0345", "\u0306", "\u0301"]),
        ("accents", "q\u0303", "q\u0303", ["", ""]),
    ],
)
def test_examples(name, text, bare, labels):
    assert RESTORERS[name].remove(text) == (bare, labels)


@pytest.mark.parametrize("text", ["한국어", "أحمد", "がぎ", "क़िला", "שׁ", "≠", "ﬁ ½"])
def test_other_scripts_keep_their_marks(text):
    composed = unicodedata.normalize("NFC", text)
    assert RESTORERS["accents"].remove(text) == (composed, [""] * len(composed))


def test_a_letter_gets_an_accent_that_it_never_had():
    assert RESTORERS["accents"].restore("nxo", ["\u0301", "\u0308", "\u0338"]) == "ńẍø"
    labels = ["\u0301", "\u0338", "\u0338" * 9, "\u0301", "\u0301", "\u0302\u0323"]
    assert RESTORERS["accents"].restore("한noêøe", labels) == "한noêøe"


def test_every_letter_with_two_cases_or_accents_can_be_put_back():
    blocks = ((0, 0x3000), (0xA640, 0xAB70), (0xFB00, 0xFF60), (0x10400, 0x10500))
    for code in chain.from_iterable(range(*block) for block in blocks):
        character = chr(code)
        for name in ("case", "accents"):
            restorer = RESTORERS[name]
            assert restorer.restore(*restorer.remove(character)) == restorer.normal(character)


def test_a_long_run_of_accents_takes_no_time():
    text = "a" + "\u0301\u0323" * 10_000
    restorer = RESTORERS["accents"]
    assert restorer.restore(*restorer.remove(text)) == restorer.normal(text)
    assert restorer.restore("a", ["\u0301\u0323" * 10_000]) == "a"


@pytest.mark.parametrize(
    ("name", "without", "with_it"),
    [
        ("spaces", [" 나는학교에 ", ""], "나는 학교에"),
        ("case", ["small İ 한", ""], "Small"),
        ("marks", ["none", "... none", "none....."], "one."),
        ("accents", ["none 한 か\u3099", ""], "\u00e9t\u00e9"),
    ],
)
def test_a_text_with_nothing_to_restore_is_told(name, without, with_it):
    restorer = RESTORERS[name]
    assert restorer.nothing_to_restore(without)
    assert not restorer.nothing_to_restore([*without, with_it])
    assert restorer.absent.startswith("no line has ")


def test_marks_are_punctuation():
    assert {unicodedata.category(mark) for mark in MARKS} == {"Po"}
