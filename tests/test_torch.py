"""Agreement with PyTorch, where it is installed: values, gradients, optimizers.

The weights are carried over gate by gate. PyTorch keeps two biases where one does: of the second,
only the GRU's third gate is another parameter, ``b_n``.
"""

import numpy as np
import pytest

from charrnn.config import Architecture
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters
from charrnn.optimizers import OPTIMIZERS, hidden_rows
from charrnn.optimizers.muon import RMS

torch = pytest.importorskip("torch")

KINDS = {
    "rnn": ({"cell": "rnn"}, lambda D, H, L: torch.nn.RNN(D, H, L)),
    "relu": (
        {"cell": "rnn", "nonlinearity": "relu"},
        lambda D, H, L: torch.nn.RNN(D, H, L, nonlinearity="relu"),
    ),
    "lstm": ({"cell": "lstm"}, lambda D, H, L: torch.nn.LSTM(D, H, L)),
    "gru": ({"cell": "gru"}, lambda D, H, L: torch.nn.GRU(D, H, L)),
}
# The gate of ours that stands at each place of theirs: i, f, g, o out of o, i, f, g.
ORDER = {"rnn": [0], "relu": [0], "lstm": [1, 2, 3, 0], "gru": [0, 1, 2]}
EACH = pytest.mark.parametrize("name", KINDS)
EACH_DEPTH = pytest.mark.parametrize("num_layers", [1, 2])
V, D, H, T, N = 9, 4, 6, 7, 5


def theirs(ours, name):
    """Rows of gates in PyTorch's order."""
    gates = np.split(ours, len(ORDER[name]))
    return torch.from_numpy(np.concatenate([gates[gate] for gate in ORDER[name]]))


def from_ids(array):
    return torch.from_numpy(array.astype(np.int64))


def pair(name, num_layers, embedding_size=D, dtype=np.float64):
    """Our model and PyTorch's parts with the same random weights."""
    settings, make = KINDS[name]
    config = Architecture(
        **settings,
        num_layers=num_layers,
        hidden_size=H,
        embedding_size=embedding_size,
    )
    model = CharModel(config, V, dtype=dtype)
    rng = np.random.default_rng(num_layers)
    model.parameters.vector[...] = rng.uniform(-0.6, 0.6, model.num_parameters)
    torch_type = {np.float64: torch.float64, np.float32: torch.float32}[dtype]
    stack = make(embedding_size or V, H, num_layers).to(torch_type)
    head = torch.nn.Linear(H, V).to(torch_type)
    with torch.no_grad():
        for index, layer in enumerate(model.layers):
            getattr(stack, f"weight_ih_l{index}").copy_(theirs(layer.Wx, name))
            getattr(stack, f"weight_hh_l{index}").copy_(theirs(layer.Wh, name))
            getattr(stack, f"bias_ih_l{index}").copy_(theirs(layer.b, name))
            second = getattr(stack, f"bias_hh_l{index}")
            second.zero_()
            if name == "gru":
                second[2 * H :].copy_(torch.from_numpy(layer.b_n))
        head.weight.copy_(torch.from_numpy(model.parameters["head.W"][:, 1:].copy()))
        head.bias.copy_(torch.from_numpy(model.parameters["head.W"][:, 0].copy()))
    return model, stack, head


def window(model):
    rng = np.random.default_rng(3)
    ids = rng.integers(0, V, (T + 1, N)).astype(np.uint8)
    state = model.zero_state(N)
    state[...] = rng.uniform(-1, 1, state.shape)
    return ids[:-1], ids[1:], state


def their_state(state, name):
    """(L, S, H, N) -> h, or h and c, each (L, N, H)."""
    arrays = [
        torch.from_numpy(np.ascontiguousarray(state[:, s].transpose(0, 2, 1)))
        for s in range(state.shape[1])
    ]
    return tuple(arrays) if name == "lstm" else arrays[0]


def run_theirs(stack, head, name, x, state, targets):
    y, after = stack(x, their_state(state, name))
    logits = head(y)
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(T * N, V), from_ids(targets.reshape(-1))
    )
    return logits, after if name == "lstm" else (after,), loss


@EACH
@EACH_DEPTH
def test_values(name, num_layers):
    model, stack, head = pair(name, num_layers)
    ids, targets, state = window(model)
    E = torch.from_numpy(model.parameters["encoder.E"])
    wanted, wanted_after, loss = run_theirs(stack, head, name, E[from_ids(ids)], state, targets)
    logits, after = model.forward(ids, state)
    wanted = wanted.detach().numpy().reshape(T * N, V).T
    np.testing.assert_allclose(logits, wanted, atol=1e-13)
    for s, array in enumerate(wanted_after):
        np.testing.assert_allclose(
            after[:, s].transpose(0, 2, 1), array.detach().numpy(), atol=1e-13
        )
    nats, _ = cross_entropy_(logits, targets.reshape(-1))
    assert nats.mean() == pytest.approx(loss.item(), rel=1e-13)


