"""Validation: all of it costs little, and what it scores is spread over what is held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.sides import Sides
from charrnn.data.splits import Split
from charrnn.evaluation.held_out import EncodedText, held_out_scorer
from charrnn.evaluation.scorers import ColdScorer, Scorer
from charrnn.text import Vocabulary
from charrnn.text.vocabulary import to_codes
from charrnn.training.validation import (
    EVEN_SHARE,
    FEW,
    LEAST_CHARACTERS,
    MANY,
    MOST_CHARACTERS,
    choose,
    next_pass,
)


def chosen(*args, **given):
    settings, share = choose(*args, **given)
    return (settings.validations, settings.val_characters), share


@given(
    st.integers(1, 10**9),
    st.floats(60, 1e6),
    st.floats(1e-7, 1e-3),
)
def test_even_validations_take_their_share_at_the_most(held_out, seconds, cost):
    (times, characters), share = chosen(held_out, seconds, cost)
    assert 1 <= times <= MANY
    assert 1 <= characters <= min(held_out, MOST_CHARACTERS)
    assert share == pytest.approx(times * characters * cost / seconds)
    # One of the fewest characters is always taken, at the end of the run.
    assert share <= EVEN_SHARE * (1 + 1e-9) or (times == 1 and characters <= LEAST_CHARACTERS)


def test_what_is_cheap_is_scored_whole_and_often():
    assert chosen(6_000, 60, 1e-5)[0] == (MANY, 6_000)


def test_fewer_come_first_and_then_shorter_ones():
    cost = 1e-5
    assert chosen(100_000, 12 / EVEN_SHARE, cost)[0] == (12, 100_000)
    assert chosen(100_000, 3 / EVEN_SHARE, cost)[0] == (FEW, 75_000)
    assert chosen(100_000, 0.3 / EVEN_SHARE, cost)[0] == (1, LEAST_CHARACTERS)


def test_what_was_asked_for_stays():
    assert chosen(10**6, 60, 1e-3, times=7, characters=123_456)[0] == (7, 123_456)
    assert chosen(10**6, 60, 1e-3, times=7)[0][0] == 7
    assert chosen(0, 60, 0.0)[1] == 0


def test_early_validations_come_after_ever_more_passes():
    passes, found = 0.0, []
    while passes < 20:
        passes = next_pass(passes)
        found.append(passes)
    assert found == [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24]
    assert next_pass(5.1) == 6
    assert next_pass(1e6) > 1e6


def test_a_text_is_encoded_where_it_is_read():
    codes = to_codes("abcabcaab")
    vocabulary = Vocabulary.from_codes(codes)
    text = EncodedText(codes, vocabulary)
    assert len(text) == 9
    places = np.array([[0, 1], [8, 2]])
    assert text[places].tolist() == [[0, 1], [1, 2]]


def test_a_sample_is_spread_over_all_that_is_held_out():
    codes = to_codes("".join(chr(97 + i % 26) for i in range(100_000)))
    vocabulary = Vocabulary.from_codes(codes)
    split = Split(len(codes), 50_000)
    scorer = held_out_scorer(Sides.of(split, codes), vocabulary, lines=False, characters=6_400)
    assert isinstance(scorer, Scorer)
    assert scorer.characters == 6_400
    assert scorer.whole == 50_000
    assert scorer.starts[0] == 0
    assert scorer.ends[-1] == 49_999
    whole = held_out_scorer(Sides.of(split, codes), vocabulary, lines=False)
    assert whole.characters == whole.whole == 50_000
    assert held_out_scorer(Sides.of(Split(len(codes), 0), codes), vocabulary, lines=False) is None


def test_lines_are_sampled_as_wholes():
    codes = to_codes("".join(f"{'x' * (i % 9)}y\n" for i in range(3_000)))
    vocabulary = Vocabulary.from_codes(codes)
    split = Split(len(codes), len(codes) // 2)
    scorer = held_out_scorer(Sides.of(split, codes), vocabulary, lines=True, characters=1_000)
    line_end = vocabulary.encode_text("\n")[0]
    assert (scorer.ids[scorer.starts] == line_end).all()
    assert (scorer.ids[scorer.ends] == line_end).all()
    assert scorer.characters == pytest.approx(1_000, rel=0.1)


@pytest.mark.parametrize("kind", ["text", "lines", "tails"])
def test_what_the_vocabulary_of_an_old_run_lacks_is_left_out(kind):
    codes = to_codes("ab\nba\n" * 200 + "Q: ab\n" * 20)
    vocabulary = Vocabulary.from_codes(codes[:1200])  # as format 1 had it
    split = Split(len(codes), 120, 1) if kind != "tails" else Split(len(codes), 40, 4)
    scorer = held_out_scorer(Sides.of(split, codes), vocabulary, lines=kind == "lines")
    wanted = {"text": 60, "lines": 60, "tails": None}[kind]
    if wanted is None:
        assert 0 < scorer.characters < 40
    else:
        assert scorer.characters == pytest.approx(wanted, abs=3)
    only = held_out_scorer(
        Sides.of(Split(len(codes), 1), to_codes("ab\nba\n" * 200 + "Q" * 120)),
        vocabulary,
        lines=False,
    )
    assert only is None


def test_a_sample_has_two_pieces_at_least():
    tails = [np.zeros(50, np.uint8) for _ in range(8)]
    scorer = ColdScorer.of_tails(tails, characters=10)
    assert len(scorer.starts) == 2
    assert scorer.whole == 8 * 49
