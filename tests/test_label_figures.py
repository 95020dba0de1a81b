"""Figures of predicted labels, entities and restored texts: by hand and against slow references."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.evaluation.labels.figures import (
    LabelRow,
    entity_figures,
    has_entities,
    label_figures,
    restoration_figures,
    wilson,
    wilson_bounds,
)
from charrnn.evaluation.labels.matches import Matches
from charrnn.evaluation.labels.restoration import Share

ACUTE, GRAVE, CEDILLA = "\u0301", "\u0300", "\u0327"
TAGS = ["O", "B-PS", "I-PS", "B-LC", "I-LC"]


def test_wilson_is_newcombes_example():
    # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3
    assert wilson_bounds(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_bounds(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(81, 263) == pytest.approx((0.3662 - 0.2553) / 2, abs=1e-4)
    assert wilson_bounds(0, 0) == (0.0, 1.0)
    assert wilson(0, 0) == 0.5
    for count in range(1, 200):
        assert wilson_bounds(0, count)[0] == 0.0
        assert wilson_bounds(count, count)[1] == 1.0
        low, high = wilson_bounds(1, count + 1)
        assert 0 < low < high < 1


def test_labels_by_hand():
    found = label_figures(list("aaaabbbc"), list("aabbbbbd"))
    assert (found.count, found.right, found.accuracy) == (8, 5, 0.625)
    assert found.interval == wilson(5, 8)
    assert found.bounds == wilson_bounds(5, 8)
    assert found.accuracy_words == "62.5 % (95 % interval: 30.6 to 86.3 %)"
    a, b, c, d = found.rows
    assert a == LabelRow("a", 4, 2, 1.0, 0.5, 2 / 3, (("b", 0.5),))
    assert b == LabelRow("b", 3, 5, 0.6, 1.0, 0.75, ())
    assert c == LabelRow("c", 1, 0, 0.0, 0.0, 0.0, (("d", 1.0),))
    assert d == LabelRow("d", 0, 1, 0.0, 0.0, 0.0, ())
    assert found.macro_f1 == pytest.approx((2 / 3 + 0.75 + 0) / 3)
    assert found.labels == ("a", "b", "c", "d")
    assert found.confusion.tolist() == [[2, 2, 0, 0], [0, 3, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_at_most_three_labels_are_named_the_most_frequent_first():
    found = label_figures(["a"] * 10, list("abbcccdddd"))
    assert found.rows[0].confused == (("d", 0.4), ("c", 0.3), ("b", 0.2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1))
def test_labels_equal_counting_one_by_one(pairs):
    gold, predicted = zip(*pairs, strict=True)
    found = label_figures(gold, predicted)
    assert found.right == sum(g == p for g, p in pairs)
    f1 = []
    for label in sorted(set(gold)):
        right = pairs.count((label, label))
        f1.append(2 * right / (gold.count(label) + predicted.count(label)))
    assert found.macro_f1 == pytest.approx(sum(f1) / len(f1))
    assert sum(row.count for row in found.rows) == sum(row.predicted for row in found.rows)


def test_no_labels_and_labels_of_unequal_number():
    found = label_figures([], [])
    assert (found.accuracy, found.macro_f1, found.rows) == (0.0, 0.0, ())
    with pytest.raises(ValueError, match="1 predicted labels for 2 correct ones"):
        label_figures(["a", "b"], ["a"])


def test_all_figures_are_json():
    labels = label_figures(list("aab"), list("abb")).to_json()
    assert json.loads(json.dumps(labels))["confusion"] == [[1, 1], [0, 1]]
    entities = entity_figures([["B-X", "O"]], [["B-X", "B-Y"]]).to_json()
    assert json.loads(json.dumps(entities))["kinds"]["X"]["f1"] == 1.0
    spaces = restoration_figures("spaces", [("ab", [" ", ""])], [[" ", ""]]).to_json()
    assert json.loads(json.dumps(spaces))["found_words"]["right"] == 2
    case = restoration_figures("case", [("a", ["L"])], [["U"]]).to_json()
    assert json.loads(json.dumps(case))["found_words"] is None


def test_which_tags_mark_entities():
    assert has_entities(TAGS)
    assert has_entities(["B-PS", "I-PS"])
    assert not has_entities(["O", "I-PS"])
    assert not has_entities(["O", "B-"])
    assert not has_entities(["NOUN", "VERB", "B-PS"])
    assert not has_entities(["O"])


def slow_spans(tags):
    """Strict IOB2, tag by tag."""
    found, start, kind = set(), None, None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{kind}":
            found.add((start, place, kind))
            start = None
        if tag.startswith("B-"):
            start, kind = place, tag[2:]
    return found


sentences = st.lists(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=8))


@settings(max_examples=100, deadline=None)
@given(sentences)
def test_entities_equal_a_slow_reference(pairs):
    gold = [[g for g, _ in sentence] for sentence in pairs]
    predicted = [[p for _, p in sentence] for sentence in pairs]
    found = entity_figures(gold, predicted)
    both = [(slow_spans(g), slow_spans(p)) for g, p in zip(gold, predicted, strict=True)]

    def count(kind):
        kept = [({s for s in g if s[2] in kind}, {s for s in p if s[2] in kind}) for g, p in both]
        right = sum(len(g & p) for g, p in kept)
        return Matches(sum(len(g) for g, _ in kept), sum(len(p) for _, p in kept), right)

    assert found.total == count({"PS", "LC"})
    assert all(found.kinds[kind] == count({kind}) for kind in found.kinds)


def test_entities_by_hand():
    gold = [["B-PS", "I-PS", "O", "B-LC"], ["B-PS", "I-PS"]]
    predicted = [["B-PS", "I-PS", "I-PS", "B-LC"], ["I-PS", "I-PS"]]
    found = entity_figures(gold, predicted)
    assert (found.precision, found.recall, found.f1) == (1 / 2, 1 / 3, 2 / 5)
    assert list(found.kinds) == ["PS", "LC"]
    assert found.kinds["LC"] == Matches(1, 1, 1)
    with pytest.raises(ValueError, match="sequence 1: 1 labels for 2 positions"):
        entity_figures(gold, [predicted[0], ["O"]])
    with pytest.raises(ValueError, match="1 predicted sequences for 2 correct ones"):
        entity_figures(gold, predicted[:1])


def slow_space_scores(gold, predicted):
    """Spaces after characters, 0 or 1, line by line."""
    n = right = both = extra = missed = lines = 0
    words = Matches(0, 0, 0)

    def spans(spaces):
        found, start = set(), 0
        for place, space in enumerate(spaces):
            if space or place == len(spaces) - 1:
                found.add((start, place))
                start = place + 1
        return found

    for g, p in zip(gold, predicted, strict=True):
        for a, b in zip(g[:-1], p[:-1], strict=True):
            n, right = n + 1, right + (a == b)
            both, extra, missed = both + (a and b), extra + (b > a), missed + (a > b)
        one, other = spans(g), spans(p)
        more = Matches(len(one), len(other), len(one & other))
        words = Matches(*(x + y for x, y in zip(words, more, strict=True)))
        lines += g[:-1] == p[:-1]
    return n, right, Matches(both + missed, both + extra, both), words, lines


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9)))
def test_spaces_equal_a_slow_reference(pairs):
    gold = [[int(g) for g, _ in line] for line in pairs]
    predicted = [[int(p) for _, p in line] for line in pairs]
    n, right, spaces, words, lines = slow_space_scores(gold, predicted)
    text = [("x" * len(line), ["" if not g else " " for g in line]) for line in gold]
    found = restoration_figures(
        "spaces",
        [*text, ("", [])],
        [*(["" if not p else " " for p in line] for line in predicted), []],
    )
    assert found.characters == Share(n, right)
    assert found.removed == spaces
    assert found.found_words == words
    assert found.words == Share(words.gold, words.right)
    assert found.lines == Share(len(gold), lines)


def test_words_of_accents_end_at_white_space_and_at_the_end_of_a_text():
    gold = [("ete  a", [ACUTE, "", ACUTE, "", "", GRAVE]), ("", []), ("b c", ["", "", CEDILLA])]
    predicted = [[ACUTE, "", "", "", "", GRAVE], [], ["", "", CEDILLA]]
    found = restoration_figures("accents", gold, predicted)
    assert found.characters == Share(9, 8)
    assert found.removed == Matches(4, 3, 3)
    assert found.words == Share(4, 3)
    assert found.lines == Share(2, 1)
    assert found.found_words is None


def test_a_label_on_white_space_counts_as_a_character_and_not_as_a_word():
    found = restoration_figures("marks", [("a b", ["", ",", "."])], [["", "", "."]])
    assert (found.words, found.characters) == (Share(2, 2), Share(3, 2))
    assert (found.removed.recall, found.removed.precision) == (0.5, 1.0)


def test_small_letters_are_nothing_restored():
    found = restoration_figures("case", [("ab ", ["U", "L", "L"])], [["L", "L", "L"]])
    assert found.removed == Matches(1, 0, 0)
    assert found.words.accuracy == 0.0
    assert found.characters.interval == wilson(2, 3)


@pytest.mark.parametrize("kind", ["spaces", "case", "marks", "accents"])
def test_no_text_at_all(kind):
    assert restoration_figures(kind, [], []).lines == Share(0, 0)
    found = restoration_figures(kind, [("", [])], [[]])
    assert (found.words, found.characters.accuracy) == (Share(0, 0), 0.0)


def test_labels_of_restored_texts_must_fit_them():
    with pytest.raises(ValueError, match="sequence 0: 1 labels for 2 positions"):
        restoration_figures("case", [("ab", ["L", "L"])], [["L"]])


def test_many_tags_are_counted_in_one_pass():
    rng = random.Random(0)
    gold, predicted = rng.choices(TAGS, k=100_000), rng.choices(TAGS, k=100_000)
    found = label_figures(gold, predicted)
    assert found.confusion.sum() == 100_000
    assert found.right == np.trace(found.confusion)
