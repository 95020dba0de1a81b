"""Optimisers and learning-rate schedules: steps worked out by hand, slices, ends of schedules."""

from itertools import pairwise
from math import sqrt
from typing import get_args

import numpy as np
import pytest

from charrnn.config import OptimizerName, ScheduleName
from charrnn.optimizers import BLOCK, OPTIMIZERS, blocks, learning_rate_factor
from charrnn.optimizers.elementwise import Adam, AdamW

EACH = pytest.mark.parametrize("name", OPTIMIZERS)
EACH_SCHEDULE = pytest.mark.parametrize("schedule", get_args(ScheduleName))


def run(name, theta, grads, *, learning_rate, weight_decay=0.0, dtype=np.float64, scale=1.0):
    """The parameters after each step."""
    theta = np.array(theta, dtype)
    grad = np.zeros_like(theta)
    optimizer = OPTIMIZERS[name](theta, grad, weight_decay=weight_decay)
    seen = []
    for step, given in enumerate(grads, 1):
        grad[...] = given
        optimizer.update(slice(0, theta.size), learning_rate=learning_rate, step=step, scale=scale)
        seen.append(theta.copy())
    return seen


def test_the_names_are_those_of_the_setting():
    assert tuple(OPTIMIZERS) == get_args(OptimizerName)


# By hand: theta = 1, gradients 0.5 and -0.25, learning rate 0.1.
BY_HAND = {
    # 1 - 0.1 * 0.5 = 0.95; + 0.025
    "sgd": (0.95, 0.975),
    # v = 0.5; then 0.45 - 0.25 = 0.2
    "momentum": (0.95, 0.93),
    # 0.5 + 0.9 * 0.5 = 0.95; then -0.25 + 0.9 * 0.2 = -0.07
    "nesterov": (0.905, 0.912),
    # 0.5 / sqrt(0.25) = 1; then -0.25 / sqrt(0.25 + 0.0625)
    "adagrad": (0.9, 0.9 + 0.025 / sqrt(0.3125)),
    # 0.5 / sqrt(0.01 * 0.25) = 10; then -0.25 / sqrt(0.99 * 0.0025 + 0.01 * 0.0625)
    "rmsprop": (0.0, 0.025 / sqrt(0.0031)),
    # Bias-corrected 0.5 / sqrt(0.25) = 1; then m = (0.045 - 0.025) / 0.19,
    # v = (0.99 * 0.0025 + 0.01 * 0.0625) / (1 - 0.99^2)
    "adam": (0.9, 0.9 - 0.1 * (0.02 / 0.19) / sqrt(0.0031 / 0.0199)),
    "adamw": (0.9, 0.9 - 0.1 * (0.02 / 0.19) / sqrt(0.0031 / 0.0199)),
    # Where nothing is a matrix, it is adamw; test_muon.py has the rest.
    "muon": (0.9, 0.9 - 0.1 * (0.02 / 0.19) / sqrt(0.0031 / 0.0199)),
}


@EACH
def test_two_steps_by_hand(name):
    first, second = run(name, [1.0], [[0.5], [-0.25]], learning_rate=0.1)
    assert first[0] == pytest.approx(BY_HAND[name][0], abs=3e-7)  # epsilon of the divisor
    assert second[0] == pytest.approx(BY_HAND[name][1], abs=3e-7)


@EACH
def test_weight_decay_by_hand(name):
    # theta = 2, gradient 0.5, decay 0.25, learning rate 0.1.
    (after,) = run(name, [2.0], [[0.5]], learning_rate=0.1, weight_decay=0.25)
    wanted = {
        "sgd": 2 - 0.1 * 1.0,  # the gradient becomes 0.5 + 0.25 * 2 = 1
        "momentum": 2 - 0.1 * 1.0,
        "nesterov": 2 - 0.1 * 1.9,
        "adagrad": 2 - 0.1,
        "rmsprop": 2 - 1.0,
        "adam": 2 - 0.1,
        "adamw": 2 * (1 - 0.025) - 0.1,  # decoupled
        "muon": 2 * (1 - 0.025) - 0.1,
    }
    assert after[0] == pytest.approx(wanted[name], abs=1e-6)


def test_decay_is_in_the_moments_of_adam_and_not_in_those_of_adamw():
    for kind, momentum in ((Adam, 1.0), (AdamW, 0.5)):
        theta, grad = np.array([2.0]), np.array([0.5])
        optimizer = kind(theta, grad, weight_decay=0.25)
        optimizer.update(slice(0, 1), learning_rate=0.1, step=1)
        assert optimizer.state["m"][0] == pytest.approx(momentum)


