"""The whole stack: sizes, state, gradients, shared memory."""

import numpy as np
import pytest
from cells import KINDS, RECURRENT
from gradcheck import check_gradients

from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel

EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
EACH_RECURRENT = pytest.mark.parametrize("kind", [KINDS[name] for name in RECURRENT], ids=RECURRENT)


def config(**settings):
    return Architecture(**{"cell": "gru", "num_layers": 2, "hidden_size": 4, **settings})


def make(V=5, dtype=np.float64, seed=0, scale=0.5, **settings):
    """A model with random weights everywhere, the head too."""
    model = CharModel(config(**settings), V, dtype=dtype)
    rng = np.random.default_rng(seed)
    model.parameters.vector[...] = rng.uniform(-scale, scale, model.num_parameters)
    return model


def random_ids(V, T, N, seed=1):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, V, (T + 1, N)).astype(np.uint8)
    return ids[:-1], ids[1:]


def random_state(model, N, seed=2):
    state = model.zero_state(N)
    state[...] = np.random.default_rng(seed).uniform(-0.5, 0.5, state.shape)
    return state


@EACH_KIND
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_the_loss_at_the_start_is_ln_v(kind, embedding_size):
    V = 65
    model = CharModel(config(hidden_size=32, dropout=0.5, embedding_size=embedding_size, **kind), V)
    model.initialise(np.random.default_rng(0))
    ids, targets = random_ids(V, 10, 8)
    total, _ = model.loss_and_gradient(
        ids, targets, random_state(model, 8), predictions=80, rng=np.random.default_rng(0)
    )
    assert total / 80 == pytest.approx(np.log(V), rel=1e-6)


@EACH_KIND
@pytest.mark.parametrize(("embedding_size", "dropout"), [(0, 0.4), (3, 0.0)])
def test_gradients_of_the_whole(kind, embedding_size, dropout):
    model = make(embedding_size=embedding_size, dropout=dropout, scale=0.9, **kind)
    ids, targets = random_ids(5, 3, 4)
    state = random_state(model, 4)

    def run():
        # The same generator gives the same masks.
        return model.loss_and_gradient(
            ids, targets, state, predictions=7, rng=np.random.default_rng(3)
        )

    def loss():
        return run()[0] / 7

    run()
    gradients = {name: grad.copy() for name, grad in model.grads.items()}
    assert set(gradients) == set(model.parameters)
    check_gradients(loss, gradients, dict(model.parameters))


@EACH_KIND
def test_dropout_is_between_the_layers_and_below_the_head(kind):
    model = make(dropout=0.5, num_layers=2, hidden_size=40, **kind)
    ids, _ = random_ids(5, 3, 2)
    plain, _ = model.forward(ids, model.zero_state(2))
    again, _ = model.forward(ids, model.zero_state(2))
    assert (plain == again).all()
    model.forward(ids, model.zero_state(2), np.random.default_rng(0))
    masks = [dropout.mask for dropout in model.members[""].body.dropouts]
    assert [mask.shape for mask in masks] == [(40, 2), (40, 2)]
    assert (masks[0] != masks[1]).any()
    y = model.layers[0].output * masks[0]
    if kind["cell"] == "bag":
        y[1:] += y[:-1].copy()
        y[2:] += model.layers[0].h[1:-2] * masks[0]  # of the last 3 steps
    np.testing.assert_allclose(model.layers[1].input.x1[:, :40], y, rtol=1e-14, atol=1e-15)


@EACH_KIND
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_half_windows_equal_one_whole_bit_for_bit(kind, dtype):
    model = make(V=30, dtype=dtype, hidden_size=64, scale=0.2, **kind)
    ids, _ = random_ids(30, 8, 16)
    state = random_state(model, 16)
    logits, end = model.forward(ids, state)
    first, middle = model.forward(ids[:4], state)
    second, end_of_halves = model.forward(ids[4:], middle)
    assert logits.shape == (30, 8 * 16)
    assert (end == end_of_halves).all()
    # The head's product is one over all columns, and BLAS may sum a wider one in another order.
    np.testing.assert_allclose(
        np.concatenate([first, second], axis=1), logits, rtol=0, atol=1e-6 * np.abs(logits).max()
    )


