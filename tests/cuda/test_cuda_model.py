"""Scoring and drawing with a model on the emulated GPU."""

import numpy as np
import pytest
from emulator.backend import EmulatedBackend
from models import architecture, error, random_model, random_window

from charrnn.config import SampleConfig
from charrnn.cuda.model import CudaModel, Scoring
from charrnn.cuda.step import Networks
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import TextScorer, score
from charrnn.sampling.drawing import generate
from charrnn.text import Vocabulary


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "lstm", "num_layers": 2},
        {"members": 2},
        {"directions": 2},
        {"head": "item", "directions": 2},
    ],
)
def test_forward_is_that_of_the_model(settings):
    config = architecture(**settings)
    model = random_model(config)
    ids, _, _, lengths, state = random_window(config)
    found, after = CudaModel(model, EmulatedBackend()).forward(ids, state, lengths=lengths)
    wanted, want_after = model.forward(ids, state, lengths=lengths)
    assert error(found, wanted) < 1e-6
    assert error(after, want_after) < 1e-6


def test_windows_of_many_shapes():
    config = architecture()
    model = random_model(config)
    gpu = CudaModel(model, EmulatedBackend())
    for T, N in [(1, 1), (5, 20), (2, 3), (1, 1), (9, 4)] * 2:
        ids, _, _, _, state = random_window(config, T=T, N=N)
        assert error(gpu.forward(ids, state)[0], model.forward(ids, state)[0]) < 1e-6


@pytest.mark.parametrize("members", [1, 2])
def test_score_of_a_text(members):
    config = architecture(members=members)
    model = random_model(config)
    ids = np.random.default_rng(0).integers(11, size=300)
    scorer = TextScorer(Pieces.streams(ids, 4))
    backend = EmulatedBackend()
    scoring = Scoring(backend, random_model(config, seed=8))
    scoring.take_weights(Networks(backend, model, learns=False))
    assert scoring.score(scorer).mean == pytest.approx(score(model, scorer).mean, rel=1e-6)


@pytest.mark.parametrize("rules", [{}, {"temperature": 0.7, "top_k": 4}, {"allow": "bdfh"}])
def test_what_is_drawn_and_its_log_probability(rules):
    model = random_model(architecture())
    vocabulary = Vocabulary(np.arange(ord("a"), ord("a") + model.vocab_size, dtype=np.uint32))
    config = SampleConfig(num_samples=3, length=12, random_seed=0, **rules)
    drawn = []
    for network, together in ((model, False), (CudaModel(model, EmulatedBackend()), True)):
        logs = np.zeros(3)
        pieces = generate(network, vocabulary, config, together=together, log_probabilities=logs)
        drawn.append((dict(pieces), logs))
    assert drawn[0][0] == drawn[1][0]
    assert (drawn[0][1] < 0).all()
    assert drawn[1][1] == pytest.approx(drawn[0][1], abs=1e-4)
    assert set("".join(drawn[1][0].values())) <= set(rules.get("allow", "abcdefghijk"))