@EACH
def test_a_long_run_follows_the_textbook(name):
    rng = np.random.default_rng(0)
    grads = rng.standard_normal((30, 4))
    *_, given = run(name, np.ones(4), grads, learning_rate=0.01, weight_decay=0.1)
    theta = np.ones(4)
    v, s, m, n = np.zeros((4, 4))
    for step, g in enumerate(grads, 1):
        if name in ("adamw", "muon"):
            theta = theta - 0.01 * 0.1 * theta
        else:
            g = g + 0.1 * theta
        if name == "sgd":
            theta = theta - 0.01 * g
        elif name in ("momentum", "nesterov"):
            v = 0.9 * v + g
            theta = theta - 0.01 * (v if name == "momentum" else g + 0.9 * v)
        elif name == "adagrad":
            s = s + g**2
            theta = theta - 0.01 * g / (np.sqrt(s) + 1e-10)
        elif name == "rmsprop":
            s = 0.99 * s + 0.01 * g**2
            theta = theta - 0.01 * g / (np.sqrt(s) + 1e-8)
        else:
            m = 0.9 * m + 0.1 * g
            n = 0.99 * n + 0.01 * g**2
            theta = theta - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(n / (1 - 0.99**step)) + 1e-8)
    np.testing.assert_allclose(given, theta, rtol=1e-12)


@EACH
def test_the_scale_multiplies_the_gradient(name):
    rng = np.random.default_rng(0)
    theta, grads = rng.standard_normal(5), rng.standard_normal((3, 5))
    scaled = run(name, theta, grads, learning_rate=0.1, weight_decay=0.1, scale=0.25)
    plain = run(name, theta, grads * 0.25, learning_rate=0.1, weight_decay=0.1)
    assert (np.array(scaled) == np.array(plain)).all()


@EACH
@pytest.mark.parametrize("border", [1, BLOCK - 1, BLOCK, BLOCK + 3, 2 * BLOCK])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_slices_equal_one(name, border, dtype):
    P = 2 * BLOCK + 7
    rng = np.random.default_rng(0)
    start = rng.standard_normal(P).astype(dtype)
    grads = rng.standard_normal((2, P)).astype(dtype)
    thetas = []
    for parts in ([slice(0, P)], [slice(border, P), slice(0, border)]):
        theta, grad = start.copy(), np.empty(P, dtype)
        optimizer = OPTIMIZERS[name](theta, grad, weight_decay=0.1)
        for step, given in enumerate(grads, 1):
            grad[...] = given
            for part in parts:
                optimizer.update(part, learning_rate=0.01, step=step, scale=0.5)
        thetas.append(theta)
        assert all(vector.shape == (P,) for vector in optimizer.state.values())
        assert all(vector.dtype == dtype for vector in optimizer.state.values())
    assert thetas[0].dtype == dtype
    assert (thetas[0] == thetas[1]).all()
    assert (thetas[0] != start).mean() > 0.999


def test_two_slices_may_be_updated_at_once():
    # Where workers are threads, one is in the middle of its slice while another goes through its.
    class Interrupted(OPTIMIZERS["adagrad"]):
        others = None

        def _accumulate(self, squares, new):
            if self.others is not None:
                part, self.others = self.others, None
                self.update(part, learning_rate=0.1, step=1)
            super()._accumulate(squares, new)

    grad = np.arange(1.0, 9.0)
    alone, together = np.ones(8), np.ones(8)
    OPTIMIZERS["adagrad"](alone, grad.copy()).update(slice(0, 8), learning_rate=0.1, step=1)
    optimizer = Interrupted(together, grad.copy())
    optimizer.others = slice(4, 8)
    optimizer.update(slice(0, 4), learning_rate=0.1, step=1)
    assert (together == alone).all()
    sums = optimizer.state["sum_of_squares"]
    assert (sums == grad**2).all()


@EACH
def test_nothing_outside_the_slice_is_touched(name):
    P = BLOCK + 100
    part, outside = slice(50, BLOCK + 20), np.r_[0:50, BLOCK + 20 : P]
    theta, grad = np.ones(P, np.float32), np.full(P, 0.5, np.float32)
    optimizer = OPTIMIZERS[name](theta, grad, weight_decay=0.1)
    optimizer.update(part, learning_rate=0.1, step=1, scale=0.5)
    assert (theta[part] != 1).all()
    assert (theta[outside] == 1).all()
    assert (grad[outside] == 0.5).all()
    for vector in optimizer.state.values():
        assert (vector[part] != 0).all()
        assert (vector[outside] == 0).all()


