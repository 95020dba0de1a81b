"""Softmax cross-entropy: values, gradients, large numbers."""

import numpy as np
import pytest
from gradcheck import check_gradients

from charrnn.nn.loss import cross_entropy_, log_softmax_


def naive_nats(logits, targets):
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=0)
    return [-np.log(p[target, column]) for column, target in enumerate(targets)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(rng, dtype):
    logits = rng.uniform(-3, 3, (5, 7)).astype(dtype)
    targets = rng.integers(0, 5, 7).astype(np.uint8)
    tolerance = {"rtol": 1e-5 if dtype == np.float32 else 1e-12}
    wanted = naive_nats(logits, targets)
    logs = log_softmax_(logits.copy())
    assert logs.dtype == dtype
    np.testing.assert_allclose(-logs[targets, np.arange(7)], wanted, **tolerance)
    nats, dlogits = cross_entropy_(logits.copy(), targets)
    assert nats.dtype == dlogits.dtype == dtype
    np.testing.assert_allclose(nats, wanted, **tolerance)


def test_a_uniform_prediction_costs_ln_v(rng):
    for V in (1, 2, 65, 300):
        nats, _ = cross_entropy_(np.full((V, 3), 4.2), np.array([0, V - 1, V // 2]))
        np.testing.assert_allclose(nats, np.log(V), atol=1e-14)


def test_gradient(rng):
    logits = rng.uniform(-2, 2, (4, 6))
    targets = rng.integers(0, 4, 6)
    weights = rng.uniform(-1, 1, 6)
    _, dlogits = cross_entropy_(logits.copy(), targets)
    check_gradients(
        lambda: (cross_entropy_(logits.copy(), targets)[0] * weights).sum(),
        {"logits": dlogits * weights},
        {"logits": logits},
    )


def test_the_gradient_takes_the_place_of_the_logits_and_sums_to_zero(rng):
    logits = rng.uniform(-2, 2, (4, 6))
    _, dlogits = cross_entropy_(logits, rng.integers(0, 4, 6))
    assert dlogits is logits
    np.testing.assert_allclose(dlogits.sum(axis=0), 0, atol=1e-14)


def test_log_softmax_is_in_place(rng):
    logits = rng.uniform(-2, 2, (4, 6))
    logs = log_softmax_(logits)
    assert logs is logits
    np.testing.assert_allclose(np.exp(logs).sum(axis=0), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_neither_overflow_nor_lose_the_cost(dtype):
    logits = np.array([[1e4, -1e4, 1e4], [-1e4, 1e4, 1e4]], dtype)
    targets = np.array([0, 0, 0])
    nats, dlogits = cross_entropy_(logits.copy(), targets)
    np.testing.assert_allclose(nats, [0, 2e4, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(dlogits, [[0, -1, -0.5], [0, 1, 0.5]])
    logs = log_softmax_(logits.copy())
    np.testing.assert_allclose(logs, [[0, -2e4, -np.log(2)], [-2e4, 0, -np.log(2)]], rtol=1e-6)
