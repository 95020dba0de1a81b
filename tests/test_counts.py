"""Counts: the table of n-grams against definitions, and how it is mixed with a network."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import Architecture
from charrnn.counts.counting import grams_of, longest_of
from charrnn.counts.estimating import ONCE, counted
from charrnn.counts.mixing import (
    EVEN,
    FEATURES,
    TEMPERATURES,
    Mixture,
    features,
    fitted,
    log_probabilities,
)
from charrnn.counts.model import CountingModel
from charrnn.counts.table import NONE
from charrnn.evaluation.ngrams import kneser_ney_probabilities
from charrnn.nn.model import CharModel

texts = st.integers(1, 6).flatmap(
    lambda V: st.tuples(
        st.just(V), st.lists(st.integers(0, V - 1), min_size=1, max_size=60).map(np.array)
    )
)


def strings_of(ids, k, first=None):
    """Return every gram of k symbols with its occurrences and its predecessors, by definition."""
    occurrences, before = defaultdict(int), defaultdict(set)
    for place in range(len(ids) - k + 1):
        gram = tuple(ids[place : place + k].tolist())
        if first is not None and first in gram[1:-1]:
            continue
        occurrences[gram] += 1
        before[gram].add(ids[place - 1] if place else "the beginning")
    return occurrences, before


def unpacked(key, vocab_size, k):
    bits = vocab_size.bit_length()
    return tuple((int(key) >> bits * (k - 1 - place)) % 2**bits - 1 for place in range(k))


@given(texts)
def test_grams_are_those_of_the_definition(case):
    V, ids = case
    for k, grams in enumerate(grams_of(ids, V, 4), 1):
        occurrences, before = strings_of(ids, k)
        found = [unpacked(key, V, k) for key in grams.keys]
        assert found == sorted(occurrences)
        assert grams.occurrences.tolist() == [occurrences[gram] for gram in found]
        expected = occurrences if k == 4 else {gram: len(before[gram]) for gram in found}
        assert grams.predecessors.tolist() == [expected[gram] for gram in found]


@given(texts)
def test_no_gram_reaches_over_the_end_of_an_item(case):
    V, ids = case
    for k, grams in enumerate(grams_of(ids, V, 4, first=0), 1):
        occurrences, _ = strings_of(ids, k, first=0)
        found = [unpacked(key, V, k) for key in grams.keys]
        assert found == sorted(occurrences)
        for gram, count, other in zip(found, grams.occurrences, grams.predecessors, strict=True):
            assert count == occurrences[gram]
            if gram[0] == 0:
                assert other == count


@pytest.mark.parametrize("vocab_size", [1, 2, 3, 255, 256, 257, 65_535, 65_536, 1_114_112])
def test_longest_grams_fill_a_key(vocab_size):
    ids = np.full(40, vocab_size - 1)
    longest = longest_of(vocab_size)
    *_, last = grams_of(ids, vocab_size, longest)
    assert [unpacked(key, vocab_size, longest) for key in last.keys] == (
        [(vocab_size - 1,) * longest] if longest <= 40 else []
    )
    assert last.occurrences.sum() == max(0, 41 - longest)


@given(texts, st.integers(1, ONCE))
@settings(deadline=None)
def test_probabilities_are_those_of_kneser_ney(case, longest):
    V, ids = case
    train, held = ids[: len(ids) // 2 + 1], ids[len(ids) // 2 + 1 :]
    table = counted(np.tile(train, 1), V, longest=longest, limit=10**6)
    if not len(held):
        return
    *_, expected = kneser_ney_probabilities(train, held, V, max_context=table.context)
    contexts = table.contexts(np.concatenate([[-1], held[:-1]])[:, np.newaxis])
    found, left = table.probabilities(contexts, held[:, np.newaxis])
    begun = table.context  # the reference reads on from the training text
    np.testing.assert_allclose(found[begun:, 0], expected[begun:], rtol=2e-3)
    assert ((left > 0) & (left <= 1)).all()


@given(texts, st.integers(1, 9))
@settings(deadline=None)
def test_rows_sum_to_1_and_have_the_probabilities_of_targets(case, longest):
    V, ids = case
    table = counted(ids, V, longest=longest)
    contexts = table.contexts(ids[:, np.newaxis])
    rows, left = table.rows([nodes[:, 0] for nodes in contexts])
    np.testing.assert_allclose(rows.sum(axis=0), 1)
    assert (rows > 0).all()
    for symbol in range(V):
        p, same = table.probabilities(contexts, np.full((len(ids), 1), symbol))
        np.testing.assert_allclose(p[:, 0], rows[symbol])
        np.testing.assert_array_equal(same[:, 0], left)


def test_the_future_changes_no_context():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 5, (50, 3))
    table = counted(rng.integers(0, 5, 2_000), 5)
    other = ids.copy()
    other[20:] = rng.integers(0, 5, (30, 3))
    for one, two in zip(table.contexts(ids), table.contexts(other), strict=True):
        np.testing.assert_array_equal(one[:20], two[:20])


def test_a_string_that_was_never_met_has_no_node():
    table = counted(np.array([0, 1, 0, 1, 0]), 3)
    contexts = table.contexts(np.array([[1], [1], [0]]))
    assert contexts[1][:, 0].tolist() != [NONE] * 3
    assert contexts[2][1, 0] == NONE


@pytest.mark.parametrize(
    ("n", "vocab_size"), [(300, 3), (5_000, 60), (20_000, 300), (3_000, 5_000)]
)
def test_a_table_takes_4_bytes_for_each_symbol(n, vocab_size):
    ids = np.random.default_rng(0).zipf(1.3, n) % vocab_size
    table = counted(ids, vocab_size)
    distinct = len(np.unique(ids))
    assert table.num_bytes <= max(4 * n, 8 * distinct)


def test_of_a_long_text_the_end_is_counted():
    ids = np.concatenate([np.zeros(500, int), np.ones(500, int)])
    table = counted(ids, 2, most=400)
    assert table.rows([nodes[-1] for nodes in table.contexts(np.zeros((1, 1), int))])[0][1, 0] > 0.5


def test_log_probabilities_are_those_of_a_tempered_softmax():
    logits = np.random.default_rng(0).normal(0, 3, (7, 5)).astype(np.float32)
    for temperature in (1.0, 0.5, 3.0):
        odds = np.exp(logits.astype(np.float64) / temperature)
        expected = odds / odds.sum(axis=0)
        found, entropy = log_probabilities(logits, temperature)
        np.testing.assert_allclose(np.exp(found), expected, rtol=1e-6)
        np.testing.assert_allclose(entropy, -(expected * np.log(expected)).sum(axis=0), rtol=1e-6)


def cost_of(mixture, nats, entropy, counts, left):
    share = mixture.share(entropy, left)
    return -np.log(share * np.exp(-nats) + (1 - share) * counts).mean()


def test_a_fitted_mixture_finds_what_made_the_data():
    rng = np.random.default_rng(0)
    M = 40_000
    entropy, left = rng.uniform(0, 4, M), rng.uniform(0.01, 1, M)
    true = Mixture(1.0, (0.5, -1.0, 1.0, 0.0, 0.0, 0.0))
    # Each side gives a high probability where it is the one that made the symbol.
    by_network = rng.random(M) < true.share(entropy, left)
    p, q = np.where(by_network, 0.9, 0.001), np.where(by_network, 0.001, 0.9)
    found = fitted([(-np.log(p), entropy)] * 5, q, left)
    assert found.temperature == 1.0
    np.testing.assert_allclose(found.share(entropy, left), true.share(entropy, left), atol=0.05)


@pytest.mark.parametrize("true", TEMPERATURES)
def test_a_fitted_mixture_finds_the_temperature(true):
    rng = np.random.default_rng(3)
    M, V = 20_000, 12
    logits = rng.standard_normal((V, M)) * 2
    p = np.exp(log_probabilities(logits, true)[0])
    targets = (p.cumsum(axis=0) < rng.random(M)).sum(axis=0)
    network = []
    for temperature in TEMPERATURES:
        logs, entropy = log_probabilities(logits, temperature)
        network.append((-logs[targets, np.arange(M)], entropy))
    found = fitted(network, np.full(M, 1e-3), rng.uniform(0.1, 1, M))
    assert found.temperature == true


def test_no_step_from_fitted_weights_is_better():
    rng = np.random.default_rng(1)
    M = 2_000
    entropy, left = rng.uniform(0, 3, M), rng.uniform(0.01, 1, M)
    nats, counts = rng.exponential(1.5, M), rng.uniform(0.001, 1, M)
    best = fitted([(nats, entropy)] * 5, counts, left)
    cost = cost_of(best, nats, entropy, counts, left)
    for number in range(FEATURES):
        for step in (-0.2, 0.2):
            weights = list(best.weights)
            weights[number] += step
            other = Mixture(best.temperature, tuple(weights))
            pull = 0.5 * (np.square(weights) - np.square(best.weights)).sum() / M
            assert cost_of(other, nats, entropy, counts, left) + pull > cost


@given(st.integers(0, 2**32), st.integers(1, 300))
@settings(deadline=None)
def test_a_fit_is_never_worse_than_no_fit(seed, M):
    rng = np.random.default_rng(seed)
    entropy, left = rng.exponential(2, M), rng.uniform(0, 1, M) ** 6 + 1e-9
    nats, counts = rng.exponential(4, M), rng.uniform(0, 1, M) ** 8 + 1e-12
    found = fitted([(nats, entropy)] * 5, counts, left)
    cost, even = (cost_of(each, nats, entropy, counts, left) for each in (found, EVEN))
    assert cost <= even + 1e-9


def test_a_side_that_knows_nothing_gets_no_weight():
    rng = np.random.default_rng(2)
    M = 5_000
    entropy, left = np.full(M, 2.0), rng.uniform(0.1, 1, M)
    good, bad = rng.uniform(0.5, 1, M), np.full(M, 0.01)
    assert (fitted([(-np.log(good), entropy)] * 5, bad, left).share(entropy, left) > 0.98).all()
    assert (fitted([(-np.log(bad), entropy)] * 5, good, left).share(entropy, left) < 0.02).all()


def test_features_are_finite_where_the_table_is_sure():
    assert np.isfinite(features(np.array([0.0]), np.array([1e-9]))).all()


@pytest.fixture(params=[1, 2], ids=["one", "members"])
def model(request):
    V = 9
    network = CharModel(Architecture(cell="gru", hidden_size=6, members=request.param), V)
    network.initialise(np.random.default_rng(0))
    table = counted(np.random.default_rng(1).integers(0, V, 900), V, longest=4)
    mixture = Mixture(0.9, (0.3, -0.2, 0.4, 0.0, 0.1, 0.0))
    return CountingModel(network, table, mixture)


def test_a_counting_model_predicts_whole_distributions(model):
    ids = np.random.default_rng(2).integers(0, 9, (12, 3))
    targets = np.random.default_rng(3).integers(0, 9, (12, 3))
    logits, after = model.forward(ids, model.zero_state(3))
    np.testing.assert_allclose(np.exp(logits).sum(axis=0), 1, rtol=1e-5)
    nats, same = model.nats(ids, targets, model.zero_state(3))
    chosen = logits[targets.reshape(-1), np.arange(targets.size)].reshape(targets.shape)
    np.testing.assert_allclose(nats, -chosen, rtol=1e-4)
    np.testing.assert_array_equal(after, same)


@pytest.mark.parametrize("cut", [1, 2, 5, 11])
def test_two_windows_of_a_counting_model_are_one(model, cut):
    ids = np.random.default_rng(2).integers(0, 9, (12, 3))
    whole, after = model.forward(ids, model.zero_state(3))
    first, between = model.forward(ids[:cut], model.zero_state(3))
    second, same = model.forward(ids[cut:], between)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-5)
    np.testing.assert_allclose(same, after, atol=1e-6)


def test_replicas_of_a_counting_model_predict_the_same(model):
    ids = np.random.default_rng(2).integers(0, 9, (5, 1))
    expected, _ = model.forward(ids, model.zero_state(1))
    for other in (model.replica(), model.for_one_stream()):
        found, _ = other.forward(ids, other.zero_state(1))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_even_mixture_is_the_mean(model):
    even = CountingModel(model.network, model.table, EVEN)
    ids = np.zeros((1, 1), int)
    mixed, _ = even.forward(ids, even.zero_state(1))
    logits, _ = model.network.forward(ids, model.network.zero_state(1))
    network, _ = log_probabilities(logits, 1.0)
    rows, _ = model.table.rows([nodes[-1] for nodes in model.table.contexts(ids)])
    np.testing.assert_allclose(np.exp(mixed), (np.exp(network) + rows) / 2, rtol=1e-5)
