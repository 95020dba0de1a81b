"""Validation: all of it costs little, and what it scores is spread over what is held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config import ModelConfig, TrainConfig
from charrnn.data.sides import Sides
from charrnn.data.splits import Split
from charrnn.data.tasks import RunningText, SeparateItems
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.usual import EncodedText, usual_scorer
from charrnn.storage.checkpoint import load
from charrnn.text import Vocabulary
from charrnn.text.codes import LINE_END, to_codes
from charrnn.training.new import prepare
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


def scorer_of(sides, vocabulary, items="", characters=None):
    return usual_scorer(
        sides.held,
        vocabulary,
        task=SeparateItems(items, LINE_END) if items else RunningText(),
        tails=sides.tails,
        characters=characters,
    )


def test_a_sample_is_spread_over_all_that_is_held_out():
    codes = to_codes("".join(chr(97 + i % 26) for i in range(100_000)))
    vocabulary = Vocabulary.from_codes(codes)
    sides = Sides.of(Split(len(codes), 50_000), codes)
    scorer = scorer_of(sides, vocabulary, characters=6_400)
    assert (scorer.characters, scorer.whole) == (6_400, 50_000)
    assert scorer.pieces.starts[0] == 0
    assert scorer.pieces.ends[-1] == 49_999
    whole = scorer_of(sides, vocabulary)
    assert whole.characters == whole.whole == 50_000
    assert scorer_of(Sides.of(Split(len(codes), 0), codes), vocabulary) is None


def test_lines_are_sampled_as_wholes():
    codes = to_codes("".join(f"{'x' * (i % 9)}y\n" for i in range(3_000)))
    vocabulary = Vocabulary.from_codes(codes)
    sides = Sides.of(Split(len(codes), len(codes) // 2), codes)
    scorer = scorer_of(sides, vocabulary, "line", 1_000)
    pieces, line_end = scorer.pieces, vocabulary.encode_text("\n")[0]
    assert (pieces.ids[pieces.starts] == line_end).all()
    assert (pieces.ids[pieces.ends] == line_end).all()
    assert scorer.characters == pytest.approx(1_000, rel=0.1)


@pytest.mark.parametrize("kind", ["text", "lines", "tails"])
def test_what_the_vocabulary_of_an_old_run_lacks_is_left_out(kind):
    codes = to_codes("ab\nba\n" * 200 + "Q: ab\n" * 20)
    vocabulary = Vocabulary.from_codes(codes[:1200])  # as format 1 had it
    split = Split(len(codes), 120, 1) if kind != "tails" else Split(len(codes), 40, 4)
    scorer = scorer_of(Sides.of(split, codes), vocabulary, "line" if kind == "lines" else "")
    wanted = {"text": 60, "lines": 60, "tails": None}[kind]
    if wanted is None:
        assert 0 < scorer.characters < 40
    else:
        assert scorer.characters == pytest.approx(wanted, abs=3)


@pytest.mark.parametrize(("items", "parts"), [("", 1), ("line", 1), ("", 2)])
def test_nothing_is_scored_of_what_the_model_does_not_know(items, parts):
    codes = to_codes("ab" * 50 + "Q" * 20 + "ab" * 50 + "Q" * 20)
    vocabulary = Vocabulary.from_codes(to_codes("ab\n"))
    sides = Sides.of(Split(len(codes), 20 * parts, parts), codes)
    assert scorer_of(sides, vocabulary, items) is None


# The same figure as that of eval

NAMES = "".join(
    "".join(np.random.default_rng(seed).choice(list("abcdefg"), 3 + seed % 6)) + "\n"
    for seed in range(500)
)
KINDS = {
    "the end": {},
    "strided tails": {"split_mode": "strided"},
    "hashed items": {"items": "line"},
    "the last items": {"items": "line", "split_mode": "contiguous"},
    "files": {},
    "items of files": {"items": "line"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_validation_of_all_that_is_held_out_is_what_eval_finds(tmp_path, kind):
    (tmp_path / "text.txt").write_text(NAMES)
    (tmp_path / "val.txt").write_text("gfedcba\nabab\n" * 30)
    run = prepare(
        [tmp_path / "text.txt"],
        val=[tmp_path / "val.txt"] if "files" in kind else (),
        model=ModelConfig(hidden_size=8, dropout=0.0),
        train=TrainConfig(steps=6, validations=2, batch_size=4, seq_len=8, **KINDS[kind]),
        out=tmp_path / "run",
    )
    finished = list(run.train())[-1]
    assert finished.val_characters == finished.held_out > 0
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"))
    assert found.characters == finished.held_out
    assert found.nats_per_char == pytest.approx(finished.best_nats, rel=1e-6)
    if "files" in kind:  # and so it is where the file is named, but for its first character
        named = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"), [tmp_path / "val.txt"])
        assert named.characters == found.characters
        assert named.total_nats == pytest.approx(found.total_nats, abs=np.log(len(NAMES)))
