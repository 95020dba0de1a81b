"""The split of labelled text: by what a text says, and so that every label is tested."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.dividing import as_items
from charrnn.data.labels.splitting import FEW_TEXTS, TESTED, held_out
from charrnn.data.splits import HashedSplit
from charrnn.text.codes import to_codes, to_text

KEYS = st.integers(0, 2**64 - 1)
FRACTIONS = st.floats(0.01, 0.9)
ITEMS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(0, 60).map(lambda n: f"text {n}")), max_size=80
)


def split(items, fraction, key):
    """Return the held-out texts and the learned ones, as sets of items."""
    held = held_out([t for _, t in items], [label for label, _ in items], fraction, key)
    assert held.shape == (len(items),)
    assert held.dtype == np.bool_
    sides = (set(), set())
    for item, is_held in zip(items, held, strict=True):
        sides[not is_held].add(item)
    return sides


@given(st.lists(st.text("abcdé한\t ", min_size=1)), FRACTIONS, KEYS)
def test_without_labels_it_is_the_split_of_plain_lines(texts, fraction, key):
    held = held_out(texts, None, fraction, key)
    codes = as_items(to_codes("".join(f"{text}\n" for text in texts)))
    learned_lines, held_lines = HashedSplit(fraction, key).both(codes)
    for lines, side in ((held_lines, held), (learned_lines, ~held)):
        wanted = [text for text, is_here in zip(texts, side, strict=True) if is_here]
        assert to_text(lines).split("\n")[:-1] == wanted


@given(ITEMS, FRACTIONS, KEYS)
def test_copies_are_on_one_side_and_order_does_not_matter(items, fraction, key):
    held, learned = split(items, fraction, key)
    assert not {text for _, text in held} & {text for _, text in learned}
    assert split(items[::-1] + items, fraction, key) == (held, learned)


@given(ITEMS, FRACTIONS, KEYS)
def test_every_label_is_learned_and_one_of_some_texts_is_tested(items, fraction, key):
    first = {}  # every text has one label
    items = [(first.setdefault(text, label), text) for label, text in items]
    held, _ = split(items, fraction, key)
    texts = defaultdict(set)
    for label, text in items:
        texts[label].add(text)
    for label, own in texts.items():
        num_held = sum(label == of_held for of_held, _ in held)
        if len(own) == 1:
            assert num_held == 0
        elif len(own) < FEW_TEXTS:
            wanted = int(fraction * len(own) + 0.5)
            fewest = 1 if len(own) >= TESTED else 0
            assert num_held == min(max(wanted, fewest), len(own) - 1)
        assert num_held < len(own)


def test_many_texts_of_a_label_are_held_out_as_they_are_without_labels():
    texts = [f"text {n}" for n in range(600)]
    labels = ["ham" if n % 3 else "spam" for n in range(600)]
    assert held_out(texts, labels, 0.2, 7).tolist() == held_out(texts, None, 0.2, 7).tolist()
    grown = held_out(texts * 2 + ["x"], labels * 2 + ["ham"], 0.2, 7)
    assert grown[:600].tolist() == held_out(texts, labels, 0.2, 7).tolist()
    assert 90 < held_out(texts, labels, 0.2, 7).sum() < 150


def test_a_label_that_no_hash_would_test_is_tested():
    texts = [f"text {n}" for n in range(30)]
    key = next(key for key in range(1000) if not held_out(texts, None, 0.05, key).any())
    assert held_out(texts, ["ham"] * 30, 0.05, key).sum() == 1
    key = next(key for key in range(1000) if held_out(texts, None, 0.95, key).all())
    assert held_out(texts, ["ham"] * 30, 0.95, key).sum() == 29


@pytest.mark.parametrize("key", range(20))
def test_a_text_with_several_labels_counts_for_the_rarest(key):
    common = [("common", f"text {n}") for n in range(40)]
    rare = [("rare", "text 0"), ("rare", "text 1")]
    held, learned = split(common + rare, 0.3, key)
    assert sum(label == "rare" for label, _ in held) == 1
    assert sum(label == "rare" for label, _ in learned) == 1
    assert split([("one", "text 0"), *common], 0.3, key)[1] >= {("one", "text 0")}
    equal = [("b", "x"), ("a", "x"), ("b", "y"), ("a", "z")]
    assert len({text for _, text in split(equal, 0.5, key)[0]}) == 1


def test_nothing_is_held_out_of_nothing_or_with_a_fraction_of_nothing():
    for labels in (None, ["a", "b", "a"]):
        assert held_out(["x", "y", "z"], labels, 0.0, 1).tolist() == [False] * 3
    assert held_out([], [], 0.5, 1).tolist() == []
    assert held_out([], None, 0.5, 1).tolist() == []
    assert held_out(["x"], ["a"], 0.9, 1).tolist() == [False]


def test_a_key_holds_out_other_texts():
    texts = [f"text {n}" for n in range(15)]
    labels = ["a"] * 15
    sides = {held_out(texts, labels, 0.3, key).tobytes() for key in range(10)}
    assert len(sides) > 5
