"""Gradients at growing distances: against finite differences, known figures, and as a command."""

import json
import shutil
import subprocess
import sys
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cells import KINDS
from gradcheck import numerical_gradient
from programs import NAMES, TEXT, trained
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import Architecture
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation.gradients import (
    DISTANCES,
    GradientCurve,
    Places,
    curves_of,
    norms_of,
    of_checkpoint,
    places_of,
    untrained,
)
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from tests.launching import PATIENCE
from tests.tracing import untraced

PLACE = Path(__file__).parent.parent


def made(kind, **settings):
    shape = Architecture(**KINDS[kind], **{"num_layers": 2, "hidden_size": 3, **settings})
    model = CharModel(shape, 5, dtype=np.float64)
    rng = np.random.default_rng(1)
    model.parameters.vector[...] = rng.uniform(-0.9, 0.9, model.num_parameters)
    ids = rng.integers(5, size=(7, 2))
    return model, Places(ids, rng.integers(5, size=2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("members", [1, 2])
def test_a_curve_is_that_of_finite_differences(kind, members):
    model, places = made(kind, members=members)
    curves = curves_of(model, places, "small", trained=9)
    assert [curve.layer for curve in curves] == [1, 0]
    assert all(curve.distances == (1, 2, 4) for curve in curves)
    for curve in curves:
        for k, norm in zip(curve.distances, curve.norms, strict=True):
            assert norm == pytest.approx(by_differences(model, places, k)[curve.layer], abs=1e-8)
    assert curves[0].steps == 9


def by_differences(model, places, k):
    """The mean norm, over places and members, of d loss(t) / d state(t - k) by layer."""
    norms = []
    for member in model.members.values():
        L, S, R = member.body.state_shape
        state = np.zeros((L, S, R, 2))
        _, state = member.forward(places.ids[:-k], state, None)

        def loss(state=state, member=member):
            logits, _ = member.forward(places.ids[-k:], state, None)
            nats, _ = cross_entropy_(logits[:, -2:].copy(), places.targets)
            return float(nats.sum())

        norms.append(np.sqrt((numerical_gradient(loss, state) ** 2).sum(axis=(1, 2))))
    return np.mean(norms, axis=(0, 2))


def test_the_gradient_at_once_is_that_of_each_output():
    model, places = made("gru")
    (top, low) = curves_of(model, places, "small", trained=1)
    body, head = model.members[""].body, model.members[""].head
    y, _ = body.forward(places.ids, model.zero_state(2))
    lower, upper = body.layers
    outputs = [lower.h[-1:].copy(), y[-1:].copy()]
    before = upper.h[-2].copy()

    def loss_of(layer):
        def loss():
            y = outputs[1] if layer else upper.forward(outputs[0], before[np.newaxis])[0]
            return float(cross_entropy_(head.forward(y), places.targets)[0].sum())

        return loss

    for layer, curve in ((1, top), (0, low)):
        gradient = numerical_gradient(loss_of(layer), outputs[layer])
        wanted = np.sqrt((gradient[0] ** 2).sum(axis=0)).mean()
        assert curve.at_once == pytest.approx(wanted, abs=1e-8)


def test_a_window_sends_nothing_back_beyond_its_context():
    model, places = made("window", num_layers=1)  # of 3 steps
    (curve,) = curves_of(model, places, "window", trained=1)
    assert [norm > 0 for norm in curve.norms] == [True, True, False]
    assert curve.reach == 4


def test_the_known_figures_of_untrained_cells():
    with threadpool_limits(1):  # as the command line has it
        curves = {curve.name: curve for curve in untrained(128, [("rnn", "tanh")])}
    assert len(curves) == 2
    at_8 = {name: curve.left[DISTANCES.index(8)] for name, curve in curves.items()}
    assert at_8["rnn (tanh), uniform"] == pytest.approx(0.011, abs=0.004)
    assert at_8["rnn (tanh), orthogonal"] == pytest.approx(0.75, abs=0.02)
    assert 8 < curves["rnn (tanh), uniform"].reach < 10
    assert curves["rnn (tanh), orthogonal"].reach is None
    for curve in curves.values():
        assert curve.at_once == pytest.approx(1)
        assert curve.steps is None


def test_the_state_of_an_lstm_is_both_of_its_arrays():
    shape = Architecture(cell="lstm", hidden_size=3)
    model = CharModel(shape, 5, dtype=np.float64)
    body = model.members[""].body
    model.initialise(np.random.default_rng(0))
    ids = np.random.default_rng(1).integers(5, size=(4, 2))
    found = norms_of(body, ids, np.ones_like, (1,), model.dtype)
    _, state = body.forward(ids[:-1], model.zero_state(2))
    y, _ = body.forward(ids[-1:], state)
    dstate = body.backward(np.ones_like(y))
    assert found[1, 0] == pytest.approx(np.sqrt((dstate[0] ** 2).sum(axis=(0, 1))).mean())
    assert np.abs(dstate[0, 1]).max() > 0.01


def curve(*left, at_once=1.0):
    norms = tuple(share * at_once for share in left)
    return GradientCurve("x", 0, DISTANCES[: len(left)], at_once, norms)


def test_the_reach_is_interpolated_in_the_logarithm():
    assert curve(0.1, 0.01, 1e-4).reach == pytest.approx(2)
    assert curve(0.1, 0.1, 1e-3, at_once=7.0).reach == pytest.approx(3)
    assert curve(1e-4).reach == pytest.approx(0.5)
    assert curve(0.5, 0.2, 0.1).reach is None
    assert curve(0.5, 0.0).reach == 2
    assert curve(0.0, at_once=0.0).reach == 1
    assert curve(inf, 2.0).reach is None


def test_a_trained_model_stands_beside_itself_untrained():
    model = trained(num_layers=2, cell="lstm")
    places, notices = places_of(model.checkpoint)
    assert places.ids.shape[1] == 1
    assert len(places.ids) == len(TEXT) // 10 - 1
    assert "120 characters" in notices[0]
    curves = of_checkpoint(model.checkpoint, places, "run")
    names = [(curve.name, curve.layer, curve.steps) for curve in curves]
    assert names == [
        ("run", 1, 60), ("run", 0, 60), ("run, untrained", 1, None), ("run, untrained", 0, None),
    ]  # fmt: skip
    assert curves[0].distances[-1] == 64
    assert all(curve.at_once > 0 for curve in curves)
    assert model.checkpoint.weights["head.W"].any()  # its own weights are as they were


def test_places_are_spread_over_a_text(tmp_path):
    model = trained()
    path = tmp_path / "long.txt"
    path.write_text(TEXT)
    places, notices = places_of(model.checkpoint, [path])
    assert places.ids.shape == (192, 32)
    assert not any("no distance" in notice for notice in notices)
    ids = model.vocabulary.encode_text(TEXT)
    for n, start in ((0, 0), (31, len(ids) - 193)):
        assert (places.ids[:, n] == ids[start : start + 192]).all()
        assert places.targets[n] == ids[start + 192]


def test_what_has_no_such_gradient_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="running text"):
        places_of(trained(NAMES, items="line").checkpoint)
    (tmp_path / "one.txt").write_text("a")
    model = trained()
    with pytest.raises(CorpusError, match="two known symbols"):
        places_of(model.checkpoint, [tmp_path / "one.txt"])
    model.checkpoint.held_out = 0
    with pytest.raises(CorpusError, match="--text FILE"):
        places_of(model.checkpoint)


# The command


def charrnn(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "charrnn", *words],
        cwd=folder,
        env=untraced(PYTHONPATH=str(PLACE)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_process_prints_the_curves_and_draws_them(tmp_path):
    done = charrnn(tmp_path, "gradients", "--hidden-size", "8", "-o", "curves.svg")
    assert done.returncode == 0, done.stderr
    assert "steps back" in done.stdout
    assert "rnn (tanh), uniform: 1 % is left after " in done.stdout
    assert "h and c together" in done.stderr
    svg = (tmp_path / "curves.svg").read_text()
    root = ElementTree.fromstring(svg)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 8


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    trained().save(folder / "a.npz")
    trained(steps=40, cell="window", context=3).save(folder / "b.npz")
    return folder


@pytest.fixture
def runs(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    for name in ("a.npz", "b.npz"):
        shutil.copy(models / name, name)


def run(*words):
    return CliRunner().invoke(app, ["gradients", *map(str, words)])


@pytest.mark.usefixtures("runs")
def test_several_models_side_by_side():
    done = run("a.npz", "b.npz", "--text", "text.txt")
    assert done.exit_code == 0, done.output
    assert "different numbers of steps: a.npz 60 steps, b.npz 40 steps" in done.stderr
    assert "b.npz: nothing is left after 4 steps\n" in done.stdout
    assert "a.npz, untrained: 1 % is left after" in done.stdout
    both = run("a.npz", "a.npz", "--text", "text.txt")
    assert "different" not in both.stderr


@pytest.mark.usefixtures("runs")
def test_json_and_a_page():
    done = run("b.npz", "--text", "text.txt", "--json", "-o", "curves.html")
    page = Path("curves.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<polyline") == 2
    result = json.loads(done.stdout)
    assert [curve["name"] for curve in result["curves"]] == ["b.npz", "b.npz, untrained"]
    first = result["curves"][0]
    assert first["distances"] == list(DISTANCES)
    assert first["steps"] == 40
    assert first["one_percent_left_after"] == 4
    assert first["left"][0] == pytest.approx(first["norms"][0] / first["at_once"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hidden-size", "0"], "--hidden-size 0 is out of range"),
        (["--hidden-size", "9999"], "at most 4096"),
        (["a.npz", "--hidden-size", "8"], "--hidden-size applies only to untrained cells"),
        (["--text", "text.txt"], "--text is read by a trained model"),
        (["-o", "curve.png"], "neither .svg nor .html"),
        (["--hidden-size", "2", "-o", "missing/curve.svg"], "cannot be written"),
        (["missing"], "missing is neither a checkpoint nor a run"),
        (["a.npz", "--text", "missing.txt"], "missing.txt"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_what_does_not_fit_is_refused(words, said):
    done = run(*words)
    assert done.exit_code != 0
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
