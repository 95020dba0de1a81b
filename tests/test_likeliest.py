"""The likeliest next symbols, beside a network that is read step by step."""

import numpy as np
import pytest

from charrnn.config import Architecture
from charrnn.evaluation import likeliest as module
from charrnn.evaluation.likeliest import likeliest
from charrnn.nn.model import CharModel


def model(members=1, V=7):
    shape = Architecture(cell="lstm", hidden_size=6, num_layers=2, members=members)
    model = CharModel(shape, V, dtype=np.float64)
    model.parameters.vector[...] = np.random.default_rng(1).normal(size=model.num_parameters)
    return model


def reference(model, ids):
    """Probabilities (n, V) after each symbol, one symbol at a time."""
    state, rows = model.zero_state(1), []
    for symbol in ids:
        logits, state = model.forward(np.array([[symbol]]), state)
        shares = [np.exp(float(logit)) for logit in logits[:, 0]]
        rows.append([share / sum(shares) for share in shares])
    return np.array(rows)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("window", [512, 4])
def test_guesses_are_those_of_every_step(members, window, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", window)
    network = model(members)
    ids = np.random.default_rng(2).integers(7, size=11)
    expected = reference(network, ids)
    found = likeliest(network, ids)
    assert found.symbols.shape == found.probabilities.shape == (11, 5)
    for row, symbols, shares in zip(expected, *found[:2], strict=True):
        best = sorted(range(7), key=lambda symbol: -row[symbol])[:5]
        assert symbols.tolist() == best
        np.testing.assert_allclose(shares, row[best], rtol=1e-9)
    costs = [-np.log(row[target]) for row, target in zip(expected, ids[1:], strict=False)]
    np.testing.assert_allclose(found.nats, costs, rtol=1e-9)


def test_few_symbols_and_ties():
    network = CharModel(Architecture(cell="gru", hidden_size=4), 3)  # all weights are zero
    found = likeliest(network, np.array([1]))
    assert found.symbols.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(found.probabilities, 1 / 3, rtol=1e-6)
    assert found.nats.shape == (0,)
    assert likeliest(network, np.array([1, 2]), count=2).symbols.tolist() == [[0, 1], [0, 1]]