@EACH_KIND
def test_an_embedding_of_one_hot_columns_is_the_one_hot_model(kind):
    V, T, N = 6, 5, 3
    plain, embedded = make(V, **kind), make(V, embedding_size=V, **kind)
    for name, view in plain.parameters.items():
        embedded.parameters[name][...] = view
    embedded.parameters["encoder.E"][...] = np.eye(V)
    ids, targets = random_ids(V, T, N)
    state = random_state(plain, N)
    logits, after = plain.forward(ids, state)
    logits_embedded, after_embedded = embedded.forward(ids, state)
    assert (logits == logits_embedded).all()
    assert (after == after_embedded).all()
    loss, _ = plain.loss_and_gradient(ids, targets, state, predictions=T * N)
    loss_embedded, _ = embedded.loss_and_gradient(ids, targets, state, predictions=T * N)
    assert loss == loss_embedded
    for name, grad in plain.grads.items():
        assert (embedded.grads[name] == grad).all(), name


@EACH_RECURRENT
def test_an_embedding_is_a_factor_of_the_input_weights(kind):
    V, D, T, N = 6, 3, 5, 3
    embedded, plain = make(V, embedding_size=D, **kind), make(V, **kind)
    E = embedded.parameters["encoder.E"]
    for name in plain.parameters:
        if name != "layers.0.W":
            plain.parameters[name][...] = embedded.parameters[name]
    narrow, wide = embedded.layers[0], plain.layers[0]
    wide.Wx[...] = narrow.Wx @ E.T
    wide.b[...], wide.Wh[...] = narrow.b, narrow.Wh
    ids, targets = random_ids(V, T, N)
    state = random_state(plain, N)
    loss, _ = plain.loss_and_gradient(ids, targets, state, predictions=T * N)
    loss_embedded, _ = embedded.loss_and_gradient(ids, targets, state, predictions=T * N)
    assert loss == pytest.approx(loss_embedded, rel=1e-12)
    np.testing.assert_allclose(wide.dW[:, :V] @ E, narrow.dW[:, :D], atol=1e-12)
    np.testing.assert_allclose(
        wide.dW[:, :V].T @ narrow.Wx, embedded.grads["encoder.E"], atol=1e-12
    )


@EACH_KIND
def test_the_gradients_of_shards_add_up_to_the_batch(kind):
    model = make(**kind)
    ids, targets = random_ids(5, 4, 6)
    state = random_state(model, 6)
    loss, after = model.loss_and_gradient(ids, targets, state, predictions=24)
    whole, losses, total = model.grads.vector.copy(), 0.0, 0.0
    for columns in (slice(0, 2), slice(2, 6)):
        model.bind(model.gradients())
        part, part_after = model.loss_and_gradient(
            ids[:, columns], targets[:, columns], state[..., columns], predictions=24
        )
        np.testing.assert_allclose(part_after, after[..., columns], atol=1e-13)
        losses += part
        total = total + model.grads.vector
    assert losses == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(total, whole, atol=1e-13)


@EACH_KIND
def test_column_t_n_predicts_what_follows_stream_n_at_t(kind):
    model = make(**kind)
    ids, targets = random_ids(5, 4, 3)
    state = random_state(model, 3)
    total, _ = model.loss_and_gradient(ids, targets, state, predictions=1)
    alone = 0.0
    for n in range(3):
        carried = state[..., n : n + 1]
        for t in range(4):
            logits, carried = model.forward(ids[t : t + 1, n : n + 1], carried)
            p = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum()
            alone -= np.log(p[targets[t, n]])
    assert total == pytest.approx(alone, rel=1e-12)


