"""The persistent kernels on the emulated GPU, beside ``charrnn.nn`` in float64.

Tolerances follow from the operands: tf32 rounds to 2^-11 (4.9e-4), bf16 to 2^-8 (3.9e-3) of a
number, and the errors of a sum's parts partly cancel.
"""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from emulator.backend import EmulatedBackend
from emulator.faults import assert_caught
from models import OnGpu, architecture, error, expected, random_model, random_window

from charrnn.cuda.buffers import Buffers
from charrnn.cuda.cells import Weights
from charrnn.cuda.occupancy import KERNELS, forms
from charrnn.cuda.persistent import PERSISTENT, cell_for

H100 = {"multiprocessors": 132, "shared_memory": 232448}
TOLERANCE = {"tf32": 1e-3, "bf16": 8e-3}
CELLS = {
    "lstm": {"cell": "lstm"},
    "gru": {},
    "tanh": {"cell": "rnn"},
    "relu": {"cell": "rnn", "nonlinearity": "relu"},
}
H, T = 128, 3


def config_of(cell):
    return architecture(hidden_size=H, **CELLS[cell])


def forms_of(cell, N, *, units=16, streams=16, blocks=1, subs=1):
    """Return a form of each kernel."""
    wanted = {"units": units, "streams": streams, "blocks": blocks, "subs": subs}
    return tuple(
        next(
            form
            for form in forms(kernel, cell, H, N, "tf32", **H100)
            if all(getattr(form, name) == value for name, value in wanted.items())
        )
        for kernel in KERNELS
    )


class Run:
    """A persistent cell on random numbers."""

    def __init__(self, backend, cell, chosen, N):
        config, self.buffers = config_of(cell), Buffers(backend)
        self.cell = PERSISTENT[config.cell](
            backend, config, T, N, self.buffers, "layer", forms=chosen, learns=True
        )
        rng = np.random.default_rng(0)
        rows = self.cell.gates * H
        b, b_n = (backend.array(rng.normal(size=size) * 0.5, np.float32) for size in (rows, H))
        self.weights = Weights(self.buffers.operand("Wh", rows, H), b, b_n)
        self.weights.Wh.values[...] = rng.normal(size=(rows, H)) / H**0.5
        for state in self.cell.states:
            state[0] = rng.normal(size=(N, H)) * 0.5

    def window(self, seed=0, parts=((0, T),)):
        """Return h and the gradients of Wx x and Wh h."""
        cell, rng = self.cell, np.random.default_rng(seed)
        cell.z.values[...] = rng.normal(size=cell.z.values.shape)
        cell.dy[...] = rng.normal(size=cell.dy.shape)
        for part in parts:
            cell.forward(self.weights, *part)
        cell.begin_backward()
        for part in reversed(parts):
            cell.backward(self.weights, *part)
        return [x.copy() for x in (cell.h.values, cell.z.values, cell.dz_h.values)]


def window(cell, chosen, N=32, backend=None, parts=((0, T),)):
    return Run(backend or EmulatedBackend("tf32"), cell, chosen, N).window(parts=parts)


@cache
def usual(cell, N=32):
    """Return what the usual form computes."""
    return window(cell, forms_of(cell, N, subs=N // 16), N)


def assert_same(found, wanted):
    for x, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(x, want)


@pytest.mark.parametrize(
    ("cell", "precision"),
    [("lstm", "tf32"), ("gru", "bf16"), ("tanh", "tf32"), ("relu", "tf32")],
)
def test_loss_and_gradient_are_those_of_nn(cell, precision):
    config = config_of(cell)
    model, window = random_model(config), random_window(config)
    model.parameters.vector[...] *= 0.3  # each sum has many parts
    gpu = OnGpu(model, precision=precision, make_cell=partial(cell_for, always=True))
    gpu.put(*window)
    nats, grad, after = gpu.compute()
    want_nats, want_grad, want_after = expected(model, window)
    assert set(KERNELS) <= gpu.backend.launched
    assert nats == pytest.approx(want_nats, rel=TOLERANCE[precision])
    assert error(grad, want_grad) < TOLERANCE[precision]
    assert error(after, want_after) < TOLERANCE[precision]


def test_however_a_layer_is_divided_its_bits_are_the_same():
    chosen = forms_of("gru", 32, units=32, streams=8, subs=4)
    assert_same(window("gru", chosen), usual("gru"))


def test_weights_in_shared_memory_change_no_bit():
    chosen = (replace(form, kept=1, sums=1) for form in forms_of("lstm", 32, subs=2))
    assert_same(window("lstm", tuple(chosen), 32), usual("lstm"))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_parts_of_a_window_give_its_bits(cell):
    chosen = forms_of(cell, 32, subs=2)
    assert_same(window(cell, chosen, 32, parts=((0, 2), (2, 3))), usual(cell))


def test_a_window_does_not_read_what_the_last_one_left():
    run = Run(EmulatedBackend("tf32"), "tanh", forms_of("tanh", 32, subs=2), 32)
    run.window(seed=1)
    assert_same(run.window(), usual("tanh"))


def test_a_nan_is_a_number_that_others_wait_for():
    backend = EmulatedBackend("tf32")
    run = Run(backend, "tanh", forms_of("tanh", 32, subs=2), 32)
    run.cell.h.values[0, 0, 0] = np.uint32(0xFFFFFFFE).view(np.float32)
    h, _, _ = run.window()
    assert np.isnan(h[1:, 0]).all()
    assert np.isfinite(h[1:, 1:]).all()


FAULTS = {
    "does not wait": ("        return most == NOTHING;", "        return false;"),
    "gives a number twice": ("(unsigned*)(values + at)", "(unsigned*)(values + (at | 1))"),
    "does not wait for sums": ("put_sums(own, d);\n        __syncthreads();", "put_sums(own, d);"),
    "swaps an operand": ("{weights.x, weights.y,", "{weights.y, weights.x,"),
    "reads another stream": ("state + i * half", "state + (i ^ 1) * half"),
    "reads the step before": ("state_of(next_t, next_s)", "state_of(next_t - 1, next_s)"),
}


def check_forward(backend, sums=2):
    """Compare with bits that the other tests compare with ``nn``."""
    chosen = tuple(replace(form, sums=sums) for form in forms_of("tanh", 32, subs=2))
    run = Run(backend, "tanh", chosen, 32)
    run.cell.backward = lambda *_: None
    assert_same(run.window()[:1], usual("tanh")[:1])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault):
    assert_caught(check_forward, "persistent_forward.cu", *FAULTS[fault], precision="tf32")


def test_a_buffer_of_sums_is_not_written_before_it_is_read():
    check = partial(check_forward, sums=1)
    old, new = "if (SUMS == 1) __syncthreads();", ""
    assert_caught(check, "persistent_forward.cu", old, new, precision="tf32")


def test_faults_backward_are_found():
    def check(backend):
        chosen = forms_of("gru", 32, subs=2)
        parts = (0, 2), (2, T)
        assert_same(window("gru", chosen, 32, backend, parts), usual("gru"))

    for fault in (
        ("BF16 ? out[k] : __uint_as_float(as_tf32(out[k]))", "x[i][k]"),
        ("t >= t0 - (t0 > 0)", "t >= t0"),
    ):
        assert_caught(check, "persistent_backward.cu", *fault, precision="tf32")
