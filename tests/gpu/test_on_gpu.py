"""The engine on a GPU, beside ``charrnn.nn`` in float64."""

import numpy as np
import pytest
from models import OnGpu, architecture, error, expected, random_model, random_window

from charrnn.cuda.model import CudaModel
from charrnn.cuda.trainer import CudaTrainer
from charrnn.data.items import Items
from charrnn.data.streams import Streams
from charrnn.text import Vocabulary

TOLERANCE = {"float32": 5e-7, "tf32": 1e-3, "bf16": 3e-2}
CASES = {
    "gru": {},
    "lstm": {"cell": "lstm"},
    "rnn": {"cell": "rnn"},
    "gru 2x256": {"num_layers": 2, "hidden_size": 256},
    "lstm 2x512": {"cell": "lstm", "num_layers": 2, "hidden_size": 512},
    "embedding": {"embedding_size": 24, "num_layers": 2},
    "odd size": {"hidden_size": 77, "num_layers": 2},
    "members": {"members": 3},
    "tags": {"directions": 2, "num_layers": 2, "cell": "lstm"},
    "label": {"head": "item", "directions": 2, "num_layers": 2, "members": 2},
}
V, T, N = 65, 20, 48


def shaped(settings):
    return architecture(**{"hidden_size": 128, **settings})


def scaled(config, seed=0):
    """A model whose gates are neither idle nor saturated, whatever its size."""
    model = random_model(config, vocab_size=V, seed=seed)
    model.parameters.vector[...] *= 2 / config.hidden_size**0.5
    return model


def test_gradient_of_the_rectifier(backends):
    """In float32 alone: rounded operands put sums near zero on the other side of it."""
    config = shaped({"cell": "rnn", "nonlinearity": "relu", "num_layers": 2})
    model, window = scaled(config), random_window(config, T=T, N=N, vocab_size=V)
    gpu = OnGpu(model, backend=backends("float32"), T=T, N=N)
    gpu.put(*window)
    assert error(gpu.compute()[1], expected(model, window)[1]) <= TOLERANCE["float32"]


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_gradient_is_that_of_nn(settings, precision, backends):
    config = shaped(settings)
    model, window = scaled(config), random_window(config, T=T, N=N, vocab_size=V)
    gpu = OnGpu(model, backend=backends(precision), T=T, N=N)
    gpu.put(*window)
    nats, grad, after = gpu.compute()
    want_nats, want_grad, want_after = expected(model, window)
    limit = TOLERANCE[precision]
    assert error(grad, want_grad) <= limit
    assert error(after, want_after) <= limit
    assert nats == pytest.approx(want_nats, rel=max(limit, 1e-6))


def streams(count=64, seq_len=12):
    text = np.random.default_rng(5).integers(97, 107, size=40_000).astype(np.uint32)
    return Streams(text, Vocabulary(np.unique(text)), count, seq_len)


def items():
    rng = np.random.default_rng(5)
    lines = [
        bytes(rng.integers(97, 107, size=n).astype(np.uint8)) for n in rng.integers(60, size=300)
    ]
    codes = np.frombuffer(b"\n".join(lines) + b"\n", np.uint8).astype(np.uint32)
    return Items(codes, Vocabulary(np.unique(codes)), 64, 32, 0)


def trainer(model, batches, backend, optimizer="muon"):
    return CudaTrainer(
        model,
        batches,
        backend,
        optimizer=optimizer,
        max_grad_norm=1.0,
        weight_decay=0.05,
        random_seed=0,
        reset=0.01,
    )


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("make", [streams, items])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_repeated_or_resumed_it_has_equal_bits(cell, make, precision, backends):
    batches, backend = make(), backends(precision)
    config = shaped({"cell": cell, "num_layers": 2, "dropout": 0.2, "weight_dropout": 0.1})
    size = len(batches.vocabulary)
    models = [random_model(config, vocab_size=size) for _ in range(3)]
    for model in models[:2]:
        one = trainer(model, batches, backend)
        assert len(one.steps([0.01] * 60)) == 60
        one.publish()
    assert (models[0].parameters.vector == models[1].parameters.vector).all()
    first = trainer(models[2], batches, backend)
    first.steps([0.01] * 23)
    first.publish()
    second = trainer(models[2], batches, backend)
    second.step_count = first.step_count
    second.restore(first.arrays())
    second.steps([0.01] * 37)
    second.publish()
    assert (models[2].parameters.vector == models[0].parameters.vector).all()


def test_learns_and_scores_as_the_processor_scores(backends):
    text = np.tile(np.frombuffer(b"the cat sat on the mat. ", np.uint8), 500).astype(np.uint32)
    vocabulary = Vocabulary(np.unique(text))
    config = shaped({"num_layers": 2})
    model = random_model(config, vocab_size=len(vocabulary))
    one = trainer(model, Streams(text, vocabulary, 64, 16), backends("tf32"))
    losses = [result.nats for result in one.steps([0.02] * 200)]
    assert losses[-1] < 0.1 < losses[0]
    one.publish()
    ids, state = vocabulary.encode(text[: 64 * 20]).reshape(64, 20).T, model.zero_state(64)
    found, _ = CudaModel(model, backends("float32")).nats(ids[:-1], ids[1:], state)
    wanted, _ = model.nats(ids[:-1], ids[1:], state)
    assert found.mean() == pytest.approx(wanted.mean(), rel=1e-4)
