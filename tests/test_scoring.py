"""Scores: every character once, the same in parallel as in one stream, on any number of threads."""

from itertools import pairwise
from math import log

import numpy as np
import pytest
from cells import KINDS
from scores import score_ids

from charrnn.backend.arrays import shared_zeros
from charrnn.config import Architecture
from charrnn.data.streams import Streams
from charrnn.evaluation import scorers as scoring
from charrnn.evaluation.pieces import SAMPLE_WARM_UP, WARM_UP, Pieces
from charrnn.evaluation.scorers import TextScorer, score
from charrnn.nn.cells import CELLS
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel import team
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes
from charrnn.training.step import ShardTrainer

EACH_CELL = pytest.mark.parametrize("cell", CELLS)
# One stream becomes two at 2048 characters, and so on; 64 at 65536.
LENGTHS = [1, 2, 3, 63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 5000]


def make(cell="gru", V=11, hidden_size=12, dtype=np.float64):
    config = Architecture(**KINDS[cell], num_layers=1, hidden_size=hidden_size, dropout=0.3)
    model = CharModel(config, V, dtype=dtype)
    rng = np.random.default_rng(0)
    model.initialise(rng)
    model.parameters["head.W"][...] = rng.standard_normal(model.parameters["head.W"].shape)
    return model


def memoryless(V=11):
    """A model whose prediction depends on the last character alone: log P(next | last)."""
    config = Architecture(cell="rnn", num_layers=1, hidden_size=V, dropout=0.0)
    model = CharModel(config, V, dtype=np.float64)
    model.layers[0].Wx[...] = 5 * np.eye(V)
    logits = np.random.default_rng(0).standard_normal((V, V))
    model.parameters["head.W"][:, 1:] = logits / np.tanh(5)
    return model, log_softmax_(logits.copy())


def random_ids(length, V=11):
    return np.random.default_rng(length).integers(0, V, length).astype(np.uint8)


def naive_score(model, ids):
    """One character at a time, by the definition."""
    state, nats = model.zero_state(1), log(model.vocab_size)
    for before, target in pairwise(ids):
        logits, state = model.forward(np.array([[before]]), state)
        p = np.exp(logits[:, 0] - logits.max())
        nats -= log(p[target] / p.sum())
    return nats


@EACH_CELL
@pytest.mark.parametrize("length", [1, 2, 3, 100, 1500])
def test_the_sum_is_that_of_a_naive_score(cell, length):
    model, ids = make(cell), random_ids(length)
    wanted = naive_score(model, ids)
    assert score_ids(model, ids, exact=True) == pytest.approx(wanted, rel=1e-10)
    assert score_ids(model, ids) == pytest.approx(wanted, rel=1e-10)  # short: one stream


def test_the_first_character_is_uniform():
    model = make()
    assert score_ids(model, np.array([7], np.uint8)) == log(11)
    assert score_ids(model, random_ids(0)) == 0


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_every_character_is_counted_once(length, exact):
    # Without memory the cost of a character is the same in any stream.
    model, logs = memoryless()
    ids = random_ids(length)
    wanted = log(11) - logs[ids[1:], ids[:-1]].sum()
    assert score_ids(model, ids, exact=exact) == pytest.approx(wanted, rel=1e-12)


def test_every_character_is_counted_once_in_64_streams():
    model, logs = memoryless()
    for length in (65535, 65537, 70001):
        ids = random_ids(length)
        wanted = log(11) - logs[ids[1:], ids[:-1]].sum()
        assert score_ids(model, ids, threads=2) == pytest.approx(wanted, rel=1e-12)


def test_every_character_is_counted_once_where_windows_are_short(monkeypatch):
    # Few logits at a time, as with a large vocabulary: windows of one and of three steps.
    model, logs = memoryless()
    ids = random_ids(4100)
    wanted = log(11) - logs[ids[1:], ids[:-1]].sum()
    for limit in (1, 3 * 11 * 4):
        monkeypatch.setattr(scoring, "LOGITS", limit)
        assert score_ids(model, ids) == pytest.approx(wanted, rel=1e-12)


@EACH_CELL
@pytest.mark.parametrize("window", [1, 7, 100])
def test_cold_windows_are_each_read_from_a_zero_state(cell, window):
    model = make(cell)
    for length in (1, 2, 7, 8, 9, 120):
        ids = random_ids(length)
        wanted = log(11)
        for start in range(0, length - 1, window):
            wanted += naive_score(model, ids[start : start + window + 1]) - log(11)
        assert score_ids(model, ids, cold_windows=window) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("window", [1, 3, 64, 1000, 10_000])
def test_every_character_is_counted_once_in_cold_windows(window):
    model, logs = memoryless()
    for length in (1, 2, 1000, 1001, 1002, 7001):
        ids = random_ids(length)
        wanted = log(11) - logs[ids[1:], ids[:-1]].sum()
        score = score_ids(model, ids, cold_windows=window)
        assert score == pytest.approx(wanted, rel=1e-12)
        assert score_ids(model, ids, cold_windows=window, threads=2) == score


@EACH_CELL
def test_dropout_takes_no_part(cell):
    model, ids = make(cell), random_ids(300)
    kept = model.parameters.vector.copy()
    assert score_ids(model, ids) == score_ids(model, ids)
    assert (model.parameters.vector == kept).all()
    model.members[""].body.dropouts[0].rate = 0.0
    assert score_ids(model, ids) == pytest.approx(naive_score(model, ids), rel=1e-10)


