"""Decoding of tags: the likeliest well-formed sequence, against trying them all."""

from itertools import pairwise, product

import numpy as np
import pytest

from charrnn.evaluation.labels.bio import allowed_transitions, decode, decode_all

TAGS = ["B-LC", "B-PS", "I-LC", "I-PS", "O"]


def well_formed(tags):
    return all(
        not tag.startswith("I-") or before in (tag, "B-" + tag[2:])
        for before, tag in pairwise(["O", *tags])
    )


def brute_force(log_probabilities, labels):
    """The score of the likeliest well-formed sequence."""
    T, C = log_probabilities.shape
    return max(
        sum(log_probabilities[t, tag] for t, tag in enumerate(tags))
        for tags in product(range(C), repeat=T)
        if well_formed([labels[tag] for tag in tags])
    )


def test_transitions_by_hand():
    first, after = allowed_transitions(["O", "I-A", "B-A", "B-B", "I-B"])
    assert first.tolist() == [True, False, True, True, False]
    assert after[:, 1].tolist() == [False, True, True, False, False]
    assert after[:, 4].tolist() == [False, False, False, True, True]
    assert after[:, [0, 2, 3]].all()


@pytest.mark.parametrize("labels", [TAGS, ["I-X", "O", "B-X"], ["B-X", "I-Y", "I-X"]])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_the_likeliest_well_formed_tags_equal_brute_force(labels, T):
    rng = np.random.default_rng(T)
    for _ in range(20):
        scores = np.log(rng.dirichlet(np.full(len(labels), 0.5), T) + 1e-12)
        tags = decode(scores, labels)
        assert well_formed([labels[tag] for tag in tags])
        assert scores[np.arange(T), tags].sum() == pytest.approx(brute_force(scores, labels))


def test_sentences_of_different_lengths_are_decoded_as_each_alone():
    rng = np.random.default_rng(0)
    lengths = np.array([3, 0, 7, 1, 6])
    scores = rng.normal(size=(7, 5, len(TAGS))).astype(np.float32)
    found = decode_all(scores, lengths, allowed_transitions(TAGS))
    for place, length in enumerate(lengths):
        np.testing.assert_array_equal(
            found[:length, place], decode(scores[:length, place], TAGS), strict=True
        )
        assert len(set(found[max(length - 1, 0) :, place])) == 1  # waits with its last tag


def test_an_entity_begins_where_that_costs_least():
    O, B, I = 0, 1, 2  # noqa: E741
    likely = np.log([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7], [0.1, 0.1, 0.8]])
    assert likely.argmax(axis=1).tolist() == [O, I, I]
    assert decode(likely, ["O", "B-X", "I-X"]).tolist() == [O, B, I]


def test_tags_without_entities_are_the_likeliest_of_each_place():
    scores = np.random.default_rng(0).normal(size=(6, 3, 3))
    found = decode_all(scores, np.array([6, 2, 4]), ["NOUN", "VERB", "I-X"])
    np.testing.assert_array_equal(found, scores.argmax(axis=2))


def test_tags_are_well_formed_even_where_nothing_possible_is_left():
    impossible = np.full((4, 3), -np.inf)
    impossible[:, 0] = 0.0
    labels = ["I-X", "B-X", "O"]
    assert decode(impossible, labels).tolist() == [1, 0, 0, 0]
    nothing = decode(np.full((4, 3), -np.inf), labels)
    assert well_formed([labels[tag] for tag in nothing])


def test_an_empty_sentence():
    assert decode(np.zeros((0, 5)), TAGS).shape == (0,)
    assert decode_all(np.zeros((0, 2, 5)), np.zeros(2, int), TAGS).shape == (0, 2)
