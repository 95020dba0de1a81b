"""The interface for programs: many texts scored in one call."""

import itertools
import json
import math
import sys
from math import log
from types import SimpleNamespace

import numpy as np
import pytest
from programs import NAMES, trained

from charrnn.errors import CheckpointError, ConfigError, CorpusError, VocabularyError
from charrnn.evaluation.cost import Cost
from charrnn.evaluation.lines.models import Figures

TEXTS = ["pack my box", "", "jugs\nbox", "é jugs", "j"]


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def names():
    return trained(NAMES, items="line", steps=30)


def same(found, alone):
    """Check that a text among others has the scores that it has alone."""
    assert found.symbols == alone.symbols
    assert found.nats == pytest.approx(alone.nats, abs=1e-5)
    assert found.unknown.tolist() == alone.unknown.tolist()
    assert found.total_nats == pytest.approx(alone.total_nats, rel=1e-5)
    assert (found.characters, found.num_bytes) == (alone.characters, alone.num_bytes)
    assert found.reserved_nats == pytest.approx(alone.reserved_nats)
    assert [cell.text for cell in found.cells] == [cell.text for cell in alone.cells]
    assert found.context == alone.context


@pytest.mark.parametrize("context", ["", "pack my "])
def test_each_text_is_scored_as_if_it_were_alone(model, context, monkeypatch):
    monkeypatch.setattr("charrnn.api.line_scores.BLOCK", 9)
    found = model.score(TEXTS, context=context, threads=1)
    assert len(found) == len(TEXTS)
    assert found.texts == tuple(TEXTS)
    for number, text in enumerate(TEXTS):
        if text:
            alone = model.score(text, context=context)
            same(found[number], alone)
            assert found.total_nats[number] == pytest.approx(alone.total_nats, rel=1e-5)
            assert found.bits_per_char[number] == pytest.approx(alone.bits_per_char, rel=1e-5)
            assert found.perplexity[number] == pytest.approx(alone.perplexity, rel=1e-5)
    assert found.characters.tolist() == [len(text) for text in TEXTS]
    assert found.unknown.tolist() == [0, 0, 0, 1, 0]
    assert found.total_nats[1] == 0
    assert np.isnan(found.bits_per_char[1])
    assert np.isnan(found.perplexity[1])


def test_threads_change_no_bit(model):
    texts = ["".join(letters) for letters in itertools.product("packmy", repeat=3)]
    one, two = (model.score(texts, threads=threads).total_nats for threads in (1, 2))
    assert one.tobytes() == two.tobytes()


def test_items_are_scored_as_alone(names):
    texts = ["bala", "bala\nkema\n", "", "ээ", "béla\nээ"]
    found = names.score(texts)
    for number, text in enumerate(texts):
        if text:
            same(found[number], names.score(text))
    assert found.characters[2] == 0
    assert found[2].symbols == ()
    same(names.score(["la"], context="ba")[0], names.score("la", context="ba"))
    with pytest.raises(ConfigError, match="give each item as a separate text"):
        names.score(["la\nba"], context="ba")


def test_bytes_and_parts_of_letters():
    for settings in ({"unit": "byte"}, {"normalize": "nfd"}):
        model = trained("하늘이 맑다\n" * 40, steps=5, **settings)
        for number, text in enumerate(texts := ["하늘", "맑다!"]):
            same(model.score(texts)[number], model.score(text))


def test_prompts_are_read_and_not_scored():
    text = "".join(f"{letter}\t{letter * 3}{n}\n" for letter in "xyz" for n in range(40))
    model = trained(text, prompted=True, steps=60)
    alone = model.score("x\txxx1")
    assert alone.symbols == tuple("xxx1\n")
    assert alone.context == "x\t"
    assert alone.total_nats == pytest.approx(model.evaluate(text="x\txxx1\n").total_nats, rel=1e-4)
    texts = ["z\txxx1", "x\txxx1"]
    found = model.score(texts)
    same(found[1], alone)
    assert found.total_nats.argmin() == 1
    same(model.score(["xxx1"], context="x\t")[0], model.score("xxx1", context="x\t"))
    for wrong in ("xxx1", ["x\ty", "xxx1"]):
        with pytest.raises(CorpusError, match="has no prompt, which this model reads first"):
            model.score(wrong)


