"""Sums in a fixed order."""

import numpy as np
import pytest
from emulator.faults import assert_caught, run_check
from emulator.numbers import near

M, F, STRIDE = 77, 37, 41


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def check_columns(backend, parts=3):
    x = random(M, STRIDE)
    given, part = backend.array(x), backend.poisoned((parts, F))
    backend.launch("column_sums", (-(-F // 32), parts), (32, 32), part, given, M, F, STRIDE)
    rows = np.arange(M) // 32 % parts
    wanted = [x[rows == p, :F].astype(np.float64).sum(axis=0) for p in range(parts)]
    near(part, wanted, 1e-5)
    out = backend.poisoned(F)
    backend.launch("add_parts", -(-F // 32), 32, out, part, parts, F)
    near(out, np.sum(wanted, axis=0), 1e-5)


def check_squares(backend):
    x = random(2000)
    part, out = backend.poisoned(3), backend.poisoned(1)
    backend.launch("squares", 3, 256, part, backend.array(x), x.size)
    backend.launch("total", 1, 1024, out, part, 3, 0)
    assert out[0] == pytest.approx((x.astype(np.float64) ** 2).sum(), rel=1e-6)


def check_total(backend):
    x, out = random(2500), backend.poisoned(1)
    for add in (0, 1):
        backend.launch("total", 1, 1024, out, backend.array(x), x.size, add)
        assert out[0] == pytest.approx((1 + add) * x.sum(dtype=np.float64), rel=1e-6)


@pytest.mark.parametrize("check", [check_columns, check_squares, check_total])
def test_sums(check):
    run_check(check)


FAULTS = [
    (
        check_columns,
        "    __syncthreads();\n    if (threadIdx.y == 0 && f < F)",
        "    if (threadIdx.y == 0 && f < F)",
    ),
    (check_columns, "m < M; m += 32 * gridDim.y", "m < M - 1; m += 32 * gridDim.y"),
    (check_columns, "(long long)m * stride + f", "(long long)m * F + f"),
    (check_columns, "k < 32; ++k", "k < 31; ++k"),
    (
        check_squares,
        "int k = 128; k; k /= 2) {\n        __syncthreads();",
        "int k = 128; k; k /= 2) {",
    ),
    (check_squares, "int k = 128; k; k /= 2", "int k = 64; k; k /= 2"),
    (check_total, "add ? *out + sums[0] : sums[0]", "sums[0]"),
]


@pytest.mark.parametrize(("check", "old", "new"), FAULTS)
def test_faults_are_found(check, old, new):
    assert_caught(check, "sums.cu", old, new)
