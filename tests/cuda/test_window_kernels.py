"""The kernels of windows: symbols of a chunk, and the state that streams carry."""

import numpy as np
import pytest
from emulator.faults import assert_caught, run_check
from emulator.numbers import bf16

T, N, H, CHUNK = 4, 5, 7, 3


def check_window(backend):
    text = np.arange((CHUNK * T + 1) * N, dtype=np.int32).reshape(-1, N)
    for index in range(CHUNK):
        control = backend.array([9, index, 0, 0], np.int32)
        ids, targets = (backend.poisoned((T, N), np.int32) for _ in range(2))
        args = backend.array(text), control, ids, targets, T, N
        backend.launch("window", 1, 32, *args)
        assert (ids == text[index * T : (index + 1) * T]).all()
        assert (targets == ids + N).all()


def check_state(backend):
    state = np.random.default_rng(0).standard_normal((N, H)).astype(np.float32)
    state[3] = np.nan
    keep = np.array([1, 0, 1, 0, 1], np.float32)
    first, shadow = backend.poisoned((N, H)), backend.poisoned((N, H), np.uint16)
    given = backend.array(state), backend.array(keep)
    backend.launch("begin", 2, 32, first, shadow, *given, N, H)
    wanted = np.where(keep[:, np.newaxis] > 0, state, 0)
    assert (first == wanted).all()
    assert (shadow == bf16(wanted)).all()
    after, control = backend.poisoned((N, H)), backend.zeros(4, np.int32)
    backend.launch("carry", 2, 32, after, first, control, N * H)
    assert (after == first).all()


def check_resets(backend):
    def drawn(step, rate, count=2000):
        keep = backend.poisoned(count)
        control = backend.array([step, 0, 0, 0], np.int32)
        backend.launch("draw_resets", -(-count // 32), 32, keep, control, 5, rate, count)
        assert set(keep) <= {0, 1}
        return keep

    assert (drawn(1, 0.0) == 1).all()
    assert abs((drawn(1, 0.25) == 0).mean() - 0.25) < 0.03
    assert (drawn(1, 0.25) == drawn(1, 0.25)).all()
    assert (drawn(1, 0.25) != drawn(2, 0.25)).any()


CHECKS = [check_window, check_state, check_resets]


@pytest.mark.parametrize("check", CHECKS)
def test_windows_and_states(check):
    run_check(check)


FAULTS = [
    (check_window, "i >= (T + 1) * N", "i >= T * N"),
    (check_window, "targets[i - N] = id", "targets[i] = id"),
    (check_window, "control[1] * T * N + i", "control[1] * T + i"),
    (check_state, "keep[i / H] > 0 ? state[i] : 0.0f", "keep[i / H] * state[i]"),
    (check_resets, "mix(seed, control[0]), s, rate", "mix(seed, 0), s, rate"),
]


@pytest.mark.parametrize(("check", "old", "new"), FAULTS)
def test_faults_are_found(check, old, new):
    assert_caught(check, "windows.cu", old, new)
