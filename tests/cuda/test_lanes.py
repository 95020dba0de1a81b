"""Which layers run side by side, and how much memory a run takes."""

import pytest
from models import architecture

from charrnn.config import ModelConfig, TrainConfig
from charrnn.cuda.lanes import LANES, layers_at_once, parts_of_window
from charrnn.cuda.plan import megabytes
from charrnn.cuda.weights import Layout
from charrnn.training.recipe import complete


@pytest.mark.parametrize(
    ("settings", "T", "parts", "at_once"),
    [
        ({}, 50, 1, 1),
        ({"num_layers": 2}, 50, 5, 2),
        ({"num_layers": 2}, 24, 5, 2),
        ({"num_layers": 2}, 8, 2, 2),
        ({"num_layers": 2}, 3, 1, 1),
        ({"num_layers": 9}, 50, 5, LANES),
        ({"directions": 2, "num_layers": 3}, 50, 1, 2),
        ({"members": 3, "num_layers": 2}, 50, 1, 3),
        ({"members": 3, "directions": 2}, 50, 1, LANES),
    ],
)
def test_parts_and_layers_at_once(settings, T, parts, at_once):
    config = architecture(**settings)
    assert parts_of_window(config, T) == parts
    assert layers_at_once(config, parts) == at_once


def settings_of(**model):
    done = complete(ModelConfig(**model), TrainConfig(steps=10), characters=10**6, distinct=65)
    return done.model, done.train


def test_memory_grows_with_the_network_and_little_with_the_precision():
    small, large = settings_of(hidden_size=64), settings_of(hidden_size=512, num_layers=2)
    assert megabytes(*small, 65) < megabytes(*large, 65)
    assert megabytes(*large, 65, "tf32") < megabytes(*large, 65, "bf16")
    weights = 4 * 5e6 / 1e6
    assert megabytes(*large, 65) < megabytes(*small, 65) + 60 * weights


def test_planning_for_memory_takes_none(monkeypatch):
    """A network that is too large is refused, and what it would take is not taken before."""
    monkeypatch.delattr(Layout, "to_gpu")  # a copy of all weights
    assert megabytes(*settings_of(hidden_size=64), 65) > 0
