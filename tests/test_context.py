"""What a text follows on that is scored: a line end, as in samples, or what the user gives."""

from math import log

import numpy as np
import pytest

import charrnn
from charrnn.errors import ConfigError
from charrnn.evaluation.ngrams import best_ngram
from charrnn.evaluation.opponents import opponents
from charrnn.evaluation.pieces import Pieces
from charrnn.text.codes import to_codes

SENTENCES = "the quick brown fox jumps over the lazy dog\npack my box with five dozen jugs\n" * 8


def trained(text, **settings):
    return charrnn.train(text=text, steps=30, hidden_size=12, random_seed=0, **settings).model


@pytest.fixture(scope="module")
def models():
    return {
        "char": trained(SENTENCES),
        "byte": trained(SENTENCES, unit="byte"),
        "jamo": trained("나는 학교에 간다\n값이 없다\n" * 20, normalize="nfd"),
    }


@pytest.mark.parametrize(
    ("name", "text"), [("char", "jugs"), ("byte", "jugs"), ("jamo", "학교"), ("char", "q")]
)
@pytest.mark.parametrize("context", ["", "my "])
def test_a_short_text_costs_what_score_says(models, name, text, context):
    context = "나는 " if name == "jamo" and context else context
    model = models[name]
    found = model.evaluate(text=text, context=context)
    wanted = model.score(text, context=context).total_nats
    assert found.total_nats == pytest.approx(wanted, abs=1e-4)
    assert model.evaluate(text=text, context=context, exact=True).total_nats == pytest.approx(
        wanted, abs=1e-4
    )


def test_without_a_line_end_a_text_follows_on_the_first_symbol():
    model = trained("abcabcabd" * 40)
    found = model.evaluate(text="bca")
    assert found.total_nats == pytest.approx(model.score("bca").total_nats, abs=1e-4)
    assert "the first after 'a' (U+0061), as sample begins" in found.protocol


@pytest.mark.parametrize("context", ["", "with five "])
def test_all_ways_of_scoring_read_the_context(models, context):
    model, text = models["char"], SENTENCES[:120]
    wanted = model.score(text, context=context).total_nats
    whole = model.evaluate(text=text, context=context, cold_windows=1000)
    assert whole.total_nats == pytest.approx(wanted, abs=1e-3)
    dynamic = model.evaluate(text=text, context=context, dynamic=True, dynamic_rate=1e-9)
    assert dynamic.total_nats == pytest.approx(wanted, abs=1e-2)
    assert dynamic.static_nats == pytest.approx(wanted, abs=1e-3)
    both = model.evaluate(text=text, context=context, adapt="both")
    assert both.static_nats == pytest.approx(wanted, abs=1e-3)


def test_a_held_out_part_follows_on_nothing(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(SENTENCES * 5)
    model = charrnn.train(path, steps=3, hidden_size=4).model
    assert "the first as uniform" in model.evaluate().protocol
    assert "the first after a line end" in model.evaluate(path).protocol
    with pytest.raises(ConfigError, match="name a FILE"):
        model.evaluate(context="x")


def test_the_protocol_says_what_the_first_character_follows_on(models):
    found = models["char"].evaluate(text="fox")
    assert "the first after a line end, as sample begins" in found.protocol
    found = models["char"].evaluate(text="fox", context="brown ")
    assert "the first after 6 characters of context" in found.protocol
    found = models["jamo"].evaluate(text="간다", context="나")
    assert "every jamo scored once, the first after 2 jamo of context" in found.protocol


def test_what_a_context_has_that_is_unknown_is_left_out_and_said(models):
    found = models["char"].evaluate(text="fox", context="§brown ")
    assert found.total_nats == models["char"].evaluate(text="fox", context="brown ").total_nats
    assert any("left out of the context: '§' (U+00A7)" in notice for notice in found.notices)


def test_labels_have_no_context():
    model = trained("a\tx1\nb\ty2\n" * 60, predict="label")
    with pytest.raises(ConfigError, match="a model that predicts label: leave it out"):
        model.evaluate(text="a\tx1\n", context="x")


def test_items_have_no_context():
    model = trained("one\ntwo\nthree\nfour\nfive\nsix\n" * 10, lines=True)
    with pytest.raises(ConfigError, match="--context applies to running text"):
        model.evaluate(text="two", context="o")


def test_pieces_score_each_character_after_what_is_read_once():
    ids = np.arange(5000) % 7
    for read in (0, 1, 2, 300):
        for pieces in (
            Pieces.streams(ids, read=read),
            Pieces.streams(ids, 1, read=read),
            Pieces.windows(ids, 70, read),
        ):
            prompts = np.zeros_like(pieces.starts) if pieces.prompts is None else pieces.prompts
            parts = zip(pieces.starts + prompts + 1, pieces.ends + 1, strict=True)
            scored = sorted(place for first, stop in parts for place in range(first, stop))
            assert scored == [*range(max(read, 1), len(ids))]
            assert pieces.starts.min() == 0
            assert pieces.characters == len(ids) - read == pieces.whole


def test_counting_opponents_read_the_context_too(models):
    vocabulary, train = models["char"].vocabulary, to_codes(SENTENCES)
    text, before = to_codes("uick brown fox"), to_codes("the q")
    rows = {row.kind: row for row in opponents(train, text, vocabulary, before=before)}
    encoded = [vocabulary.encode(codes) for codes in (train, np.concatenate([before, text]))]
    read = np.arange(len(before) + len(text)) < len(before)
    nats = best_ngram(*encoded, len(vocabulary), only_read=read)[1]
    assert rows["ngram"].total_nats == pytest.approx(nats)
    alone = {row.kind: row for row in opponents(train, text, vocabulary)}
    assert rows["ngram"].total_nats < alone["ngram"].total_nats - 1
    assert rows["uniform"].total_nats == pytest.approx(len(text) * log(len(vocabulary)))
    assert {"compressor", "unigram"} <= rows.keys()
