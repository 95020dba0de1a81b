"""The emulated backend beside its kernels: products, copies, and what it refuses."""

import numpy as np
import pytest
from emulator.backend import EmulatedBackend
from emulator.lanes import RecordingError
from emulator.numbers import floats


@pytest.fixture
def backend():
    return EmulatedBackend("bf16")


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("add", [False, True])
def test_products_of_rows_with_any_stride(backend, ta, tb, add):
    rng = np.random.default_rng(0)
    A, B, out = (backend.array(rng.standard_normal((6, 9)), np.float32) for _ in range(3))
    A, B, out = A[:, 1:5] if ta else A[:4, :6], B[:5, :6] if tb else B[:, :5], out[:4, 2:7]
    before = out.copy() if add else 0
    wanted = (A.T if ta else A) @ (B.T if tb else B) + before
    backend.product(out, A, B, ta=ta, tb=tb, add=add)
    np.testing.assert_allclose(out, wanted, rtol=1e-5)


def test_products_of_a_batch(backend):
    rng = np.random.default_rng(0)
    A, B = (backend.array(rng.standard_normal((3, 4, 5)), np.float32) for _ in range(2))
    out, square = backend.poisoned((3, 4, 4)), backend.poisoned((3, 4, 4))
    backend.products(out, A, B, tb=True)
    np.testing.assert_allclose(out, np.einsum("bij,bkj->bik", A, B), rtol=1e-5)
    backend.products(square, out, out)
    np.testing.assert_allclose(square, out @ out, rtol=1e-5)


def test_products_of_bf16(backend):
    rng = np.random.default_rng(0)
    A, B = (backend.array(rng.integers(0x3F00, 0x4000, (4, 4)), np.uint16) for _ in range(2))
    out = backend.poisoned((4, 4))
    backend.product(out, A, B)
    np.testing.assert_allclose(out, floats(A) @ floats(B), rtol=1e-6)


def refused_products(backend):
    A, B, out = (backend.zeros((4, 4)) for _ in range(3))
    yield "no product of", (out, A[:, :3], B), {}
    yield "no product of", (out, A[:3], B), {"ta": True}
    yield "no product of", (out[:, :3], A, B), {}
    yield "no matrix", (out, A[:, ::2], B[:2]), {}
    yield "no matrix", (out, A.T, B), {}
    yield "no matrix", (out, A[0], B), {}
    yield "no product of uint16 and float32", (out, A.astype(np.uint16), B), {}
    yield "no product of float64 and float64", (out, A.astype(np.float64), B.astype(np.float64)), {}
    yield "replace its operand", (A, A, B), {}
    yield "replace its operand", (A[:2], B[:2], A), {}


@pytest.mark.parametrize("which", range(10))
def test_products_that_cublas_does_not_take(backend, which):
    message, args, options = list(refused_products(backend))[which]
    with pytest.raises((TypeError, ValueError), match=message):
        backend.product(*args, **options)


def test_bf16_belongs_to_its_precision():
    A = np.zeros((4, 4), np.uint16)
    with pytest.raises(TypeError, match="precision tf32"):
        EmulatedBackend("tf32").product(np.zeros((4, 4), np.float32), A, A)


def test_arrays_are_copied_between_equals_only(backend):
    x, y = backend.zeros((2, 3)), backend.poisoned((2, 3))
    backend.upload(x, np.arange(6, dtype=np.float32).reshape(2, 3))
    backend.copy(y, x)
    taken = backend.download(y)
    backend.fill(y, 7)
    assert (y == 7).all()
    assert (taken == x).all()
    for wrong in (np.zeros((3, 2), np.float32), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="is copied to"):
            backend.upload(x, wrong)
        with pytest.raises(ValueError, match="is copied to"):
            backend.copy(x, wrong)


@pytest.fixture(params=[False, True], ids=["ascending", "descending"])
def recorder(request):
    return EmulatedBackend(descending=request.param)


def chain(backend, *, waits=True):
    """Two lanes that hand numbers on: x on the first, y on the second, and back."""
    x, y, z = (backend.zeros(4) for _ in range(3))

    def work():
        backend.fill(x, 1)
        backend.wait(1, 0)
        with backend.on(1):
            backend.copy(y, x)
            backend.fill(z, 5)
        if waits:
            backend.wait(0, 1)
        backend.fill(x, 2)
        backend.copy(z, y)
        backend.wait(0, 1)

    return work, x, y, z


def test_recorded_work_keeps_what_lanes_wait_for(recorder):
    work, x, y, z = chain(recorder)
    again = recorder.record(work)
    recorder.synchronize()
    for array, value in ((x, 2), (y, 1), (z, 1)):
        assert (array == value).all()
        array[...] = 0
    again()
    assert (x == 2).all()
    assert (z == 1).all()


def test_a_wait_that_is_missing_shows_in_one_of_the_orders():
    found = []
    for descending in (False, True):
        backend = EmulatedBackend(descending=descending)
        work, _, y, z = chain(backend, waits=False)
        backend.record(work)
        found.append((y[0], z[0]))
    assert found != [(1, 1), (1, 1)]


def test_recorded_work_does_not_change_with_what_is_around_it(recorder):
    x, values = recorder.zeros(1), [3, 4, 5, 6]
    again = recorder.record(lambda: recorder.fill(x, values.pop(0)))
    again()
    again()
    assert (x[0], values) == (4, [5, 6])


def test_lanes_begin_and_end_with_the_first():
    backend = EmulatedBackend()
    x = backend.zeros(1)

    def alone():
        with backend.on(1):
            backend.fill(x, 1)

    def left():
        backend.wait(2, 0)
        with backend.on(2):
            backend.fill(x, 1)

    for work, message in (
        (alone, "lane 1 does not wait for lane 0 before it begins"),
        (left, "lane 0 does not wait for lane 2 at the end"),
        (backend.synchronize, "waiting for the GPU cannot be recorded"),
        (lambda: backend.download(x), "a download cannot be recorded"),
        (lambda: backend.record(alone), "a recording cannot be recorded"),
    ):
        with pytest.raises(RecordingError, match=message):
            backend.record(work)
