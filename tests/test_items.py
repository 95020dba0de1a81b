"""Batches of items: each symbol once an epoch, long items in lanes, and what is learned of them."""

from itertools import pairwise
from math import log

import numpy as np
import pytest
from cells import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st
from scores import score_ids

from charrnn.backend.arrays import shared_zeros
from charrnn.config import Architecture
from charrnn.data.dividing import as_items
from charrnn.data.items import Items, Layout, lengths_of, steps_of, steps_per_epoch
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import TextScorer
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import collect, shard_columns
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes
from charrnn.training.step import ShardTrainer

RNG = np.random.default_rng(0)
NAMES = ["".join(RNG.choice(list("abcdef"), RNG.integers(1, 12))) for _ in range(200)]
TEXT = "\n".join(NAMES) + "\n"
MIXED = "".join(f"{name * (1 + 5 * (n % 7 == 0))}\n" for n, name in enumerate(NAMES[:40]))
"""Some of whose items take several windows of 8 steps."""
ALL = slice(None)
EACH_CELL = pytest.mark.parametrize("cell", CELLS)


def items(text=TEXT, batch_size=16, seq_len=256, random_seed=0):
    codes = as_items(to_codes(text))
    return Items(codes, Vocabulary.from_codes(codes), batch_size, seq_len, random_seed)


def numbered(lengths, batch_size, seq_len, random_seed=0):
    """Return batches of items of these lengths in which every symbol but the end is another."""
    codes, place = [], 1
    for length in lengths:
        codes += [*range(place, place + length), 0]
        place += length
    array = np.array(codes, np.uint16)
    return Items(array, Vocabulary.from_codes(array), batch_size, seq_len, random_seed, end=0)


def read(source, columns=ALL, epoch=0):
    """Return the items of an epoch as they are read by some columns, and check each window.

    What a stream scores is a stretch of an item, in order; it begins from a zero state where the
    item does, and a stretch that is not the first follows the one before it in the same stream.
    """
    lanes, found = {}, []
    for step in range(1, source.steps_per_epoch + 1):
        window = source.window(epoch * source.steps_per_epoch + step, columns)
        T, N = window.ids.shape
        assert T == source.steps(epoch * source.steps_per_epoch + step) <= source.seq_len
        assert (window.ids[1:] == window.targets[:-1]).all()
        for stream in range(N):
            count = int(window.scored[:, stream].sum())
            assert window.scored[:count, stream].all()
            stretch = window.targets[:count, stream].tolist()
            before = lanes.pop(stream, []) if window.carried else []
            assert bool(window.begins[stream]) == (not before)
            assert window.ids[0, stream] == (before[-1] if before else 0)
            if stretch and stretch[-1] == 0:
                found.append(before + stretch)
            elif stretch:
                assert window.carried
                assert count == T == source.seq_len
                lanes[stream] = before + stretch
    assert not lanes
    return found


# Every symbol, once


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=40)
shapes = st.tuples(lengths, st.integers(1, 9), st.integers(1, 20), st.integers(0, 3))


@given(shapes)
@settings(deadline=None)
def test_every_symbol_of_every_item_is_scored_once_an_epoch(shape):
    source = numbered(*shape)
    places = np.cumsum([1, *shape[0]])
    wanted = [[*range(start, stop), 0] for start, stop in pairwise(places.tolist())]
    for epoch in range(2):
        assert sorted(read(source, epoch=epoch)) == wanted
    steps = [source.steps_per_epoch + step for step in range(1, source.steps_per_epoch + 1)]
    scored = [int(source.window(step, ALL).scored.sum()) for step in steps]
    assert scored == [source.symbols(step) for step in steps]
    assert min(scored) > 0
    assert sum(scored) == len(source.codes)
    assert source.symbols_per_step == pytest.approx(sum(scored) / len(steps))
    assert all(source.window(step, ALL).ids.shape[1] == source.streams(step) for step in steps)


