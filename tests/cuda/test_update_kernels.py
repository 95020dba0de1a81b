"""The kernels of optimizers beside ``charrnn.optimizers`` in float64."""

from functools import partial

import numpy as np
import pytest
from emulator.faults import assert_caught, run_check
from emulator.numbers import near

from charrnn.optimizers import OPTIMIZERS
from charrnn.optimizers.muon import COEFFICIENTS

KINDS = ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
P, MAX_NORM, MEMBERS = 50, 2.0, 2
RATES = [0.1, 0.03, 0.2]


class Steps:
    """The chunk of a run: control, results and what a step is judged by."""

    def __init__(self, backend, first=3):
        self.backend = backend
        self.control = backend.array([first, 0, 0, 0], np.int32)
        self.results = backend.poisoned((len(RATES), 4))
        self.rates = backend.array(RATES, np.float32)
        self.factors = backend.poisoned(4)

    def judge(self, nats, squares):
        sums = (self.backend.array([value], np.float32) for value in (nats, squares))
        own = self.results, self.control, self.factors, self.rates
        self.backend.launch("judge", 1, 1, *own, *sums, MEMBERS, MAX_NORM)

    def advance(self):
        self.backend.launch("advance", 1, 1, self.control, self.results)


def check_optimizer(backend, kind, decay=0.1):
    rng = np.random.default_rng(0)
    optimizer = OPTIMIZERS[kind](rng.standard_normal(P), np.empty(P), weight_decay=decay)
    theta = backend.array(optimizer.theta, np.float32)
    slots = [backend.zeros(P) if name else None for name in (*optimizer.slots, "", "")[:2]]
    steps = Steps(backend)
    for index, rate in enumerate(RATES):
        grad = rng.standard_normal(P)
        norm = np.sqrt((grad**2).sum())
        optimizer.grad[...] = grad
        optimizer.update(
            slice(0, P), learning_rate=rate, step=3 + index, scale=min(1, MAX_NORM / norm)
        )
        steps.judge(7.0 + index, MEMBERS * norm**2)
        args = theta, backend.array(grad, np.float32), *slots, steps.control, steps.factors
        grid = -(-P // 32)
        backend.launch("update", grid, 32, *args, KINDS.index(kind), decay, P)
        near(theta, optimizer.theta, 1e-5)
        near(steps.results[index], [(7 + index) / MEMBERS, norm, 1, 1])
        steps.advance()
    for slot, state in zip(slots, optimizer.state.values(), strict=False):
        near(slot, state, 1e-5)
    assert list(steps.control) == [6, 3, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_updates_are_those_of_the_optimizer(kind):
    run_check(partial(check_optimizer, kind=kind))


def check_halt(backend):
    """A step whose loss or norm is not finite changes nothing, nor does a step after it."""
    for nats, squares in ((np.nan, 1.0), (1.0, np.inf)):
        steps = Steps(backend)
        theta, grad = backend.array(np.ones(P), np.float32), backend.array(np.ones(P), np.float32)
        state, last = backend.zeros(P), backend.array(np.ones(P), np.float32)
        rows, kept = backend.array([1], np.int32), backend.zeros((1, 5))
        for sums in ((nats, squares), (1.0, 1.0)):
            steps.judge(*sums)
            args = theta, grad, None, None, steps.control, steps.factors, 0, 0.0, P
            backend.launch("update", 2, 32, *args)
            backend.launch("carry", 2, 32, state, last, steps.control, P)
            backend.launch("keep_rows", 1, 32, theta, kept, rows, steps.control, 1, 5)
            steps.advance()
        assert (theta == 1).all()
        assert (state == 0).all()
        assert list(steps.control) == [3, 0, 1, 0]
        assert steps.results[0, 2] == 0
        assert np.isnan(steps.results[1:]).all()


def check_soundness(backend):
    """A weight that is no number a model can have ends the chunk, and the step says so."""
    steps = Steps(backend)
    theta = backend.array(np.r_[np.zeros(P - 1), 2e6], np.float32)
    steps.judge(1.0, 1.0)
    args = theta, backend.zeros(P), None, None, steps.control, steps.factors, 0, 0.0, P
    backend.launch("update", 2, 32, *args)
    steps.advance()
    assert list(steps.control) == [3, 0, 1, 1]
    assert list(steps.results[0]) == [0.5, np.float32(np.sqrt(0.5)), 1, 0]


def check_kept_rows(backend):
    control = backend.zeros(4, np.int32)
    theta, kept = backend.zeros((6, 5)), backend.array(np.arange(1, 11).reshape(2, 5), np.float32)
    rows = backend.array([1, 4], np.int32)
    backend.launch("keep_rows", 1, 32, theta, kept, rows, control, 2, 5)
    assert (theta[[1, 4]] == kept).all()
    assert np.count_nonzero(theta) == 10


ROWS, K, R = np.array([5, 3], np.int32), 7, 5
"""Two pieces of a matrix, of which the second has fewer rows; R rows in each as multiplied."""


def pieces(backend, turned):
    """first, rows and the shape of a piece as it is multiplied."""
    first = backend.array([2, 2 + ROWS[0] * K], np.int64)
    return first, backend.array(ROWS), (K, R) if turned else (R, K)


def check_momentum(backend, turned):
    rng = np.random.default_rng(0)
    size = 2 + ROWS.sum() * K
    m, grad = rng.standard_normal((2, size))
    first, rows, (tall, wide) = pieces(backend, turned)
    x, own = backend.poisoned((2, tall, wide)), backend.array(m, np.float32)
    control, factors = backend.zeros(4, np.int32), backend.array([0.5, 0, 0, 0], np.float32)
    given = backend.array(grad, np.float32), first, rows, control, factors
    backend.launch("momentum", 2, 1024, x, own, *given, int(turned), K, tall, wide)
    wanted = m.copy()
    wanted[2:] = 0.9 * m[2:] + 0.5 * grad[2:]
    near(own, wanted)
    for piece, at in enumerate(first):
        part = slice(at, at + ROWS[piece] * K)
        ahead = (0.9 * wanted[part] + 0.5 * grad[part]).reshape(-1, K)
        ahead = np.pad(ahead / np.linalg.norm(ahead), ((0, R - len(ahead)), (0, 0)))
        near(x[piece], ahead.T if turned else ahead)


def check_factors(backend):
    a, b, c = COEFFICIENTS
    x = np.random.default_rng(0).standard_normal((2, R, K))
    x[1] = 0  # a gradient of zeros
    A = x @ x.transpose(0, 2, 1)
    square = A @ A
    top = np.maximum(np.linalg.norm(square, axis=(1, 2)) ** 0.5, 1e-12)
    given, of_square = backend.array(A, np.float32), backend.array(square, np.float32)
    factor, tops = backend.poisoned((2, R, R)), backend.poisoned(2)
    backend.launch("first_factor", 2, 1024, given, of_square, factor, tops, R)
    near(tops, top, 1e-5)
    A, square = A / top[:, None, None], square / top[:, None, None] ** 2
    wanted = a * np.eye(R) + b * A + c * square
    near(given, A)
    near(factor, wanted, 1e-5)
    again = backend.poisoned(factor.shape)
    args = again, given, backend.array(square, np.float32), R, again.size
    backend.launch("next_factor", -(-again.size // 32), 32, *args)
    near(again, wanted, 1e-5)


def check_turned_weights(backend, turned):
    rng = np.random.default_rng(0)
    first, rows, (tall, wide) = pieces(backend, turned)
    theta, top = rng.standard_normal(2 + ROWS.sum() * K), np.array([0.5, 2.0])
    x = rng.standard_normal((2, tall, wide))
    own, control = backend.array(theta, np.float32), backend.zeros(4, np.int32)
    factors = backend.array([1, 0.1, 0, 0], np.float32)
    given = backend.array(x, np.float32), backend.array(top, np.float32), first, rows, control
    sizes = int(turned), 0.2, K, tall, wide
    backend.launch("turn_weights", (2, 2), 32, own, *given, factors, *sizes)
    wanted = theta.copy()
    for piece, at in enumerate(first):
        turn = (x[piece].T if turned else x[piece])[: ROWS[piece]]
        part = slice(at, at + turn.size)
        step = 0.1 * 0.12 * max(turn.shape) ** 0.5 * turn.reshape(-1) * top[piece] ** -0.5
        wanted[part] = theta[part] * (1 - 0.1 * 0.2) - step
    near(own, wanted)
    assert (control == 0).all()


CHECKS = {
    "halt": check_halt,
    "soundness": check_soundness,
    "kept rows": check_kept_rows,
    "ahead": partial(check_momentum, turned=False),
    "ahead, turned": partial(check_momentum, turned=True),
    "factors": check_factors,
    "weights": partial(check_turned_weights, turned=False),
    "weights, turned": partial(check_turned_weights, turned=True),
    **{kind: partial(check_optimizer, kind=kind) for kind in KINDS},
}


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in KINDS])
def test_steps_and_their_parts(name):
    run_check(CHECKS[name])


FAULTS = [
    ("updates.cu", "adamw", "if (kind == 6) x *=", "if (kind == 5) x *="),
    ("updates.cu", "adam", "(1 - pow(0.99, step)));", "(1 - pow(0.9, step)));"),
    ("updates.cu", "nesterov", "kind == 1 ? velocity", "kind == 2 ? velocity"),
    ("updates.cu", "sgd", "norm > max_norm ? max_norm / norm", "norm > max_norm ? norm / max_norm"),
    ("updates.cu", "halt", "isfinite(loss) && isfinite(norm)", "isfinite(loss)"),
    ("updates.cu", "soundness", "!(fabsf(x) <= 1e6f)", "fabsf(x) != fabsf(x)"),
    ("muon.cu", "ahead", "    __syncthreads();\n    s = rsqrtf", "    s = rsqrtf"),
    (
        "muon.cu",
        "ahead, turned",
        "(i % K) * C + i / K : (long long)(i / K) * C + i % K)] =",
        "(i % K) * R + i / K : (long long)(i / K) * C + i % K)] =",
    ),
    ("muon.cu", "factors", "    __syncthreads();\n    float t =", "    float t ="),
    ("muon.cu", "weights", "max(rows[piece], K)", "rows[piece]"),
]


@pytest.mark.parametrize(("file", "name", "old", "new"), FAULTS)
def test_faults_are_found(file, name, old, new):
    assert_caught(CHECKS[name], file, old, new)
