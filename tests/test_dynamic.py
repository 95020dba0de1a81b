"""Dynamic evaluation: nothing is scored after it was learned from, and learning helps."""

from math import log

import numpy as np
import pytest
from cells import KINDS
from scores import score_ids
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import Architecture, EvalConfig, ModelConfig, TextConfig, TrainConfig
from charrnn.errors import ConfigError
from charrnn.evaluation import dynamic, model_cost
from charrnn.evaluation.dynamic import dynamic_nats, usual_gradient
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.nn.cells import CELLS
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import load
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes
from charrnn.training.new import prepare

VOCABULARY = Vocabulary.from_codes(to_codes("abcdefg"))
TRAIN = VOCABULARY.symbols[np.random.default_rng(5).integers(0, 7, 3000)]


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch):
    """Measure the usual gradient on few windows, which takes less time."""
    monkeypatch.setattr(dynamic, "STATISTICS", 40)


def make(cell="gru", dtype=np.float32, members=1):
    config = Architecture(**KINDS[cell], members=members, num_layers=2, hidden_size=6, dropout=0.5)
    model = CharModel(config, 7, dtype=dtype)
    model.initialise(np.random.default_rng(0))
    for index, member in enumerate(model.members.values()):
        rng = np.random.default_rng(1 + index)
        member.head.W[...] = rng.standard_normal(member.head.W.shape) / 2
    return model


def random_ids(length):
    return np.random.default_rng(2).integers(0, 7, length).astype(np.uint8)


def score(ids, *, cell="gru", window=10, rate=0.01, decay=0.01):
    model = make(cell)
    usual = usual_gradient(model, VOCABULARY, TRAIN, window=window)
    return dynamic_nats(model, ids, usual, window=window, rate=rate, decay=decay)


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        *(("gru", place) for place in (0, 1, 9, 10, 11, 55, 98, 99)),
        *((cell, place) for cell in CELLS if cell != "gru" for place in (10, 55)),
    ],
)
def test_no_character_is_scored_after_learning_from_it(cell, place):
    ids = random_ids(100)
    before = score(ids, cell=cell)
    ids[place:] = (ids[place:] + 3) % 7
    after = score(ids, cell=cell)
    assert (before[:place] == after[:place]).all()
    assert place == 0 or before[place] != after[place]


def test_a_character_teaches_what_comes_after_its_window():
    ids = random_ids(100)
    before = score(ids)
    ids[20] = (ids[20] + 3) % 7  # the last target of the second window: no other reads it there
    after = score(ids)
    assert (before[:20] == after[:20]).all()
    assert (before[22:] != after[22:]).all()


def test_without_a_rate_it_is_the_exact_score():
    ids = random_ids(333)
    nats = score(ids, rate=0.0, window=7)
    assert nats.shape == (333,)
    assert nats[0] == pytest.approx(log(7))
    assert nats.sum() == pytest.approx(score_ids(make(), ids, exact=True), rel=1e-5)


@pytest.mark.parametrize("length", [1, 2, 10, 11, 12])
def test_short_texts(length):
    assert np.isfinite(score(random_ids(length))).all()


def test_the_update_is_that_of_the_paper():
    model, ids = make(dtype=np.float64), random_ids(11)
    usual = np.random.default_rng(3).random(model.num_parameters)
    reference = make(dtype=np.float64)
    trained = reference.parameters.vector.copy()
    reference.loss_and_gradient(
        ids[:-1, np.newaxis], ids[1:, np.newaxis], reference.zero_state(1), predictions=10
    )
    wanted = trained - 0.1 * reference.grads.vector / (usual + 0.1 * np.sqrt((usual**2).mean()))
    wanted += np.minimum(1, 0.7 * usual / usual.mean()) * (trained - wanted)
    dynamic_nats(model, ids, usual, window=10, rate=0.1, decay=0.7)
    np.testing.assert_allclose(model.parameters.vector, wanted, rtol=1e-12)


