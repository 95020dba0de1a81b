"""The script that times learning on a GPU, on the emulated one."""

import numpy as np
from emulator.backend import EmulatedBackend

from tests.bench import gpu_learning
from tests.bench.gpu_learning import Plan, learned, line_of


def test_a_line_says_when_a_loss_was_reached(monkeypatch):
    monkeypatch.setattr(gpu_learning, "STREAMS", 4)
    monkeypatch.setattr(gpu_learning, "SEQ_LEN", 4)
    monkeypatch.setattr(gpu_learning, "VALIDATIONS", 2)
    text = np.tile(np.frombuffer(b"abcd", np.uint8), 100).astype(np.uint32)
    easy = learned(Plan(9.0, 8, 64), text, 0, EmulatedBackend())
    assert easy["reached"] <= easy["seconds"]
    assert f"{easy['reached']:.2f} s" in line_of(easy)
    hard = learned(Plan(0.0, 8, 64), text, 0, EmulatedBackend())
    assert hard["reached"] is None
    assert hard["best"] == easy["best"]
    assert " - " in line_of(hard)
