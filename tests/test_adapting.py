"""The adapting model: whole distributions, nothing before it was scored, and as defined."""

from math import log

import numpy as np
import pytest
from cells import KINDS
from naive_adapting import Match, naive_predictions
from scores import score_ids
from texts import KOREAN

from charrnn.config import Architecture
from charrnn.evaluation.adapting import counting, model
from charrnn.evaluation.adapting.match import doubled, find_matches
from charrnn.evaluation.adapting.model import adapting_nats, adapting_predictions
from charrnn.evaluation.adapting.networks import Window, learning_windows, static_windows
from charrnn.evaluation.adapting.numbering import Kind, orders
from charrnn.evaluation.adapting.words import letters_of
from charrnn.evaluation.dynamic import dynamic_nats
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes

WORDS = ["the cat", "a dog", "Don't", "sat on", "mat", "THE big hat", "no.", "a dog ran off"]


def prose(count, seed):
    rng = np.random.default_rng(seed)
    return " ".join(rng.choice(WORDS, count).tolist())


TRAIN, SCORED = prose(50, 1), prose(24, 2)
VOCABULARY = Vocabulary.from_codes(to_codes(TRAIN))
CODES = to_codes(TRAIN)
IDS = VOCABULARY.encode(to_codes(SCORED))


def predictions(scored=IDS, train=CODES, vocabulary=VOCABULARY, networks=()):
    """Return log-probabilities (V, m - 1)."""
    blocks = list(adapting_predictions(train, scored, vocabulary, networks))
    return np.concatenate(blocks, axis=1)


