"""Several members in one model: each learns by its own loss, the mean of their logits predicts."""

import dataclasses

import numpy as np
import pytest
from gradcheck import check_gradients
from test_checkpoint import with_meta
from test_model import EACH_KIND, config, make, random_ids, random_state

from charrnn.config import ModelConfig, SampleConfig, TextConfig, TrainConfig
from charrnn.errors import CharrnnError
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.sampling.drawing import generate
from charrnn.storage.checkpoint import load, save
from charrnn.training.new import prepare

K = 3
EACH_INPUT = pytest.mark.parametrize("embedding_size", [0, 3])


def alone(model):
    """Models of one member each with the weights of each member of a model."""
    one = dataclasses.replace(model.config, members=1)
    for prefix in model.members:
        single = CharModel(one, model.vocab_size, dtype=model.dtype)
        single.parameters.fill(
            {name: model.parameters[prefix + name] for name in single.parameters}
        )
        yield prefix, single


def test_a_single_member_has_the_names_that_it_always_had():
    assert CharModel.shapes_of(config(members=1), 5) == CharModel.shapes_of(config(), 5)
    assert next(iter(make(members=1).parameters)) == "layers.0.W"
    several = CharModel.shapes_of(config(members=2), 5)
    assert list(several) == [
        f"members.{index}.{name}" for index in (0, 1) for name in CharModel.shapes_of(config(), 5)
    ]


@EACH_KIND
@EACH_INPUT
def test_the_logits_are_the_mean_of_the_members(kind, embedding_size):
    model = make(members=K, embedding_size=embedding_size, **kind)
    ids, _ = random_ids(5, 6, 4)
    state = random_state(model, 4)
    logits, after = model.forward(ids, state)
    each = [
        single.forward(ids, before)
        for (_, single), before in zip(alone(model), np.split(state, K), strict=True)
    ]
    assert len({its[0].tobytes() for its in each}) == K
    np.testing.assert_allclose(logits, np.mean([its for its, _ in each], axis=0), rtol=1e-12)
    assert (after == np.concatenate([its for _, its in each])).all()


@EACH_KIND
@EACH_INPUT
def test_each_member_learns_as_if_it_were_alone(kind, embedding_size):
    model = make(members=K, embedding_size=embedding_size, **kind)
    ids, targets = random_ids(5, 6, 4)
    scored = np.random.default_rng(5).random(ids.shape) < 0.7
    state = random_state(model, 4)
    loss, after = model.loss_and_gradient(ids, targets, state, predictions=20, scored=scored)
    losses, states = [], np.split(state, K)
    for (prefix, single), before, end in zip(alone(model), states, np.split(after, K), strict=True):
        its, its_end = single.loss_and_gradient(ids, targets, before, predictions=20, scored=scored)
        losses.append(its)
        assert (end == its_end).all()
        for name, grad in single.grads.items():
            assert (model.grads[prefix + name] == grad).all(), name
    assert loss == pytest.approx(np.mean(losses), rel=1e-12)


@EACH_KIND
def test_gradients_of_the_sum_of_the_losses(kind):
    model = make(members=2, hidden_size=3, dropout=0.4, scale=0.9, **kind)
    ids, targets = random_ids(5, 3, 4)
    state = random_state(model, 4)

    def run():
        rng = np.random.default_rng(3)
        return model.loss_and_gradient(ids, targets, state, predictions=7, rng=rng)

    run()
    gradients = {name: grad.copy() for name, grad in model.grads.items()}
    check_gradients(lambda: 2 * run()[0] / 7, gradients, dict(model.parameters))


