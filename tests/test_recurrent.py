"""The recurrent layers, each cell: values, gradients, state carried, blocks of rows and steps."""

import numpy as np
import pytest
from cells import KINDS, NAIVE, RECURRENT, make, sigmoid, unpack
from gradcheck import check_gradients, check_recurrent, random_weights

from charrnn.backend import arrays, products
from charrnn.backend.products import BlockedProduct
from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.recurrent import sigmoid_

NAMES = list(KINDS)

# Sizes at which every product of a step can be cut into blocks of two rows or some more.
BLOCKED = {"input_size": 6, "hidden_size": 8, "streams": 64}


def cut_into_blocks(monkeypatch, layer):
    monkeypatch.setattr(products, "blas_kernel", lambda: "SkylakeX")
    H, N = layer.hidden_size, BLOCKED["streams"]
    longest = max(layer.shapes()["W"][1], layer.gates * H)  # the rows that a product has to add up
    monkeypatch.setattr(products, "SMALL_PRODUCT_LIMIT", 2 * N * longest)


def assert_blocked(layer):
    """Each product of a layer that went forward and back is cut."""
    found = [value for name, value in vars(layer).items() if name.startswith("product")]
    assert len(found) >= 1 + ("h" in layer.states)  # nothing else has one on the way back
    cut = [isinstance(product, BlockedProduct) for product in found]
    assert all(cut) or (not layer.carried_size and any(cut))  # a bag has no product of its state


def random_window(layer, T, N, rng, dtype=np.float64):
    x = rng.uniform(-1, 1, (T, layer.input_size, N)).astype(dtype)
    state = rng.uniform(-1, 1, (*layer.state_shape, N)).astype(dtype)
    return x, state


# Values: the equations, one gate, one step, one stream, one unit at a time.


def naive_forward(name, layer, x, state):
    T, _, N = x.shape
    y = np.empty((T, layer.hidden_size, N))
    after = np.empty_like(state)
    for n in range(N):
        carried = tuple(state[:, :, n])
        for t in range(T):
            results = NAIVE[name](layer, x[t, :, n], *carried)
            y[t, :, n] = results[0]
            carried = results[-len(state) :]
        after[:, :, n] = carried
    return y, after


def test_every_kind_has_its_equations():
    assert set(NAIVE) == set(KINDS), "a cell's equations belong into tests/cells.py"