@EACH_KIND
@pytest.mark.parametrize("members", [1, 3])
def test_gradients_of_two_half_windows_make_up_the_whole(kind, members):
    # What the second half sends back through the state is all that the first lacks.
    model = make(members=members, embedding_size=3, **kind)
    T, N = 6, 4
    ids, _ = random_ids(5, T, N)
    state, dafter = random_state(model, N), random_state(model, N, seed=3)
    dlogits = np.random.default_rng(4).uniform(-1, 1, (5, T, N))

    def back(part, before, dstate):
        model.forward(ids[part], before)
        dbefore = model.backward(dlogits[:, part].reshape(5, -1), dstate)
        return dbefore, model.grads.vector.copy()

    dstate, whole = back(slice(0, T), state, dafter)
    _, middle = model.forward(ids[:3], state)
    dmiddle, late = back(slice(3, T), middle, dafter)
    dearly, early = back(slice(0, 3), state, dmiddle)
    np.testing.assert_allclose(early + late, whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dearly, dstate, rtol=0, atol=1e-12)
    _, truncated = back(slice(0, 3), state, None)
    assert np.abs(truncated + late - whole).max() > 1e-3


@EACH_KIND
@pytest.mark.parametrize("members", [1, 2])
def test_gradients_of_the_state(kind, members):
    model = make(members=members, hidden_size=3, scale=0.9, **kind)
    ids, _ = random_ids(5, 3, 2)
    state, dafter = random_state(model, 2), random_state(model, 2, seed=3)
    dlogits = np.random.default_rng(4).uniform(-1, 1, (5, 6))

    def loss():
        logits, after = model.forward(ids, state)
        return (logits * dlogits).sum() + (after * dafter).sum()

    loss()
    dstate = model.backward(dlogits, dafter)
    gradients = {name: grad.copy() for name, grad in model.grads.items()}
    check_gradients(loss, {**gradients, "state": dstate}, {**model.parameters, "state": state})


@EACH_KIND
def test_without_a_gradient_of_the_state_it_is_zero(kind):
    model = make(**kind)
    ids, targets = random_ids(5, 4, 3)
    state = random_state(model, 3)
    model.loss_and_gradient(ids, targets, state, predictions=12)
    wanted = model.grads.vector.copy()
    logits, after = model.forward(ids, state)
    _, dlogits = cross_entropy_(logits, targets.reshape(-1))
    dlogits *= 1 / 12
    model.backward(dlogits, np.zeros_like(after))
    assert (model.grads.vector == wanted).all()


def test_backward_needs_a_forward_of_its_own():
    model = make(members=2)
    ids, targets = random_ids(5, 3, 4)
    model.loss_and_gradient(ids, targets, model.zero_state(4), predictions=12)
    with pytest.raises(RuntimeError, match="call forward"):
        model.backward(np.ones((5, 12)))


def test_the_first_prediction_is_how_frequent_each_symbol_is():
    model = make()
    counts = np.array([0, 5, 94, 20, 1])
    model.initialise(np.random.default_rng(0), counts)
    logits, _ = model.forward(random_ids(5, 3, 2)[0], model.zero_state(2))
    p = np.exp(logits) / np.exp(logits).sum(axis=0)
    # A new symbol is as likely as one of those that occurred once: there is one of each.
    wanted = np.array([[1], [5], [94], [20], [1]]) / 121
    np.testing.assert_allclose(p, np.tile(wanted, (1, 6)), rtol=1e-12)
    model.initialise(np.random.default_rng(0))
    assert not model.parameters["head.W"].any()


# Memory


@EACH_KIND
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_weights_and_gradients_are_views_of_flat_vectors(kind, embedding_size):
    model = make(embedding_size=embedding_size, **kind)
    assert model.num_parameters == sum(view.size for view in model.parameters.values())
    for views, vector in (
        (model.parameters, model.parameters.vector),
        (model.grads, model.grads.vector),
    ):
        assert all(np.shares_memory(view, vector) for view in views.values())
    for layer in model.layers:
        assert np.shares_memory(layer.W, model.parameters.vector)
        assert np.shares_memory(layer.dW, model.grads.vector)
    assert np.shares_memory(model.parameters["head.W"], model.parameters.vector)
    assert np.shares_memory(model.grads["head.W"], model.grads.vector)
    model.parameters.vector[...] = 0
    logits, _ = model.forward(random_ids(5, 2, 3)[0], model.zero_state(3))
    assert (logits == 0).all()