@EACH_INPUT
def test_gradients_of_the_loss_of_the_mean(embedding_size):
    model = make(members=2, hidden_size=3, embedding_size=embedding_size, scale=0.9)
    ids, targets = random_ids(5, 3, 4)
    state = random_state(model, 4)

    def run():
        logits, _ = model.forward(ids, state)
        nats, dlogits = cross_entropy_(logits, targets.reshape(-1))
        return nats.sum(), dlogits

    model.backward(run()[1])
    gradients = {name: grad.copy() for name, grad in model.grads.items()}
    check_gradients(lambda: run()[0], gradients, dict(model.parameters))


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_predicts_no_worse_than_the_members_do_in_the_mean(seed):
    model = make(members=K, scale=2.0, seed=seed)
    ids, targets = random_ids(5, 20, 4, seed=seed)
    state = model.zero_state(4)
    mean_of_losses, _ = model.loss_and_gradient(ids, targets, state, predictions=1)
    logits, _ = model.forward(ids, state)
    assert cross_entropy_(logits, targets.reshape(-1))[0].sum() < mean_of_losses


def test_members_begin_and_drop_differently():
    model = CharModel(config(members=2, hidden_size=30, dropout=0.5, weight_dropout=0.3), 5)
    model.initialise(np.random.default_rng(0), np.arange(5))
    one, other = model.members.values()
    first, second = one.body.layers[0], other.body.layers[0]
    assert (first.Wh != second.Wh).any()
    assert (one.head.b == other.head.b).all()
    ids, _ = random_ids(5, 3, 2)
    model.forward(ids, model.zero_state(2), np.random.default_rng(0))
    assert (one.body.dropouts[0].mask != other.body.dropouts[0].mask).any()
    assert ((first.used == 0) != (second.used == 0)).any()


def test_one_stream_and_many_draw_the_same(tmp_path):
    last = trained(tmp_path, "run", members=2)
    model = last.model()
    weights = np.random.default_rng(0).standard_normal(model.num_parameters)
    model.parameters.vector[...] = 2 * weights
    drawn = {}
    for count in (1, 3):
        config = SampleConfig(length=40, temperature=0, num_samples=count)
        for number, text in generate(model, last.vocabulary, config):
            drawn[count, number] = drawn.get((count, number), "") + text
    assert len(drawn) == 4
    assert len(set(drawn.values())) == 1
    assert len(set(drawn[1, 0])) > 2


def trained(folder, name, *, members, cell="lstm", init_from=None):
    (folder / "text.txt").write_text("to be or not to be, that is the question. " * 60)
    model = ModelConfig(cell=cell, num_layers=1, hidden_size=6, members=members)
    train = TrainConfig(steps=4, batch_size=8, seq_len=5, validations=2)
    run = prepare(
        [folder / "text.txt"],
        text=TextConfig(),
        model=model,
        train=train,
        out=folder / name,
        init_from=init_from,
    )
    list(run.train())
    return load(folder / name / "last.npz")


def test_no_other_number_of_them_can_start_from_these(tmp_path):
    trained(tmp_path, "first", members=2)
    with pytest.raises(CharrnnError, match="with --members 2, which cannot be changed to 3"):
        trained(tmp_path, "no", members=3, init_from=tmp_path / "first")


def test_every_member_has_buffers():
    kept = sum(layer.floats_per_character[0] for layer in make().layers)
    two, three = (CharModel.floats_of_buffers(config(members=n), 5)[0] for n in (2, 3))
    assert three - two >= kept + 1 + config().hidden_size


def in_format_1(meta):
    meta["model"].pop("members")
    meta["format"] = 1


def test_a_file_from_before_there_were_members_has_one(tmp_path):
    last = trained(tmp_path, "run", members=1)
    save(tmp_path / "old.npz", last)
    data = (tmp_path / "old.npz").read_bytes()
    (tmp_path / "old.npz").write_bytes(with_meta(data, in_format_1))
    assert load(tmp_path / "old.npz").architecture.members == 1


def test_the_most_that_there_may_be_can_be_loaded(tmp_path):
    last = trained(tmp_path, "run", members=1, cell="gru")
    large = dataclasses.replace(
        last.architecture, members=16, num_layers=64, hidden_size=1, embedding_size=1
    )
    model = CharModel(large, len(last.vocabulary))
    again = dataclasses.replace(last, architecture=large, weights=model.parameters, training={})
    save(tmp_path / "large.npz", again)
    assert load(tmp_path / "large.npz").num_parameters == model.num_parameters
