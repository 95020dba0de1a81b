"""The interface for programs: what each character of a text costs a model."""

import itertools
import json
from math import exp

import numpy as np
import pytest
from programs import NAMES, TEXT, trained

import charrnn
from charrnn.api import scores
from charrnn.errors import CheckpointError, ConfigError, CorpusError, VocabularyError
from charrnn.nn.loss import log_softmax_


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def names():
    return trained(NAMES, items="line", steps=30)


@pytest.fixture(scope="module")
def paragraphs():
    text = "".join(f"{a}b{c}\nd{a}\n\n" for a, c in itertools.product("xyzuvw", repeat=2))
    return trained(text, items="blank-line", steps=10)


@pytest.fixture(scope="module")
def tiny():
    """Three symbols, so that all short texts can be listed."""
    return trained("ab\nba\n" * 100, steps=10, hidden_size=4)


def forward(model, text):
    """Return the nats of each character of a text but the first, step by step."""
    ids = model.vocabulary.encode_text(text)
    state = model.network.zero_state(1)
    nats = []
    for now, after in itertools.pairwise(ids.tolist()):
        logits, state = model.network.forward(np.array([[now]]), state)
        nats.append(-float(log_softmax_(logits.astype(np.float64))[after, 0]))
    return nats


def test_a_score_is_that_of_the_network(model):
    found = model.score("pack my jugs")
    assert found.symbols == tuple("pack my jugs")
    assert found.nats.dtype == np.float64
    assert found.nats == pytest.approx(forward(model, "\npack my jugs"), abs=1e-5)
    assert not found.unknown.any()
    assert (found.characters, found.num_bytes, len(found)) == (12, 12, 12)
    assert found.total_nats == pytest.approx(found.nats.sum())
    assert found.perplexity == pytest.approx(exp(found.total_nats / 12))
    assert found.bits.sum() == pytest.approx(12 * found.bits_per_char)


def test_a_score_depends_on_what_precedes_alone(model, names):
    text = "pack the ѣ jugs\nbox é"
    whole = model.score(text).nats
    for stop in range(1, len(text)):
        assert model.score(text[:stop]).nats == pytest.approx(whole[:stop], abs=1e-5)
    whole = names.score("bala\nbéma\ndala").nats
    for stop, text in ((4, "bal"), (5, "bala"), (10, "bala\nbéma"), (12, "bala\nbéma\nd")):
        assert names.score(text).nats[: stop - 1] == pytest.approx(whole[: stop - 1], abs=1e-5)


def test_a_score_is_a_probability(tiny):
    for length in (1, 2, 3):
        texts = map("".join, itertools.product("ab\n", repeat=length))
        assert sum(exp(-tiny.score(text).total_nats) for text in texts) == pytest.approx(
            1, abs=1e-5
        )


def test_a_score_is_how_often_it_is_drawn(tiny):
    drawn = tiny.sample(length=1, num_samples=2000, random_seed=1)
    for symbol in "ab\n":
        expected = exp(-tiny.score(symbol).total_nats)
        assert drawn.count(symbol) / 2000 == pytest.approx(expected, abs=0.04)


def test_without_a_line_end_a_text_follows_on_the_first_symbol():
    model = trained("abcb" * 100, steps=5)
    assert model.score("b").nats == pytest.approx(forward(model, "ab"), abs=1e-5)


def test_the_context_is_read_and_not_scored(model):
    whole = model.score("my box").nats
    found = model.score("box", context="\nmy ")
    assert found.nats == pytest.approx(whole[3:], abs=1e-5)
    assert found.context == "\nmy "
    assert "my " in found._repr_html_()
    # What the model does not know is not read.
    assert model.score("box", context="éé").nats == pytest.approx(model.score("box").nats)


def test_windows_change_no_score(model, monkeypatch):
    whole = model.score(TEXT[:100]).nats
    monkeypatch.setattr(scores, "WINDOW", 7)
    assert model.score(TEXT[:100]).nats == pytest.approx(whole, abs=1e-5)


def test_unknown_characters_are_charged_as_in_an_evaluation(model):
    text = "pack é my ѣѣ box"
    found, evaluation = model.score(text), model.evaluate(text=text, exact=True)
    assert found.unknown.tolist() == [c in "éѣ" for c in text]
    assert set(found.nats[found.unknown]) == {evaluation.unknown_cost}
    assert found.total_nats == pytest.approx(evaluation.total_nats, abs=1e-4)
    assert found.total_nats == pytest.approx(found.nats.sum() + found.reserved_nats)
    assert found.num_bytes == len(text.encode())
    assert model.score("é").nats == [evaluation.unknown_cost]