@pytest.mark.parametrize("members", [1, 2])
def test_the_usual_gradient_is_that_of_the_training_text(members):
    model = make(members=members)
    usual = usual_gradient(model, VOCABULARY, TRAIN, window=10)
    assert usual.shape == (model.num_parameters,)
    assert np.isfinite(usual).all()
    # A text of one window: the gradient itself.
    one = TRAIN[:11]
    usual = usual_gradient(model, VOCABULARY, one, window=10)
    ids = VOCABULARY.encode(one)[:, np.newaxis]
    state = model.zero_state(1)
    if members == 1:
        model.loss_and_gradient(ids[:-1], ids[1:], state, predictions=10)
    else:  # of the mean's loss, which is not the one that they learn by
        logits, _ = model.forward(ids[:-1], state)
        model.backward(cross_entropy_(logits, ids[1:].reshape(-1))[1] / 10)
    np.testing.assert_allclose(usual, abs(model.grads.vector), rtol=1e-4, atol=1e-9)
    assert (usual_gradient(model, VOCABULARY, one[:1], window=10) == 0).all()


def test_an_explosion_ends_quietly():
    config = Architecture(cell="rnn", nonlinearity="relu", num_layers=1, hidden_size=6, dropout=0.0)
    model = CharModel(config, 7)
    model.initialise(np.random.default_rng(0))
    usual = np.ones(model.num_parameters, np.float32)
    nats = dynamic_nats(model, random_ids(2000), usual, window=20, rate=1e30, decay=0.0)
    assert not np.isfinite(nats).all()


# The whole way

WORDS = [
    "the",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "mat",
    "log",
    "and",
    "a",
    "big",
    "red",
    "hat",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dynamic")
    rng = np.random.default_rng(0)
    text = " ".join(rng.choice(WORDS, 4000).tolist())
    (folder / "corpus.txt").write_text(text)
    (folder / "new.txt").write_text("mat hat god tac " * 60)
    run = prepare(
        [folder / "corpus.txt"],
        text=TextConfig(),
        model=ModelConfig(num_layers=1, hidden_size=32, dropout=0.0),
        train=TrainConfig(steps=150, validations=1, batch_size=16, seq_len=16, learning_rate=0.01),
        out=folder / "run",
    )
    list(run.train())
    return folder


def test_learning_helps_and_leaves_the_checkpoint_alone(folder):
    path = folder / "run" / "best.npz"
    saved, checkpoint = path.read_bytes(), load(path)
    weights = {name: array.copy() for name, array in checkpoint.weights.items()}
    config = EvalConfig(dynamic=True)
    first = evaluate_checkpoint(checkpoint, [folder / "new.txt"], config=config)
    static = evaluate_checkpoint(checkpoint, [folder / "new.txt"])
    assert first.static.nats_per_char == static.nats_per_char
    assert first.nats_per_char < static.nats_per_char - 0.3
    assert "dynamic evaluation: after every 20 characters" in first.protocol
    assert path.read_bytes() == saved
    assert all((checkpoint.weights[name] == array).all() for name, array in weights.items())
    for threads in (1, 2):
        again = evaluate_checkpoint(
            checkpoint, [folder / "new.txt"], config=config, threads=threads
        )
        assert again.total_nats == first.total_nats


def test_what_is_not_finite_is_an_error(folder, monkeypatch):
    checkpoint = load(folder / "run" / "best.npz")
    monkeypatch.setattr(model_cost, "dynamic_nats", lambda *args, **more: np.array([np.nan]))
    with pytest.raises(ConfigError, match=r"--dynamic-rate 0\.5 is too high"):
        evaluate_checkpoint(checkpoint, config=EvalConfig(dynamic=True, dynamic_rate=0.5))


def test_the_command(folder, monkeypatch):
    monkeypatch.chdir(folder)

    def run(*words):
        return CliRunner().invoke(app, ["eval", "--model", "run", *words], prog_name="charrnn")

    result = run("--dynamic", "--baselines")
    assert result.exit_code == 0, result.output
    assert "without learning" in result.stdout
    assert "this model (gru 1x32), dynamic" in result.stdout
    assert "without adapting to it" in result.stdout.splitlines()[-1]
    nats = float(run("--dynamic", "--nats").stdout)
    assert nats != float(run("--dynamic", "--nats", "--dynamic-window", "30").stdout)
    assert nats != float(run("--dynamic", "--nats", "--dynamic-rate", "0.002").stdout)
    result = run("--dynamic", "--exact")
    assert result.exit_code == 2
    assert "--exact and --dynamic" in result.stderr
    assert run("--dynamic", "--cold-windows", "9").exit_code == 2
    result = run("--dynamic-rate", "0.1")
    assert result.exit_code == 2
    assert "--dynamic-rate needs --adapt network or --adapt both" in result.stderr
