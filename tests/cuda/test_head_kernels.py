"""The kernels of heads: loss and its gradient beside ``charrnn.nn.loss``, sums, ends."""

import numpy as np
import pytest
from emulator.faults import assert_caught, run_check
from emulator.numbers import bf16, near

from charrnn.nn.loss import cross_entropy_

M, C, CP = 7, 37, 40
T, N, H = 5, 3, 4
LENGTHS = np.array([5, 1, 3], np.int32)
BLOCK = 64
"""Two warps: some blocks of those that compute M rows have no work for the second."""
GRID = -(-32 * M // BLOCK)


def logits_and_bias():
    rng = np.random.default_rng(0)
    logits, b = rng.standard_normal((M, CP)) * 4, rng.standard_normal(C)
    logits[2] += 200  # beyond what expf takes
    logits[:, C:] = np.nan  # columns that count for nothing
    return logits.astype(np.float32), b.astype(np.float32), rng.integers(C, size=M)


def expected(logits, b, targets):
    nats, dlogits = cross_entropy_((logits[:, :C].astype(np.float64) + b).T, targets)
    return nats, dlogits.T


def check_loss(backend, weights=(1, 0, 0.5, 1, 2, 1, 0), shadow=None):
    logits, b, targets = logits_and_bias()
    wanted, dlogits = expected(logits, b, targets)
    x, nats = backend.array(logits), backend.poisoned(M)
    weight = None if weights is None else backend.array(weights, np.float32)
    args = backend.array(b), backend.array(targets, np.int32), weight, nats
    backend.launch("cross_entropy", GRID, BLOCK, x, shadow, *args, 0.25, M, C, CP)
    factor = np.ones(M) if weights is None else np.array(weights)
    near(nats, wanted * factor)
    near(x[:, :C], dlogits * 0.25 * factor[:, np.newaxis])
    assert (x[:, C:] == 0).all()
    assert shadow is None or (shadow == bf16(x)).all()


def check_loss_alone(backend):
    logits, b, targets = logits_and_bias()
    wanted, _ = expected(logits, b, targets)
    x, nats = backend.array(logits), backend.poisoned(M)
    args = x, backend.array(b), backend.array(targets, np.int32), nats
    backend.launch("cross_entropy_alone", GRID, BLOCK, *args, M, C, CP)
    np.testing.assert_allclose(nats, wanted, rtol=3e-6, atol=2e-5)  # beside logits of 200
    assert (x[:, :C] == logits[:, :C]).all()


def check_added_logits(backend):
    logits, b, _ = logits_and_bias()
    out, x, bias = backend.poisoned((M, C)), backend.array(logits), backend.array(b)
    for add in (0, 1):
        backend.launch("add_logits", -(-M * C // 32), 32, out, x, bias, add, M, C, CP)
    near(out, 2 * (logits[:, :C] + b))


def check_ends(backend):
    rng = np.random.default_rng(0)
    F = 2 * H
    y, dends = rng.standard_normal((T, N, F)), rng.standard_normal((N, F))
    ends, shadow = backend.poisoned((N, F)), backend.poisoned((N, F), np.uint16)
    lengths, grid = backend.array(LENGTHS), -(-N * F // 32)
    source = backend.array(y, np.float32)
    backend.launch("take_ends", grid, 32, ends, shadow, source, lengths, N, F, H)
    wanted = np.concatenate([y[LENGTHS - 1, np.arange(N), :H], y[0, :, H:]], axis=1)
    near(ends, wanted)
    assert (shadow == bf16(ends)).all()
    dy = backend.poisoned((T, N, F))
    args = dy, backend.array(dends, np.float32), lengths
    backend.launch("give_ends", T * grid, 32, *args, T, N, F, H)
    assert np.count_nonzero(dy) == N * F
    assert (dy * y).sum() == pytest.approx((dends * wanted).sum(), rel=1e-5)


CHECKS = [check_loss, check_loss_alone, check_added_logits, check_ends]


@pytest.mark.parametrize("check", CHECKS)
def test_values_and_gradients(check):
    run_check(check)


def test_loss_without_weights_and_with_a_shadow():
    run_check(lambda backend: check_loss(backend, None, backend.poisoned((M, CP), np.uint16)))


FAULTS = [
    (check_loss, "{\n        float x = row[c] + b[c] - top;", "{\n        float x = row[c] - top;"),
    (check_loss, "float counts = weight ? weight[m] : 1.0f", "float counts = 1.0f"),
    (check_loss, "        right += __shfl_xor_sync(~0u, right, k);\n", ""),
    (
        check_loss,
        "c < Cp; c += 32) {\n        float x = c < C ?",
        "c < C; c += 32) {\n        float x = c < C ?",
    ),
    (check_loss_alone, "c < C; c += 32) total", "c < C - 1; c += 32) total"),
    (check_loss_alone, "+ top - row", "- row"),
    (
        check_ends,
        "lengths[s] - 1 : 0) ? dends[s * F + f]",
        "lengths[s] - 1 : 0) ? dends[s * H + f]",
    ),
]


@pytest.mark.parametrize(("check", "old", "new"), FAULTS)
def test_faults_are_found(check, old, new):
    assert_caught(check, "heads.cu", old, new)
