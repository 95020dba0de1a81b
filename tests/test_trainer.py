"""The training step: the same bits on any number of threads, clipping, steps that are undone."""

import os
import signal
from math import sqrt

import numpy as np
import pytest
from cells import KINDS, RECURRENT
from scores import score_ids

from charrnn.backend.arrays import shared_zeros
from charrnn.config import Architecture, ModelConfig, TrainConfig
from charrnn.data.streams import Streams
from charrnn.errors import CharrnnError
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import TextScorer
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel import team
from charrnn.parallel.sharding import collect, deal, shard_columns, shard_count
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes
from charrnn.training.memory import training_memory
from charrnn.training.recipe import complete
from charrnn.training.step import ShardTrainer, Worker

EACH_CELL = pytest.mark.parametrize("cell", CELLS)
V = 20
# Each letter is 1, 2 or 3 after the one before: ln 3 can be learned, in 20 letters.
CODES = (97 + np.random.default_rng(0).integers(1, 4, 5000).cumsum() % V).astype(np.uint8)
HELD_OUT = np.random.default_rng(1).integers(0, V, 2500).astype(np.uint8)
needs_forks = pytest.mark.skipif(not team.FORKS, reason="workers are threads here")


@pytest.fixture(params=[pytest.param(True, marks=needs_forks), False], ids=["forks", "threads"])
def kind(request, monkeypatch):
    monkeypatch.setattr(team, "FORKS", request.param)
    return request.param


def make(
    cell="lstm",
    *,
    threads=1,
    batch_size=96,
    hidden_size=48,
    dropout=0.3,
    weight_dropout=0.2,
    optimizer="muon",
    max_grad_norm=1.0,
    weight_decay=0.01,
    random_seed=0,
    reset=0.1,
    seq_len=6,
    **shape,
):
    """A trainer of a model whose head already says something."""
    config = Architecture(
        **KINDS[cell],
        **{"num_layers": 2, **shape},
        hidden_size=hidden_size,
        dropout=dropout,
        weight_dropout=weight_dropout if dropout and cell in RECURRENT else 0.0,
    )
    model = CharModel(config, V, zeros=shared_zeros)
    rng = np.random.default_rng(0)
    model.initialise(rng)
    for member in model.members.values():
        member.head.W[...] = 0.1 * rng.standard_normal(member.head.W.shape)
    return ShardTrainer(
        model,
        Streams(CODES, Vocabulary.from_codes(CODES), batch_size, seq_len),
        optimizer=OPTIMIZERS[optimizer],
        max_grad_norm=max_grad_norm,
        weight_decay=weight_decay,
        random_seed=random_seed,
        reset=reset,
        scorer=TextScorer(Pieces.streams(HELD_OUT)),
        shards=shard_count(batch_size),
        threads=threads,
    )


def bits(trainer):
    """All that training has changed."""
    return [
        trainer.model.parameters.vector.tobytes(),
        trainer.state.tobytes(),
        *(vector.tobytes() for vector in trainer.optimizer.state.values()),
    ]


def train(trainer, steps=12, *, validate_every=0, close=True):
    results = []
    for number in range(1, steps + 1):
        results.append(trainer.step(0.01))
        if validate_every and number % validate_every == 0:
            trainer.validate()
    final = [*bits(trainer), results]
    if close:
        trainer.close()
    return final


# Threads


@EACH_CELL
def test_threads_change_nothing(cell, kind):
    wanted = None
    for threads in (1, 3):
        trainer = make(cell, threads=threads)
        assert len(trainer.optimizer.parts) > 1
        final = train(trainer, close=False)
        final += [trainer.validate()]
        trainer.close()
        wanted = wanted or final
        assert final == wanted, f"{threads} threads"


