"""The split: every character is learned from or held out, and the same in training as in eval."""

from hashlib import blake2b
from math import log

import numpy as np
import pytest
from cells import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st
from scores import score_ids

from charrnn.config import Architecture, EvalConfig, ModelConfig, TrainConfig
from charrnn.data import splits
from charrnn.data.dividing import as_items
from charrnn.data.splits import HashedSplit, Split
from charrnn.errors import ConfigError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import TextScorer, score
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import load
from charrnn.text.codes import to_codes, to_text
from charrnn.training.new import prepare
from charrnn.training.resume import resume

WORDS = ["the", "garden", "grows", "slowly", "under", "rain", "and", "wind"]
TEXT = " ".join(np.random.default_rng(0).choice(WORDS, 900).tolist())


@given(st.integers(1, 400), st.integers(1, 20), st.integers(0, 30))
@settings(deadline=None)
def test_every_character_is_learned_from_or_held_out(characters, parts, tail):
    parts = min(parts, characters)
    tail = min(tail, characters // parts - 1)
    split = Split(characters, parts * tail, parts)
    codes = np.arange(characters)
    learned, held = split.learned(codes), split.held(codes)
    assert len(held) == parts * tail
    assert sorted([*learned, *held]) == codes.tolist()
    for index, piece in enumerate(split.tails(codes)):
        stop = characters * (index + 1) // parts
        assert piece.tolist() == list(range(stop - tail - 1, stop))
        assert piece[0] in learned


def test_one_part_holds_out_the_end_without_a_copy():
    codes = np.arange(100)
    split = Split(100, 10)
    assert split.held(codes).tolist() == list(range(90, 100))
    assert np.shares_memory(split.learned(codes), codes)


@pytest.mark.parametrize("cell", CELLS)
def test_tails_are_scored_from_a_zero_state(cell):
    rng = np.random.default_rng(0)
    config = Architecture(**KINDS[cell], num_layers=1, hidden_size=12, dropout=0.3)
    model = CharModel(config, 11, dtype=np.float64)
    model.initialise(rng)
    model.parameters["head.W"][...] = rng.standard_normal(model.parameters["head.W"].shape)
    tails = [rng.integers(0, 11, length).astype(np.uint8) for length in (40, 41, 3, 200)]
    wanted = sum(score_ids(model, tail, exact=True) - log(model.vocab_size) for tail in tails)
    scorer = TextScorer(Pieces.tails(tails))
    assert scorer.characters == sum(map(len, tails)) - len(tails)
    assert score(model, scorer).nats == pytest.approx(wanted, rel=1e-6)
    assert score(model, scorer, threads=3) == score(model, scorer)


@pytest.fixture
def strided(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    run = prepare(
        [tmp_path / "text.txt"],
        model=ModelConfig(num_layers=1, hidden_size=12, dropout=0.0),
        train=TrainConfig(
            steps=40, validations=2, batch_size=7, seq_len=8, split_mode="strided", random_seed=1
        ),
        out=tmp_path / "run",
    )
    events = list(run.train())
    return tmp_path / "run", events


def test_training_and_evaluation_hold_out_the_same(strided):
    directory, events = strided
    last = load(directory / "last.npz")
    validated = [event.nats for event in events if type(event).__name__ == "Validated"]
    found = evaluate_checkpoint(last, baselines=True)
    assert found.characters == last.held_out == len(TEXT) // 10 // 7 * 7
    assert found.nats_per_char == pytest.approx(validated[-1], rel=1e-6)
    assert "each part from a zero state, as char-rnn" in found.protocol
    assert f"{last.held_out // 7} of each of 7 parts" in found.protocol
    assert {row.characters for row in found.baselines} == {last.held_out}
    assert evaluate_checkpoint(last, threads=2).total_nats == found.total_nats
    windows = evaluate_checkpoint(last, config=EvalConfig(cold_windows=20))
    assert windows.characters == found.characters
    exact = evaluate_checkpoint(last, config=EvalConfig(exact=True))
    assert "in one stream" in exact.protocol


def test_a_strided_run_goes_on(strided):
    directory, _ = strided
    events = list(resume(directory, length=TrainConfig(steps=45)).train())
    assert events[-1].step == 45
    assert load(directory / "last.npz").settings.split_parts == 7


def test_lines_are_held_out_from_the_end():
    with pytest.raises(ConfigError, match="--split-mode"):
        TrainConfig(lines=True, split_mode="strided")


def test_tails_of_unseen_characters_alone_are_scored(tmp_path):
    (tmp_path / "text.txt").write_text(("a" * 900 + "b" * 100) * 2)
    run = prepare(
        [tmp_path / "text.txt"],
        train=TrainConfig(steps=2, batch_size=2, seq_len=8, split_mode="strided"),
        out=tmp_path / "run",
    )
    assert run.plan.unseen == 1
    last = next(e for e in run.train() if type(e).__name__ == "Finished")
    assert last.val_characters == 200
    assert last.best_nats > 1


# Lines, by what they say


def lines_of(codes):
    return to_text(codes).splitlines()


PINNED = ["anna", "bob", "dora"]
ITEMS = [f"item {number}, 한국 é {number * 7919 % 1000}" for number in range(2000)]


def hashed(items, fraction=0.1, key=5):
    return HashedSplit(fraction, key), as_items(to_codes("\n".join(items)))


def held_of(split, codes):
    return split.both(codes)[1]


def test_the_hash_is_the_same_everywhere():
    split, codes = hashed(
        ["anna", "bob", "한국", "", "dora", "é", "zoe"], fraction=0.5, key=2**63 + 1
    )
    assert lines_of(held_of(split, codes)) == PINNED
    digest = blake2b("한국".encode(), digest_size=8, key=(2**63 + 1).to_bytes(8, "little")).digest()
    assert ("한국" in PINNED) == (int.from_bytes(digest, "little") < 2**63)


@given(st.lists(st.sampled_from([*ITEMS[:40], ""]), max_size=60), st.floats(0, 0.99))
@settings(deadline=None)
def test_every_line_is_on_one_side_and_in_order(items, fraction):
    split, codes = hashed(items, fraction)
    learned, held = split.both(codes)
    assert len(learned) + len(held) == len(codes)
    sides = lines_of(learned), lines_of(held)
    assert not set(sides[0]) & set(sides[1])
    for side in sides:
        assert side == [item for item in items if item and item in set(side)]


def test_a_list_that_grows_keeps_its_split(monkeypatch):
    split, codes = hashed(ITEMS[:1000])
    held = set(lines_of(held_of(split, codes)))
    assert 60 < len(held) < 140
    more, longer = hashed(ITEMS[::-1] + ITEMS)
    assert set(lines_of(held_of(more, longer))) & set(ITEMS[:1000]) == held
    other, codes = hashed(ITEMS[:1000], key=6)
    assert set(lines_of(held_of(other, codes))) != held


def test_lines_of_bytes_are_hashed_as_they_are():
    data = "".join(f"{item}\n" for item in ITEMS).encode()
    of_bytes = HashedSplit(0.1, 5, "byte")
    split, codes = hashed(ITEMS)
    held = held_of(of_bytes, np.frombuffer(data, np.uint8)).tobytes()
    assert held == to_text(held_of(split, codes)).encode()
    broken = np.frombuffer(b"\xff\n\xfe\n", np.uint8)
    assert sum(map(len, HashedSplit(0.5, 1, "byte").both(broken))) == 4


def test_nothing_is_held_out_of_nothing():
    split, codes = hashed(ITEMS, fraction=0.0)
    assert len(held_of(split, codes)) == 0
    assert sum(map(len, HashedSplit(0.5, 0).both(to_codes("")))) == 0


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_the_chunks_change_nothing(monkeypatch, size):
    split, codes = hashed([*ITEMS[:50], "", "", "x" * 300])
    expected = [side.tolist() for side in split.both(codes)]
    whole = splits.chunks_of_items
    monkeypatch.setattr(splits, "chunks_of_items", lambda codes, end: whole(codes, end, size))
    assert [side.tolist() for side in split.both(codes)] == expected


@given(st.lists(st.sampled_from(ITEMS), max_size=30), st.sampled_from([0x1E, 0x1D, 0]))
@settings(deadline=None)
def test_another_end_changes_nothing(items, end):
    split, codes = hashed(items, 0.5)
    other = HashedSplit(split.fraction, split.key, end=end)
    marked = np.where(codes == ord("\n"), end, codes)
    for side, same in zip(split.both(codes), other.both(marked), strict=True):
        assert np.where(side == ord("\n"), end, side).tolist() == same.tolist()


def test_longer_items_hold_out_whole_items_too():
    poems = [f"{ITEMS[n]}\n{ITEMS[n + 1]}" for n in range(500)]
    codes = to_codes("".join(poem + "\x1e" for poem in poems))
    learned, held = HashedSplit(0.1, 5, end=0x1E).both(codes)
    sides = [to_text(side).split("\x1e")[:-1] for side in (learned, held)]
    assert sorted(sides[0] + sides[1]) == sorted(poems)
    assert 20 < len(sides[1]) < 90