@EACH_CELL
@pytest.mark.parametrize("forks", [True, False])
def test_threads_give_the_same_bits(cell, forks, monkeypatch):
    if forks and not team.FORKS:
        pytest.skip("no forks here")
    monkeypatch.setattr(team, "FORKS", forks)
    model, ids = make(cell, dtype=np.float32), random_ids(66000)
    one = score_ids(model, ids, threads=1)
    assert [score_ids(model, ids, threads=threads) for threads in (2, 3)] == [one, one]


@EACH_CELL
def test_streams_are_warmed_up_on_the_text_before_and_the_first_on_nothing(cell):
    model = make(cell)
    ids = random_ids(3100)
    pieces = Pieces.streams(ids)
    borders = [*pieces.starts.tolist(), int(pieces.ends[-1])]
    assert len(borders) == 4
    wanted = log(11)
    for start, end in pairwise(borders):
        warm = max(0, start - WARM_UP)
        # The warm-up ends with the character that the first one scored follows.
        warmed = naive_score(model, ids[warm : end + 1]) - naive_score(model, ids[warm : start + 1])
        wanted += warmed
    assert score_ids(model, ids) == pytest.approx(wanted, rel=1e-10)


@pytest.fixture(scope="module")
def text(request):
    return (request.config.rootpath / "corpora" / "garden.txt").read_text()


@EACH_CELL
def test_parallel_streams_score_as_one_does(cell, text):
    codes = to_codes(text[:25_000])
    vocabulary = Vocabulary.from_codes(codes)
    config = Architecture(**KINDS[cell], num_layers=1, hidden_size=48, dropout=0.0)
    model = CharModel(config, len(vocabulary), zeros=shared_zeros)
    model.initialise(np.random.default_rng(0))
    trainer = ShardTrainer(
        model,
        Streams(codes, vocabulary, 32, 16),
        optimizer=OPTIMIZERS["adamw"],
        max_grad_norm=1.0,
        weight_decay=0.01,
        random_seed=0,
    )
    for _ in range(150):
        trainer.step(0.008)
    trainer.close()
    ids = vocabulary.encode(codes)
    exact = score_ids(model, ids, exact=True) / len(ids)
    parallel = score_ids(model, ids) / len(ids)
    assert exact < 2.8  # it has learned something
    assert parallel == pytest.approx(exact, abs=0.001)
    assert parallel != exact  # they are two ways


def test_an_impossible_character_costs_much_and_breaks_nothing():
    model, _ = memoryless()
    model.parameters["head.W"][0, 0] = -1e4
    ids = np.array([1, 0, 1, 0], np.uint8)
    assert 1.9e4 < score_ids(model, ids) < 2.1e4


@pytest.mark.parametrize("cut", [Pieces.streams, lambda ids: Pieces.windows(ids, 9)])
def test_the_share_of_marked_symbols_is_told(cut):
    model, log_p = memoryless()
    ids = random_ids(3000)
    marked = np.isin(np.arange(11), [2, int(ids[0])])
    found = score(model, TextScorer(cut(ids), marked=marked))
    wanted = log(11) - sum(log_p[b, a] for a, b in pairwise(ids.tolist()) if marked[b])
    assert found.marked_nats == pytest.approx(wanted, rel=1e-9)
    assert found.nats == pytest.approx(score_ids(model, ids), rel=1e-12)
    assert found.interval == 0


@pytest.mark.parametrize("kind", ["text", "lines", "tails"])
def test_the_interval_of_a_sample_holds_the_mean_of_the_whole(kind):
    model, _ = memoryless()
    line_end = 3
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        # Some stretches are far easier than others: the characters of a piece go together.
        hard = np.repeat(rng.random(40) < 0.3, 50)
        ids = np.where(hard, rng.integers(0, 11, 2000), rng.integers(2, 4, 2000)).astype(np.uint8)
        if kind == "text":
            whole, sample = Pieces.streams(ids), Pieces.sample(ids, 500)
        elif kind == "lines":
            whole = Pieces.items(ids, line_end)
            sample = Pieces.items(ids, line_end, characters=500)
        else:
            tails = np.split(ids, 40)
            whole = Pieces.tails(tails)
            sample = Pieces.tails(tails, characters=500)
        part, mean = score(model, TextScorer(sample)), score(model, TextScorer(whole)).mean
        assert part.characters == pytest.approx(500, rel=0.3)
        assert part.interval > 0
        held += abs(part.mean - mean) <= part.interval
    assert 50 <= held <= 60


def test_a_sample_reads_what_comes_before_its_pieces():
    model, ids = make(), random_ids(30_000)
    sample = Pieces.sample(ids, 640)
    wanted = 0.0
    for start, end in zip(sample.starts.tolist(), sample.ends.tolist(), strict=True):
        before = max(0, start - SAMPLE_WARM_UP)
        wanted += naive_score(model, ids[before : end + 1]) - naive_score(
            model, ids[before : start + 1]
        )
    assert score(model, TextScorer(sample)).nats == pytest.approx(wanted, rel=1e-9)
    assert sample.characters == 640
    assert sample.whole == 30_000
