"""The benchmark of one layer beside FlashRNN: charrnn's side, emulated, and its lines."""

import numpy as np
import pytest
from emulator.backend import EmulatedBackend

from tests.bench.flashrnn import OwnLayer, makers_of, parsed, row_of
from tests.bench.gpu import Setting

SMALL = {"num_layers": 1, "hidden_size": 8, "batch_size": 16, "seq_len": 4, "vocab_size": 9}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_layer_computes_its_outputs_and_all_its_gradients(cell):
    own = OwnLayer(Setting(cell, **SMALL), EmulatedBackend())
    cell, weights = own.layer.cell, own.networks.theta["layers.0.Wh"]

    def loss():
        own.run(1)
        return float(np.sum(cell.h.values[1:].astype(np.float64) * cell.dy))

    loss()
    wh, dz = own.networks.grad["layers.0.Wh"].copy(), cell.z.values.copy()
    b = own.networks.grad["layers.0.b"].copy()
    for array, at, gradient in (
        (weights, (3, 2), wh[3, 2]),
        (own.given, (1, 5, 6), dz[1, 5, 6]),
        (own.networks.theta["layers.0.b"], (4,), b[4]),
    ):
        before, losses = float(array[at]), []
        for step in (0.02, -0.02):
            array[at] = before + step
            losses.append(loss())
        array[at] = before
        assert (losses[0] - losses[1]) / 0.04 == pytest.approx(gradient, rel=0.02, abs=1e-5)
        assert gradient != 0


def test_a_line_has_the_best_of_the_others():
    setting = Setting("lstm", 1, 256, 64)
    line, ratio = row_of(setting, {"charrnn": 3e6, "cuda": 1e6, "cuda_fused": 2e6})
    assert ratio == pytest.approx(1.5)
    assert line.split()[-1] == "cuda_fused"
    assert "1.50" in line
    assert row_of(setting, {"charrnn": 3e6})[1] is None


def test_settings_are_those_of_the_table_or_of_the_command_line():
    assert Setting("lstm", 1, 768, 16, seq_len=1024) in parsed([]).settings
    (one,) = parsed(["--setting", "gru", "128", "32", "20"]).settings
    assert one == Setting("gru", 1, 128, 32, seq_len=20)


@pytest.mark.parametrize(("installed", "count"), [(None, 1), ("a spec", 3)])
def test_flashrnn_takes_part_where_it_is_installed(installed, count, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: installed)
    makers = makers_of(Setting("gru", **SMALL), EmulatedBackend())
    assert len(makers) == count
    assert isinstance(makers["charrnn"](), OwnLayer)


@pytest.mark.parametrize("given", [("rnn", "8", "8", "8"), ("gru", "8", "x", "8"), ("gru", *"800")])
def test_a_setting_that_is_none_is_refused_in_a_line(given, capsys):
    with pytest.raises(SystemExit):
        parsed(["--setting", *given])
    assert "give lstm or gru and three sizes" in capsys.readouterr().err
