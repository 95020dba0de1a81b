"""The trainer of the GPU on the emulated one, beside the one of a processor."""

from itertools import islice

import numpy as np
import pytest
from emulator.backend import EmulatedBackend
from models import architecture, error, random_model

from charrnn.cuda import feeds
from charrnn.cuda.trainer import CudaTrainer
from charrnn.data.items import Items
from charrnn.data.labels.examples import Examples, LabelledBatches
from charrnn.data.streams import Streams
from charrnn.optimizers import OPTIMIZERS
from charrnn.text import Vocabulary
from charrnn.training.step import ShardTrainer

TEXT = np.random.default_rng(5).integers(97, 107, size=400).astype(np.uint32)
LINES = np.frombuffer(b"anna\nbob\ncarolina\nd\neve\nfrederick\ngeorgette\nh\n" * 4, np.uint8)
RATES = [0.03, 0.02, 0.04, 0.01, 0.02]


def streams(count=5, seq_len=6):
    return Streams(TEXT, Vocabulary(np.unique(TEXT)), count, seq_len)


def items():
    codes = LINES.astype(np.uint32)
    return Items(codes, Vocabulary(np.unique(codes)), 6, 8, 0)


def on_gpu(model, batches, *, optimizer="muon", clip=0.5, **options):
    return CudaTrainer(
        model,
        batches,
        EmulatedBackend(),
        optimizer=optimizer,
        max_grad_norm=clip,
        weight_decay=0.05,
        random_seed=0,
        **options,
    )


def on_cpu(model, batches, *, optimizer="muon", clip=0.5, **options):
    return ShardTrainer(
        model,
        batches,
        optimizer=OPTIMIZERS[optimizer],
        max_grad_norm=clip,
        weight_decay=0.05,
        random_seed=0,
        **options,
    )


def trained(trainer, rates=RATES):
    results = trainer.steps(rates)
    while len(results) < len(rates):
        results += trainer.steps(rates[len(results) :])
    trainer.publish()
    return results


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_trains_as_the_processor_does(optimizer):
    config = architecture(num_layers=2, hidden_size=10)
    batches = streams()
    size = len(batches.vocabulary)
    models = [random_model(config, vocab_size=size) for _ in range(2)]
    gpu, cpu = (
        on_gpu(models[0], batches, optimizer=optimizer),
        on_cpu(models[1], batches, optimizer=optimizer),
    )
    for found, wanted in zip(trained(gpu), trained(cpu), strict=True):
        assert found.nats == pytest.approx(wanted.nats, rel=1e-4)
        assert found.grad_norm == pytest.approx(wanted.grad_norm, rel=1e-3)
        assert (found.applied, found.predicted) == (True, True)
    assert error(models[0].parameters.vector, models[1].parameters.vector) < 1e-4
    found, wanted = gpu.arrays(), cpu.arrays()
    assert list(found) == list(wanted)
    for name, array in found.items():
        assert error(array, wanted[name]) < 1e-3, name


@pytest.mark.parametrize(("cell", "hidden_size"), [("lstm", 3), ("lstm", 50), ("rnn", 131)])
def test_muon_turns_pieces_of_any_shape(cell, hidden_size):
    """Of 131 rows there is a piece of 65 and one of 66; with 5 columns each is turned."""
    config = architecture(cell=cell, num_layers=2, hidden_size=hidden_size, embedding_size=5)
    batches = streams()
    size = len(batches.vocabulary)
    models = [random_model(config, vocab_size=size) for _ in range(2)]
    trained(on_gpu(models[0], batches), RATES[:2])
    trained(on_cpu(models[1], batches), RATES[:2])
    assert error(models[0].parameters.vector, models[1].parameters.vector) < 1e-4


@pytest.mark.parametrize("lengths", [feeds.LENGTHS, 1])
def test_items_of_many_lengths(lengths, monkeypatch):
    monkeypatch.setattr(feeds, "LENGTHS", lengths)
    config, batches = architecture(cell="lstm"), items()
    size = len(batches.vocabulary)
    models = [random_model(config, vocab_size=size) for _ in range(2)]
    gpu, cpu = on_gpu(models[0], batches), on_cpu(models[1], batches)
    rates = [0.02] * (batches.steps_per_epoch + 2)
    for found, wanted in zip(trained(gpu, rates), trained(cpu, rates), strict=True):
        assert found.nats == pytest.approx(wanted.nats, rel=1e-4)
        assert found.predicted == wanted.predicted
    assert error(models[0].parameters.vector, models[1].parameters.vector) < 2e-4
    assert error(gpu.arrays()["state"], cpu.arrays()["state"]) < 1e-3
    short = {shape.T for shape, carried in gpu._steps if not carried}
    assert len(short) == min(lengths, 2)


@pytest.mark.parametrize("batches", [streams, items])
def test_any_cut_and_any_resume_give_equal_bits(batches):
    config = architecture(num_layers=2, dropout=0.3, weight_dropout=0.2)
    batches = batches()
    size, rates = len(batches.vocabulary), RATES * 2
    whole = random_model(config, vocab_size=size)
    trained(on_gpu(whole, batches, reset=0.2), rates)
    model = random_model(config, vocab_size=size)
    first = on_gpu(model, batches, reset=0.2)
    trained(first, rates[:1])
    trained(first, rates[1:4])
    second = on_gpu(random_model(config, seed=9, vocab_size=size), batches, reset=0.2)
    second.model.parameters.vector[...] = model.parameters.vector
    second.step_count = first.step_count
    second.restore(first.arrays())
    trained(second, rates[4:])
    assert (second.model.parameters.vector == whole.parameters.vector).all()