def test_every_gradient_is_filled_anew():
    model = make(embedding_size=3, cell="gru")
    ids, targets = random_ids(5, 3, 4)
    model.grads.vector[...] = np.nan
    model.loss_and_gradient(ids, targets, model.zero_state(4), predictions=12)
    first = model.grads.vector.copy()
    assert np.isfinite(first).all()
    model.loss_and_gradient(ids, targets, model.zero_state(4), predictions=12)
    assert (model.grads.vector == first).all()


@EACH_KIND
def test_a_replica_shares_weights_and_no_buffer(kind):
    model = make(embedding_size=3, **kind)
    twin = model.replica()
    assert twin.parameters.vector is model.parameters.vector
    assert twin.dtype == np.float64
    ids, targets = random_ids(5, 3, 4)
    state = random_state(model, 4)
    model.loss_and_gradient(ids, targets, state, predictions=12)
    kept = model.grads.vector.copy()
    # What the replica reads in between must not disturb the window of the other.
    logits, _ = model.forward(ids, state)
    twin.forward(ids[::-1], -state)
    _, dlogits = cross_entropy_(logits, targets.reshape(-1))
    dlogits *= 1 / 12
    model.backward(dlogits)
    assert (model.grads.vector == kept).all()
    # A new weight is seen at once, forward and backward.
    model.parameters.vector[...] *= -0.7
    model.loss_and_gradient(ids, targets, state, predictions=12)
    wanted = model.grads.vector.copy()
    twin.bind(twin.gradients())
    twin.loss_and_gradient(ids, targets, state, predictions=12)
    assert (twin.grads.vector == wanted).all()
    assert (wanted != kept).any()


