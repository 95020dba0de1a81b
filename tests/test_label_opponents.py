"""Opponents of labels: against slow references, and what they must not depend on."""

from collections import Counter
from math import log

import numpy as np
import pytest

from charrnn.evaluation.labels import labelling, naive_bayes, per_label_ngrams
from charrnn.evaluation.labels.labelling import Fitness, divide, learned, log_normalized, portions
from charrnn.evaluation.labels.majority import majority
from charrnn.evaluation.labels.naive_bayes import log_likelihoods
from charrnn.evaluation.labels.per_label_ngrams import kneser_ney_per_label, text_scores
from charrnn.evaluation.labels.strings import Codes
from charrnn.evaluation.ngrams import kneser_ney_probabilities

OPPONENTS = [majority, naive_bayes.naive_bayes, kneser_ney_per_label]
TRAIN = [("v", "aeea"), ("c", "kttk"), ("v", "oea"), ("c", "tkk"), ("v", "eeo"), ("c", "kt")] * 4
TEXTS = ["eao", "tktk", "", "zzz", "aeek"]


def random_texts(seed, count, longest=12, alphabet="abcd"):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(alphabet), rng.integers(0, longest))) for _ in range(count)]


def random_train(seed, labels="xyz", count=40):
    rng = np.random.default_rng(seed)
    return [(str(rng.choice(list(labels))), text) for text in random_texts(seed, count)]


def test_majority_is_how_frequent_labels_are():
    found = majority([("b", ""), ("a", "x"), ("b", "y"), ("b", "z")], ["p", "q"])
    assert found.labels == ("a", "b")
    assert found.likeliest == ["b", "b"]
    np.testing.assert_allclose(np.exp(found.log_probabilities), [[0.25, 0.75]] * 2)


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_probabilities_sum_to_one_for_every_text(opponent):
    found = opponent(TRAIN, TEXTS)
    assert found.labels == ("c", "v")
    assert found.log_probabilities.shape == (5, 2)
    np.testing.assert_allclose(np.exp(found.log_probabilities).sum(axis=1), 1)
    assert opponent(TRAIN, []).log_probabilities.shape == (0, 2)


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_a_text_is_labelled_alike_whatever_the_others_are(opponent):
    together = opponent(TRAIN, TEXTS).log_probabilities
    for text, row in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(opponent(TRAIN, [text]).log_probabilities[0], row)


@pytest.mark.parametrize("opponent", OPPONENTS[1:])
def test_opponents_read(opponent):
    assert opponent(TRAIN, TEXTS).likeliest[:2] == ["v", "c"]
    ordered = sorted(TRAIN)  # a file that is sorted by its labels
    assert opponent(ordered, TEXTS).likeliest[:2] == ["v", "c"]


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_little_to_learn_from(opponent):
    np.testing.assert_allclose(opponent([("a", "b")], ["b", ""]).log_probabilities, 0)
    found = opponent([("a", ""), ("b", "")], ["x"])
    np.testing.assert_allclose(np.exp(found.log_probabilities), [[0.5, 0.5]])
    with pytest.raises(ValueError, match="no labelled texts"):
        opponent([], ["x"])


@pytest.mark.parametrize("opponent", OPPONENTS[1:])
def test_portions_change_nothing(opponent, monkeypatch):
    for module in (naive_bayes, per_label_ngrams):  # the same choice, however much fits
        monkeypatch.setattr(module, "divide", lambda train, _: (train, train[::10]))
    whole = opponent(TRAIN, TEXTS).log_probabilities
    monkeypatch.setattr(labelling, "PORTION", 20)
    np.testing.assert_allclose(opponent(TRAIN, TEXTS).log_probabilities, whole)


def test_portions_are_as_large_as_fits(monkeypatch):
    monkeypatch.setattr(labelling, "PORTION", 20)
    texts = ["", "abc", "abcdefghijkl", "", "a"]  # 2, 5, 14, 2 and 3 places, 2 labels
    assert list(portions(texts, 2)) == [slice(0, 2), slice(2, 3), slice(3, 5)]
    assert list(portions([], 2)) == [slice(0, 0)]


def test_opponents_learn_from_texts_that_are_spread_evenly(monkeypatch):
    train = [("a", f"{place:03}") for place in range(100)]
    assert learned(train) is train
    monkeypatch.setattr(labelling, "LEARNED", 120)
    places = [int(text) for _, text in learned(train)]
    assert len(places) == 30  # of 4 characters each, with its border
    assert set(np.diff([-1, *places])) == {3, 4}


def test_one_text_in_ten_is_chosen_by():
    train = [("a", str(place)) for place in range(20)]
    kept, chosen_on = divide(train, 2)
    assert [text for _, text in chosen_on] == ["0", "10"]
    assert len(kept) == 18
    assert not set(kept) & set(chosen_on)
    assert divide(train[:1], 2) == (train[:1], train[:1])


def test_fewer_texts_are_chosen_by_where_many_do_not_fit(monkeypatch):
    train = [("a", f"{place:02}") for place in range(100)]
    monkeypatch.setattr(labelling, "PORTION", 20)  # 10 texts of 4 places, 2 labels
    kept, chosen_on = divide(train, 2)
    assert [text for _, text in chosen_on] == ["00", "40", "80"]
    assert len(kept) == 90