def random_network(seed, inputs=3):
    """Return log-probabilities (V, m - 1) that know a little of the text, and states."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((len(VOCABULARY), len(IDS) - 1)).astype(np.float32)
    logits[IDS[1:], np.arange(len(IDS) - 1)] += 2
    state = rng.standard_normal((inputs, len(IDS) - 1)).astype(np.float32)
    return Window(logits - np.log(np.exp(logits).sum(axis=0)), state)


def windows(network, sizes=(7, 20, 1)):
    first, end = 0, len(IDS) - 1
    while first < end:
        some = slice(first, first + sizes[first % len(sizes)])
        yield Window(*(array[:, some] for array in network))
        first = some.stop


@pytest.mark.parametrize("networks", [0, 1, 2])
def test_it_is_what_a_naive_program_computes(networks):
    nets = [random_network(seed, 3 + seed) for seed in range(networks)]
    train, letters = VOCABULARY.encode(CODES).tolist(), letters_of(VOCABULARY).tolist()
    wanted = naive_predictions(train, IDS.tolist(), len(VOCABULARY), letters, nets)
    found = predictions(networks=[windows(net) for net in nets])
    assert len(IDS) > 2 * model.BLOCK
    np.testing.assert_allclose(found, np.log(wanted).T, atol=2e-4)


def test_so_it_is_with_unlike_texts_and_a_training_part_of_one_symbol():
    for train, scored in (("b", "abba" * 9), ("abc" * 20, "c" * 99), ("'a" * 9, "a'b c" * 12)):
        vocabulary = Vocabulary.from_codes(to_codes(train + scored))
        codes, ids = to_codes(train), vocabulary.encode(to_codes(scored))
        letters = letters_of(vocabulary).tolist()
        wanted = naive_predictions(
            vocabulary.encode(codes).tolist(), ids.tolist(), len(vocabulary), letters
        )
        found = predictions(ids, codes, vocabulary)
        np.testing.assert_allclose(found, np.log(wanted).T, atol=2e-4)


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_blocks_only_save_time(block, monkeypatch):
    network = random_network(0)
    usual = predictions(networks=[windows(network)])
    monkeypatch.setattr(model, "BLOCK", block)
    np.testing.assert_allclose(predictions(networks=[windows(network)]), usual, atol=1e-4)


def test_every_prediction_is_a_whole_distribution():
    found = predictions(networks=[windows(random_network(0))]).astype(np.float64)
    np.testing.assert_allclose(np.exp(found).sum(axis=0), 1, atol=1e-5)


def test_every_predictor_says_a_whole_distribution():
    train = VOCABULARY.encode(CODES)
    counts = counting.GrowingCounts(train, IDS, len(VOCABULARY), letters_of(VOCABULARY))
    for first in range(0, 120, 40):
        said = counts.read(first, first + 40).probabilities
        assert said.shape == (counting.NUM_PREDICTORS, 40, len(VOCABULARY))
        np.testing.assert_allclose(said.sum(axis=2), 1, atol=1e-5)
        assert said.min() > 0


@pytest.mark.parametrize("networks", [0, 1, 2])
@pytest.mark.parametrize("place", [1, 2, 63, 64, 65, 66, 130, len(IDS) - 1])
def test_what_comes_changes_nothing_before_it(place, networks):
    changed = IDS.copy()
    changed[place:] = (changed[place:] + 1 + np.arange(len(IDS) - place) % 3) % len(VOCABULARY)
    nets = [random_network(seed) for seed in range(networks)]
    # a network that has read a symbol predicts the next one: column t has read symbol t
    others = [
        Window(*(np.where(np.arange(len(IDS) - 1) < place, now, then) for now, then in pair))
        for pair in (zip(net, random_network(9), strict=True) for net in nets)
    ]
    before = predictions(networks=[windows(net) for net in nets])
    after = predictions(changed, networks=[windows(net) for net in others])
    assert (before[:, :place] == after[:, :place]).all()  # column t predicts symbol t + 1
    assert place == len(IDS) - 1 or (before[:, place] != after[:, place]).any()


def test_a_symbol_is_learned_from_at_once():
    text = np.array([3, 7] * 20 + [3], np.uint8)
    nats = adapting_nats(CODES, text, VOCABULARY)
    assert nats[0] == log(len(VOCABULARY))
    assert nats[3] < nats[1]
    assert nats[-10:].mean() < 0.1 * nats[1:5].mean()


def test_it_gains_from_the_training_part_and_from_the_text():
    text = "q" + "".join(sorted(set(TRAIN)))
    nothing = to_codes(text)
    vocabulary = Vocabulary.from_codes(to_codes(TRAIN + text))
    ids = vocabulary.encode(to_codes(SCORED))
    both, alone = (adapting_nats(train, ids, vocabulary) for train in (CODES, nothing))
    assert both.mean() < 0.6 * alone.mean()
    assert alone[-100:].mean() < 0.7 * alone[:100].mean()


@pytest.mark.parametrize("length", [1, 2, 3, 64, 65, 66])
def test_short_texts(length):
    nats = adapting_nats(CODES, IDS[:length], VOCABULARY)
    assert nats.shape == (length,)
    assert np.isfinite(nats).all()


def test_a_vocabulary_of_one_symbol_costs_nothing():
    vocabulary = Vocabulary.from_codes(to_codes("a"))
    nats = adapting_nats(to_codes("aaa"), np.zeros(99, np.uint8), vocabulary)
    np.testing.assert_allclose(nats, 0, atol=1e-6)


def test_many_symbols_take_small_blocks(monkeypatch):
    vocabulary = Vocabulary.from_codes(np.arange(0xAC00, 0xAC00 + 3000, dtype=np.uint32))
    rng = np.random.default_rng(0)
    train, ids = vocabulary.symbols[rng.integers(0, 40, 300)], rng.integers(0, 3000, 60)
    usual = predictions(ids, train, vocabulary)
    monkeypatch.setattr(model, "NUMBERS", 3000 * 3)
    small = list(adapting_predictions(train, ids, vocabulary))
    assert {block.shape for block in small} == {(3000, 3), (3000, 2)}
    np.testing.assert_allclose(np.concatenate(small, axis=1), usual, atol=1e-4)


def test_only_the_end_of_a_long_training_part_is_counted(monkeypatch):
    monkeypatch.setattr(model, "MAX_SYMBOLS", 300)
    assert (predictions() == predictions(train=CODES[-300:])).all()


def test_old_matches_are_forgotten():
    rng = np.random.default_rng(0)
    train = rng.integers(0, 4, 40)
    scored = np.tile(rng.integers(0, 4, 50), 20)
    scored[rng.integers(0, 1000, 20)] = 3
    text = np.concatenate([train, scored])
    kind = [*orders(text, 40, 4, 10)][-1]
    found = find_matches(text, 40, kind.contexts, 10)
    naive = Match(text.tolist(), 40, 10)
    for t in range(1000):
        wanted = naive.predict(t, 4)
        np.testing.assert_allclose(found.probabilities(t, t + 1, 4)[0], wanted, rtol=1e-5)
        naive.learn(t)
    assert 200 < naive.seen[32] < 400 < (found.lengths == 32).sum()


def test_letters_in_every_unit():
    text = Vocabulary.from_codes(to_codes("aB'-é3 한\u0301\n"))
    letters = dict(zip(map(chr, text.symbols.tolist()), letters_of(text).tolist(), strict=True))
    assert {letter for letter in letters if letters[letter]} == set("aB'é한\u0301")
    assert letters["B"] == ord("b")
    in_bytes = letters_of(Vocabulary.from_codes(to_codes(""), unit="byte"))
    assert in_bytes[ord("Q")] == in_bytes[ord("q")] == ord("q")
    assert (in_bytes[128:] > 0).all()
    assert in_bytes[ord("_")] == in_bytes[ord("7")] == 0
    jamo = Vocabulary.from_codes(np.array(sorted({0x1112, 0x1161, 0x11AB, 0x20}), np.uint32))
    assert letters_of(jamo).astype(bool).tolist() == [False, True, True, True]


def test_korean_words_are_words():
    assert letters_of(Vocabulary.from_codes(to_codes(KOREAN))).astype(bool).sum() > 30


def test_contexts_of_one_symbol_more():
    text = np.array([0, 1, 0, 1, 1, 0], np.uint8)
    kind = Kind.of(np.zeros(6, np.int32), 1, text, 2)
    contexts, count = kind.longer(4)
    assert contexts.tolist() == [2, 0, 1, 0, 3, 1]  # at the beginnings, 2 and 3
    assert count == 4
    assert doubled(np.array([9, 1, 2, 1, 2, 1]), 1)[2:].tolist() == [1, 2, 1, 2]


# Networks


def make(cell="gru", members=1):
    config = Architecture(**KINDS[cell], members=members, num_layers=2, hidden_size=6, dropout=0.5)
    network = CharModel(config, len(VOCABULARY))
    network.initialise(np.random.default_rng(0))
    return network


def nats_of(found, ids=IDS):
    logs, states = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    assert states.shape[1] == logs.shape[1]
    assert logs.shape == (len(VOCABULARY), len(ids) - 1)
    np.testing.assert_allclose(np.exp(logs).sum(axis=0), 1, rtol=1e-5)
    return -logs[ids[1:], np.arange(len(ids) - 1)]


@pytest.mark.parametrize("cell", ["gru", "window"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_static_network_predicts_as_in_one_stream(cell, members, monkeypatch):
    monkeypatch.setattr("charrnn.evaluation.adapting.networks.WINDOW", 50)
    network = make(cell, members)
    nats = nats_of(static_windows(network, IDS))
    exact = score_ids(network, IDS, exact=True)
    assert nats.sum() + log(len(VOCABULARY)) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("learning", [False, True])
def test_the_inputs_of_the_heads_are_those_of_the_prediction(members, learning):
    network = make(members=members)
    heads = [member.head.W.copy() for member in network.members.values()]
    usual = np.ones(network.num_parameters, np.float32)
    first = next(
        learning_windows(network, IDS, usual, window=7, rate=0.01)
        if learning
        else static_windows(network, IDS)
    )
    parts = np.split(first.head_inputs, members)
    logits = [W[:, :1] + W[:, 1:] @ part for W, part in zip(heads, parts, strict=True)]
    found = log_softmax_(np.mean(logits, axis=0))
    np.testing.assert_allclose(found, first.log_probabilities, atol=1e-5)


@pytest.mark.parametrize("place", [1, 20, 21, 64, 65, 100])
def test_what_comes_changes_nothing_before_it_with_real_networks(place):
    def found(ids):
        usual = np.ones(make().num_parameters, np.float32)
        learning = learning_windows(make(), ids, usual, window=20, rate=0.01)
        return predictions(ids, networks=[learning, static_windows(make(), ids)])

    changed = IDS.copy()
    changed[place:] = (changed[place:] + 1) % len(VOCABULARY)
    before, after = found(IDS), found(changed)
    assert (before[:, :place] == after[:, :place]).all()
    assert (before[:, place] != after[:, place]).any()


def test_a_network_that_learns_predicts_as_dynamic_evaluation():
    usual = np.ones(make().num_parameters, np.float32)
    wanted = dynamic_nats(make(), IDS, usual, window=7, rate=0.01)
    found = nats_of(learning_windows(make(), IDS, usual, window=7, rate=0.01))
    np.testing.assert_allclose(found, wanted[1:], atol=1e-5)