@pytest.mark.parametrize("batch_size", [1, 15, 16, 33, 70])
def test_threads_change_nothing_for_any_number_of_streams(batch_size):
    results = [
        train(make("gru", threads=threads, batch_size=batch_size, seq_len=3), 4)
        for threads in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


def test_more_threads_than_shards_do_no_harm():
    assert train(make("rnn", threads=64), 3) == train(make("rnn"), 3)


def test_an_embedding_trains_the_same_on_threads():
    results = [train(make(threads=threads, embedding_size=8), 5) for threads in (1, 2)]
    assert results[0] == results[1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains_the_same_on_threads(optimizer):
    results = [train(make(threads=threads, optimizer=optimizer), 3) for threads in (1, 3)]
    assert results[0] == results[1]


# What a step does


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first = train(make(), 4)
    assert train(make(), 4) == first
    assert train(make(random_seed=1), 4) != first
    # The seed numbers the masks and the resets, and nothing else.
    plain = train(make(dropout=0.0, reset=0.0), 4)
    assert train(make(dropout=0.0, reset=0.0, random_seed=1), 4) == plain
    assert train(make(dropout=0.0, random_seed=1), 4) != train(make(dropout=0.0), 4)


def test_masks_differ_from_step_to_step_and_from_shard_to_shard(monkeypatch):
    masks = []
    bind = CharModel.bind

    def spy(model, grads):
        masks.extend(
            dropout.mask.copy()
            for dropout in model.members[""].body.dropouts
            if hasattr(dropout, "mask")
        )
        bind(model, grads)

    trainer = make(batch_size=96)
    monkeypatch.setattr(CharModel, "bind", spy)
    train(trainer, 3)
    assert len(masks) >= 2 * 3 * 2
    assert len({mask.tobytes() for mask in masks}) == len(masks)


@EACH_CELL
def test_validating_changes_nothing(cell):
    plain = train(make(cell, threads=2), 6)
    assert train(make(cell, threads=2), 6, validate_every=1) == plain
    assert train(make(cell, threads=2), 6, validate_every=4) == plain


def test_validation_is_the_mean_score_of_the_held_out_text():
    trainer = make(threads=2)
    train(trainer, 2, close=False)
    wanted = score_ids(trainer.model, HELD_OUT) / len(HELD_OUT)
    assert trainer.validate().mean == wanted
    trainer.close()


@EACH_CELL
def test_loss_norm_and_state_are_those_of_the_whole_batch(cell, kind):
    trainer = make(cell, dropout=0.0, reset=0.0, threads=2, max_grad_norm=0)
    twin = CharModel(trainer.model.config, V)
    for step in range(4):
        # With the weights that the step before has left, in every worker.
        twin.parameters.vector[...] = trainer.model.parameters.vector
        ids, targets, *_ = trainer.batches.window(step + 1, slice(None))
        loss, state = twin.loss_and_gradient(ids, targets, trainer.state, predictions=96 * 6)
        result = trainer.step(0.05)
        assert result.applied
        assert result.nats == pytest.approx(loss / (96 * 6), rel=1e-5)
        assert result.grad_norm == pytest.approx(np.linalg.norm(twin.grads.vector), rel=1e-4)
        np.testing.assert_allclose(trainer.state, state, atol=1e-5)
    assert trainer.step_count == 4
    trainer.close()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("limit", "clips"), [(1e-3, True), (1e3, False), (0, False)])
def test_clipping_by_the_global_norm(threads, limit, clips):
    trainer = make(
        optimizer="sgd", max_grad_norm=limit, weight_decay=0.0, dropout=0.0, threads=threads
    )
    before = trainer.model.parameters.vector.copy()
    result = trainer.step(1.0)
    moved = trainer.model.parameters.vector - before
    trainer.close()
    assert result.grad_norm > 1e-2
    norm = sqrt((moved.astype(np.float64) ** 2).sum())
    assert norm == pytest.approx(limit if clips else result.grad_norm, rel=1e-2)


@pytest.mark.parametrize("limit", [1e-3, 0])
def test_several_members_are_clipped_by_the_quadratic_mean_of_their_norms(limit):
    settings = {"optimizer": "sgd", "weight_decay": 0.0, "dropout": 0.0, "members": 2}
    trainer = make(max_grad_norm=limit, **settings)
    before = trainer.model.parameters.vector.copy()
    result = trainer.step(1.0)
    moved = (trainer.model.parameters.vector - before).astype(np.float64)
    trainer.close()
    assert sqrt((moved**2).sum() / 2) == pytest.approx(limit or result.grad_norm, rel=1e-2)


def test_learning_lowers_the_loss():
    trainer = make(dropout=0.0)
    losses = [trainer.step(0.01).nats for _ in range(70)]
    trainer.close()
    assert losses[0] == pytest.approx(np.log(V), abs=0.1)
    assert losses[-1] < 2


@pytest.mark.parametrize("threads", [1, 3])
def test_some_streams_begin_anew(threads):
    starts = np.zeros((20, 96), bool)
    trainer = make(dropout=0.0, reset=0.25, threads=threads, seq_len=1)
    twin = CharModel(trainer.model.config, V)
    twin.parameters.vector[...] = trainer.model.parameters.vector
    for step, anew in enumerate(starts):
        before = trainer.state.copy()
        ids = trainer.batches.window(step + 1, slice(None)).ids
        trainer.step(0.0)
        _, carried = twin.forward(ids, before)
        _, zero = twin.forward(ids, twin.zero_state(96))
        near = {"axis": (0, 1, 2)}
        is_carried = (np.abs(trainer.state - carried) < 1e-6).all(**near)
        is_anew = (np.abs(trainer.state - zero) < 1e-6).all(**near)
        assert (is_carried | is_anew).all()
        anew[:] = is_anew
    trainer.close()
    assert starts[0].all()  # nothing comes before the first
    assert 0.2 < starts[1:].mean() < 0.3
    assert len({row.tobytes() for row in starts}) == 20


# Steps that are undone


@EACH_CELL
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_gradient_that_is_not_finite_reaches_nothing(cell, threads, bad, where, monkeypatch):
    index = 0 if where == "first" else 2

    def poison(worker, step):
        losses = original(worker, step)
        for shard in worker.shards:
            if step == 3 and shard.index == index:
                shard.grads.vector[-1] = bad
        return losses

    original = Worker.gradient
    monkeypatch.setattr(Worker, "gradient", poison)
    trainer = make(cell, threads=threads)
    train(trainer, 2, close=False)
    assert trainer.state.any()
    before = bits(trainer)
    result = trainer.step(0.01)
    after = bits(trainer)
    assert not result.applied
    assert after[0] == before[0]
    assert after[2:] == before[2:]
    assert not trainer.state.any()
    assert trainer.step_count == 3
    assert trainer.step(0.01).applied
    assert np.isfinite(trainer.model.parameters.vector).all()
    trainer.close()


def test_a_loss_that_is_not_finite_reaches_nothing(monkeypatch):
    original = Worker.gradient
    monkeypatch.setattr(Worker, "gradient", lambda *args: [np.nan for _ in original(*args)])
    trainer = make()
    before = trainer.model.parameters.vector.copy()
    result = trainer.step(0.01)
    trainer.close()
    assert not result.applied
    assert (trainer.model.parameters.vector == before).all()


# Workers


@needs_forks
def test_workers_end_with_the_trainer():
    trainer = make(threads=3)
    processes = list(trainer.team._processes)
    assert len(processes) == 2
    train(trainer, 2)
    assert [process.exitcode for process in processes] == [0, 0]


@needs_forks
def test_an_exception_in_a_worker_is_reported(monkeypatch):
    original = Worker.gradient

    def fail(worker, step, *args):
        if step == 2 and worker.shards[0].index == 1:
            raise ValueError("no luck")
        return original(worker, step, *args)

    monkeypatch.setattr(Worker, "gradient", fail)
    trainer = make(threads=3)
    trainer.step(0.01)
    with pytest.raises(RuntimeError, match="no luck"):
        trainer.step(0.01)
    processes = list(trainer.team._processes)
    trainer.close()
    assert [process.exitcode for process in processes] == [0, 0]


@needs_forks
def test_a_killed_worker_is_an_error(monkeypatch):
    trainer = make(threads=3)
    trainer.step(0.01)
    victim = trainer.team._processes[1]
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    with pytest.raises(CharrnnError, match="was killed"):
        trainer.step(0.01)
    trainer.close()


def test_dropped_weights_are_drawn_and_no_score_drops_any():
    whole, dropping = (make(dropout=1e-9, weight_dropout=rate) for rate in (0.0, 0.5))
    assert dropping.validate() == whole.validate()
    assert dropping.step(0.0).nats != whole.step(0.0).nats
    whole.close()
    dropping.close()


# How the work is cut


@pytest.mark.parametrize(("stream_bytes", "most"), [(0, 32), (2**22, 32), (2**22 + 1, 16)])
def test_shards_tile_the_streams(stream_bytes, most):
    for streams in [*range(1, 200), 1000, 65536]:
        columns = shard_columns(streams, shard_count(streams, stream_bytes))
        assert [i for piece in columns for i in range(piece.start, piece.stop)] == list(
            range(streams)
        )
        sizes = [piece.stop - piece.start for piece in columns]
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= min(streams, 8)
        assert (len(columns) > 1) == (streams >= 16)


@pytest.mark.parametrize(
    ("streams", "cores", "shards"),
    [
        (64, 1, 2),
        (64, 3, 3),
        (64, 4, 4),
        (64, 16, 4),
        (8, 16, 1),
        (31, 16, 2),
        (47, 16, 2),
        (63, 16, 3),
        (512, 8, 16),
    ],
)
def test_each_core_gets_a_shard_of_16_streams(streams, cores, shards):
    assert shard_count(streams, cores=cores) == shards


@pytest.mark.parametrize("threads", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("shards", [1, 2, 3, 8, 31])
def test_results_are_summed_in_the_order_of_the_shards(shards, threads):
    dealt = deal(range(shards), threads)
    assert sorted(shard for mine in dealt for shard in mine) == list(range(shards))
    assert len(dealt) == min(threads, shards)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    # Floats whose sum tells the order.
    values = np.random.default_rng(0).standard_normal(shards) * 10.0 ** np.arange(shards)
    wanted = 0.0
    for value in values.tolist():
        wanted += value
    assert collect([[float(values[shard]) for shard in mine] for mine in dealt], 0.0) == wanted


def test_memory_grows_with_what_takes_it():
    def memory(hidden_size=64, num_layers=2, *, V=50, N=64, T=16, optimizer="adam", threads=1):
        train = TrainConfig(batch_size=N, seq_len=T, optimizer=optimizer, steps=1)
        shape = ModelConfig(cell="gru", num_layers=num_layers, hidden_size=hidden_size)
        decided = complete(shape, train, characters=10**6, distinct=V)
        return training_memory(decided.model, decided.train, V, threads)

    small = memory()
    config = Architecture(cell="gru", num_layers=2, hidden_size=64, dropout=0.0)
    P = CharModel.size_of(config, 50)
    assert CharModel(config, 50).num_parameters == P
    assert small > 4 * P * (1 + 2 + 2)  # weights, two moments, gradients of two shards
    assert memory(optimizer="sgd") == small - 2 * 4 * P
    bigger = [memory(128), memory(64, 3), memory(V=100), memory(N=128), memory(T=32)]
    assert min(bigger) > small
    assert small < memory(threads=2) == memory(threads=9)  # two shards


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("members", [1, 2])
def test_logits_of_symbols_that_the_text_does_not_have_are_not_learned(threads, members):
    codes = to_codes("abcab" * 400)
    vocabulary = Vocabulary.from_codes(to_codes("abcxy"))
    config = Architecture(cell="gru", num_layers=1, hidden_size=8, dropout=0.0, members=members)
    model = CharModel(config, 5, zeros=shared_zeros)
    model.initialise(np.random.default_rng(0), vocabulary.count(codes))
    heads = [member.head.W for member in model.members.values()]
    before = [W.copy() for W in heads]
    trainer = ShardTrainer(
        model,
        Streams(codes, vocabulary, 32, 8),
        optimizer=OPTIMIZERS["muon"],
        max_grad_norm=1.0,
        weight_decay=0.5,
        random_seed=0,
        new_symbols=np.array([3, 4]),
        threads=threads,
    )
    for _ in range(30):
        trainer.step(0.02)
    trainer.close()
    for W, first in zip(heads, before, strict=True):
        assert (W[3:] == first[3:]).all()
        assert (W[:3] != first[:3]).any(axis=1).all()
