"""Opponents of tags and restored texts, and mixtures of models of labels."""

from collections import Counter

import numpy as np
import pytest

from charrnn.evaluation.labels.labelling import log_normalized
from charrnn.evaluation.labels.mixing import PRIOR, fit_mixture, mix
from charrnn.evaluation.labels.tagging import (
    WINDOWS,
    backoff_tagger,
    likeliest_form,
    likeliest_tag,
    unchanged,
)


def test_the_likeliest_tag_of_each_token():
    train = [(("the", "run"), ("D", "N")), (("run", "run", "fast"), ("V", "V", "A"))]
    assert likeliest_tag(train, [("run", "the"), ("new",), ()]) == [["V", "D"], ["V"], []]
    with pytest.raises(ValueError, match="no tags"):
        likeliest_tag([((), ())], [("a",)])


def slow_backoff(train, text):
    """Window by window, with dictionaries."""
    most = Counter(label for _, labels in train for label in labels).most_common(1)[0][0]
    found = []
    for place in range(len(text)):
        for before, after in WINDOWS:

            def window(text, place, before=before, after=after):
                whole = ["#"] * 4 + list(text) + ["#"] * 4
                return whole[place + 4 - before : place + 5 + after]

            seen = Counter(
                label
                for other, labels in train
                for at, label in enumerate(labels)
                if window(other, at) == window(text, place)
            )
            best = seen.most_common(2)
            alone = len(best) == 1 or (best and best[0][1] > best[1][1])
            if alone and seen.total() >= (1 if (before, after) == (0, 0) else 2):
                found.append(best[0][0])
                break
        else:
            found.append(most)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_backoff_tagger_equals_a_slow_reference(seed):
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("abc"), rng.integers(0, 9))) for _ in range(14)]
    train = [(text, [str(rng.integers(0, 3)) for _ in text]) for text in texts[:10]]
    train.append(("d", ["9"]))  # seen once
    asked = [*texts[10:], "dxa", ""]
    assert backoff_tagger(train, asked) == [slow_backoff(train, text) for text in asked]


def test_the_backoff_tagger_reads_tokens():
    train = [(("the", "can"), ("D", "N")), (("i", "can"), ("P", "V"))] * 2
    assert backoff_tagger(train, [("i", "can"), ("the", "can")]) == [["P", "V"], ["D", "N"]]


def test_nothing_is_restored():
    assert unchanged("case", ["ab", ""]) == [["L", "L"], []]
    assert unchanged("spaces", ["ab"]) == [["", ""]]


def test_the_likeliest_form_of_each_word():
    train = [("ou? ete", ["", "`", "", "", "´", "", "´"])] + [("ou", ["", ""])] * 2  # noqa: RUF001
    accents = likeliest_form("accents", train, ["ete, ou", "neuf"])
    assert accents == [["´", "", "´", "", "", "", ""], [""] * 4]  # noqa: RUF001
    case = likeliest_form("case", [("rome", ["U", "L", "L", "L"])], ["a rome"])
    assert case == [["L", "L", "U", "L", "L", "L"]]


def test_a_mixture_by_hand():
    one, other = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    np.testing.assert_allclose(mix([one, other], [3.0, 1.0]), other)
    np.testing.assert_allclose(np.exp(mix([other], [2.0])), [[0.81 / 0.82, 0.01 / 0.82]])
    impossible = np.array([[0.0, -np.inf]])
    np.testing.assert_allclose(mix([impossible, one], [0.5, 0.5]), [[0, -5000]], atol=1)


def models(seed, k=300, C=4):
    """Two models of the same labels that err apart: one unsure, the other too sure of itself."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, C, k)
    told = np.eye(C)[gold]
    parts = [scale * (told + rng.normal(0, 0.7, (k, C))) for scale in (1.0, 6.0)]
    return [part - np.log(np.exp(part).sum(axis=1, keepdims=True)) for part in parts], gold


def nats(log_probabilities, gold):
    return -log_probabilities[np.arange(len(gold)), gold].mean()


def test_a_fitted_mixture_is_where_the_loss_is_least():
    parts, gold = models(0)
    weights = fit_mixture(parts, gold)
    assert nats(mix(parts, weights), gold) < min(nats(part, gold) for part in parts)
    assert weights[0] > weights[1] > 0

    alone = np.array([fit_mixture([part], gold)[0] for part in parts])

    def loss(weights):
        apart = weights / alone - 0.5
        return 300 * nats(mix(parts, weights), gold) + PRIOR * (apart**2).sum() / 2

    for step in 0.01 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]):
        assert loss(weights + step) > loss(weights)


def test_a_mixture_fitted_on_few_texts_is_better_than_its_parts():
    """They have most errors in common, and half are much too sure, as naive Bayes is."""
    rng, k, few = np.random.default_rng(5), 1000, 20
    right = []
    for _ in range(30):
        gold = rng.integers(0, 2, k)
        common = np.eye(2)[gold] + 0.9 * rng.normal(0, 1, (k, 2))
        parts = [
            log_normalized(scale * (common + 0.44 * rng.normal(0, 1, (k, 2))))
            for scale in (1.0, 1.0, 60.0, 60.0)
        ]
        weights = fit_mixture([part[:few] for part in parts], gold[:few])
        each = [mix(parts, weights), *parts]
        right.append([(one.argmax(axis=1) == gold)[few:].mean() for one in each])
    mixed, *alone = np.mean(right, axis=0)
    assert mixed > max(alone)


def test_a_useless_model_has_no_weight():
    parts, gold = models(1, k=2000)
    noise = np.random.default_rng(2).normal(size=parts[0].shape)
    weights = fit_mixture([parts[0], noise], gold)
    assert abs(weights[1]) < 0.1


def test_a_model_alone_keeps_its_labels_even_where_it_is_always_wrong():
    parts, gold = models(1)
    wrong = -parts[0]
    (weight,) = fit_mixture([wrong], gold)
    assert 0 < weight < 0.01
    assert (mix([wrong], [weight]).argmax(axis=1) == wrong.argmax(axis=1)).all()


def test_weights_exist_where_parts_say_the_same_or_are_always_right():
    parts, gold = models(3)
    np.testing.assert_allclose(np.diff(fit_mixture([parts[0]] * 2, gold)), 0, atol=1e-6)
    sure = np.where(np.eye(4)[gold] > 0, 0.0, -np.inf)
    assert np.isfinite(fit_mixture([sure, parts[0]], gold)).all()
    np.testing.assert_allclose(fit_mixture([part[:0] for part in parts], gold[:0]), [0.5, 0.5])
