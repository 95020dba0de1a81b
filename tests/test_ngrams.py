"""N-grams: values against slow references, proper distributions, published numbers."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.evaluation import ngrams
from charrnn.evaluation.ngrams import (
    best_ngram,
    choose_context,
    kneser_ney,
    kneser_ney_probabilities,
    uniform,
    unigram,
)

VOCAB_SIZE = 5


def ids(symbols):
    return np.array(symbols, np.uint8)


def slow_kneser_ney(train, vocab_size, order):
    """p(symbol, context) from dictionaries, straight from Chen and Goodman's formulas."""

    def discounts(counts):
        n = Counter(counts.values())
        found = {1: 0.5, 2: 1.0, 3: 1.5}
        for r in found:
            if n[1] > 0 and n[2] > 0 and n[r] > 0 and n[r + 1] > 0:
                estimate = r - (r + 1) * (n[1] / (n[1] + 2 * n[2])) * n[r + 1] / n[r]
                if estimate > 0:
                    found[r] = estimate
        return found

    def grams(length):
        return [tuple(train[i : i + length]) for i in range(len(train) - length + 1)]

    def table(k, top):
        if top:
            return Counter(grams(k + 1))
        before = defaultdict(set)
        if len(train) > k:
            before[tuple(train[: k + 1])].add("beginning")
        for longer in grams(k + 2):
            before[longer[1:]].add(longer[0])
        return {gram: len(symbols) for gram, symbols in before.items()}

    def probability(symbol, context, top):
        k = len(context)
        shorter = probability(symbol, context[1:], top=False) if k else 1 / vocab_size
        counts = table(k, top)
        d = discounts(counts)
        here = [c for gram, c in counts.items() if gram[:-1] == context]
        if not here:
            return shorter
        c = counts.get((*context, symbol), 0)
        kept = c - d[min(c, 3)] if c else 0
        return (kept + sum(d[min(c, 3)] for c in here) * shorter) / sum(here)

    return lambda symbol, context: probability(
        symbol, tuple(context)[-order:] if order else (), True
    )


symbols = st.integers(0, VOCAB_SIZE - 2)  # the last symbol of the vocabulary never occurs


@settings(max_examples=60, deadline=None)
@given(st.lists(symbols, max_size=40), st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=8))
def test_kneser_ney_equals_a_slow_reference(train, held_out):
    orders = kneser_ney_probabilities(ids(train), ids(held_out), VOCAB_SIZE, max_context=3)
    for order, probabilities in enumerate(orders):
        slow = slow_kneser_ney(train, VOCAB_SIZE, order)
        expected = [slow(symbol, held_out[:i]) for i, symbol in enumerate(held_out)]
        np.testing.assert_allclose(probabilities, expected, rtol=1e-12)


@pytest.mark.parametrize("alphabet", [1, 2, 6])
def test_kneser_ney_equals_the_reference_with_estimated_discounts(alphabet):
    rng = np.random.default_rng(alphabet)
    train = rng.integers(0, alphabet, 300) * rng.integers(0, 2, 300)
    held_out = np.concatenate([train[50:60], rng.integers(0, 7, 10)])
    orders = kneser_ney_probabilities(ids(train), ids(held_out), 7, max_context=4)
    for order, probabilities in enumerate(orders):
        slow = slow_kneser_ney(train.tolist(), 7, order)
        expected = [slow(s, held_out[:i].tolist()) for i, s in enumerate(held_out.tolist())]
        np.testing.assert_allclose(probabilities, expected, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(symbols, max_size=200), st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=6))
def test_kneser_ney_is_a_proper_distribution(train, context):
    def last(symbol):
        orders = kneser_ney_probabilities(
            ids(train), ids([*context, symbol]), VOCAB_SIZE, max_context=6
        )
        return [probabilities[-1] for probabilities in orders]

    every = np.array([last(symbol) for symbol in range(VOCAB_SIZE)])
    assert (every > 0).all()
    np.testing.assert_allclose(every.sum(axis=0), 1, rtol=1e-12)


def test_probabilities_of_a_text_depend_only_on_what_came_before():
    rng = np.random.default_rng(0)
    train, held_out = rng.integers(0, 3, 500), rng.integers(0, 3, 50)
    whole = list(kneser_ney_probabilities(train, held_out, 3, max_context=4))
    part = list(kneser_ney_probabilities(train, held_out[:20], 3, max_context=4))
    for longer, shorter in zip(whole, part, strict=True):
        np.testing.assert_allclose(longer[:20], shorter, rtol=1e-12)


