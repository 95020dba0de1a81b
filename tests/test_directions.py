"""Layers that read from both ends, and the head that reads a whole item."""

import numpy as np
import pytest
from cells import KINDS
from gradcheck import check_gradients

from charrnn.config import Architecture
from charrnn.errors import ConfigError
from charrnn.nn.directions import Reversal
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters

EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
EACH_HEAD = pytest.mark.parametrize("head", ["step", "item"])
V, C, T, H = 5, 3, 5, 4
LENGTHS = np.array([2, 3, 3, 5, 4])
N = len(LENGTHS)


def make(head="step", directions=2, **settings):
    """A model of labels with random weights everywhere, the head too."""
    config = Architecture(
        **{"cell": "gru", "num_layers": 2, "hidden_size": H, **settings},
        head=head,
        directions=directions,
        num_labels=C,
    )
    model = CharModel(config, V, dtype=np.float64)
    model.parameters.vector[...] = np.random.default_rng(0).uniform(-0.9, 0.9, model.num_parameters)
    return model


def batch(head):
    """Ids, targets and what is scored, random also behind the ends."""
    rng = np.random.default_rng(1)
    ids = rng.integers(0, V, (T, N))
    shape = (1, N) if head == "item" else (T, N)
    scored = np.ones(shape, bool) if head == "item" else np.arange(T)[:, np.newaxis] < LENGTHS
    return ids, rng.integers(0, C, shape), scored


@EACH_KIND
@pytest.mark.parametrize(
    ("head", "directions", "embedding_size"),
    [("step", 2, 0), ("item", 2, 0), ("step", 2, 3), ("item", 1, 0), ("item", 1, 3)],
)
def test_gradients_of_both_directions(kind, head, directions, embedding_size):
    # A second layer reads both directions of the first.
    depth = 2 if directions == 2 and not embedding_size else 1
    settings = {"num_layers": depth, "embedding_size": embedding_size, "dropout": 0.3}
    model = make(head, directions, **settings, **kind)
    ids, targets, scored = batch(head)

    def loss():
        return model.loss_and_gradient(
            ids,
            targets,
            model.zero_state(N),
            predictions=1,
            rng=np.random.default_rng(3),
            scored=scored,
            lengths=LENGTHS,
        )[0]

    loss()
    gradients = {name: grad.copy() for name, grad in model.grads.items()}
    check_gradients(loss, gradients, dict(model.parameters))


@EACH_KIND
@EACH_HEAD
def test_gradients_of_the_state_before_and_of_that_after(kind, head):
    model = make(head, num_layers=1, **kind)
    ids, targets, _ = batch(head)
    rng = np.random.default_rng(5)
    state = rng.uniform(-1, 1, model.zero_state(N).shape)
    dstate_after = rng.uniform(-1, 1, state.shape)

    def run():
        logits, after = model.forward(ids, state, lengths=LENGTHS)
        nats, dlogits = cross_entropy_(logits, targets.reshape(-1))
        return nats.sum() + (after * dstate_after).sum(), dlogits

    _, dlogits = run()
    dstate = model.backward(dlogits, dstate_after)
    check_gradients(lambda: run()[0], {"state": dstate}, {"state": state})


@EACH_KIND
@EACH_HEAD
@pytest.mark.parametrize("directions", [1, 2])
def test_what_stands_behind_the_end_of_an_item_changes_nothing(kind, head, directions):
    model = make(head, directions, **kind)
    ids, targets, scored = batch(head)
    other = np.where(np.arange(T)[:, np.newaxis] < LENGTHS, ids, (ids + 1) % V)
    found = []
    for each in (ids, other):
        loss, _ = model.loss_and_gradient(
            each, targets, model.zero_state(N), predictions=1, scored=scored, lengths=LENGTHS
        )
        found.append((loss, model.grads.vector.copy()))
    assert found[0][0] == found[1][0]
    assert np.abs(found[0][1] - found[1][1]).max() < 1e-12


