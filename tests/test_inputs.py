"""How layers read features and symbols: both ways, the same numbers and gradients."""

import numpy as np
import pytest
from cells import RECURRENT, make
from gradcheck import random_weights

from charrnn.backend.arrays import Workspace
from charrnn.nn import inputs
from charrnn.nn.inputs import Columns, Features, Symbols
from charrnn.nn.layers.encoders import Embedding, OneHot

V, D, T, N, H = 7, 4, 5, 4, 6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def symbols_of(kind, rng, ids=None):
    """Symbols of which one does not occur."""
    ids = rng.integers(0, V - 1, (T, N)).astype(np.uint8) if ids is None else ids
    return Symbols(ids, V, rng.uniform(-1, 1, (V, D)) if kind == "vectors" else None)


@pytest.mark.parametrize("ids_type", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_hot_features_have_a_single_one_a_column(rng, ids_type, dtype):
    ids = rng.integers(0, 5, (3, 4)).astype(ids_type)
    x = OneHot(5).forward(ids).features(np.dtype(dtype))
    assert x.dtype == dtype
    assert x.shape == (3, 5, 4)
    for t in range(3):
        for n in range(4):
            assert x[t, :, n].tolist() == [float(v == ids[t, n]) for v in range(5)]


def test_features_of_an_embedding_are_looked_up(rng):
    layer = Embedding(5, 3)
    values, _ = random_weights(layer, rng)
    ids = rng.integers(0, 5, (4, 2)).astype(np.uint8)
    x = layer.forward(ids).features(np.dtype(np.float64))
    assert x.shape == (4, 3, 2)
    for t in range(4):
        for n in range(2):
            assert (x[t, :, n] == values["E"][ids[t, n]]).all()


@pytest.mark.parametrize("by_product", [True, False])
@pytest.mark.parametrize(
    "ids", [[[2]], [[0, 1], [2, 3]], [[1, 1], [1, 1]], [[3, 0], [1, 3], [0, 3]]]
)
def test_sums_by_symbol_with_ids_repeated_and_missing(rng, ids, by_product, monkeypatch):
    monkeypatch.setattr(inputs, "ONE_HOT_PRODUCT", V if by_product else 0)
    ids = np.array(ids, np.uint8)
    columns = rng.uniform(-1, 1, (H, ids.size))
    wanted = np.zeros((H, V))
    np.add.at(wanted.T, ids.reshape(-1), columns.T)
    for _ in range(2):  # the second fills again, and does not add
        found = Symbols(ids, V).sums(columns, Workspace())
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def both_ways(layer, symbols, rng, *, by_table):
    """Output, weight gradient and gradient of the vectors of a layer that reads symbols."""
    layer.reads_symbols = by_table
    state = np.zeros((*layer.state_shape, N))
    y, _ = layer.forward(symbols, state)
    assert isinstance(layer.input, Columns if by_table else Features)
    dx, _ = layer.backward(np.cos(y), state, input_gradient=symbols.vectors is not None)
    return y.copy(), layer.dW.copy(), dx


@pytest.mark.parametrize("by_product", [True, False])
@pytest.mark.parametrize("kind", ["one-hot", "vectors"])
@pytest.mark.parametrize("cell", RECURRENT)
def test_a_table_gives_what_features_give(rng, cell, kind, by_product, monkeypatch):
    monkeypatch.setattr(inputs, "ONE_HOT_PRODUCT", V if by_product else 0)
    symbols = symbols_of(kind, rng)
    layer = make(cell, V if kind == "one-hot" else D, H)
    random_weights(layer, rng)
    for by_table in (True, False):
        found = both_ways(layer, symbols, rng, by_table=by_table)
        if by_table:
            wanted = found
    for one, other in zip(found, wanted, strict=True):
        if one is None:
            assert other is None
        else:
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_table_is_used_where_it_is_short(rng):
    layer = make("gru", D, H)
    random_weights(layer, rng)
    ids = np.zeros((2, 4), np.uint8)
    for part, size, kind in ((2, 8, Columns), (1, 8, Features), (2, 9, Features)):
        symbols = Symbols(ids[:part], size, np.ones((size, D)))
        layer.forward(symbols, np.zeros((*layer.state_shape, 4)))
        assert isinstance(layer.input, kind)
    one_hot = make("gru", V, H)
    random_weights(one_hot, rng)
    one_hot.forward(symbols_of("one-hot", rng, np.zeros((1, 1), np.uint8)), np.zeros((1, H, 1)))
    assert isinstance(one_hot.input, Columns)


@pytest.mark.parametrize("kind", ["one-hot", "vectors"])
def test_one_stream_is_read_by_one_table(rng, kind):
    layer = make("gru", V if kind == "one-hot" else D, H)
    random_weights(layer, rng)
    ids, state = rng.integers(0, V, (3, 1)), np.zeros((1, H, 1))
    symbols = symbols_of(kind, rng, ids)
    wanted, _ = layer.forward(symbols, state)
    wanted = wanted.copy()
    layer.for_one_stream()
    tables = []
    for t in range(3):
        y, state = layer.forward(symbols.with_ids(ids[t : t + 1]), state)
        assert isinstance(layer.input, Columns)
        assert layer._rows.shape == (V, 3 * H)
        tables.append(layer._rows)
        np.testing.assert_allclose(y[0], wanted[t], rtol=1e-12, atol=1e-14)
    assert tables[0] is tables[1] is tables[2]
    random_weights(layer, rng)  # bound to others, it is as any layer
    layer.forward(symbols, state)
    assert not layer._rows.size


@pytest.mark.parametrize("bad", [V, 200, -1])
@pytest.mark.parametrize("kind", ["one-hot", "vectors"])
def test_a_symbol_of_another_model_is_an_error(rng, kind, bad):
    with pytest.raises(IndexError, match="vocabulary of 7 symbols"):
        symbols_of(kind, rng, np.array([[1, bad], [0, 2]]))
