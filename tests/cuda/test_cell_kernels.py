"""The steps of recurrent layers: values and all gradients beside ``charrnn.nn`` in float64.

The layer of ``nn`` has an identity as its input weights, so that the gradient of its input is that
of the gates.
"""

from functools import partial

import numpy as np
import pytest
from cells import make
from emulator.faults import assert_caught, run_check
from emulator.numbers import bf16, near
from gradcheck import random_weights

N, H, BLOCK = 5, 7, 32
GRID = -(-N * H // BLOCK)
KINDS = {"lstm": "lstm", "gru": "gru", "rnn": "rnn", "relu": "rnn"}


class Step:
    """A step of a layer in float64; arrays are (N, F), as on the GPU."""

    def __init__(self, kind):
        rng = np.random.default_rng(0)
        gates = {"lstm": 4, "gru": 3}.get(kind, 1)
        layer = make(kind, gates * H, H)
        values, grads = random_weights(layer, rng)
        layer.W[:, : gates * H] = np.eye(gates * H)
        x = rng.uniform(-1, 1, (1, gates * H, N))
        state = rng.uniform(-1, 1, (*layer.state_shape, N))
        dy, self.dafter = rng.uniform(-1, 1, (1, H, N)), rng.uniform(-1, 1, state.shape)
        self.Wh = layer.Wh.copy()
        self.b, self.b_n = layer.b.copy(), values.get("b_n")
        y, after = layer.forward(x, state)
        self.x, self.y, self.state, self.after = x[0].T, y[0].T, state, after.copy()
        dx, self.dstate = layer.backward(dy, self.dafter.copy())
        self.dy, self.dz = dy[0].T, dx[0].T
        self.db_n = grads.get("b_n")
        self.recurrent = state[0].T @ self.Wh.T  # (N, G H)


def arrays(backend, *values):
    return [backend.array(np.ascontiguousarray(value), np.float32) for value in values]


def shadows(backend, *arrays_, given):
    return [backend.poisoned(array.shape, np.uint16) if given else None for array in arrays_]


def assert_shadows(*pairs):
    for shadow, array in pairs:
        assert shadow is None or (shadow == bf16(array)).all()


def check_lstm(backend, given):
    s = Step("lstm")
    z, b, c_prev = arrays(backend, s.x + s.recurrent, s.b, s.state[1].T)
    c, h = backend.poisoned((N, H)), backend.poisoned((N, H))
    (shadow,) = shadows(backend, h, given=given)
    backend.launch("lstm_forward", GRID, BLOCK, z, b, c_prev, c, h, shadow, N, H)
    near(h, s.y)
    near(c, s.after[1].T)
    assert_shadows((shadow, h))
    dy, dh, dc = arrays(backend, s.dy, s.dafter[0].T, s.dafter[1].T)
    (shadow,) = shadows(backend, z, given=given)
    backend.launch("lstm_backward", GRID, BLOCK, z, shadow, c_prev, c, dy, dh, dc, N, H)
    near(z, s.dz)
    near(dc, s.dstate[1].T)
    near(z @ s.Wh, s.dstate[0].T)
    assert_shadows((shadow, z))


def check_gru(backend, given):
    s = Step("gru")
    z, b, zh, b_n, h_prev = arrays(backend, s.x, s.b, s.recurrent, s.b_n, s.state[0].T)
    h, nh = backend.poisoned((N, H)), backend.poisoned((N, H))
    (shadow,) = shadows(backend, h, given=given)
    backend.launch("gru_forward", GRID, BLOCK, z, b, zh, b_n, h_prev, h, shadow, nh, N, H)
    near(h, s.y)
    assert_shadows((shadow, h))
    dy, dh = arrays(backend, s.dy, s.dafter[0].T)
    dzh = backend.poisoned((N, 3 * H))
    of_z, of_dzh = shadows(backend, z, dzh, given=given)
    out = z, of_z, dzh, of_dzh
    backend.launch("gru_backward", GRID, BLOCK, *out, nh, h_prev, dy, dh, N, H)
    near(z, s.dz)
    near(dzh[:, 2 * H :].sum(axis=0), s.db_n)
    near(dh + dzh @ s.Wh, s.dstate[0].T)
    assert_shadows((of_z, z), (of_dzh, dzh))


def check_rnn(backend, given, kind="rnn"):
    s, relu = Step(kind), int(kind == "relu")
    z, b = arrays(backend, s.x + s.recurrent, s.b)
    h = backend.poisoned((N, H))
    (shadow,) = shadows(backend, h, given=given)
    backend.launch("rnn_forward", GRID, BLOCK, z, b, h, shadow, relu, N, H)
    near(h, s.y)
    assert_shadows((shadow, h))
    dy, dh = arrays(backend, s.dy, s.dafter[0].T)
    (shadow,) = shadows(backend, z, given=given)
    backend.launch("rnn_backward", GRID, BLOCK, z, shadow, h, dy, dh, relu, N, H)
    near(z, s.dz)
    near(z @ s.Wh, s.dstate[0].T)
    assert_shadows((shadow, z))


CHECKS = {
    "lstm": check_lstm,
    "gru": check_gru,
    "rnn": check_rnn,
    "relu": partial(check_rnn, kind="relu"),
}


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("given", [False, True], ids=["float32", "bf16"])
def test_steps_are_those_of_nn(kind, given):
    run_check(partial(CHECKS[kind], given=given))


FAULTS = [
    ("lstm", "i * g + f * c_prev[at]", "i * g + o * c_prev[at]"),
    ("lstm", "f = gates[2 * H], g = gates[3 * H];", "g = gates[2 * H], f = gates[3 * H];"),
    ("lstm", "dc[at] + y * o", "y * o"),
    ("lstm", "dc[at] = d * f", "dc[at] = d"),
    ("gru", "r * m);\n    float h_new", "m);\n    float h_new"),
    ("gru", "out[2 * H] = dn * r;", "out[2 * H] = dn;"),
    (
        "gru",
        "dzh_shadow[first + 2 * H] = to_bf16(dn * r)",
        "dzh_shadow[first + H] = to_bf16(dn * r)",
    ),
    ("gru", "y * u;", "y * (1 - u);"),
    ("relu", "a > 0 ? y : 0.0f", "y"),
    ("rnn", "z[at] + b[at % H]", "z[at] + b[at / H]"),
]


@pytest.mark.parametrize(("kind", "old", "new"), FAULTS)
def test_faults_are_found(kind, old, new):
    assert_caught(partial(CHECKS[kind], given=True), "cells.cu", old, new)