@EACH_KIND
@EACH_HEAD
def test_each_direction_is_a_model_of_its_own(kind, head):
    """An independent reference: item by item, a plain model on the text and one on its reverse."""
    model = make(head, num_layers=1, **kind)
    ids, *_ = batch(head)
    logits, _ = model.forward(ids, model.zero_state(N), lengths=LENGTHS)
    W = model.parameters["head.W"]
    singles = []
    for suffix in ("", ".reverse"):
        single = make("step", 1, num_layers=1, **kind)
        for name, values in single.parameters.items():
            if name.startswith("layers.0."):
                values[...] = model.parameters[name.replace("layers.0", f"layers.0{suffix}")]
        singles.append(single)
    for n, length in enumerate(LENGTHS):
        there, back = (
            hidden(single, each)
            for single, each in zip(singles, (ids[:length, n], ids[:length, n][::-1]), strict=True)
        )
        if head == "item":
            wanted = W[:, 0] + W[:, 1 : 1 + H] @ there[-1] + W[:, 1 + H :] @ back[-1]
            np.testing.assert_allclose(logits[:, n], wanted, rtol=1e-10)
            continue
        wanted = W[:, :1] + W[:, 1 : 1 + H] @ there.T + W[:, 1 + H :] @ back[::-1].T
        np.testing.assert_allclose(
            logits.reshape(C, T, N)[:, :length, n], wanted, rtol=1e-10, atol=1e-12
        )


def hidden(model, ids):
    """The output (T, H) of the lowest layer of a model for one text."""
    model.forward(ids[:, np.newaxis], model.zero_state(1))
    return model.layers[0].output[:, :, 0].copy()


def test_a_reversal_undoes_itself_and_leaves_what_is_behind_the_end():
    a = np.random.default_rng(0).standard_normal((T, 2, N))
    turn = Reversal(LENGTHS)
    turned = turn(a)
    for n, length in enumerate(LENGTHS):
        assert (turned[:length, :, n] == a[:length, :, n][::-1]).all()
        assert (turned[length:, :, n] == a[length:, :, n]).all()
    assert (turn(turned) == a).all()


def test_two_labels_are_a_sigmoid_of_the_difference():
    logits = np.random.default_rng(0).standard_normal((2, 50)) * 4
    targets = np.arange(50) % 2
    z = logits[1] - logits[0]
    p = 1 / (1 + np.exp(-z))
    wanted = -np.log(np.where(targets, p, 1 - p))
    nats, dlogits = cross_entropy_(logits.copy(), targets)
    np.testing.assert_allclose(nats, wanted, rtol=1e-9)
    np.testing.assert_allclose(dlogits[1], p - targets, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dlogits[0], -dlogits[1], rtol=1e-9, atol=1e-12)


def test_names_of_one_direction_are_those_that_it_always_had():
    config = Architecture(cell="gru", num_layers=2, hidden_size=H)
    names = ["layers.0.W", "layers.0.b_n", "layers.1.W", "layers.1.b_n", "head.W"]
    assert list(CharModel.shapes_of(config, V)) == names
    both = Architecture(cell="rnn", num_layers=2, hidden_size=H, directions=2, num_labels=C)
    assert CharModel.shapes_of(both, V) == {
        "layers.0.W": (H, V + 1 + H),
        "layers.0.reverse.W": (H, V + 1 + H),
        "layers.1.W": (H, 2 * H + 1 + H),
        "layers.1.reverse.W": (H, 2 * H + 1 + H),
        "head.W": (C, 1 + 2 * H),
    }


def test_a_model_of_text_reads_in_one_direction():
    with pytest.raises(ConfigError, match="one direction"):
        Architecture(cell="gru", hidden_size=H, directions=2)


def test_learned_columns_are_those_of_both_directions():
    model = make(cell="rnn", hidden_size=H)
    h, x = slice(V + 1, V + 1 + H), slice(0, 2 * H)
    assert model.hidden_columns == {
        "layers.0.W": (h,),
        "layers.0.reverse.W": (h,),
        "layers.1.W": (x, slice(2 * H + 1, 3 * H + 1)),
        "layers.1.reverse.W": (x, slice(2 * H + 1, 3 * H + 1)),
    }


def test_members_of_labels_predict_by_the_mean_of_their_logits():
    model = make("item", members=2)
    ids, *_ = batch("item")
    logits, _ = model.forward(ids, model.zero_state(N), lengths=LENGTHS)
    alone = []
    for member in (0, 1):
        single = make("item")
        prefix = f"members.{member}."
        single.parameters.fill(
            {name: model.parameters[prefix + name] for name in single.parameters}
        )
        alone.append(single.forward(ids, single.zero_state(N), lengths=LENGTHS)[0])
    np.testing.assert_allclose(logits, np.mean(alone, axis=0), rtol=1e-12)


def test_parameters_are_views_of_one_vector():
    model = make("item")
    assert isinstance(model.parameters, Parameters)
    assert all(
        np.shares_memory(view, model.parameters.vector) for view in model.parameters.values()
    )