@EACH
def test_an_empty_slice_is_allowed(name):
    theta = np.ones(5, np.float32)
    optimizer = OPTIMIZERS[name](theta, np.ones(5, np.float32))
    optimizer.update(slice(5, 5), learning_rate=0.1, step=1)
    assert (theta == 1).all()


@EACH
def test_the_state_is_made_where_it_is_asked_for(name):
    made = []

    def zeros(size, dtype):
        made.append(np.zeros(size, dtype))
        return made[-1]

    optimizer = OPTIMIZERS[name](np.ones(5), np.ones(5), zeros=zeros)
    assert len(made) == len(optimizer.slots) == len(optimizer.state)
    assert all(any(vector is own for own in made) for vector in optimizer.state.values())


@EACH
def test_zero_gradients_move_nothing(name):
    for theta in run(name, [3.0, -2.0], [[0.0, 0.0]] * 2, learning_rate=0.1):
        assert theta.tolist() == [3.0, -2.0]


@pytest.mark.parametrize("step", [1, 10, 10**6, 10**12])
def test_adam_corrects_its_bias_at_any_step(step):
    theta, grad = np.ones(1), np.full(1, 0.5)
    Adam(theta, grad).update(slice(0, 1), learning_rate=0.1, step=step)
    m = 0.1 * 0.5 / (1 - 0.9**step)
    v = 0.01 * 0.25 / (1 - 0.99**step)
    assert theta[0] == pytest.approx(1 - 0.1 * m / (sqrt(v) + 1e-8), rel=1e-12)


def test_blocks_tile_a_slice():
    for start, stop in [(0, 0), (0, 1), (5, BLOCK + 5), (BLOCK, 3 * BLOCK + 1)]:
        pieces = list(blocks(slice(start, stop)))
        covered = [i for piece in pieces for i in (piece.start, piece.stop)]
        assert covered == sorted(covered)
        assert sum(piece.stop - piece.start for piece in pieces) == stop - start
        assert all(0 < piece.stop - piece.start <= BLOCK for piece in pieces)
        assert all(first.stop == then.start for first, then in pairwise(pieces))


# Schedules


@EACH_SCHEDULE
@pytest.mark.parametrize("warmup", [0.0, 0.03, 0.5, 0.9])
def test_schedules_stay_between_0_and_1_and_never_rise_after_the_warmup(schedule, warmup):
    done = np.linspace(0, 1.2, 1201)
    factors = [learning_rate_factor(schedule, float(x), warmup) for x in done]
    assert 0 <= min(factors) <= max(factors) <= 1
    rising = [f for x, f in zip(done, factors, strict=True) if x < warmup]
    falling = [f for x, f in zip(done, factors, strict=True) if x >= warmup]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


@EACH_SCHEDULE
def test_the_warmup_is_linear(schedule):
    for share in (0.0, 0.25, 0.5, 0.75):
        assert learning_rate_factor(schedule, share * 0.2, 0.2) == pytest.approx(share)


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        ("constant", {0: 1, 0.1: 1, 0.5: 1, 0.75: 1, 1: 1, 1.1: 1}),
        ("plateau", {0: 1, 0.1: 1, 0.5: 1, 0.75: 1, 1: 1, 1.1: 1}),
        ("step", {0: 1, 0.49: 1, 0.5: 0.1, 0.74: 0.1, 0.75: 0.01, 1: 0.01, 1.1: 0.01}),
        ("cosine", {0: 1, 0.25: 0.8535533905932737, 0.5: 0.5, 0.75: 0.1464466094, 1: 0, 1.1: 0}),
    ],
)
def test_points_of_schedules_without_warmup(schedule, points):
    for done, wanted in points.items():
        assert learning_rate_factor(schedule, done, 0.0) == pytest.approx(wanted, abs=1e-9)


def test_the_cosine_begins_where_the_warmup_ends():
    assert learning_rate_factor("cosine", 0.2, 0.2) == 1
    assert learning_rate_factor("cosine", 0.6, 0.2) == pytest.approx(0.5)
    assert learning_rate_factor("cosine", 1, 0.2) == 0


def test_step_after_a_long_warmup():
    assert learning_rate_factor("step", 0.55, 0.6) == pytest.approx(0.55 / 0.6)
    assert learning_rate_factor("step", 0.6, 0.6) == 0.1