def test_step_that_is_not_finite_changes_nothing_and_ends_the_chunk():
    config, batches = architecture(), streams()
    model = random_model(config, vocab_size=len(batches.vocabulary))
    trainer = on_gpu(model, batches, optimizer="sgd", clip=0)
    trained(trainer, RATES[:2])
    before = model.parameters.vector.copy()
    model.parameters["head.W"][0, 0] = np.inf
    trainer.restore(trainer.arrays())
    (result,) = trainer.steps(RATES)
    assert not result.applied
    assert trainer.step_count == 3
    assert not trainer.is_sound
    assert not trainer.arrays()["state"].any()
    model.parameters.vector[...] = before
    trainer.restore(trainer.arrays())
    trainer.publish()
    assert (model.parameters.vector == before).all()
    assert trainer.is_sound


def test_weights_that_run_away_are_seen():
    config, batches = architecture(), streams()
    model = random_model(config, vocab_size=len(batches.vocabulary))
    trainer = on_gpu(model, batches, optimizer="sgd", clip=0)
    results = trainer.steps([1e9, 1e9, 1e9])
    assert len(results) == 1
    assert not results[0].applied
    assert not trainer.is_sound


def test_symbols_that_the_text_lacks_keep_their_logits():
    config, batches = architecture(), streams()
    model = random_model(config, vocab_size=len(batches.vocabulary) + 2)
    before = model.parameters["head.W"][-2:].copy()
    new = np.arange(len(batches.vocabulary), len(batches.vocabulary) + 2)
    trained(on_gpu(model, batches, new_symbols=new))
    assert (model.parameters["head.W"][-2:] == before).all()


def test_dropout_has_the_gradient_of_what_it_computes():
    """The loss along the gradient, with the same masks, changes as the gradient says."""
    config = architecture(cell="lstm", num_layers=2, dropout=0.4, weight_dropout=0.3, hidden_size=8)
    batches = streams()
    losses = []
    base = random_model(config, vocab_size=len(batches.vocabulary))
    trainer = on_gpu(base, batches, optimizer="sgd", clip=0)
    trainer.steps([0.0])
    networks = trainer._networks
    grad = networks.layout.from_gpu(networks.backend.download(networks.grad.array))
    step = 1e-2 * grad / np.linalg.norm(grad)
    for sign in (1, -1):
        model = random_model(config, vocab_size=len(batches.vocabulary))
        model.parameters.vector[...] += sign * step
        trainer = on_gpu(model, batches, optimizer="sgd", clip=0)
        losses.append(trainer.steps([0.0])[0].nats)
    slope = (losses[0] - losses[1]) / 2
    assert slope == pytest.approx(float(grad @ step), rel=2e-3)


@pytest.mark.parametrize("reset", [0.0, 0.1])
def test_streams_that_fill_up_do_not_overflow(reset):
    """They read the first symbol for ever, and here a rectifier doubles with each of them."""
    config = architecture(cell="rnn", nonlinearity="relu")
    batches = Streams(TEXT, Vocabulary(np.append(96, np.unique(TEXT))), 5, 6)
    model = random_model(config, vocab_size=len(batches.vocabulary))
    model.parameters.vector[...] = 0
    W, H = model.parameters["layers.0.W"], config.hidden_size
    W[:, 0] = 1
    W[:, -H:] = 2 * np.eye(H)
    results = on_gpu(model, batches, reset=reset).steps([0.0] * 30)
    assert len(results) == 30
    assert results[-1].applied


def test_streams_begin_again_whatever_weights_are_dropped():
    batches = streams()
    model = random_model(architecture(), vocab_size=len(batches.vocabulary))
    trainer = on_gpu(model, batches, reset=0.2)
    assert trainer._feed._seed not in list(islice(trainer._networks.seeds(), 100))


@pytest.mark.parametrize("lengths", [feeds.LENGTHS, 1])
@pytest.mark.parametrize("of_texts", [True, False])
def test_labels_of_texts_of_many_lengths(of_texts, lengths, monkeypatch):
    monkeypatch.setattr(feeds, "LENGTHS", lengths)
    rng, sizes = np.random.default_rng(3), np.array([3, 12, 1, 7, 9, 2, 5])
    ids = rng.integers(11, size=sizes.sum())
    targets = rng.integers(4, size=len(sizes) if of_texts else len(ids))
    examples = Examples(ids, sizes, targets, rng.random(len(targets)) < 0.8, of_texts)
    batches = LabelledBatches(examples, ids, 3, 12, 0)
    head = {"head": "item"} if of_texts else {}
    config = architecture(directions=2, num_layers=2, **head)
    models = [random_model(config) for _ in range(2)]
    gpu, cpu = on_gpu(models[0], batches), on_cpu(models[1], batches, reset=1)
    for found, wanted in zip(trained(gpu), trained(cpu), strict=True):
        assert found.nats == pytest.approx(wanted.nats, rel=1e-4)
    assert error(models[0].parameters.vector, models[1].parameters.vector) < 2e-4