def test_the_better_choice_labels_more_texts_rightly_then_is_surer():
    gold = np.array([0, 1])
    sure, unsure = np.log([[0.9, 0.1], [0.2, 0.8]]), np.log([[0.6, 0.4], [0.4, 0.6]])
    wrong = np.log([[0.01, 0.99], [0.01, 0.99]])
    assert Fitness.of(sure, gold) > Fitness.of(unsure, gold) > Fitness.of(wrong, gold)
    assert Fitness.of(sure - 7, gold) == pytest.approx((2, log(0.72)))


def test_normalized_scores_keep_their_differences():
    scores = np.array([[-1000.0, -1001.0], [3.0, 3.0]])
    found = log_normalized(scores)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1)
    np.testing.assert_allclose(np.diff(found), np.diff(scores))


def slow_naive_bayes(train, text, label, alpha):
    """The log-likelihood of a text, string by string."""

    def strings(text):
        whole = f"^{text}^"
        return [whole[i : i + n] for n in range(1, 6) for i in range(len(whole) - n + 1)]

    known = {string for _, text in train for string in strings(text)}
    counts = Counter(string for its, text in train if its == label for string in strings(text))
    total = counts.total() + alpha * len(known)
    return sum(log((counts[s] + alpha) / total) for s in strings(text) if s in known)


@pytest.mark.parametrize("seed", range(3))
def test_naive_bayes_equals_a_slow_reference(seed):
    train, texts = random_train(seed), random_texts(seed + 10, 6, alphabet="abcde")
    found = log_likelihoods(train, texts, "wxyz", (0.1, 2.0))  # "w" has no text
    for alpha, scores in zip((0.1, 2.0), found, strict=True):
        slow = [[slow_naive_bayes(train, text, each, alpha) for each in "wxyz"] for text in texts]
        np.testing.assert_allclose(scores, slow)


def test_naive_bayes_chooses_alpha_on_held_out_texts(monkeypatch):
    tried = []

    def watched(train, texts, labels, alphas):
        tried.append((len(train), len(texts), alphas))
        return log_likelihoods(train, texts, labels, alphas)

    monkeypatch.setattr(naive_bayes, "log_likelihoods", watched)
    naive_bayes.naive_bayes(TRAIN, TEXTS)
    (kept, held_out, alphas), (every, texts, chosen) = tried
    assert (kept, held_out, every, texts) == (21, 3, 24, 5)
    assert alphas == naive_bayes.ALPHAS
    assert len(chosen) == 1
    assert chosen[0] in alphas


@pytest.mark.parametrize("seed", range(4))
def test_n_grams_of_all_labels_equal_those_of_each(seed):
    """Each label's own model, of what it learned from, predicts a text after one border."""
    alphabet = "abcd"[: seed + 1]
    train = [(label, text) for label, text in random_train(seed, count=60) if label != "w"]
    train = [(label, "".join(c for c in text if c in alphabet)) for label, text in train]
    texts = random_texts(seed + 10, 4, alphabet="abcde")
    orders = list(text_scores(train, texts, "wxyz", 4))
    codes = Codes.of(text for _, text in train)
    for row, text in enumerate(texts):
        for column, label in enumerate("wxyz"):
            mine = [text for its, text in train if its == label]
            known = np.append(0, codes.encode(mine, 0, 1))
            asked = codes.encode([text], 1, 1)
            alone = kneser_ney_probabilities(known, asked, codes.count, max_context=4)
            for scores, probabilities in zip(orders, alone, strict=True):
                expected = np.log(probabilities[1:]).sum()
                np.testing.assert_allclose(scores[row, column], expected, rtol=1e-10)


def test_the_context_is_chosen_on_held_out_texts():
    def choose(train):
        labels, log_frequencies = labelling.frequencies(train)
        return per_label_ngrams._choose_context(train, labels, log_frequencies)

    rng = np.random.default_rng(0)
    alone = {"x": [0.6, 0.4], "y": [0.4, 0.6]}  # each character by itself
    texts = [(label, "".join(rng.choice(["a", "b"], 20, p=alone[label]))) for label in "xy" * 150]
    assert choose(texts) == 0
    pairs = {"x": ["ab", "ba"], "y": ["aa", "bb"]}  # two characters, and neither alone
    texts = [(label, str(rng.choice(pairs[label]))) for label in "xy" * 100]
    assert choose(texts) > 0
    assert kneser_ney_per_label(texts, ["ab", "bb"]).likeliest == ["x", "y"]


def test_a_new_character_is_not_a_border():
    train = [("x", "ab"), ("y", "abab")] * 20
    found = kneser_ney_per_label(train, ["ab", "ab?"]).log_probabilities
    assert found[0, 0] != pytest.approx(found[1, 0])


def test_contexts_longer_than_all_texts_change_nothing():
    orders = [scores.copy() for scores in text_scores([("a", "b")], ["b", ""], "ac", 8)]
    assert np.isfinite(orders).all()
    for scores in orders[4:]:
        np.testing.assert_array_equal(scores, orders[3])