def test_kneser_ney_sums_over_orders_and_learns_a_period():
    train, held_out = ids([0, 1, 2, 3] * 100), ids([0, 1, 2, 3] * 10)
    nats = kneser_ney(train, held_out, VOCAB_SIZE, max_context=2)
    assert nats.shape == (3,)
    assert nats[0] == pytest.approx(40 * math.log(4), rel=0.02)
    assert nats[1] < 40 * 0.1


def test_kneser_ney_takes_any_vocabulary_and_length():
    rng = np.random.default_rng(1)
    train = rng.integers(0, 60_000, 400).astype(np.uint16)
    nats = kneser_ney(train, train[100:150], 60_000, max_context=40)
    assert np.isfinite(nats).all()
    assert nats[-1] < nats[0]


@pytest.mark.parametrize(("train", "held_out"), [([], [0, 4]), ([1], [1]), ([0, 1], []), ([], [])])
def test_hardly_any_text(train, held_out):
    nats = kneser_ney(ids(train), ids(held_out), VOCAB_SIZE, max_context=3)
    assert nats.shape == (4,)
    assert np.isfinite(nats).all()
    if not train:
        assert nats == pytest.approx(len(held_out) * math.log(VOCAB_SIZE))
    assert 0 <= choose_context(ids(train), VOCAB_SIZE) <= 1


def test_choose_context_sees_where_a_longer_context_pays():
    chain = [0, 1]
    for noise in np.random.default_rng(2).random(20_000):
        chain.append(chain[-1] ^ chain[-2] ^ int(noise < 0.1))
    assert 2 <= choose_context(ids(chain), 2) <= 6  # the loss is flat beyond 2
    assert choose_context(ids(chain), 2, max_context=1) <= 1


@pytest.mark.parametrize("score", [unigram, kneser_ney])
def test_symbols_outside_the_vocabulary_are_refused(score):
    with pytest.raises(ValueError, match="held_out has symbols outside"):
        score(ids([0, 1]), ids([2]), 2)


def test_uniform_and_unigram_by_hand():
    assert uniform(8, 10) == pytest.approx(30 * math.log(2))
    nats = unigram(ids([0, 0, 1]), ids([0, 2, 2]), 3)
    assert nats == pytest.approx(-math.log(2.5 / 4.5) - 2 * math.log(0.5 / 4.5))


def test_the_best_ngram_is_named():
    text = np.tile(np.arange(7, dtype=np.uint8), 40)
    name, nats = best_ngram(text[:200], text[200:], 7)
    context = choose_context(text[:200], 7)
    assert name == f"Kneser-Ney {context + 1}-gram"
    assert nats == kneser_ney(text[:200], text[200:], 7, max_context=context)[-1]


def test_the_ngram_of_a_long_text_trains_on_its_end_and_says_so(monkeypatch):
    monkeypatch.setattr(ngrams, "MAX_SYMBOLS", 1_000)
    text = np.random.default_rng(3).integers(0, 2, 2_100).astype(np.uint8)
    name, nats = best_ngram(text[:2_000], text[2_000:], 2)
    context = choose_context(text[1_000:2_000], 2)
    assert name == f"Kneser-Ney {context + 1}-gram of the last 1,000 symbols"
    expected = kneser_ney(text[1_000:2_000], text[2_000:], 2, max_context=context)[-1]
    assert nats == pytest.approx(float(expected))


@pytest.mark.parametrize("part", [150, 170, 400])
def test_a_long_text_is_scored_in_parts_that_change_nothing(monkeypatch, part):
    rng = np.random.default_rng(0)
    train, held_out = (rng.integers(0, 4, size).cumsum() % VOCAB_SIZE for size in (150, 400))
    skipped = rng.random(400) < 0.3
    usual = [best_ngram(train, held_out, VOCAB_SIZE, only_read=read) for read in (None, skipped)]
    monkeypatch.setattr(ngrams, "MAX_SYMBOLS", part)
    for (name, nats), read in zip(usual, (None, skipped), strict=True):
        found = best_ngram(train, held_out, VOCAB_SIZE, only_read=read)
        assert found == (name, pytest.approx(nats, rel=1e-12))
