"""Loss, gradient and state of a window on the emulated GPU, beside ``charrnn.nn`` in float64."""

import pytest
from models import OnGpu, architecture, error, expected, random_model, random_window

CASES = {
    "gru": {},
    "lstm": {"cell": "lstm"},
    "rnn": {"cell": "rnn"},
    "relu": {"cell": "rnn", "nonlinearity": "relu"},
    "two layers": {"num_layers": 2},
    "three lstm layers": {"cell": "lstm", "num_layers": 3},
    "embedding": {"embedding_size": 6},
    "lstm with embedding": {"cell": "lstm", "embedding_size": 6, "num_layers": 2},
    "odd size": {"hidden_size": 13},
    "members": {"members": 3},
    "tags": {"directions": 2},
    "tags, two layers": {"directions": 2, "num_layers": 2, "cell": "lstm"},
    "tags with embedding": {"directions": 2, "num_layers": 2, "embedding_size": 6},
    "label": {"head": "item"},
    "label from both ends": {"head": "item", "directions": 2, "num_layers": 2, "members": 2},
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_gradient_is_that_of_nn(settings):
    config = architecture(**settings)
    model, window = random_model(config), random_window(config)
    gpu = OnGpu(model)
    gpu.put(*window)
    nats, grad, after = gpu.compute()
    want_nats, want_grad, want_after = expected(model, window)
    assert nats == pytest.approx(want_nats, rel=1e-6)
    assert error(grad, want_grad) < 5e-7
    assert error(after, want_after) < 5e-7


@pytest.mark.parametrize("parts", [2, 3, 50])
def test_window_may_be_cut_into_parts(parts):
    config = architecture(cell="lstm", num_layers=3)
    model, window = random_model(config), random_window(config)
    whole, cut = OnGpu(model), OnGpu(model, parts=parts)
    for gpu in (whole, cut):
        gpu.put(*window)
    nats, grad, after = cut.compute()
    want_nats, want_grad, want_after = whole.compute()
    assert nats == want_nats
    assert error(grad, want_grad) < 5e-7
    assert error(after, want_after) < 5e-7


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_gradient_with_bf16_operands_is_near(settings):
    config = architecture(**settings)
    model, window = random_model(config), random_window(config)
    gpu = OnGpu(model, precision="bf16")
    gpu.put(*window)
    nats, grad, _ = gpu.compute()
    want_nats, want_grad, _ = expected(model, window)
    assert nats == pytest.approx(want_nats, rel=1e-2)
    assert error(grad, want_grad) < 3e-2
