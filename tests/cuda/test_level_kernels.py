"""The kernels between levels: tables, dropout, streams turned around."""

import numpy as np
import pytest
from emulator.faults import assert_caught, run_check
from emulator.numbers import bf16, near

T, N, H, BLOCK = 5, 3, 7, 32
F = 2 * H
LENGTHS = np.array([5, 1, 3], np.int32)
STEP, SEED = 4, 11


def grid(count):
    return -(-count // BLOCK)


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def turned(x):
    """Each stream turned around within its length."""
    out = x.copy()
    for s, length in enumerate(LENGTHS):
        out[:length, s] = x[:length, s][::-1]
    return out


def control(backend, step=STEP):
    return backend.array([step, 0, 0, 0], np.int32)


def check_tables(backend):
    M, V, width = 9, 5, 8
    table, ids = random(V, width), np.arange(M) * 3 % V
    at = backend.array(ids, np.int32)
    out, shadow = backend.poisoned((M, width)), backend.poisoned((M, width), np.uint16)
    given = backend.array(table), at, M, width
    backend.launch("gather", grid(M * width), BLOCK, out, shadow, *given)
    assert (out == table[ids]).all()
    assert (shadow == bf16(table[ids])).all()
    by_four = backend.poisoned((M, width))
    backend.launch("gather4", grid(M * width // 4), BLOCK, by_four, *given)
    assert (by_four == out).all()
    one_hot, low = backend.poisoned((M, V)), backend.poisoned((M, V), np.uint16)
    backend.launch("one_hot", grid(M * V), BLOCK, one_hot, None, at, M, V)
    backend.launch("one_hot", grid(M * V), BLOCK, None, low, at, M, V)
    assert (one_hot == np.eye(V)[ids]).all()
    assert (low == bf16(one_hot)).all()


def join(backend, h, h_back, rate, *, seed=SEED, step=STEP, parts=((0, 2), (2, T))):
    width = F if h_back is not None else H
    y, shadow = backend.poisoned((T, N, width)), backend.poisoned((T, N, width), np.uint16)
    back = None if h_back is None else backend.array(h_back)
    given = backend.array(h), back, backend.array(LENGTHS), control(backend, step), seed, rate
    for first, stop in parts:
        count = (stop - first) * N * width
        backend.launch("join", grid(count), BLOCK, y, shadow, *given, first, stop, N, H)
    assert (shadow == bf16(y)).all()
    return y


def check_two_directions(backend):
    h, h_back = random(2, T, N, H)
    wanted = np.concatenate([h, turned(h_back)], axis=2)
    assert (join(backend, h, h_back, 0.0) == wanted).all()
    assert (join(backend, h, None, 0.0) == h).all()


def check_dropout(backend):
    ones = np.ones((T, N, H), np.float32)
    y = join(backend, ones, ones, 0.25)
    assert set(y.reshape(-1)) == {0, np.float32(1 / 0.75)}
    assert (y == y[0]).all(), "one mask serves all steps"
    for changed in ({"seed": SEED + 1}, {"step": STEP + 1}):
        assert (join(backend, ones, ones, 0.25, **changed) != y).any()


def check_gradient_of_join(backend, rate=0.25):
    h, h_back, dh, dh_back = random(4, T, N, H)
    dy = random(T, N, F)
    y = join(backend, h, h_back, rate)
    out = backend.array(dh), backend.array(dh_back)
    given = backend.array(dy), backend.array(LENGTHS), control(backend), SEED, rate
    for first, stop in ((2, T), (0, 2)):
        count = (stop - first) * N * F
        backend.launch("part", grid(count), BLOCK, *out, *given, first, stop, N, H)
    # A linear map and its transpose: <join(h), dy> = <h, part(dy)>.
    through = (out[0] * h).sum() + (out[1] * h_back).sum()
    assert (y * dy).sum() == pytest.approx(through, rel=1e-4)
    alone = backend.array(dy[..., :H])
    given = None, alone, None, control(backend), SEED, rate, 0, T, N, H
    backend.launch("part", grid(T * N * H), BLOCK, alone, *given)
    single = join(backend, h, None, rate)
    assert (single * dy[..., :H]).sum() == pytest.approx((alone * h).sum(), rel=1e-4)


def check_turning(backend):
    x = random(T, N, F)
    out, shadow = backend.poisoned((T, N, F)), backend.poisoned((T, N, F), np.uint16)
    given = backend.array(x), backend.array(LENGTHS)
    for add in (0, 1):
        backend.launch("turn", grid(x.size), BLOCK, out, shadow, *given, add, T, N, F)
        near(out, (1 + add) * turned(x))
        assert (shadow == bf16(out)).all()
    ids = np.arange(T * N, dtype=np.int32).reshape(T, N)
    out = backend.poisoned((T, N), np.int32)
    backend.launch("turn_ids", grid(T * N), BLOCK, out, backend.array(ids), given[1], T, N)
    assert (out == turned(ids)).all()


def check_thinning(backend):
    x = random(4000)
    out, shadow = backend.poisoned(x.size), backend.poisoned(x.size, np.uint16)
    given = backend.array(x), control(backend), SEED, 0.25, x.size
    backend.launch("thin", grid(x.size), BLOCK, out, shadow, *given)
    assert abs((out == 0).mean() - 0.25) < 0.03
    near(out[out != 0], x[out != 0] / 0.75)
    assert (shadow == bf16(out)).all()
    backend.launch("copy_bf16", grid(x.size), BLOCK, shadow, given[0], x.size)
    assert (shadow == bf16(x)).all()


CHECKS = [
    check_tables,
    check_two_directions,
    check_dropout,
    check_gradient_of_join,
    check_turning,
    check_thinning,
]


@pytest.mark.parametrize("check", CHECKS)
def test_levels_are_joined_and_parted(check):
    run_check(check)


FAULTS = [
    (
        "inputs.cu",
        check_tables,
        "ids[i / quarter] * quarter + i % quarter",
        "ids[i / quarter] * quarter",
    ),
    ("inputs.cu", check_tables, "int quarter = F / 4;", "int quarter = F / 4 + 1;"),
    (
        "levels.cu",
        check_two_directions,
        "t < length ? length - 1 - t : t",
        "t < length ? length - t : t",
    ),
    (
        "levels.cu",
        check_two_directions,
        "* N + s) * H + f - H];\n    if",
        "* N + s) * H + f];\n    if",
    ),
    (
        "levels.cu",
        check_gradient_of_join,
        "else dh_back[((long long)turned(t, lengths[s])",
        "else dh_back[((long long)t",
    ),
    ("common.cuh", check_thinning, "? 1 / (1 - rate) : 0", "? 1 : 0"),
]


@pytest.mark.parametrize(("file", "check", "old", "new"), FAULTS)
def test_faults_are_found(file, check, old, new):
    assert_caught(check, file, old, new)
