"""Words for scores: a model that knows nothing, and opponents that win."""

import pytest

from charrnn.evaluation.cost import Opponent
from charrnn.evaluation.verdict import NOTABLE_OVERLAP, against, is_foreign, of_model


def test_a_model_that_knows_nothing():
    assert "guessing 4.00" in of_model(5.0, uniform=4.0)
    assert of_model(3.9, uniform=4.0) == of_model(3.7, uniform=4.0, unigram=3.8) == ""
    assert "3.900 nats per character, and character frequencies alone 3.800" in of_model(
        3.9, uniform=4.0, unigram=3.8
    )
    assert of_model(None, uniform=4.0) == ""
    assert of_model(4.0, uniform=4.0) == ""  # a text of one character, which counts as uniform


def opponent(kind, nats, name=None):
    return Opponent(nats, 1, 1, name or kind, kind)


NGRAM = opponent("ngram", 1.5, "Kneser-Ney 7-gram")
XZ = opponent("compressor", 1.7, "xz -9e")
UNIFORM = opponent("uniform", 4.2)


def test_against_the_opponents():
    others = [NGRAM, XZ, UNIFORM]
    assert against(1.4, others) == (
        "the model predicts this text best, 0.1000 nats ahead of the Kneser-Ney 7-gram"
    )
    assert against(1.6, others) == (
        "the Kneser-Ney 7-gram predicts this text better, by 0.1000 nats: train longer, or train a "
        "larger model"
    )
    assert "xz -9e needs 0.2000 nats less" in against(1.9, others[1:])
    assert "ahead of xz -9e" in against(1.6, others[1:])
    assert "guessing" in against(4.3, others[2:])
    assert "guessing" in against(4.3, others)  # and not what repeats itself


def test_a_tie_and_guessing_on_the_training_text():
    assert against(1.50001, [NGRAM, UNIFORM]) == (
        "the model predicts this text as well as the Kneser-Ney 7-gram"
    )
    assert against(0.0, [opponent("uniform", 0.0)]).endswith("as well as guessing")
    assert against(4.3, [UNIFORM], shared=1.0) == (
        "guessing predicts this text better, by 0.1000 nats: train longer"
    )


def test_what_adapts_is_told_apart():
    others = [opponent("adapting", 1.3, "counts that adapt"), NGRAM, XZ]
    assert against(1.2, others).endswith("0.1000 nats ahead of the counts that adapt")
    words = against(1.4, others)
    assert words.startswith("the model predicts this text best, 0.1000 nats ahead of the Kneser")
    assert words.endswith(
        "; but counts that adapt, which learn from this text as they score it, need 0.1000 nats "
        "less: see --adapt"
    )
    assert against(1.6, others).startswith("the Kneser-Ney 7-gram predicts this text better")


def test_what_adapts_already_is_not_advised_to():
    for others in ([opponent("adapting", 1.3, "counts that adapt"), NGRAM, XZ], [XZ]):
        words = against(1.8, others, adapts=True)
        assert "nats less" in words
        assert "--adapt" not in words
        assert words + ": see --adapt" == against(1.8, others)


def test_a_text_that_has_nothing_to_do_with_that_of_the_model():
    assert is_foreign(3.0, uniform=4.0, unknown=0.6)
    assert is_foreign(3.7, uniform=4.0, unknown=0.0)
    assert not is_foreign(3.0, uniform=4.0, unknown=0.1)


def test_against_character_frequencies():
    others = [opponent("unigram", 3.0), UNIFORM]
    assert "ahead of character frequencies" in against(2.9, others)
    assert against(3.1, others).startswith("character frequencies predict this text")
    assert against(3.1, [NGRAM, *others]).startswith("character frequencies")


@pytest.mark.parametrize("name", ["a program", "anagrams -9", "uniform"])
def test_a_name_decides_nothing(name):
    assert against(1.9, [opponent("compressor", 1.7, name)]).startswith(f"{name} needs 0.2000 ")
    assert against(1.9, [opponent("ngram", 1.7, name)]).startswith(f"the {name} predicts this")


def test_why_an_ngram_is_better():
    assert "more text would help most" in against(1.6, [NGRAM], longer_helps=False)
    words = against(1.6, [NGRAM], shared=NOTABLE_OVERLAP, longer_helps=False)
    assert words.endswith("20 % of it is in the training text, which the n-grams store in full")