@EACH
def test_values_of_one_hot_input_in_float32(name):
    model, stack, head = pair(name, 2, embedding_size=0, dtype=np.float32)
    ids, targets, state = window(model)
    x = torch.nn.functional.one_hot(from_ids(ids), V).to(torch.float32)
    wanted, _, _ = run_theirs(stack, head, name, x, state, targets)
    logits, _ = model.forward(ids, state)
    np.testing.assert_allclose(
        logits, wanted.detach().numpy().reshape(T * N, V).T, rtol=1e-4, atol=1e-5
    )


@EACH
@EACH_DEPTH
def test_gradients_of_all_weights(name, num_layers):
    model, stack, head = pair(name, num_layers)
    ids, targets, state = window(model)
    E = torch.from_numpy(model.parameters["encoder.E"].copy()).requires_grad_()
    *_, loss = run_theirs(stack, head, name, E[from_ids(ids)], state, targets)
    loss.backward()
    total, _ = model.loss_and_gradient(ids, targets, state, predictions=T * N)
    assert total / (T * N) == pytest.approx(loss.item(), rel=1e-13)

    def same(ours, gradient):
        assert np.abs(ours).max() > 1e-6
        np.testing.assert_allclose(ours, gradient.numpy(), atol=1e-14)

    same(model.grads["encoder.E"], E.grad)
    same(model.grads["head.W"][:, 1:], head.weight.grad)
    same(model.grads["head.W"][:, 0], head.bias.grad)
    for index, layer in enumerate(model.layers):
        K = layer.input_size
        dWx, db, dWh = layer.dW[:, :K], layer.dW[:, K], layer.dW[:, K + 1 :]
        same(theirs(dWx, name).numpy(), getattr(stack, f"weight_ih_l{index}").grad)
        same(theirs(dWh, name).numpy(), getattr(stack, f"weight_hh_l{index}").grad)
        same(theirs(db, name).numpy(), getattr(stack, f"bias_ih_l{index}").grad)
        if name == "gru":
            same(layer.db_n, getattr(stack, f"bias_hh_l{index}").grad[2 * H :])


@EACH
def test_gradients_of_input_and_state(name):
    model, stack, _ = pair(name, 1)
    layer, rng = model.layers[0], np.random.default_rng(0)
    x = rng.uniform(-1, 1, (T, D, N))
    state = rng.uniform(-1, 1, (len(layer.states), H, N))
    dy = rng.uniform(-1, 1, (T, H, N))
    dafter = rng.uniform(-1, 1, state.shape)
    layer.forward(x, state)
    dx, dstate = layer.backward(dy, dafter)
    their_x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1))).requires_grad_()
    before = [
        torch.from_numpy(np.ascontiguousarray(array.T)[np.newaxis]).requires_grad_()
        for array in state
    ]
    y, after = stack(their_x, tuple(before) if name == "lstm" else before[0])
    loss = (y * torch.from_numpy(dy.transpose(0, 2, 1).copy())).sum()
    for array, gradient in zip(after if name == "lstm" else (after,), dafter, strict=True):
        loss = loss + (array[0] * torch.from_numpy(gradient.T.copy())).sum()
    loss.backward()
    np.testing.assert_allclose(dx.transpose(0, 2, 1), their_x.grad.numpy(), atol=1e-13)
    for gradient, array in zip(dstate, before, strict=True):
        np.testing.assert_allclose(gradient.T, array.grad.numpy()[0], atol=1e-13)


THEIR_OPTIMIZERS = {
    "sgd": lambda p, **kw: torch.optim.SGD(p, **kw),
    "momentum": lambda p, **kw: torch.optim.SGD(p, momentum=0.9, **kw),
    "nesterov": lambda p, **kw: torch.optim.SGD(p, momentum=0.9, nesterov=True, **kw),
    "adagrad": lambda p, **kw: torch.optim.Adagrad(p, **kw),
    "rmsprop": lambda p, **kw: torch.optim.RMSprop(p, **kw),
    "adam": lambda p, **kw: torch.optim.Adam(p, betas=(0.9, 0.99), **kw),
    "adamw": lambda p, **kw: torch.optim.AdamW(p, betas=(0.9, 0.99), **kw),
}


@pytest.mark.parametrize("name", THEIR_OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("learning_rate", [0.001, 0.1])
def test_optimizers_over_20_steps(name, weight_decay, learning_rate):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(50)
    parameter = torch.nn.Parameter(torch.from_numpy(theta.copy()))
    optimizer = THEIR_OPTIMIZERS[name]([parameter], lr=learning_rate, weight_decay=weight_decay)
    grad = np.empty(50)
    ours = OPTIMIZERS[name](theta, grad, weight_decay=weight_decay)
    for step in range(1, 21):
        # Of very different sizes, one exactly zero.
        given = rng.standard_normal(50) * 10.0 ** rng.integers(-6, 2, 50)
        given[7] = 0
        grad[...] = given
        ours.update(slice(0, 50), learning_rate=learning_rate, step=step)
        parameter.grad = torch.from_numpy(given)
        optimizer.step()
        np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-11, atol=1e-13)


