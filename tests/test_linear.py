"""Chains of labels against every sequence there is, n-grams, and what is learned from them."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn.data.labels.task import Parsed
from charrnn.data.labels.tasks import RestoringTask, TagTask
from charrnn.evaluation.labels import labelling, mixture
from charrnn.evaluation.labels.chained import Chain, forbidden_transitions, rows_with_labels
from charrnn.evaluation.labels.mixture import NGRAMS_ALONE
from charrnn.linear import learning
from charrnn.linear.chain import IMPOSSIBLE, expectations, likeliest, loss_and_gradients
from charrnn.linear.learning import frequent_keys, learn
from charrnn.linear.model import LONGEST, NgramModel, cut, padded, rows_of
from charrnn.linear.ngrams import (
    AROUND,
    AROUND_LETTERS,
    NONE,
    are_letters,
    bags,
    longest_of,
    windows,
)
from charrnn.text.codes import to_codes
from tests.gradcheck import check_gradients

T, C = 4, 3
LENGTHS = np.array([4, 1, 3])
GRAMMAR = np.array([[0, 0, IMPOSSIBLE], [0, 0, IMPOSSIBLE], [0, 0, 0], [0, 0, 0]])


@pytest.fixture
def chain():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((T, len(LENGTHS), C))
    return scores, rng.standard_normal((C + 1, C)), rng.integers(C, size=(T, len(LENGTHS)))


def every(scores, transitions, length):
    """All sequences of labels of one text with their scores."""
    for labels in product(range(C), repeat=length):
        steps = zip((-1, *labels), labels, strict=False)
        score = sum(scores[t, label] for t, label in enumerate(labels))
        yield labels, score + sum(transitions[1 + a, b] for a, b in steps)


@pytest.mark.parametrize("grammar", [0, GRAMMAR])
def test_a_chain_is_the_sum_over_all_sequences(chain, grammar):
    scores, transitions, _ = chain
    transitions = transitions + grammar
    found = expectations(scores, LENGTHS, transitions)
    best = likeliest(scores, LENGTHS, transitions)
    pairs = np.zeros((C + 1, C))
    for n, length in enumerate(LENGTHS.tolist()):
        rows = list(every(scores[:, n], transitions, length))
        total = np.logaddexp.reduce([score for _, score in rows])
        assert found.log_partition[n] == pytest.approx(total)
        marginals = np.zeros((T, C))
        for labels, score in rows:
            for t, (before, label) in enumerate(zip((-1, *labels), labels, strict=False)):
                marginals[t, label] += np.exp(score - total)
                pairs[1 + before, label] += np.exp(score - total)
        np.testing.assert_allclose(found.marginals[:, n], marginals, atol=1e-12)
        labels = max(rows, key=lambda row: row[1])[0]
        assert best[:length, n].tolist() == list(labels)
        assert (best[length:, n] == labels[-1]).all()
    np.testing.assert_allclose(found.pairs, pairs, atol=1e-12)


def test_the_gradients_of_a_chain(chain):
    scores, transitions, labels = chain
    weights = np.array([1.0, 0.5, 2.0])

    def loss():
        return float(weights @ loss_and_gradients(scores, labels, LENGTHS, transitions)[0])

    gradients = np.zeros_like(scores), np.zeros_like(transitions)
    for n, weight in enumerate(weights):
        one = np.s_[:, n : n + 1]
        _, dscores, dtransitions = loss_and_gradients(
            scores[one], labels[one], LENGTHS[n : n + 1], transitions
        )
        gradients[0][one] += weight * dscores
        gradients[1][...] += weight * dtransitions
    check_gradients(
        loss,
        {"scores": gradients[0], "transitions": gradients[1]},
        {"scores": scores, "transitions": transitions},
    )
    together = loss_and_gradients(scores, labels, LENGTHS, transitions)
    apart = [
        loss_and_gradients(scores[:, [n]], labels[:, [n]], LENGTHS[[n]], transitions)
        for n in range(len(LENGTHS))
    ]
    np.testing.assert_allclose(together[0], np.concatenate([one[0] for one in apart]))
    np.testing.assert_allclose(together[1], np.concatenate([one[1] for one in apart], axis=1))
    np.testing.assert_allclose(together[2], sum(one[2] for one in apart))


def test_a_chain_of_extreme_scores_is_finite(chain):
    scores, transitions, labels = chain
    for scale in (1e6, -1e6):
        nats, *gradients = loss_and_gradients(scale * scores, labels, LENGTHS, scale * transitions)
        assert np.isfinite(nats).all()
        assert all(np.isfinite(each).all() for each in gradients)


@pytest.mark.parametrize("most", [1, 40, 10_000])
def test_sequences_side_by_side_have_each_place_once(most, monkeypatch):
    monkeypatch.setattr("charrnn.linear.model.CELLS", most)
    lengths = np.array([3, 0, 7, 1, 3])
    sides = list(padded(lengths, 2))
    assert sorted(np.concatenate([side.at[side.inside] for side in sides])) == list(range(14))
    for side in sides:
        assert (lengths[side.which] == side.lengths).all()
        for column, number in enumerate(side.which):
            first = lengths[:number].sum()
            mine = side.at[side.inside[:, column], column]
            assert mine.tolist() == list(range(first, first + lengths[number]))


def test_a_long_sequence_is_cut():
    lengths = np.array([5, 2 * LONGEST + 1, LONGEST, 0])
    assert cut(lengths).tolist() == [5, LONGEST, LONGEST, 1, LONGEST, 0]
    assert cut(np.array([3, 0])).tolist() == [3, 0]


# N-grams


def keys_of(places):
    return np.stack(list(places.columns()), axis=1)


def test_the_keys_around_a_place_are_those_of_what_stands_there():
    keys, others = keys_of(windows(["abcd", "xbcy"])), keys_of(windows(["zzzzxbcyzzzz"]))
    kinds = windows(["a"]).kinds
    assert keys.shape == (8, len(kinds))
    same = keys[1] == keys[5]  # the b of both texts
    other = [-1, 2]  # what differs
    apart = [any(first <= at < first + length for at in other) for _, first, length in kinds]
    assert (same != apart).all()
    inside = [place >= -1 and place + length <= 3 for _, place, length in kinds]
    assert (keys[5] == others[5])[inside].all()
    assert not (keys[5] == others[5])[~np.array(inside)].any()


def test_no_two_kinds_of_strings_have_the_same_key():
    text = "".join(map(chr, range(97, 123))) * 2
    keys = keys_of(windows([text]))
    columns = [set(keys[:, kind].tolist()) for kind in range(keys.shape[1])]
    assert len(set.union(*columns)) == sum(map(len, columns))


def test_the_strings_of_a_text_with_its_borders():
    places = bags(["ab", "b"])
    assert places.lengths.tolist() == [4, 3]
    keys = keys_of(places)
    found = [[key != NONE for key in row] for row in keys]
    assert np.array(found).sum(axis=0).tolist() == [7, 5, 3, 1, 0, 0]
    assert keys[2, :2].tolist() == keys[5, :2].tolist()  # "b" and its border
    assert keys[1, 0] != keys[2, 0]
    assert keys[0, 0] == keys[3, 0] == keys[4, 0]


def test_long_texts_have_longer_ngrams():
    short, long = ["a" * 63] * 3, ["a" * 20, "a" * 108]  # 63 and 64 characters on average
    lengths = [longest_of(texts) for texts in (short, long, [], [""])]
    assert lengths == [4, 6, 4, 4]
    most = [len(bags(texts, longest_of(texts)).kinds) for texts in (short, long)]
    assert most == [4, 6]


@pytest.fixture
def kinds_learned(monkeypatch):
    """Return a function that says of which kinds the n-grams are that a task learns of texts."""
    monkeypatch.setattr(mixture, "learn", lambda places, *_, **__: places)

    def kinds(task, texts, labels):
        return mixture.learned_ngrams(task, Parsed(texts, labels), 0).kinds

    return kinds


def test_a_model_of_labels_has_ngrams_for_its_texts(kinds_learned):
    task = SimpleNamespace(head="item", labels=("x", "y"))
    for length, longest in ((63, 4), (64, 6)):
        kinds = kinds_learned(task, ["a" * length] * 3, ["x", "y", "x"])
        assert len(kinds) == longest


HANGUL = ["".join(map(chr, range(0xAC00, 0xAC00 + 80)))] * 2
LETTERS = ["whatever is written in an alphabet"] * 2


@pytest.mark.parametrize(
    ("texts", "found"),
    [(LETTERS, True), (HANGUL, False), ([*LETTERS * 100, "\u4e00\u4e8c"], True), ([], False)],
)
def test_letters_say_little(texts, found):
    assert are_letters(texts) is found


def test_letters_have_longer_ngrams_around_them(kinds_learned):
    task = RestoringTask("spaces", "line", 10)
    task.labels = ("", " ")
    for texts, found in ((LETTERS, AROUND + AROUND_LETTERS), (HANGUL, AROUND)):
        assert kinds_learned(task, texts, [[""] * len(text) for text in texts]) == found


def test_of_letters_fewer_are_read(monkeypatch):
    sizes = []
    monkeypatch.setattr(mixture, "learn", lambda places, *_, **__: sizes.append(len(places.at)))
    monkeypatch.setattr(mixture, "LEARNED", 1100)
    task = RestoringTask("spaces", "line", 10)
    task.labels = ("", " ")
    for text in ("ab" * 5, "".join(map(chr, range(0xAC00, 0xAC00 + 100)))):
        texts = [text] * (2000 // len(text))
        mixture.learned_ngrams(task, Parsed(texts, [[""] * len(text)] * len(texts)), 0)
    assert sizes == [550, 1100]  # of 2,000 letters, and of 2,000 syllables


def test_unknown_ngrams_of_letters_change_no_score():
    texts = ["abcabcab", "bcabca"] * 4
    gold = np.array([letter == "b" for letter in "".join(texts)], np.int64)
    for letters in (False, True):
        model = learn(windows(texts, letters=letters), gold, 2, forbidden=np.zeros((3, 2)))
        scores = [model.scores(windows(texts, letters=with_them)) for with_them in (False, True)]
        assert np.array_equal(*scores) is not letters


def test_the_keys_of_older_models_are_those_of_the_same_ngrams():
    keys, words = keys_of(windows(["ab"])), keys_of(windows([["walking", "b"]], words=True))
    assert keys[1, [0, len(AROUND) - 1]].tolist() == [15611585535181385124, 14808526306430753967]
    assert words.shape[1] == len(AROUND) + 6
    assert words[0, [-6, -1]].tolist() == [10452598954685933373, 14857373501809386096]


def tagged_words():
    """A task of words, some of one letter, and its sentences."""
    task = TagTask(10)
    sentences = [["I", "walk"], ["I"], ["a", "b"], ["walking", "I"]] * 5
    task = task.fitted(to_codes("".join("".join(f"{w}\tX\n" for w in s) + "\n" for s in sentences)))
    task.spaced = True
    return task, task.joined(sentences, [["X" if w != "I" else "Y" for w in s] for s in sentences])


def restored_spaces():
    task = RestoringTask("spaces", "line", 10)
    return task, task.parse(to_codes("to be or\nnot to be\nI\nthat is it\n"))


@pytest.mark.parametrize("texts", [tagged_words, restored_spaces])
def test_chains_are_scored_the_same_in_portions(texts, monkeypatch):
    task, parsed = texts()
    task.labels = tuple(sorted({x for some in parsed.labels for x in some if x is not None}))
    model = mixture.learned_ngrams(task, parsed, 0)
    found = np.zeros((sum(map(len, parsed.texts)), len(task.labels)))
    whole = mixture.chain_of(task, found, parsed, model).strings
    sizes = []
    monkeypatch.setattr(labelling, "PORTION", 1)
    monkeypatch.setattr(
        mixture, "windows", lambda some, **of: sizes.append(len(some)) or windows(some, **of)
    )
    assert np.array_equal(mixture.chain_of(task, found, parsed, model).strings, whole)
    assert sizes == [1] * len(parsed.texts)


def test_batches_of_long_texts_are_small(monkeypatch):
    places = bags(["a" * length for length in (3, 3, 8, 40, 2, 2)])  # and two borders each
    monkeypatch.setattr(learning, "MOST_POSITIONS", 20)
    learner = learning.Learner(places, np.array([0, 1] * 3), frequent_keys(places, 1, 100), 2, None)
    assert [batch.tolist() for batch in learner.batches] == [[0, 1, 2], [3], [4, 5]]
    learner.size = 2
    assert [batch.tolist() for batch in learner.batches] == [[0, 1], [2], [3], [4, 5]]


def test_texts_are_scored_the_same_in_portions(monkeypatch):
    texts = ["abab", "", "baba", "a", "abba"]
    model = learn(bags(texts), np.array([0, 1, 0, 1, 0]), 2)
    task, found = SimpleNamespace(labels=("x", "y")), np.zeros((5, 2))
    _, whole = mixture._parts(task, found, texts, None, model)
    sizes = []
    monkeypatch.setattr(labelling, "PORTION", 100)
    monkeypatch.setattr(mixture, "bags", lambda some: sizes.append(len(some)) or bags(some))
    _, portioned = mixture._parts(task, found, texts, None, model)
    assert np.array_equal(portioned, whole)
    assert len(sizes) > 2
    assert sum(sizes) == len(texts)
    assert mixture._parts(task, found[:0], [], None, model)[1].shape == (0, 2)


def test_unknown_longer_ngrams_change_no_score():
    texts = ["abab", "baba", "abba"] * 4
    model = learn(bags(texts, 4), np.array([0, 1, 0] * 4), 2)
    assert np.array_equal(model.scores(bags(texts, 4)), model.scores(bags(texts)))


def test_words_have_prefixes_and_suffixes():
    plain = windows([["a", "b"]])
    words = windows([["walking", "b"], ["talking", "b"]], words=True)
    assert not plain.affixes
    equal = keys_of(words)[0] == keys_of(words)[2]
    assert equal[-6:].tolist() == [False] * 3 + [True] * 3


def test_the_most_frequent_strings_are_kept():
    places = bags(["ab"] * 3 + ["cd"] * 2 + ["x"])
    everything, often = frequent_keys(places, 1, 10**6), frequent_keys(places, 2, 10**6)
    assert (np.diff(everything.astype(object)) > 0).all()
    assert set(often) < set(everything)
    assert set(frequent_keys(places, 1, 5)) < set(often)
    assert NONE not in everything
    assert rows_of(everything, bags(["\u4e00"]))[1, 0] == len(everything)
    assert rows_of(everything[:0], bags(["ab"])).tolist() == [[0] * 6] * 4


# What is learned


def test_labels_of_texts_are_learned():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcd"), 12)) for _ in range(1000)]
    targets = np.array([int("ab" in text) for text in texts])
    model = learn(bags(texts[:900]), targets[:900], 2)
    assert model.transitions is None
    right = model.scores(bags(texts[900:])).argmax(axis=1) == targets[900:]
    assert right.mean() > 0.9
    again = learn(bags(texts[:900]), targets[:900], 2)
    assert np.array_equal(again.weights, model.weights)
    assert model.scores(bags([])).shape == (0, 2)
    shown = model.scores(bags(["", "\u4e00\u4e01"]))
    assert np.isfinite(shown).all()


def spans(count, seed=0):
    """Texts in which a number is a span; its inner digits are any characters."""
    rng = np.random.default_rng(seed)
    texts, tags = [], []
    for _ in range(count):
        text, labels = "", []
        for _ in range(rng.integers(2, 6)):
            inner = int(rng.integers(1, 4))
            text += "." * int(rng.integers(1, 3))
            labels += ["O"] * (len(text) - len(labels))
            text += "#" + "x" * inner
            labels += ["B-N"] + ["I-N"] * inner
            text += "x" if rng.random() < 0.5 else ""
            labels += ["O"] * (len(text) - len(labels))
            text, labels = text + ".", [*labels, "O"]
        texts.append(text)
        tags.append(labels)
    return texts, tags


def test_chains_of_labels_are_learned_with_their_grammar():
    names = ("B-N", "I-N", "O")
    texts, tags = spans(150)
    gold = np.array([names.index(tag) for some in tags for tag in some])
    model = learn(windows(texts), gold, 3, forbidden=forbidden_transitions(names))
    assert model.transitions[0, 1] == model.transitions[3, 1] == IMPOSSIBLE
    new, right = spans(30, 1)
    scores = model.scores(windows(new))
    lengths = np.array([len(text) for text in new])
    network = np.full(scores.shape, -np.log(3))
    mixed = Chain(network, scores, model.transitions, lengths)
    logs, found = mixed.predicted((0.0, 1.0, 1.0))
    expected = np.array([names.index(tag) for some in right for tag in some])
    assert (found == expected).mean() > 0.85
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-9)
    starts = np.cumsum(lengths) - lengths
    before = np.where(np.isin(np.arange(len(found)), starts), 2, np.roll(found, 1))
    assert not ((found == 1) & (before == 2)).any()


def test_tags_without_their_grammar_are_learned_too():
    names = ("B-N", "I-N", "O")
    gold = np.array([1, 1, 2, 0] * 20)  # begins with I-N
    model = learn(windows(["ab.c"] * 20), gold, 3, forbidden=forbidden_transitions(names))
    assert np.isfinite(model.weights).all()
    assert np.isfinite(model.transitions).all()


def test_the_weights_of_a_chain_are_where_its_loss_is_least():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 60)
    n = int(lengths.sum())
    gold = rng.integers(C, size=n)
    network, strings = (
        scale * np.eye(C)[gold] + rng.standard_normal((n, C)) for scale in (2.0, 1.0)
    )
    mixed = Chain(network, strings, rng.standard_normal((C + 1, C)), lengths)
    weights = np.array(mixed.fitted(gold))

    def loss(at):
        return mixed.loss(at, gold)[0] + ((at - np.array([0.5, 0.5, 1.0])) ** 2).sum() / 2

    least = loss(weights)
    for axis in np.eye(3):
        slope = (loss(weights + 1e-4 * axis) - loss(weights - 1e-4 * axis)) / 2e-4
        assert abs(slope) < 0.1
        assert loss(weights + 0.3 * axis) > least
        assert loss(weights - 0.3 * axis) > least
        numerical = mixed.loss(weights + 1e-5 * axis, gold)[0]
        numerical -= mixed.loss(weights - 1e-5 * axis, gold)[0]
        assert axis @ mixed.loss(weights, gold)[1] == pytest.approx(numerical / 2e-5, rel=1e-5)


def test_which_symbols_have_a_label():
    rows, lengths = rows_with_labels([["a", None, "b"], [], [None], ["c"]])
    assert rows.tolist() == [0, 2, 4]
    assert lengths.tolist() == [2, 0, 0, 1]


def test_a_model_without_n_grams_scores_by_its_bias():
    bias = np.array([1.0, 2.0], np.float32)
    model = NgramModel(np.empty(0, np.uint64), np.empty((0, 2), np.float32), bias)
    assert model.scores(bags(["ab"])).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("right", "fit", "weights"),
    [
        ("network", (0.1, 0.9, 1.0), ()),
        ("n-grams", (0.9, 0.1, 1.0), NGRAMS_ALONE),
        ("both", (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    ],
)
def test_a_part_that_is_better_than_the_mixture_predicts_alone(right, fit, weights, monkeypatch):
    task = RestoringTask("spaces", "line", 10).with_labels(["", " "])
    held = Parsed(["abc"] * 4, [["", " ", ""]] * 4)
    good = np.array([[9.0, 0], [0, 9], [9, 0]] * 4)
    network, strings = (
        good if right in (part, "both") else -good for part in ("network", "n-grams")
    )
    network = labelling.log_normalized(network)
    ngrams = NgramModel(np.empty(0, np.uint64), np.empty((0, 2)), np.zeros(2), np.zeros((3, 2)))
    chain = Chain(network, strings, np.zeros((3, 2)), np.array([3] * 4))
    monkeypatch.setattr(mixture, "chain_of", lambda *_: chain)
    monkeypatch.setattr(Chain, "fitted", lambda *_: fit)
    alone = [["" if a > b else " " for a, b in network[:3]]] * 4
    found = mixture.fitted_chain(task, network, alone, held, ngrams)
    assert found.weights == weights
    assert found.value == 1
    assert (found.ngrams is None) is (right == "network")


@pytest.mark.parametrize(
    ("part", "mixed", "texts", "better"),
    [
        ((0.982, 0.2), (0.980, 0.1), 300, False),  # standard error 0.008
        ((0.990, 0.2), (0.980, 0.1), 300, True),
        ((0.982, 0.2), (0.980, 0.1), 10_000, True),
        ((0.980, 0.1), (0.980, 0.2), 300, True),
        ((0.979, 0.1), (0.980, 0.2), 300, False),
        ((1.0, 0.0), (1.0, 0.0), 5, False),
        ((0.2, 0.2), (0.0, 0.1), 5, True),
        ((0.0, 0.0), (0.0, 0.0), 0, False),
    ],
)
def test_a_part_is_better_by_a_standard_error_or_in_nats(part, mixed, texts, better):
    assert mixture.Judged(*part).is_better(mixture.Judged(*mixed), texts) is better


def test_what_is_judged_is_accuracy_and_nats():
    log_probabilities = np.log([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]])
    judged = mixture.Judged.of(log_probabilities, np.array([0, 1, 0]))
    assert judged.value == pytest.approx(2 / 3)
    assert judged.nats == pytest.approx(-np.log(0.5 * 0.8 * 0.1) / 3)
    assert mixture.Judged.of(log_probabilities[:0], np.array([], np.int64)) == (0, 0)


def test_one_text_more_does_not_discard_a_fitted_mixture(monkeypatch):
    """Of 100 texts the network has 81 right and the mixture 80, as the weights are here."""
    task, gold = SimpleNamespace(labels=("x", "y"), head="item"), np.arange(100) % 2
    network = np.log(np.full((100, 2), 0.4))
    network[np.arange(100), np.where(np.arange(100) < 81, gold, 1 - gold)] = np.log(0.6)
    ngrams = SimpleNamespace(scores=lambda _: np.zeros((100, 2)))
    held = Parsed(["a"] * 100, ["xy"[number] for number in gold])
    other = labelling.log_normalized(1.1 * network)  # surer, and with fewer nats
    other[80] = other[80, ::-1]
    monkeypatch.setattr(mixture, "mix", lambda parts, weights: other if all(weights) else network)
    monkeypatch.setattr(mixture, "fit_mixture", lambda parts, _: np.ones(len(parts)))
    found = mixture.fitted(task, network, held, ngrams=ngrams)
    assert found.weights == (1.0, 1.0)
    assert (found.value, found.alone) == (0.8, 0.81)