def test_some_of_the_texts(model):
    found = model.score(TEXTS)
    assert found[-1].symbols == ("j",)
    some = found[2:4]
    assert some.texts == ("jugs\nbox", "é jugs")
    assert some[1].symbols == found[3].symbols
    assert some.unknown.tolist() == [0, 1]
    assert [len(each) for each in found] == [len(text) for text in TEXTS]
    with pytest.raises(IndexError):
        found[5]
    assert len(model.score([])) == 0
    assert repr(model.score([])) == "LineScores(0 texts, 0 characters, nan bits per character)"


def test_an_empty_text_among_others_has_no_mean(model):
    found = model.score(["", "a"])
    none = found[0]
    assert repr(none).startswith("Scores(0 characters: 0.00 nats, nan nats or nan bits")
    assert "0 characters" in none._repr_html_()
    assert math.isnan(none.perplexity)
    assert math.isnan(none.bits_per_byte)
    assert json.loads(json.dumps(none.to_json(), allow_nan=False))["bits_per_char"] is None
    one = Figures(none.total_nats, none.characters, 0)
    for mean in (one.bits_per_char, one.perplexity, found.bits_per_char[0], found.perplexity[0]):
        assert math.isnan(mean)
    whole = Cost(4.2e5, 3, 3)
    assert Figures(4.2e5, 3, 0).perplexity == whole.perplexity == math.exp(700)


def test_they_show_themselves(model):
    found = model.score([*TEXTS, "<b>\x1b"])
    assert repr(found).startswith("LineScores(6 texts, 30 characters, ")
    html = found._repr_html_()
    assert "<b>" not in html
    assert "\\x1b" in html
    assert html.count("<tr>") == 7
    many = model.score(["j"] * 120)._repr_html_()
    assert "and 20 more texts" in many


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": ["a", 3]}, ConfigError, "3 in the list is not a text"),
        ({"text": b"box"}, ConfigError, "98 in the list is not a text"),
        ({"text": 5}, ConfigError, "a text or a list of texts, not 5"),
        ({"text": iter(["box"])}, ConfigError, "a text or a list of texts, not <list_iterator"),
        ({"text": "box", "threads": 2}, ConfigError, "threads applies to several texts"),
        ({"text": ["box", "é"], "unknown": "error"}, VocabularyError, "does not know 1 character"),
        ({"text": ["\ud83d"]}, VocabularyError, "lone surrogate"),
    ],
)
def test_a_score_that_cannot_be(model, arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        model.score(**arguments)
    assert "\n" not in str(caught.value)


def test_a_model_that_diverged_says_so():
    lost = trained(steps=1)
    lost.network.parameters.vector[...] = np.nan
    with pytest.raises(CheckpointError, match="not finite because it diverged"):
        lost.score(["box"])


def test_characters_are_pairs(model):
    found = model.score("box é")
    assert [symbol for symbol, _ in found.per_char] == list("box é")
    assert [nats for _, nats in found.per_char] == found.nats.tolist()
    assert len(found.per_char) == 5
    assert found.per_char[-1] == ("é", found.nats[-1])
    assert found.per_char[1:3].symbols == ("o", "x")
    assert repr(found.per_char[:1]) == f"PerChar([('b', {found.nats[0]:.3f})])"
    assert repr(model.score("boxes!").per_char).endswith(", ...])")


def test_tables_are_made_where_pandas_is_installed(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    table = model.score("bé").per_char.to_pandas()
    assert table["symbol"] == ["b", "é"]
    assert table["unknown"].tolist() == [False, True]
    assert table["bits"] == pytest.approx(table["nats"] / log(2))
    assert model.score("bé").to_pandas().keys() == table.keys()
    found = model.score(TEXTS)
    table = found.to_pandas()
    assert [*table] == [
        "text",
        "total_nats",
        "bits_per_char",
        "perplexity",
        "characters",
        "unknown",
    ]
    assert table["text"] == TEXTS
    assert table["total_nats"] is found.total_nats
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        found.to_pandas()
