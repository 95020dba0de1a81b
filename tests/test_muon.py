"""Muon: the orthogonal direction, its step against a reference by singular values, its parts."""

from itertools import pairwise

import numpy as np
import pytest
from cells import KINDS, RECURRENT

from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters
from charrnn.optimizers import BLOCK, OPTIMIZERS, blocks, hidden_rows
from charrnn.optimizers.muon import COEFFICIENTS, ITERATIONS, RMS, orthogonalised
from charrnn.optimizers.parts import ROWS

SHAPES = [(1, 1), (1, 7), (7, 1), (5, 5), (20, 50), (50, 20), (128, 96)]
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES)


def by_singular_values(x):
    """The same iteration, on the singular values alone."""
    a, b, c = COEFFICIENTS
    u, s, v = np.linalg.svd(x, full_matrices=False)
    s = s / (s**8).sum() ** (1 / 8)
    for _ in range(ITERATIONS):
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ v


@EACH_SHAPE
def test_the_iteration_changes_singular_values_and_nothing_else(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(orthogonalised(x), by_singular_values(x), atol=1e-10)


@EACH_SHAPE
def test_singular_values_end_near_one(shape):
    rng = np.random.default_rng(1)
    u, _, v = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    wanted = np.geomspace(1, 0.05, min(shape))
    s = np.linalg.svd(orthogonalised((u * wanted) @ v), compute_uv=False)
    assert 0.65 < s.min() <= s.max() < 1.25


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1.0, 1e12, 1e30])
def test_the_size_of_the_gradient_does_not_matter(factor):
    x = np.random.default_rng(0).standard_normal((30, 40)).astype(np.float32)
    got = orthogonalised(x * np.float32(factor))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_singular_values(x.astype(np.float64)), atol=2e-5)


def test_nothing_has_no_direction():
    assert (orthogonalised(np.zeros((3, 4), np.float32)) == 0).all()
    assert np.isnan(orthogonalised(np.full((3, 4), np.nan))).all()


def test_the_argument_is_left_as_it_is():
    x = np.random.default_rng(0).standard_normal((6, 8))
    before = x.copy()
    orthogonalised(x)
    assert (x == before).all()


HIDDEN = {"one": (slice(3, 10),), "two": (slice(0, 4), slice(5, 9))}
SHAPES_OF = {"before": (5,), "one": (ROWS + 8, 10), "two": (6, 9), "after": (3, 2)}