@EACH_KIND
@pytest.mark.parametrize(
    "more", [{}, {"embedding_size": 3}, {"members": 2}, {"directions": 2, "num_labels": 4}], ids=str
)
def test_one_stream_is_read_in_steps_and_windows_alike(kind, more, monkeypatch):
    model, steps = make(**more, **kind), []
    for layer in {type(layer) for layer in model.layers}:
        step = layer.step
        monkeypatch.setattr(layer, "step", lambda *args, step=step: steps.append(1) or step(*args))
    ids, _ = random_ids(5, 7, 1)
    fast, state = model.for_one_stream(), model.zero_state(1)
    before, expected = random_state(model, 1), state
    for start, stop in ((0, 1), (1, 2), (2, 5), (5, 6), (6, 7)):
        wanted, expected = model.forward(ids[start:stop], expected)
        wanted = wanted.copy()
        logits, after = fast.forward(ids[start:stop], state)
        np.testing.assert_allclose(logits, wanted, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(after, expected, rtol=1e-12, atol=1e-14)
        assert not np.shares_memory(after, state)
        state = after
    stepping = "context" not in kind or not kind["context"]
    assert len(steps) == 4 * len(model.layers) * (stepping and "directions" not in more)
    again, _ = fast.forward(ids[:1], before)
    np.testing.assert_allclose(again, model.forward(ids[:1], before)[0], rtol=1e-12, atol=1e-14)


@EACH_RECURRENT
def test_one_stream_has_the_weights_it_is_bound_to(kind):
    model = make(**kind)
    ids, _ = random_ids(5, 1, 1)
    fast, state = model.for_one_stream(), random_state(model, 1)
    before = fast.forward(ids, state)[0].copy()
    model.parameters.vector[...] *= -0.7
    fast.bind(fast.gradients())
    logits, _ = fast.forward(ids, state)
    np.testing.assert_allclose(logits, model.forward(ids, state)[0], rtol=1e-12, atol=1e-14)
    assert (logits != before).any()


@EACH_RECURRENT
@pytest.mark.parametrize("bad", [5, 200, -1])
def test_one_stream_reads_no_symbol_of_another_model(kind, bad):
    fast = make(**kind).for_one_stream()
    with pytest.raises(IndexError, match="vocabulary of 5 symbols"):
        fast.forward(np.array([[bad]]), fast.zero_state(1))


@EACH_KIND
@pytest.mark.parametrize("embedding_size", [0, 3])
def test_gradients_go_where_they_are_bound(kind, embedding_size):
    model = make(embedding_size=embedding_size, **kind)
    ids, targets = random_ids(5, 3, 4)
    model.loss_and_gradient(ids, targets, model.zero_state(4), predictions=12)
    first, kept = model.grads, model.grads.vector.copy()
    second = model.gradients()
    assert (second.vector == 0).all()
    model.bind(second)
    model.loss_and_gradient(ids, targets, model.zero_state(4), predictions=12)
    assert (second.vector == kept).all()
    model.loss_and_gradient(ids, targets[::-1], model.zero_state(4), predictions=12)
    assert (second.vector != kept).any()
    assert (first.vector == kept).all()


def test_memory_can_be_given():
    asked = []

    def zeros(size, dtype):
        asked.append((size, dtype))
        return np.zeros(size, dtype)

    model = CharModel(config(), 5, zeros=zeros)
    assert asked == [(model.num_parameters, np.float32)] * 2
    model.gradients()
    assert len(asked) == 3


# Sizes


@EACH_RECURRENT
@pytest.mark.parametrize("num_layers", [1, 3])
def test_shapes(kind, num_layers):
    model = make(7, num_layers=num_layers, hidden_size=4, **kind)
    cell = CELLS[kind["cell"]]
    G, S = cell.gates, len(cell.states)
    shapes = {name: view.shape for name, view in model.parameters.items()}
    assert shapes == CharModel.shapes_of(model.config, 7)
    assert shapes["layers.0.W"] == (G * 4, 7 + 1 + 4)
    assert all(shapes[f"layers.{i}.W"] == (G * 4, 9) for i in range(1, num_layers))
    assert shapes["head.W"] == (7, 5)
    weights = model.layers[0].shapes()  # of a gru, b_n too
    names = {f"layers.{i}.{name}" for i in range(num_layers) for name in weights}
    assert set(shapes) == names | {"head.W"}
    assert model.zero_state(3).shape == (num_layers, S, 4, 3)
    assert (model.zero_state(3) == 0).all()


@pytest.mark.parametrize(("embedding_size", "R"), [(0, 2 * 7), (3, 2 * 4)])
def test_a_state_holds_what_the_widest_layer_carries(embedding_size, R):
    model = make(7, embedding_size=embedding_size, **KINDS["window"])
    assert model.zero_state(3).shape == (2, 1, R, 3)
    widths = [2 * (embedding_size or 7), 2 * 4]
    _, after = model.forward(random_ids(7, 4, 3)[0], random_state(model, 3))
    for layer, width in enumerate(widths):
        assert after[layer, 0, :width].any()
        assert not after[layer, 0, width:].any()


def test_a_deeper_window_sees_further():
    model = make(5, num_layers=3, **KINDS["window"])  # 3 layers of 3 steps see 7
    ids = np.zeros((9, 2), np.int64)
    ids[1, 1] = 4
    logits, _ = model.forward(ids, model.zero_state(2))
    differs = (np.ptp(logits.reshape(5, 9, 2), axis=2) > 0).any(axis=0)
    assert differs.tolist() == [False] + [True] * 7 + [False]


def test_the_nonlinearity_is_passed_on():
    ids, _ = random_ids(5, 4, 3)
    relu, tanh = make(cell="rnn", nonlinearity="relu"), make(cell="rnn")
    assert (relu.parameters.vector == tanh.parameters.vector).all()
    for model, some_are_zero in ((relu, True), (tanh, False)):
        model.forward(ids, model.zero_state(3))
        for layer in model.layers:
            assert (layer.output == 0).any() == some_are_zero


@pytest.mark.parametrize("embedding_size", [0, 3])
def test_all_initial_weights_come_from_one_generator(embedding_size):
    def initial(seed):
        model = CharModel(config(embedding_size=embedding_size), 5)
        model.initialise(np.random.default_rng(seed))
        return model

    first = initial(0).parameters.vector
    assert (initial(0).parameters.vector == first).all()
    assert (initial(1).parameters.vector != first).any()
    layers = initial(0).layers
    assert (layers[0].Wh != layers[1].Wh).any()


def test_a_single_symbol_costs_nothing():
    model = make(1)
    ids = np.zeros((3, 2), np.uint8)
    total, _ = model.loss_and_gradient(ids, ids, model.zero_state(2), predictions=6)
    assert total == 0
    assert (model.grads.vector == 0).all()
