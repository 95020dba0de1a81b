"""A new cell or optimizer takes a class and the lines that CONTRIBUTING.md names."""

import re
from pathlib import Path
from typing import Literal

import cells
import numpy as np
import pytest
import test_recurrent
from gradcheck import check_recurrent

from charrnn.backend.products import product_of
from charrnn.config import (
    Architecture,
    ModelConfig,
    SampleConfig,
    TrainConfig,
    TrainingSettings,
)
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.recurrent import Recurrent, sigmoid_
from charrnn.optimizers import OPTIMIZERS, Optimizer
from charrnn.sampling.drawing import generate
from charrnn.storage.checkpoint import load
from charrnn.training.events import Validated
from charrnn.training.new import prepare

ROOT = Path(__file__).parent.parent


class TimeUGRNN(Recurrent):
    """The update-gate network (Collins, Sohl-Dickstein & Sussillo 2017).

    ::

        u = sigmoid(Wx x[t] + b + Wh h[t-1])        (rows 0 to H)
        n = tanh(Wx x[t] + b + Wh h[t-1])           (rows H to 2H)
        h[t] = n + u * (h[t-1] - n)

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz_u = dh * (h[t-1] - n) u (1 - u)
        dz_n = dh * (1 - u) (1 - n^2)
        dh   = dh * u + Wh^T [dz_u; dz_n]
    """

    gates = 2

    def _allocate(self, T, N):
        H = self.hidden_size
        self.product = product_of(2 * H, H, N)
        self.z = self._new(T, 2 * H, N)  # [u; n] of each step
        self.Wh_h = self._new(2 * H, N)

    def _forward(self, Wh, products):
        H = self.hidden_size
        for t, product in enumerate(products):
            product(Wh, self.h[t], out=self.Wh_h)
            z = self.z[t]
            z += self.Wh_h
            u, n = z[:H], z[H:]
            sigmoid_(u)
            np.tanh(n, out=n)
            self.h[t + 1] = n + u * (self.h[t] - n)

    def _allocate_backward(self, T, N):
        H = self.hidden_size
        self.product_back = product_of(H, 2 * H, N)
        self.dz = self._workspace("dz", 2 * H, T, N)

    def _backward(self, dy, dstate, Wh_T):
        (dh,) = dstate  # (H, N)
        H, tmp = len(dh), np.empty_like(dh)
        for t in reversed(range(len(dy))):
            u, n = self.z[t, :H], self.z[t, H:]
            dh += dy[t]
            dz_u = dh * (self.h[t] - n) * u * (1 - u)
            dz_n = dh * (1 - u) * (1 - n * n)
            dz = self.dz[:, t] = np.concatenate([dz_u, dz_n])
            self.product_back(Wh_T, dz, out=tmp)
            dh *= u
            dh += tmp


def naive_ugrnn(layer, x, h):
    (Wxu, bu, Whu), (Wxn, bn, Whn) = cells.unpack(layer)
    u = cells.sigmoid(Wxu @ x + bu + Whu @ h)
    n = np.tanh(Wxn @ x + bn + Whn @ h)
    return ((1 - u) * n + u * h,)


@pytest.fixture
def ugrnn(monkeypatch):
    """Add the cell in the places that CONTRIBUTING.md names."""
    monkeypatch.setitem(CELLS, "ugrnn", TimeUGRNN)
    names = Literal["rnn", "lstm", "gru", "ugrnn"]
    monkeypatch.setitem(Architecture.__annotations__, "cell", names)
    monkeypatch.setitem(ModelConfig.__annotations__, "cell", names | None)
    monkeypatch.setitem(cells.NAIVE, "ugrnn", naive_ugrnn)
    # Derived from CELLS where it is imported with the cell in it.
    monkeypatch.setitem(cells.KINDS, "ugrnn", {"cell": "ugrnn"})


class SignSGD(Optimizer):
    """SignSGD (Bernstein et al. 2018): ``theta -= learning_rate * sign(grad)``."""

    default_learning_rate = 0.02

    def _update(self, theta, grad, tmp, *state, learning_rate, step):
        np.sign(grad, out=tmp)
        tmp *= learning_rate
        theta -= tmp


PLACE = re.compile(r"`(\w+)`(?:,[^`]*?)?\s+(?:and \S+\s+)?in\s+`([\w/]+\.(?:py|cu))`")


def test_contributing_names_places_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:charrnn|tests)/[\w/]+\.\w+)`", text)
    assert len(set(paths)) > 25
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    places = PLACE.findall(text)
    assert {name for name, _ in places} >= {"CELLS", "Cell", "NAIVE", "OPTIMIZERS", "COMMANDS"}
    gone = [
        (name, path)
        for name, path in places
        if not re.search(rf"\b{name}\b", (ROOT / path).read_text())
    ]
    assert gone == []


def test_a_new_optimizer_trains(monkeypatch, tmp_path):
    names = Literal["sgd", "signsgd"]
    monkeypatch.setitem(OPTIMIZERS, "signsgd", SignSGD)
    for group in (TrainConfig, TrainingSettings):
        monkeypatch.setitem(group.__annotations__, "optimizer", names)
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 60)
    run = prepare(
        [tmp_path / "text.txt"],
        model=ModelConfig(num_layers=1, hidden_size=16),
        train=TrainConfig(steps=60, batch_size=8, optimizer="signsgd", validations=2),
        out=tmp_path / "run",
    )
    losses = [event.nats for event in run.train() if isinstance(event, Validated)]
    assert losses[-1] < 0.8 * np.log(15)
    settings = load(tmp_path / "run" / "best.npz").settings
    assert (settings.optimizer, settings.learning_rate) == ("signsgd", 0.02)


@pytest.mark.usefixtures("ugrnn")
def test_a_new_cell_passes_the_tests_of_all_cells(monkeypatch):
    check_recurrent(cells.make("ugrnn", 3, 5), steps=4, streams=2, rng=np.random.default_rng(0))
    test_recurrent.test_every_kind_has_its_equations()
    test_recurrent.test_values_are_those_of_the_equations("ugrnn", 7)
    test_recurrent.test_gradients_with_dropped_weights("ugrnn")
    test_recurrent.test_gradients_of_two_half_windows_make_up_the_whole("ugrnn")
    test_recurrent.test_backward_needs_a_forward_of_its_own("ugrnn")
    test_recurrent.test_shapes_are_those_of_pytorch("ugrnn")
    test_recurrent.test_blocks_of_rows_change_no_number("ugrnn", monkeypatch)


@pytest.mark.usefixtures("ugrnn")
def test_a_new_cell_is_trained_saved_loaded_and_sampled(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 60)
    run = prepare(
        [tmp_path / "text.txt"],
        model=ModelConfig(cell="ugrnn", num_layers=2, hidden_size=16, members=2, dropout=0.1),
        train=TrainConfig(steps=60, batch_size=8, seq_len=12, validations=2),
        out=tmp_path / "run",
    )
    losses = [event.nats for event in run.train() if isinstance(event, Validated)]
    assert losses[-1] < 0.8 * np.log(15)
    best = load(tmp_path / "run" / "best.npz")
    assert best.architecture.cell == "ugrnn"
    model = best.model()
    assert all(isinstance(layer, TimeUGRNN) for layer in model.layers)
    drawn = generate(model, best.vocabulary, SampleConfig(length=50, random_seed=0))
    assert len("".join(text for _, text in drawn)) == 50
