"""The kinds of recurrent layers that the tests run over, and what a step of each computes.

A new cell has one entry here, in ``NAIVE``: its equations, written once more and for one stream.
"""

import numpy as np

from charrnn.config import WINDOWED, Architecture
from charrnn.nn.cells import CELLS

KINDS = {
    **{cell: {"cell": cell, "context": 3 if cell in WINDOWED else 0} for cell in CELLS},
    "relu": {"cell": "rnn", "nonlinearity": "relu"},
}
"""Settings by kind: every cell, and the other squashing function."""
RECURRENT = [kind for kind, settings in KINDS.items() if not settings.get("context")]
"""The kinds with recurrent weights."""


def make(kind, input_size, hidden_size, **settings):
    """A layer of a kind without weights."""
    architecture = Architecture(**KINDS[kind], hidden_size=hidden_size, **settings)
    return CELLS[architecture.cell](input_size, architecture)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unpack(layer):
    """Each gate's Wx (H, D), b (H,) and Wh (H, R), in the order of the rows."""
    D, H = layer.input_size, layer.hidden_size
    for gate in range(layer.gates):
        rows = layer.W[gate * H : (gate + 1) * H]
        yield rows[:, :D].copy(), rows[:, D].copy(), rows[:, D + 1 :].copy()


def naive_rnn(layer, x, h, squash=np.tanh):
    ((Wx, b, Wh),) = unpack(layer)
    return (squash(Wx @ x + b + Wh @ h),)


def naive_lstm(layer, x, h, c):
    o, i, f, g = (Wx @ x + b + Wh @ h for Wx, b, Wh in unpack(layer))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def naive_gru(layer, x, h):
    (Wxr, br, Whr), (Wxu, bu, Whu), (Wxn, bn, Whn) = unpack(layer)
    r = sigmoid(Wxr @ x + br + Whr @ h)
    u = sigmoid(Wxu @ x + bu + Whu @ h)
    n = np.tanh(Wxn @ x + bn + r * (Whn @ h + layer.b_n))
    return ((1 - u) * n + u * h,)


def naive_window(layer, x, past):
    """``past`` (R,) are the inputs before, the oldest first."""
    D, inputs = len(x), [*np.split(past, layer.context - 1), x]
    # W_0 stands in front of the bias, and the oldest input has the first columns behind it.
    weights = [*np.split(layer.W[:, D + 1 :], layer.context - 1, axis=1), layer.W[:, :D]]
    z = layer.W[:, D].copy()
    for W, read in zip(weights, inputs, strict=True):
        z += W @ read
    return np.tanh(z), np.concatenate(inputs[1:])


def naive_bag(layer, x, past):
    D, inputs = len(x), [*np.split(past, layer.context - 1), x]
    return np.tanh(layer.W[:, :D] @ sum(inputs) + layer.W[:, D]), np.concatenate(inputs[1:])


NAIVE = {
    "rnn": naive_rnn,
    "relu": lambda layer, x, h: naive_rnn(layer, x, h, lambda z: z * (z > 0)),
    "lstm": naive_lstm,
    "gru": naive_gru,
    "window": naive_window,
    "bag": naive_bag,
}
"""By kind, a function of the layer, x (D,) and each state array (R,) to these after the step; in
front of them the output, where it is not the first of them."""
