"""What learns symbol by symbol in a block, against the same without blocks."""

import numpy as np
import pytest

from charrnn.evaluation.adapting.head import LearningHead
from charrnn.evaluation.adapting.mixing import MOST, Mixer
from charrnn.evaluation.adapting.online import OnlineLinear

D, F, M = 5, 3, 40


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def blockwise(y, errors, size, rate):
    """Return the values (F, M) of a layer that learns the given errors."""
    layer, found = OnlineLinear(len(y), F, rate), []
    for first in range(0, M, size):
        part = y[:, first : first + size]
        layer.begin(part)
        for place in range(part.shape[1]):
            found.append(layer.value(place))
            layer.learn(place, errors[:, first + place])
        layer.end()
    return np.stack(found, axis=1)


@pytest.mark.parametrize("size", [1, 7, M])
@pytest.mark.parametrize("inputs", [0, D])
def test_a_layer_learns_at_every_place_whatever_the_blocks(size, inputs):
    y, errors = drawn(inputs, M), drawn(F, M, seed=1)
    A, wanted = np.zeros((F, 1 + inputs)), []
    for t in range(M):
        x = np.append(1, y[:, t]).astype(float)
        wanted.append(A @ x)
        A += 0.5 * np.outer(errors[:, t], x) / (x @ x)
    found = blockwise(y, errors, size, 0.5)
    np.testing.assert_allclose(found, np.stack(wanted, axis=1), atol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_a_rate_of_one_moves_a_value_by_its_error_however_large_the_input(scale):
    layer, y, error = OnlineLinear(D, F, 1.0), scale * drawn(D, 2), drawn(F)
    y[:, 1] = y[:, 0]
    layer.begin(y)
    layer.learn(0, error)
    np.testing.assert_allclose(layer.value(1), error, rtol=1e-5)


def test_a_head_starts_with_the_network_and_remembers_states():
    states = drawn(D, 2)
    symbols = np.array([0, 1] * 10)
    network = np.log(np.full((20, 4), 0.25, np.float32))
    found = LearningHead(D, 4).read(network, states[:, symbols], symbols)
    np.testing.assert_allclose(found[0], network[0], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)
    assert found[-2:].max(axis=1).min() > np.log(0.8)
    assert (found[-2:].argmax(axis=1) == [0, 1]).all()


def raised(rare):
    """Return the log-probability of a symbol before and after a step at a rate of 0.015."""
    logs = np.log(np.array([[1 - rare, rare]] * 13, np.float32))[:, np.newaxis]
    mixer, zero = Mixer(np.full(13, 1 / 13, np.float32), [1], 1), np.zeros((1, 1), np.int64)
    none = np.zeros((0, 1), np.float32)
    before, after = (mixer.read(logs, zero, zero[0], np.array([1]), none)[1, 0] for _ in range(2))
    return before, after


@pytest.mark.parametrize("rare", [1e-3, 1e-6, 1e-9])
def test_one_symbol_that_all_rule_out_does_not_turn_the_weights_around(rare):
    before, after = raised(rare)
    assert before == pytest.approx(np.log(rare), rel=1e-3)
    assert before < after < before + 1.25 * MOST


def test_a_usual_step_is_not_bounded():
    before, after = raised(0.2)
    slope = 0.8 * np.log(0.2 / 0.8)  # of log p, by each of 13 weights
    assert after - before == pytest.approx((0.015 + 0.001) * 13 * slope**2, rel=0.05)