@pytest.mark.parametrize("T", [1, 7])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_equations(name, T):
    rng = np.random.default_rng(T)
    layer = make(name, 3, 5)
    random_weights(layer, rng)
    x, state = random_window(layer, T, 4, rng)
    y, after = layer.forward(x, state)
    wanted_y, wanted_after = naive_forward(name, layer, x, state)
    assert y.shape == (T, 5, 4)
    assert after.shape == (*layer.state_shape, 4)
    np.testing.assert_allclose(y, wanted_y, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(after, wanted_after, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_equations_in_blocks_of_rows(name, monkeypatch):
    rng = np.random.default_rng(2)
    layer = make(name, BLOCKED["input_size"], BLOCKED["hidden_size"])
    cut_into_blocks(monkeypatch, layer)
    random_weights(layer, rng)
    x, state = random_window(layer, 3, BLOCKED["streams"], rng)
    y, after = layer.forward(x, state)
    wanted_y, wanted_after = naive_forward(name, layer, x, state)
    np.testing.assert_allclose(y, wanted_y, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(after, wanted_after, rtol=1e-12, atol=1e-13)
    layer.backward(np.ones_like(y), np.zeros_like(after))
    assert_blocked(layer)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_of_rows_change_no_number(name, monkeypatch):
    def results():
        rng = np.random.default_rng(4)
        dropped = 0.3 if name in RECURRENT else 0.0
        layer = make(name, BLOCKED["input_size"], BLOCKED["hidden_size"], weight_dropout=dropped)
        _, grads = random_weights(layer, rng)
        x, state = random_window(layer, 5, BLOCKED["streams"], rng)
        y, after = layer.forward(x, state, rng)
        y = y.copy()
        dx, dstate = layer.backward(rng.uniform(-1, 1, y.shape), after)
        return layer, [y, after, dx, dstate, *grads.values()]

    layer, whole = results()
    cut_into_blocks(monkeypatch, layer)
    layer, blocked = results()
    assert_blocked(layer)
    for one, other in zip(whole, blocked, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_close_to_float64(name):
    rng = np.random.default_rng(3)
    exact, single = make(name, 6, 16), make(name, 6, 16)
    values, _ = random_weights(exact, rng)
    values.vector[...] *= 0.3
    rounded, _ = random_weights(single, rng, np.float32)
    rounded.vector[...] = values.vector
    x, state = random_window(exact, 20, 8, rng)
    wanted, _ = exact.forward(x, state)
    given, after = single.forward(x.astype(np.float32), state.astype(np.float32))
    assert given.dtype == after.dtype == np.float32
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-5 * max(1, np.abs(wanted).max()))


# Gradients.


@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, T):
    check_recurrent(make(name, 3, 5), steps=T, streams=4, rng=np.random.default_rng(10 + T))


class Counted:
    """A product that counts its calls."""

    def __init__(self, product):
        self.product, self.calls = product, 0

    def __call__(self, W, x, *, out):
        self.calls += 1
        self.product(W, x, out=out)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_state_of_zeros_needs_no_product_and_has_the_same_gradients(name):
    rng = np.random.default_rng(6)
    layer = make(name, 3, 5)
    values, grads = random_weights(layer, rng)
    x, state = random_window(layer, 4, 2, rng)
    dy = rng.uniform(-1, 1, (4, 5, 2))
    for which in range(-1, len(state)):  # none of the state arrays, or only this one, is not zero
        begun = np.where(np.arange(len(state))[:, np.newaxis, np.newaxis] == which, state, 0)
        layer.forward(x, begun)
        layer.product = counted = Counted(layer.product)

        def loss(begun=begun):
            return (layer.forward(x, begun)[0] * dy).sum()

        loss()
        assert counted.calls == (3 if which < 0 else 4)
        layer.product = counted.product
        dx, dstate = layer.backward(dy, np.zeros_like(state))
        wanted = {name: grads[name].copy() for name in values}
        found = {**wanted, "x": dx.copy(), "state": dstate}
        check_gradients(loss, wanted, dict(values.items()))
        loss()
        layer.product_back = counted = Counted(layer.product_back)
        again, none = layer.backward(dy, np.zeros_like(state), state_gradient=False)
        assert none is None
        assert counted.calls == 3
        layer.product_back = counted.product
        assert (again == found["x"]).all()
        assert all((grads[name] == wanted[name]).all() for name in values)


@pytest.mark.parametrize("name", RECURRENT)
def test_gradients_with_dropped_weights(name):
    layer = make(name, 3, 5, weight_dropout=0.4)
    check_recurrent(layer, steps=4, streams=2, rng=np.random.default_rng(2), masks=3)
    dropped = layer.dW[:, 4:] == 0
    assert 0.2 < dropped.mean() < 0.6
    assert (layer.used[:, 4:][dropped] == 0).all()
    assert (layer.used[:, :4] == layer.W[:, :4]).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_a_single_unit_and_stream(name):
    # From 1 the single unit of relu is alive.
    check_recurrent(make(name, 1, 1), steps=3, streams=1, rng=np.random.default_rng(1))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_blocks_of_rows(name, monkeypatch):
    layer = make(name, BLOCKED["input_size"], BLOCKED["hidden_size"])
    cut_into_blocks(monkeypatch, layer)
    check_recurrent(layer, steps=2, streams=BLOCKED["streams"], rng=np.random.default_rng(0))
    assert_blocked(layer)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_gradients_in_blocks_of_steps(name, at_once, monkeypatch):
    # 5 steps in blocks of 1, 2 and 3: the last block is whole or not.
    monkeypatch.setattr(arrays, "CACHE_BYTES", at_once * 4 * 4 * 2 * 8)
    layer = make(name, 3, 4)
    check_recurrent(layer, steps=5, streams=2, rng=np.random.default_rng(0))
    assert layer.block == at_once


@pytest.mark.parametrize("name", NAMES)
def test_gradients_follow_windows_of_changing_size(name):
    # The buffers of one size must leave nothing behind for the next.
    layer = make(name, 2, 3)
    rng = np.random.default_rng(5)
    for steps, streams in [(3, 2), (1, 2), (3, 4), (3, 2)]:
        check_recurrent(layer, steps=steps, streams=streams, rng=rng)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_two_half_windows_make_up_the_whole(name):
    rng = np.random.default_rng(7)
    layer = make(name, 3, 5)
    _, grads = random_weights(layer, rng)
    x, state = random_window(layer, 6, 4, rng)
    dy = rng.uniform(-1, 1, (6, 5, 4))
    dafter = rng.uniform(-1, 1, state.shape)
    layer.forward(x, state)
    whole_dx, whole_dstate = layer.backward(dy, dafter)
    whole_dx = whole_dx.copy()
    whole = grads.vector.copy()

    _, middle = layer.forward(x[:3], state)
    layer.forward(x[3:], middle)
    dx_late, dmiddle = layer.backward(dy[3:], dafter)
    dx_late = dx_late.copy()
    late = grads.vector.copy()
    layer.forward(x[:3], state)
    dx_early, dstate = layer.backward(dy[:3], dmiddle)
    tolerances = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(grads.vector + late, whole, **tolerances)
    np.testing.assert_allclose(np.concatenate([dx_early, dx_late]), whole_dx, **tolerances)
    np.testing.assert_allclose(dstate, whole_dstate, **tolerances)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_input_gradient_the_rest_is_the_same(name):
    rng = np.random.default_rng(8)
    layer = make(name, 3, 5)
    _, grads = random_weights(layer, rng)
    x, state = random_window(layer, 3, 4, rng)
    dy = rng.uniform(-1, 1, (3, 5, 4))
    layer.forward(x, state)
    _, dstate = layer.backward(dy, state)
    wanted = grads.vector.copy()
    grads.vector[...] = np.nan
    layer.forward(x, state)
    dx, dstate_again = layer.backward(dy, state, input_gradient=False)
    assert dx is None
    assert (grads.vector == wanted).all()
    assert (dstate_again == dstate).all()


@pytest.mark.parametrize("name", NAMES)
def test_backward_needs_a_forward_of_its_own(name):
    # A second one would compute from buffers that the first has used for something else.
    rng = np.random.default_rng(8)
    layer = make(name, 3, 5)
    random_weights(layer, rng)
    x, state = random_window(layer, 3, 4, rng)
    dy = np.ones((3, 5, 4))
    with pytest.raises(RuntimeError, match="call forward"):
        layer.backward(dy, state)
    layer.forward(x, state)
    layer.backward(dy, state)
    with pytest.raises(RuntimeError, match="call forward"):
        layer.backward(dy, state)
    layer.forward(x, state)
    layer.backward(dy, state)


# The state goes in and comes out; a layer keeps nothing from window to window.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("D", "H", "N"), [(5, 7, 3), (65, 128, 32)])
@pytest.mark.parametrize("name", NAMES)
def test_two_half_windows_equal_one_whole_bit_for_bit(name, D, H, N, dtype):
    rng = np.random.default_rng(9)
    layer = make(name, D, H)
    layer_values, _ = random_weights(layer, rng, dtype)
    layer_values.vector[...] *= 0.2
    x, state = random_window(layer, 8, N, rng, dtype)
    y, after = layer.forward(x, state)
    y = y.copy()
    first, middle = layer.forward(x[:4], state)
    first = first.copy()
    second, end = layer.forward(x[4:], middle)
    assert (np.concatenate([first, second]) == y).all()
    assert (end == after).all()


@pytest.mark.parametrize("name", NAMES)
def test_steps_one_at_a_time_equal_the_window_bit_for_bit(name, monkeypatch):
    rng = np.random.default_rng(9)
    layer = make(name, BLOCKED["input_size"], BLOCKED["hidden_size"])
    cut_into_blocks(monkeypatch, layer)
    random_weights(layer, rng, np.float32)
    x, state = random_window(layer, 5, BLOCKED["streams"], rng, np.float32)
    y, after = layer.forward(x, state)
    y = y.copy()
    for t in range(5):
        step, state = layer.forward(x[t : t + 1], state)
        assert (step[0] == y[t]).all()
    assert (state == after).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_state_after_is_in_memory_of_its_own(name):
    rng = np.random.default_rng(1)
    layer = make(name, 3, 5)
    random_weights(layer, rng)
    x, state = random_window(layer, 2, 4, rng)
    given = x.copy(), state.copy()
    _, after = layer.forward(x, state)
    kept = after.copy()
    layer.forward(-x, -state)
    assert (after == kept).all()
    assert (x == given[0]).all()
    assert (state == given[1]).all()


# Weights.


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_those_of_pytorch(name):
    layer = make(name, 3, 5)
    values, grads = random_weights(layer, np.random.default_rng(0))
    G = layer.gates
    assert layer.Wx.shape == (G * 5, 3)
    assert layer.Wh.shape == (G * 5, {"window": 2 * 3, "bag": 0}.get(name, 5))
    assert layer.b.shape == (G * 5,)
    for view in (layer.Wx, layer.Wh, layer.b):
        assert np.shares_memory(view, values.vector) == (view.size > 0)
    assert np.shares_memory(layer.dW, grads.vector)


@pytest.mark.parametrize("name", RECURRENT)
def test_initial_weights(name):
    H = 24
    layer = make(name, 10, H)
    values, _ = random_weights(layer, np.random.default_rng(0), np.float32)
    layer.initialise(np.random.default_rng(1))
    for gate, (Wx, b, Wh) in enumerate(unpack(layer)):
        np.testing.assert_allclose(Wh @ Wh.T, np.eye(H), atol=1e-5)
        assert np.abs(Wx).max() <= H**-0.5
        assert 0.8 * H**-0.5 / 3**0.5 < Wx.std() < 1.2 * H**-0.5 / 3**0.5
        assert (b == (1 if name == "lstm" and gate == 2 else 0)).all()
    if name == "gru":
        assert (layer.b_n == 0).all()
    first = values.vector.copy()
    layer.initialise(np.random.default_rng(1))
    assert (values.vector == first).all()
    layer.initialise(np.random.default_rng(2))
    assert (values.vector != first).any()


@pytest.mark.parametrize("name", ["window", "bag"])
def test_initial_weights_of_a_window(name):
    layer = make(name, 30, 24)
    values, _ = random_weights(layer, np.random.default_rng(0))
    layer.initialise(np.random.default_rng(1))
    limit = (3 * 30) ** -0.5  # of the inputs that a unit reads
    assert (layer.b == 0).all()
    for part in (layer.Wx, layer.Wh)[: 1 + (name == "window")]:
        assert 0.95 * limit < np.abs(part).max() <= limit
    assert 0.9 * limit / 3**0.5 < layer.Wx.std() < 1.1 * limit / 3**0.5
    assert len(np.unique(values.vector)) == values.vector.size - 24 + 1


@pytest.mark.parametrize("context", [1, 2, 5, 9])
@pytest.mark.parametrize("name", ["window", "bag"])
def test_windows_of_all_widths(name, context):
    # Shorter and longer than the window of training, and one that carries nothing.
    rng = np.random.default_rng(context)
    layer = CELLS[name](2, Architecture(cell=name, hidden_size=3, context=context))
    _, grads = random_weights(layer, rng)
    N, T = 2, 4
    x, state = random_window(layer, T, N, rng)
    dy, dafter = rng.uniform(-1, 1, (T, 3, N)), rng.uniform(-1, 1, state.shape)

    def loss():
        y, after = layer.forward(x, state)
        return (y * dy).sum() + (after * dafter).sum()

    loss()
    dx, dstate = layer.backward(dy, dafter)
    check_gradients(loss, {"W": grads["W"].copy(), "x": dx.copy()}, {"W": layer.W, "x": x})
    assert state.shape == (1, (context - 1) * 2, N)
    if context > 1:
        check_gradients(loss, {"state": dstate}, {"state": state})


def test_a_bag_has_no_order_and_a_window_has():
    for name, same in (("bag", True), ("window", False)):
        rng = np.random.default_rng(0)
        layer = make(name, 4, 5)
        random_weights(layer, rng)
        x, state = random_window(layer, 3, 2, rng)
        forth, back = (layer.forward(read, state)[0][-1].copy() for read in (x, x[::-1]))
        assert np.allclose(forth, back) == same


def test_the_forget_gate_is_the_one_whose_bias_starts_at_1():
    # Found by what it does, not by where it lies: a memory of 1 is kept to sigmoid(1).
    layer = make("lstm", 2, 3)
    values, _ = random_weights(layer, np.random.default_rng(0))
    layer.initialise(np.random.default_rng(0))
    layer.Wx[...] = layer.Wh[...] = 0
    _, after = layer.forward(np.zeros((1, 2, 1)), np.array([np.zeros((3, 1)), np.ones((3, 1))]))
    np.testing.assert_allclose(after[1], sigmoid(1.0))
    assert len(values.vector) == 12 * 6


def test_gates_do_what_their_names_say():
    lstm = make("lstm", 1, 1)
    random_weights(lstm, np.random.default_rng(0))
    lstm.W[...] = 0
    lstm.b[...] = [50, -50, 50, 0]  # output open, input shut, forget kept
    _, after = lstm.forward(np.ones((1, 1, 1)), np.array([[[0.3]], [[0.7]]]))
    np.testing.assert_allclose(after.ravel(), [np.tanh(0.7), 0.7])
    gru = make("gru", 1, 1)
    random_weights(gru, np.random.default_rng(0))
    gru.W[...] = 0
    gru.b[...] = [0, 50, 0]  # u near 1 keeps the state
    _, after = gru.forward(np.ones((1, 1, 1)), np.array([[[0.7]]]))
    np.testing.assert_allclose(after.ravel(), [0.7])


# Large numbers.


def test_sigmoid_from_end_to_end():
    x = np.array([-1e4, -100, -2, 0, 2, 100, 1e4])
    exact = [0, 0, 0.11920292202211755, 0.5, 0.8807970779778823, 1, 1]
    for dtype, tolerance in ((np.float64, 1e-15), (np.float32, 1e-7)):
        y = x.astype(dtype)
        with np.errstate(over="ignore"):
            sigmoid_(y)
        np.testing.assert_allclose(y, exact, atol=tolerance)
        assert y.dtype == dtype


@pytest.mark.parametrize("name", CELLS)
def test_saturated_cells_stay_finite(name):
    rng = np.random.default_rng(0)
    layer = make(name, 3, 5)
    _, grads = random_weights(layer, rng, np.float32)
    x, state = random_window(layer, 3, 4, rng, np.float32)
    y, after = layer.forward(x * np.float32(1e4), state)
    assert np.isfinite(y).all()
    assert np.isfinite(after).all()
    dx, dstate = layer.backward(np.ones_like(y), np.zeros_like(after))
    assert all(np.isfinite(array).all() for array in (dx, dstate, grads.vector))
