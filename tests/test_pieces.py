"""How a text is cut: each character once, or samples that are spread over it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config import Architecture
from charrnn.evaluation.pieces import STREAMS, WARM_UP, Pieces
from charrnn.evaluation.scorers import COLD_CHARACTERS, PIECES_PER_SHARD, TextScorer
from charrnn.nn.model import CharModel


@pytest.mark.parametrize("length", [1, 2, 1023, 1024, 2047, 2048, 5000, 65535, 65536, 10**6])
def test_streams_are_long_enough_to_be_worth_their_warm_up(length):
    pieces = Pieces.streams(np.zeros(length, np.uint8))
    parts = pieces.ends - pieces.starts
    assert pieces.starts[0] == 0
    assert pieces.starts[1:].tolist() == pieces.ends[:-1].tolist()
    assert pieces.ends[-1] == length - 1
    assert pieces.characters == pieces.whole == length
    assert len(parts) == max(1, min(STREAMS, length // (4 * WARM_UP)))
    assert parts.max() - parts.min() <= 1
    assert TextScorer(pieces).num_shards == (2 if len(parts) > 32 else 1)
    assert len(Pieces.streams(np.zeros(length, np.uint8), 1).starts) == 1


@given(st.integers(1, 300), st.integers(1, 400))
def test_windows_go_on_where_the_one_before_ends(length, size):
    pieces = Pieces.windows(np.zeros(length, np.uint8), size)
    assert (np.diff(pieces.ends - pieces.starts) >= 0).all()  # the short one first
    starts, ends = np.sort(pieces.starts), np.sort(pieces.ends)
    assert starts.tolist() == [0, *ends[:-1].tolist()][: len(starts)]
    assert ends[-1:].tolist() == ([length - 1] if length > 1 else [])
    assert (pieces.ends - pieces.starts).max(initial=0) <= size
    assert pieces.characters == pieces.whole == length
    assert pieces.warm_up == 0


def test_items_are_read_from_the_end_before_them_to_their_own():
    ids = np.array([5, 5, 5, 0, 4, 0, 3, 3, 0], np.uint8)
    pieces = Pieces.items(ids, 0)
    read = [
        pieces.ids[start : end + 1].tolist()
        for start, end in zip(pieces.starts, pieces.ends, strict=True)
    ]
    assert read == [[0, 4, 0], [0, 3, 3, 0], [0, 5, 5, 5, 0]]  # the short ones first
    assert pieces.characters == pieces.whole == len(ids)


def test_tails_begin_with_a_character_that_is_not_scored():
    tails = [np.array([1, 2, 3], np.uint8), np.array([4, 5], np.uint8)]
    pieces = Pieces.tails(tails)
    assert pieces.ids[pieces.starts].tolist() == [4, 1]
    assert pieces.ids[pieces.ends].tolist() == [5, 3]
    assert pieces.characters == pieces.whole == 3


def test_a_sample_is_spread_over_the_text():
    ids = np.zeros(50_000, np.uint8)
    pieces = Pieces.sample(ids, 6_400)
    assert (pieces.characters, pieces.whole, len(pieces.starts)) == (6_400, 50_000, 64)
    assert (pieces.starts[0], pieces.ends[-1]) == (0, 49_999)
    assert np.ptp(np.diff(pieces.starts)) <= 1
    assert Pieces.sample(ids, 50_000).whole == Pieces.sample(ids, 50_000).characters


@pytest.mark.parametrize(
    "cut",
    [
        lambda: Pieces.sample(np.zeros(400, np.uint8), 1),
        lambda: Pieces.tails([np.zeros(50, np.uint8) for _ in range(8)], 10),
        lambda: Pieces.items(np.arange(1, 401) % 50, 0, 10),
    ],
)
def test_a_sample_has_two_pieces_at_least(cut):
    pieces = cut()
    assert len(pieces.starts) == 2
    assert pieces.characters < pieces.whole
    assert pieces.whole in (400, 8 * 49)


def test_many_short_pieces_are_read_at_once():
    ids = (np.arange(9000) % 3).astype(np.uint8)
    assert TextScorer(Pieces.items(ids, 2)).num_shards == -(-3000 // (COLD_CHARACTERS // 3))
    assert TextScorer(Pieces.windows(ids, 90)).num_shards == -(-100 // PIECES_PER_SHARD)


def test_the_windows_of_a_piece_hold_few_logits(monkeypatch):
    seen = []
    forward = CharModel.forward

    def watch(model, ids, state, **more):
        seen.append(ids.shape)
        return forward(model, ids, state, **more)

    monkeypatch.setattr(CharModel, "forward", watch)
    model = CharModel(Architecture(cell="rnn", num_layers=1, hidden_size=2, dropout=0.0), 3)
    model.initialise(np.random.default_rng(0))
    TextScorer(Pieces.streams(np.zeros(1500, np.uint8))).score(model, 0)
    assert seen == [(1024, 1), (475, 1)]
    del seen[:]
    TextScorer(Pieces.windows(np.zeros(201, np.uint8), 100)).score(model, 0)
    assert seen == [(50, 2), (50, 2)]  # equal ones