def test_muon_turns_a_matrix_where_theirs_does():
    # Not to the digit: theirs computes in bfloat16, in five steps from a smaller start.
    R, K, rate = 60, 90, 0.01
    rng = np.random.default_rng(0)
    parameters = Parameters({"W": (R, K)}, np.float32)
    parameters["W"][...] = rng.standard_normal((R, K))
    grad = np.empty(R * K, np.float32)
    rows = hidden_rows(parameters, {"W": (slice(0, K),)})
    ours = OPTIMIZERS["muon"](parameters.vector, grad, rows=rows, weight_decay=0.1)
    parameter = torch.nn.Parameter(torch.from_numpy(parameters["W"].copy()))
    theirs = torch.optim.Muon(
        [parameter], rate * RMS / 0.2, 0.1 * 0.2 / RMS, 0.9, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(1, 5):
        before = parameters["W"].copy(), parameter.detach().numpy().copy()
        given = rng.standard_normal((R, K)) + 1
        grad[...] = given.ravel()
        parameter.grad = torch.from_numpy(given.astype(np.float32))
        ours.update(slice(0, R * K), learning_rate=rate, step=step)
        theirs.step()
        one, other = parameters["W"] - before[0], parameter.detach().numpy() - before[1]
        cosine = (one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other))
        assert cosine > 0.95
        assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(other), rel=0.1)


@EACH
def test_a_clipped_training_step(name):
    model, stack, head = pair(name, 2)
    ids, targets, state = window(model)
    E = torch.nn.Parameter(torch.from_numpy(model.parameters["encoder.E"].copy()))
    optimizer = torch.optim.Adam(
        [E, *stack.parameters(), *head.parameters()], lr=0.01, betas=(0.9, 0.99)
    )
    ours = OPTIMIZERS["adam"](model.parameters.vector, model.grads.vector)
    P = model.num_parameters
    # One bias has two gradients there: the second stays out of the norm and of the step.
    second = [getattr(stack, f"bias_hh_l{index}") for index in range(2)]
    for step in range(1, 4):
        *_, loss = run_theirs(stack, head, name, E[from_ids(ids)], state, targets)
        optimizer.zero_grad()
        loss.backward()
        for bias in second:
            bias.grad[: 2 * H if name == "gru" else None] = 0
        norm = torch.nn.utils.clip_grad_norm_([E, *stack.parameters(), *head.parameters()], 0.05)
        optimizer.step()
        model.loss_and_gradient(ids, targets, state, predictions=T * N)
        our_norm = np.linalg.norm(model.grads.vector)
        assert our_norm == pytest.approx(norm.item(), rel=1e-8)
        assert our_norm > 0.05
        ours.update(slice(0, P), learning_rate=0.01, step=step, scale=0.05 / our_norm)
        np.testing.assert_allclose(
            model.parameters["encoder.E"], E.detach().numpy(), rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(
            theirs(model.layers[1].Wh, name).numpy(),
            stack.weight_hh_l1.detach().numpy(),
            rtol=1e-4,
            atol=1e-6,
        )


@EACH
@EACH_DEPTH
def test_both_directions_are_those_of_packed_sequences(name, num_layers):
    settings, _ = KINDS[name]
    config = Architecture(
        **settings,
        num_layers=num_layers,
        hidden_size=H,
        embedding_size=D,
        directions=2,
        head="item",
        num_labels=3,
    )
    model = CharModel(config, V, dtype=np.float64)
    rng = np.random.default_rng(num_layers)
    model.parameters.vector[...] = rng.uniform(-0.6, 0.6, model.num_parameters)
    kind = torch.nn.RNN if name == "relu" else getattr(torch.nn, name.upper())
    extra = {"nonlinearity": "relu"} if name == "relu" else {}
    stack = kind(D, H, num_layers, bidirectional=True, dtype=torch.float64, **extra)
    with torch.no_grad():
        for index, layer in enumerate(model.layers):
            suffix = f"l{index // 2}" + "_reverse" * (index % 2)
            getattr(stack, f"weight_ih_{suffix}").copy_(theirs(layer.Wx, name))
            getattr(stack, f"weight_hh_{suffix}").copy_(theirs(layer.Wh, name))
            getattr(stack, f"bias_ih_{suffix}").copy_(theirs(layer.b, name))
            second = getattr(stack, f"bias_hh_{suffix}")
            second.zero_()
            if name == "gru":
                second[2 * H :].copy_(torch.from_numpy(layer.b_n))
    lengths = np.array([2, 3, 3, 5, 7])
    ids = rng.integers(0, V, (T, N))
    logits, _ = model.forward(ids, model.zero_state(N), lengths=lengths)
    x = torch.from_numpy(model.parameters["encoder.E"].copy())[from_ids(ids)]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.from_numpy(lengths), enforce_sorted=False
    )
    _, last = stack(packed)
    last = last[0] if name == "lstm" else last
    ends = torch.cat([last[-2], last[-1]], dim=1).detach().numpy()
    W = model.parameters["head.W"]
    np.testing.assert_allclose(logits, W[:, :1] + W[:, 1:] @ ends.T, rtol=1e-9, atol=1e-12)