@given(shapes)
@settings(deadline=None)
def test_an_epoch_has_as_many_steps_whatever_the_order(shape):
    lengths, batch_size, seq_len, random_seed = shape
    source, other = numbered(*shape), numbered(lengths[::-1], batch_size, seq_len, random_seed + 1)
    assert source.steps_per_epoch == other.steps_per_epoch
    assert source.steps_per_epoch == steps_per_epoch(source.codes, batch_size, seq_len, 0)
    for epoch in range(3):
        assert len(source._shuffle(epoch)) == source.steps_per_epoch


@given(shapes, st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_shards_are_columns_of_one_batch_and_keep_their_lanes(shape, shards):
    source = numbered(*shape)
    cut = shard_columns(source.batch_size, min(shards, source.batch_size))
    for step in range(1, source.steps_per_epoch + 1):
        whole = source.window(step, ALL)
        windows = [source.window(step, columns) for columns in cut]
        for name in ("ids", "targets", "scored", "begins"):
            parts = np.concatenate([getattr(window, name) for window in windows], axis=-1)
            assert (parts == getattr(whole, name)).all()
        assert {window.carried for window in windows} == {whole.carried}
        widths = [columns.stop - columns.start for columns in cut]
        assert all(len(w.begins) <= width for w, width in zip(windows, widths, strict=True))
    found = [item for columns in cut for item in read(source, columns)]
    assert sorted(found) == sorted(read(source))


# Lanes


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.integers(1, 12))
@settings(deadline=None)
def test_lanes_are_about_as_long_as_each_other(lengths, batch_size):
    layout = Layout.of(np.array(lengths), batch_size, 8)
    assert sorted([*layout.short, *layout.long]) == list(range(len(lengths)))
    assert [lengths[n] <= 8 for n in layout.short] == [True] * len(layout.short)
    assert layout.steps == -(-len(layout.short) // batch_size) + layout.rows
    if not len(layout.long):
        assert (layout.lanes, layout.rows) == (0, 0)
        return
    total, longest = int(layout.windows.sum()), int(layout.windows.max())
    assert 1 <= layout.lanes <= batch_size
    assert total <= layout.lanes * layout.rows < max(2 * total, total + 1)
    assert longest <= layout.rows <= total / layout.lanes + longest
    # One more lane would be longer than an even share of the windows.
    assert layout.lanes == batch_size or longest * (layout.lanes + 1) > total


def test_one_long_item_among_short_ones_takes_its_own_length():
    long = "a" * 9_000
    names = NAMES * 15
    source = items("\n".join([*names[:1500], long, *names[1500:]]) + "\n", 64)
    assert (source.layout.lanes, source.layout.rows) == (1, -(-9_001 // 256))
    shapes = [source.window(step, ALL).ids.shape for step in range(1, source.steps_per_epoch + 1)]
    short = [shape for shape in shapes if shape[1] > 1]
    assert max(shapes, key=np.prod) == (12, 64)
    assert len(short) == -(-3_000 // 64)
    assert shapes.count((256, 1)) == 9_001 // 256
    assert sum(map(np.prod, shapes)) < 1.3 * len(source.codes)


def test_items_fit_into_a_window_with_their_end():
    assert [steps_of(symbols) for symbols in (1, 4, 5, 256)] == [4, 4, 8, 256]
    for longest, rows in ((7, 0), (8, 2)):
        source = items("ab\n" + "a" * longest + "\n", seq_len=8)
        assert source.layout.rows == rows
        assert source.steps_per_epoch == 1 + rows
    assert lengths_of(to_codes("abc\nd\n")).tolist() == [4, 2]
    assert len(lengths_of(to_codes(""))) == 0


def test_windows_of_long_items_come_between_whole_ones():
    source = items(MIXED * 5, batch_size=4, seq_len=8)
    kinds = [source.window(step, ALL).carried for step in range(1, source.steps_per_epoch + 1)]
    halves = kinds[: len(kinds) // 2], kinds[len(kinds) // 2 :]
    assert all(0.5 < 2 * sum(half) / sum(kinds) < 1.5 for half in halves)


# Order


@pytest.mark.parametrize("batch_size", [1, 3, 16, 199, 200, 500])
def test_every_epoch_has_another_order(batch_size):
    source = items(batch_size=batch_size)
    decode = source.vocabulary.decode
    epochs = [
        ["".join(decode(item[:-1])) for item in read(source, epoch=epoch)] for epoch in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(NAMES)
    assert epochs[0] != epochs[1]
    assert epochs[0] != NAMES


@pytest.mark.parametrize("text", [TEXT, MIXED])
def test_the_order_follows_from_seed_and_step_alone(text):
    first, second, other = (items(text, 8, 8, random_seed) for random_seed in (0, 0, 1))
    for step in (30, 1, 14, 13, 27):
        for one, again in zip(first.window(step, ALL), second.window(step, ALL), strict=True):
            assert np.array_equal(one, again)
    assert read(first) != read(other)


def test_little_is_padding():
    source = items(TEXT * 10, batch_size=16)
    windows = [source.window(step, ALL) for step in range(1, source.steps_per_epoch + 1)]
    assert sum(w.scored.sum() for w in windows) / sum(w.scored.size for w in windows) > 0.75
    assert max(len(w.ids) for w in windows) == steps_of(1 + max(map(len, NAMES)))


# Gradients


def make(cell="lstm", V=7, dtype=np.float64, dropout=0.0, zeros=np.zeros):
    config = Architecture(**KINDS[cell], num_layers=2, hidden_size=5, dropout=dropout)
    model = CharModel(config, V, dtype=dtype, zeros=zeros)
    model.initialise(np.random.default_rng(0))
    model.parameters["head.W"][...] = np.random.default_rng(1).standard_normal(
        model.parameters["head.W"].shape
    )
    return model


@EACH_CELL
def test_the_gradient_is_that_of_the_items_one_by_one(cell):
    model, source = make(cell), items()
    window = source.window(1, ALL)
    N = window.ids.shape[1]
    loss, _ = model.loss_and_gradient(
        window.ids, window.targets, model.zero_state(N), predictions=10, scored=window.scored
    )
    found = model.grads.vector.copy()
    wanted_loss, wanted = 0.0, np.zeros_like(found)
    for n in range(N):
        part = slice(0, int(window.scored[:, n].sum())), slice(n, n + 1)
        one, _ = model.loss_and_gradient(
            window.ids[part], window.targets[part], model.zero_state(1), predictions=10
        )
        wanted_loss += one
        wanted += model.grads.vector
    assert loss == pytest.approx(wanted_loss, rel=1e-12)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@EACH_CELL
def test_the_gradient_is_that_of_finite_differences(cell):
    model, source = make(cell), items()
    window = source.window(2, slice(0, 4))
    state = model.zero_state(4)

    def loss():
        return model.loss_and_gradient(
            window.ids, window.targets, state, predictions=1, scored=window.scored
        )[0]

    loss()
    grad, theta = model.grads.vector.copy(), model.parameters.vector
    for place in np.random.default_rng(3).choice(len(theta), 60, replace=False):
        kept = theta[place]
        theta[place] = kept + 1e-5
        above = loss()
        theta[place] = kept - 1e-5
        below = loss()
        theta[place] = kept
        assert grad[place] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)


def trainer_of(model, source, **settings):
    usual = {"max_grad_norm": 1.0, "weight_decay": 0.0, "random_seed": 0, "shards": 2}
    return ShardTrainer(model, source, optimizer=OPTIMIZERS["adamw"], **{**usual, **settings})


@EACH_CELL
def test_a_long_item_is_learned_as_running_text_is(cell):
    """In every window: the loss and gradient of its part of the item, after the state before it."""
    model, source = make(cell), items(MIXED, batch_size=6, seq_len=8)
    text, end = source.vocabulary.encode(source.codes), 0
    starts = np.cumsum(source.lengths) - source.lengths
    trainer = trainer_of(model, source)
    for step in range(1, source.steps_per_epoch + 1):
        batch, wanted_loss, wanted = source._batch(step), 0.0, np.zeros_like(model.grads.vector)
        for number, offset in zip(batch.items.tolist(), batch.offsets.tolist(), strict=True):
            if number < 0:
                continue
            item = text[starts[number] :][: source.lengths[number]]
            item = np.concatenate([[end], item])[:, np.newaxis]
            state = model.zero_state(1)
            if offset:
                _, state = model.forward(item[:offset], state)
            part = item[offset : offset + source.seq_len + 1]
            loss, _ = model.loss_and_gradient(
                part[:-1], part[1:], state, predictions=source.symbols_per_step
            )
            wanted_loss += loss
            wanted += model.grads.vector
        losses = trainer.team.call("gradient", step)
        trainer.team.call("reduce")
        assert collect(losses, 0.0) == pytest.approx(wanted_loss, rel=1e-12)
        np.testing.assert_allclose(trainer.optimizer.grad, wanted, rtol=1e-9, atol=1e-13)
        trainer.team.call("update", 0.0, step, 1.0)
    trainer.close()


@pytest.mark.parametrize(("text", "batch_size", "seq_len"), [(TEXT, 32, 256), (MIXED, 9, 8)])
def test_training_depends_neither_on_threads_nor_on_what_the_state_was(text, batch_size, seq_len):
    vectors = []
    for threads in (1, 2, 3):
        model = make(dtype=np.float32, dropout=0.3, zeros=shared_zeros)
        source = items(text, batch_size, seq_len)
        trainer = trainer_of(model, source, reset=1.0, shards=3, threads=threads)
        trainer.state[...] = threads  # no item reads what was there before it
        losses = [trainer.step(0.01).nats for _ in range(source.steps_per_epoch + 3)]
        trainer.close()
        vectors.append([*losses, *model.parameters.vector])
    assert vectors[0] == vectors[1] == vectors[2]


def test_what_was_saved_in_the_middle_of_a_long_item_goes_on():
    vectors = []
    for stop in (0, 5):
        model = make(dtype=np.float32, dropout=0.3, zeros=shared_zeros)
        source = items(MIXED, 9, 8)
        carried = [source.window(step, ALL) for step in range(6, 12)]
        assert any(window.carried and not window.begins.all() for window in carried)
        trainer = trainer_of(model, source)
        for _ in range(stop):
            trainer.step(0.01)
        kept = {name: array.copy() for name, array in trainer.arrays().items()}
        trainer.close()
        again = trainer_of(model, items(MIXED, 9, 8), threads=2 if stop else 1)
        again.restore(kept)
        again.step_count = stop
        for _ in range(11 - stop):
            again.step(0.01)
        again.close()
        vectors.append(model.parameters.vector.copy())
    assert (vectors[0] == vectors[1]).all()


# Scores


@EACH_CELL
def test_each_item_is_scored_from_a_zero_state(cell):
    model = make(cell)
    vocabulary = items().vocabulary
    text = "\n".join([*NAMES[:150], "abc" * 60, "f"]) + "\n"
    ids = vocabulary.encode_text(text)
    wanted = 0.0
    for line in text.splitlines():
        piece = vocabulary.encode_text("\n" + line + "\n")
        wanted += score_ids(model, piece, exact=True) - log(7)
    assert TextScorer(Pieces.items(ids, 0)).num_shards > 1
    assert score_ids(model, ids, line_end=0) == pytest.approx(wanted, rel=1e-9)
    assert score_ids(model, ids, line_end=0, threads=2) == score_ids(model, ids, line_end=0)
