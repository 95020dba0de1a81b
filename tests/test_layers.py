"""The layers below and above the recurrent ones."""

import numpy as np
import pytest
from gradcheck import check_gradients, random_weights

from charrnn.nn.initialisers import orthogonal
from charrnn.nn.layers.dropout import Dropout, WeightDropout
from charrnn.nn.layers.encoders import Embedding, OneHot
from charrnn.nn.layers.linear import Linear
from charrnn.nn.parameters import Parameters


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Encoders


def test_one_hot_learns_nothing():
    layer = OneHot(5)
    assert layer.shapes() == {}
    assert layer.output_size == 5


def test_an_embedding_takes_the_gradient_of_its_vectors(rng):
    layer = Embedding(5, 3)
    values, grads = random_weights(layer, rng)
    symbols = layer.forward(rng.integers(0, 5, (4, 2)).astype(np.uint8))
    assert symbols.vectors is values["E"]
    wanted = rng.uniform(-1, 1, (5, 3))
    layer.backward(wanted)
    assert (grads["E"] == wanted).all()


def test_embedding_starts_as_a_standard_normal():
    layer = Embedding(200, 50)
    values, _ = random_weights(layer, np.random.default_rng(0))
    layer.initialise(np.random.default_rng(0))
    assert abs(values["E"].mean()) < 0.05
    assert abs(values["E"].std() - 1) < 0.05


# Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_its_mean(rate):
    y = np.ones((3, 200, 100), np.float32)
    dropped = Dropout(rate).forward(y, np.random.default_rng(0))
    assert dropped.dtype == np.float32
    assert abs((dropped == 0).mean() - rate) < 0.01
    assert abs(dropped.mean() - 1) < 0.05
    np.testing.assert_allclose(dropped[dropped != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_draws_one_mask_for_all_steps_and_another_for_each_stream():
    y = np.ones((5, 30, 20))
    dropped = Dropout(0.5).forward(y, np.random.default_rng(0))
    assert (dropped == dropped[0]).all()
    columns = {dropped[0, :, n].tobytes() for n in range(20)}
    assert len(columns) == 20


def test_dropout_draws_a_new_mask_for_each_window():
    layer, rng = Dropout(0.5), np.random.default_rng(0)
    y = np.ones((1, 30, 20))
    assert (layer.forward(y, rng) != layer.forward(y, rng)).any()
    again = Dropout(0.5).forward(y, np.random.default_rng(0))
    assert (Dropout(0.5).forward(y, np.random.default_rng(0)) == again).all()


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_nothing_is_dropped_without_a_generator_or_a_rate(rng, rate):
    layer = Dropout(rate)
    y = rng.uniform(-1, 1, (2, 3, 4))
    kept = layer.forward(y, rng if rate == 0 else None)
    assert (kept == y).all()
    assert (layer.backward(y) == y).all()


def test_dropout_gradient(rng):
    layer = Dropout(0.4)
    y, dy = rng.uniform(-1, 1, (2, 3, 3, 4))
    layer.forward(y, np.random.default_rng(5))
    gradient = layer.backward(dy)
    assert (gradient == 0).any()
    check_gradients(
        lambda: (layer.forward(y, np.random.default_rng(5)) * dy).sum(), {"y": gradient}, {"y": y}
    )


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_weight_dropout_keeps_its_share_and_its_mean(rate):
    W = np.ones((200, 103), np.float32)
    layer, rng = WeightDropout(rate), np.random.default_rng(0)
    used = layer.forward(W, 3, rng)
    assert used.dtype == np.float32
    assert (used[:, :3] == 1).all()
    assert abs((used[:, 3:] == 0).mean() - rate) < 0.01
    kept = used[:, 3:]
    np.testing.assert_allclose(kept[kept != 0], 1 / (1 - rate), rtol=1e-6)
    before = used.copy()
    assert (layer.forward(W, 3, rng) != before).any(), "each window has its own mask"
    assert layer.forward(W, 3, None) is W
    assert (W == 1).all()


GENERATORS = [
    np.random.Philox,
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.SFC64,
    np.random.MT19937,  # of 32 bits
]


@pytest.mark.parametrize("generator", GENERATORS)
def test_weight_dropout_takes_any_generator(generator):
    W = np.ones((200, 100), np.float32)
    used = WeightDropout(0.3).forward(W, 0, np.random.Generator(generator(1)))
    assert abs((used == 0).mean() - 0.3) < 0.02
    # In each place of a word alike.
    assert np.abs((used.reshape(-1, 4) == 0).mean(axis=0) - 0.3).max() < 0.03


def test_weight_dropout_draws_16_bits_a_weight():
    # The masks of a run must not change from version to version, or it could not be resumed.
    W = np.ones((7, 9), np.float32)
    used = WeightDropout(0.3).forward(W, 2, np.random.Generator(np.random.Philox(1)))
    drawn = np.random.Philox(1).random_raw(13).view(np.uint16)[:49].reshape(7, 7)
    assert ((used[:, 2:] != 0) == (drawn >= 0.3 * 2**16)).all()


def test_no_weight_is_dropped_at_rate_zero():
    W = np.ones((4, 4))
    layer = WeightDropout(0.0)
    assert layer.forward(W, 1, np.random.default_rng(0)) is W
    layer.backward(W)
    assert (W == 1).all()


def test_the_mask_of_an_earlier_window_does_not_stay(rng):
    layer = Dropout(0.4)
    y = np.ones((2, 30, 3))
    layer.forward(y, rng)
    layer.forward(y, None)
    assert (layer.backward(y) == 1).all()


# Linear


def test_linear_values(rng):
    layer = Linear(3, 5)
    values, _ = random_weights(layer, rng)
    for T, N in [(2, 4), (4, 2), (1, 8), (3, 1)]:  # some have as many columns as the one before
        y = rng.uniform(-1, 1, (T, 3, N))
        logits = layer.forward(y)
        assert logits.shape == (5, T * N)
        for t in range(T):
            for n in range(N):
                wanted = values["W"][:, 0] + values["W"][:, 1:] @ y[t, :, n]
                np.testing.assert_allclose(logits[:, t * N + n], wanted, atol=1e-13)


@pytest.mark.parametrize("size", [(1, 1), (2, 4), (3, 2)])
def test_linear_gradients(rng, size):
    (T, N), layer = size, Linear(3, 5)
    values, grads = random_weights(layer, rng)
    y = rng.uniform(-1, 1, (T, 3, N))
    dlogits = rng.uniform(-1, 1, (5, T * N))
    layer.forward(y)
    dy = layer.backward(dlogits)
    assert dy.shape == y.shape
    check_gradients(
        lambda: (layer.forward(y) * dlogits).sum(),
        {"W": grads["W"], "y": dy},
        {"W": values["W"], "y": y},
    )


def test_linear_backward_needs_a_forward_of_its_own(rng):
    layer = Linear(3, 5)
    random_weights(layer, rng)
    y, dlogits = np.ones((2, 3, 4)), np.ones((5, 8))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="call forward"):
            layer.backward(dlogits)
        layer.forward(y)
        layer.backward(dlogits)


def test_linear_starts_at_zero(rng):
    layer = Linear(3, 5)
    values, _ = random_weights(layer, rng)
    layer.initialise(rng)
    assert (values.vector == 0).all()


# Parameters


def test_parameters_are_views_of_one_vector_without_gap_or_overlap():
    parameters = Parameters({"a.W": (2, 3), "a.b": (2,), "ab.W": (1, 4)}, np.float32)
    assert parameters.vector.dtype == np.float32
    assert (parameters.vector == 0).all()
    assert list(parameters) == ["a.W", "a.b", "ab.W"]
    assert len(parameters) == 3
    for number, view in enumerate(parameters.values(), 1):
        view[...] = number
    assert parameters.vector.tolist() == [1.0] * 6 + [2.0] * 2 + [3.0] * 4
    parameters.vector[7] = 9
    assert parameters["a.b"].tolist() == [2, 9]


def test_parameters_below_a_prefix():
    parameters = Parameters({"a.W": (2,), "a.b": (2,), "ab.W": (1,), "a.c.d": (1,)}, np.float32)
    assert list(parameters.below("a")) == ["W", "b", "c.d"]
    assert parameters.below("nothing") == {}


def test_parameters_in_memory_that_is_given():
    vector = np.arange(5.0)
    parameters = Parameters({"a": (2,), "b": (3,)}, np.float64, vector)
    assert parameters.vector is vector
    assert parameters["b"].tolist() == [2, 3, 4]
    parameters["b"][0] = 7
    assert vector[2] == 7


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (7, 3), (3, 7), (1, 1)])
def test_orthogonal(rng, rows, columns):
    matrix = orthogonal(rng, rows, columns)
    assert matrix.shape == (rows, columns)
    small = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(small, np.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_prefers_no_sign(rng):
    # Without the correction by the signs of r, LAPACK's q has a diagonal of one sign.
    signs = [np.sign(np.diag(orthogonal(rng, 3, 3))) for _ in range(300)]
    assert (np.abs(np.mean(signs, axis=0)) < 0.25).all()