def test_three_steps_follow_the_definition():
    rng = np.random.default_rng(0)
    parameters = Parameters(SHAPES_OF, np.float64)
    parameters.vector[:] = rng.standard_normal(parameters.vector.size)
    grads = Parameters(SHAPES_OF, np.float64)
    wanted = {name: value.copy() for name, value in parameters.items()}
    alone = parameters.vector.copy()
    rows = hidden_rows(parameters, HIDDEN)
    make = {"weight_decay": 0.1}
    muon = OPTIMIZERS["muon"](parameters.vector, grads.vector, rows=rows, **make)
    adamw = OPTIMIZERS["adamw"](alone, (grad := np.zeros_like(alone)), **make)
    momenta = {name: np.zeros(SHAPES_OF[name]) for name in HIDDEN}
    for step in (1, 2, 3):
        given = rng.standard_normal(grads.vector.size)
        grads.vector[:] = grad[:] = given
        clipped = {name: 0.5 * value.copy() for name, value in grads.items()}
        for part in muon.parts:
            muon.update(part, learning_rate=0.01, step=step, scale=0.5)
        adamw.update(slice(0, alone.size), learning_rate=0.01, step=step, scale=0.5)
        for name, columns in HIDDEN.items():
            momenta[name] = 0.9 * momenta[name] + clipped[name]
            wanted[name] *= 1 - 0.01 * 0.1
            half = -(-len(wanted[name]) // 2) if len(wanted[name]) > ROWS else ROWS
            for first in range(0, len(wanted[name]), half):
                for some in columns:
                    where = np.s_[first : first + half, some]
                    turn = by_singular_values(clipped[name][where] + 0.9 * momenta[name][where])
                    wanted[name][where] -= 0.01 * RMS * max(turn.shape) ** 0.5 * turn
    same = Parameters(SHAPES_OF, np.float64, alone)
    for name, value in parameters.items():
        hidden = np.zeros(value.shape, bool)
        for some in HIDDEN.get(name, ()):
            hidden[:, some] = True
        np.testing.assert_allclose(value[hidden], wanted.get(name, value)[hidden], atol=1e-12)
        assert (value[~hidden] == same[name][~hidden]).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", [1, BLOCK - 1, 3 * BLOCK + 5])
def test_without_matrices_the_parts_are_blocks(name, size):
    optimizer = OPTIMIZERS[name](np.ones(size), np.ones(size))
    assert optimizer.parts == list(blocks(slice(0, size)))


@pytest.mark.parametrize("first", [{}, {"first": (2, 3)}])
def test_parts_tile_the_vector_and_keep_rows_whole(first):
    shapes = {**first, **SHAPES_OF, "long": (3 * BLOCK + 1,)}
    parameters = Parameters(shapes, np.float32)
    vector = parameters.vector
    rows = hidden_rows(parameters, HIDDEN)
    found = OPTIMIZERS["muon"](vector, vector.copy(), rows=rows).parts
    assert [found[0].start, found[-1].stop] == [0, vector.size]
    assert all(one.stop == then.start for one, then in pairwise(found))
    assert all(piece.part in found for piece in rows)
    assert [piece.part.stop - piece.part.start for piece in rows] == [680, 680, 54]
    for piece, name in zip(rows, ("one", "one", "two"), strict=True):
        assert np.shares_memory(vector[piece.part], parameters[name])


def test_rows_may_be_updated_at_once():
    # Where workers are threads, one is in the middle of its rows while another goes through its.
    class Interrupted(OPTIMIZERS["muon"]):
        others = None

        def _decay(self, *args):
            if self.others is not None:
                part, self.others = self.others, None
                self.update(part, learning_rate=0.1, step=1)
            super()._decay(*args)

    shapes = {"W": (2 * ROWS, 9)}
    rng = np.random.default_rng(0)
    start, grad = rng.standard_normal((2, 2 * ROWS * 9))
    results = []
    for kind, parts in ((OPTIMIZERS["muon"], 2), (Interrupted, 1)):
        parameters = Parameters(shapes, np.float64, start.copy())
        rows = hidden_rows(parameters, {"W": (slice(2, 9),)})
        optimizer = kind(parameters.vector, grad.copy(), rows=rows)
        optimizer.others = optimizer.parts[1] if parts == 1 else None
        for part in optimizer.parts[:parts]:
            optimizer.update(part, learning_rate=0.1, step=1)
        results.append(parameters.vector)
    assert (results[0] == results[1]).all()
    assert (results[0] != start).all()


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell in RECURRENT])
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_what_a_model_counts_as_hidden(cell, embedding_size):
    config = Architecture(
        **KINDS[cell], hidden_size=4, num_layers=2, embedding_size=embedding_size, dropout=0.0
    )
    model = CharModel(config, 5)
    first, second = model.hidden_columns["layers.0.W"], model.hidden_columns["layers.1.W"]
    for layer, columns in zip(model.layers, (first, second), strict=True):
        assert np.shares_memory(layer.W[:, columns[-1]], layer.Wh)
        assert layer.W[:, columns[-1]].shape == layer.Wh.shape
    assert len(second) == 2  # x and h, not the bias between them
    assert hidden_rows(model.parameters, model.hidden_columns)[0].others == (
        [slice(0, 6)] if embedding_size == 0 else [slice(3, 4)]
    )
    assert len(first) == (1 if embedding_size == 0 else 2)


@pytest.mark.parametrize(
    ("cell", "first", "second"),
    [("window", [(0, 3), (4, 10)], [(0, 4), (5, 13)]), ("bag", [(0, 3)], [(0, 4)])],
)
def test_what_a_window_counts_as_hidden(cell, first, second):
    def columns(embedding_size):
        config = Architecture(
            **KINDS[cell], hidden_size=4, num_layers=2, embedding_size=embedding_size
        )
        found = CharModel(config, 5).hidden_columns.values()
        return [[(part.start, part.stop) for part in layer] for layer in found]

    assert columns(3) == [first, second]
    assert columns(0) == [[], second]