@pytest.mark.parametrize(
    "text", ["bala", "bala\n", "bala\nkema\n\nbora", "béla\nkema\nээ\n", "\nbala"]
)
def test_items_are_scored_as_in_an_evaluation(names, text):
    found, evaluation = names.score(text), names.evaluate(text=text)
    assert found.total_nats == pytest.approx(evaluation.total_nats, abs=1e-4)
    assert found.characters == evaluation.characters
    assert found.num_bytes == evaluation.num_bytes


def test_an_item_is_scored_from_a_zero_state(names):
    once = names.score("bala").nats
    assert len(once) == 5
    assert names.score("kema\nbala").nats[5:] == pytest.approx(once, abs=1e-5)
    assert names.score("la", context="ba").nats == pytest.approx(once[2:], abs=1e-5)


def test_items_between_blank_lines(paragraphs):
    text = "xby\ndx\n\n\nzbu\ndz"
    found, evaluation = paragraphs.score(text), paragraphs.evaluate(text=text)
    assert "".join(found.symbols) == "xby\ndx\x1ezbu\ndz\x1e"
    assert found.total_nats == pytest.approx(evaluation.total_nats, abs=1e-4)
    assert "\\x1e" in found._repr_html_()


@pytest.mark.parametrize(("text", "context"), [("la", "ba\n"), ("\nla", "ba")])
def test_a_context_that_is_no_beginning_of_an_item(names, paragraphs, text, context):
    if context == "ba":
        assert names.score(text, context=context).symbols == ("\n", "l", "a", "\n")
        model, context = paragraphs, "xb\n"
        text = "\nzb"
    else:
        model = names
    with pytest.raises(ConfigError, match="the context does not fit"):
        model.score(text, context=context)


def test_bytes_are_scored_each_and_shown_as_characters():
    model = trained("한글 é\n" * 60, unit="byte", steps=5)
    found = model.score("한é!")
    assert found.symbols == ("\\xed", "\\x95", "\\x9c", "\\xc3", "\\xa9", "!")
    assert [(cell.text, cell.symbols) for cell in found.cells] == [("한", 3), ("é", 2), ("!", 1)]
    assert found.cells[0].nats == pytest.approx(found.nats[:3].sum())
    assert (found.characters, found.num_bytes) == (6, 6)
    assert found.num_bytes == model.evaluate(text="한é!").num_bytes
    half = model.score("한"[:1] + "é")
    assert half.characters == 5


def test_parts_of_letters_are_scored_each_and_shown_as_letters():
    model = trained("하늘이 맑다\n" * 60, normalize="nfd", steps=5)
    found = model.score("하늘")
    assert found.symbols == tuple("\u1112\u1161\u1102\u1173\u11af")
    assert [(cell.text, cell.symbols) for cell in found.cells] == [("하", 2), ("늘", 3)]
    assert found.num_bytes == model.evaluate(text="하늘").num_bytes == 6


def test_a_text_is_brought_into_the_form_that_the_model_knows():
    model = trained("l'été déjà rêvé\n" * 30, steps=5)
    assert model.score("e\u0301te\u0301\r\n").symbols == ("é", "t", "é", "\n")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": ""}, CorpusError, "nothing to score: the text is empty"),
        ({"text": "", "context": "box"}, CorpusError, "nothing to score: the text is empty"),
        ({"text": "é", "unknown": "error"}, VocabularyError, "does not know 1 character"),
        (
            {"text": "a", "context": "é", "unknown": "error"},
            VocabularyError,
            "does not know 1 character",
        ),
        ({"text": "a", "unknown": "skip"}, ConfigError, "'skip' is not valid: use score or error"),
        ({"text": "\ud83d"}, VocabularyError, "lone surrogate"),
    ],
)
def test_a_score_that_cannot_be(model, arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        model.score(**arguments)
    assert "\n" not in str(caught.value)


def test_an_item_that_is_none(names):
    with pytest.raises(CorpusError, match="the text has no item with a character"):
        names.score("\n\n")


def test_a_model_that_diverged_says_so(model):
    lost = charrnn.Model(model.checkpoint)
    lost.network.parameters.vector[...] = np.nan
    with pytest.raises(CheckpointError, match="not finite because it diverged"):
        lost.score("box")


def test_scores_show_themselves(model):
    found = model.score("box é<b>")
    assert repr(found).startswith("Scores(8 characters, 3 unknown: ")
    assert repr(model.score("b")).startswith("Scores(1 character: ")
    html = found._repr_html_()
    assert "<b>" not in html
    assert html.count('title="') == 8
    assert "8 characters, 3 unknown" in html
    data = json.loads(json.dumps(found.to_json()))
    assert data["symbols"] == list("box é<b>")
    assert data["nats"] == found.nats.tolist()
    assert data["total_nats"] == found.total_nats
