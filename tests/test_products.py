"""Products of weights with a few columns: how they are cut, and that they are right."""

from pathlib import Path

import numpy as np
import pytest

from charrnn.backend import products
from charrnn.backend.products import (
    BlockedProduct,
    for_one_column,
    product_of,
    rows_per_block,
    transpose,
)


def test_blocks_of_rows_divide_the_matrix_or_are_whole_tiles(monkeypatch):
    monkeypatch.setattr(products, "blas_kernel", lambda: "SkylakeX")
    for M in range(1, 200, 7):
        for K in (1, 64, 1000, 5000):
            for N in (1, 32, 100):
                rows = rows_per_block(M, K, N)
                assert M % rows == 0 or rows % products.TILE == 0
                assert rows == M or 128 <= rows * N <= products.SMALL_PRODUCT_LIMIT // K
    assert rows_per_block(512, 128, 32) == 128
    assert rows_per_block(2048, 1025, 32) == 24
    assert rows_per_block(512, 2048, 32) == 12
    assert rows_per_block(512, 10**7, 32) == 512


@pytest.mark.parametrize(
    ("kernel", "sizes"), [("Haswell", (512, 1025, 32)), ("SkylakeX", (64, 65, 32))]
)
def test_what_is_not_cut_goes_to_numpy_at_once(monkeypatch, kernel, sizes):
    monkeypatch.setattr(products, "blas_kernel", lambda: kernel)
    assert product_of(*sizes) is np.matmul


@pytest.mark.parametrize(("limit", "tile", "rows"), [(3, 12, 3), (5, 5, 5)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_product_in_blocks_is_the_product(monkeypatch, order, limit, tile, rows):
    monkeypatch.setattr(products, "blas_kernel", lambda: "SkylakeX")
    monkeypatch.setattr(products, "SMALL_PRODUCT_LIMIT", limit * 5 * 64)
    monkeypatch.setattr(products, "TILE", tile)
    rng = np.random.default_rng(0)
    product = product_of(12, 5, 64)
    assert isinstance(product, BlockedProduct)
    assert product.rows == rows
    # Of a part of a matrix, into a part of a buffer, as a cell's gates are.
    W = np.asarray(rng.standard_normal((14, 9)), order=order)[2:, 3:8]
    other, buffer = rng.standard_normal((12, 5)), np.zeros((2, 15, 64))
    for weights in (W, W, other, W):
        x = rng.standard_normal((5, 64))
        product(weights, x, out=buffer[1, :12])
        np.testing.assert_allclose(buffer[1, :12], weights @ x, rtol=1e-12, atol=1e-13)
    W[...] *= 2  # as an update does: the weights are read again, wherever they lie
    product(W, x, out=buffer[1, :12])
    np.testing.assert_allclose(buffer[1, :12], W @ x, rtol=1e-12, atol=1e-13)
    assert not buffer[0].any()
    assert not buffer[1, 12:].any()


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 300])
def test_a_transposed_copy(rows):
    matrix = np.random.default_rng(0).standard_normal((rows, 9))[:, 2:]
    out = np.empty((7, rows))
    assert transpose(matrix, out) is out
    assert (out == matrix.T).all()


def test_weights_for_one_column_are_a_copy_of_the_same_numbers():
    W = np.random.default_rng(0).standard_normal((6, 5))
    copy = for_one_column(W)
    assert (copy == W).all()
    assert copy.T.flags.c_contiguous
    assert not np.shares_memory(copy, W)


NUMPY = Path(np.__file__).parent
OWN = {"user_api": "blas", "filepath": str(NUMPY.parent / "numpy.libs" / "libscipy_openblas.so")}
MKL = {"user_api": "blas", "internal_api": "mkl", "filepath": "/opt/torch/libmkl_rt.so"}
OPENBLAS = {"user_api": "blas", "internal_api": "openblas", "filepath": "/usr/lib/libopenblas.so"}
OPENMP = {"user_api": "openmp", "internal_api": "openmp", "architecture": "none"}


@pytest.mark.parametrize(
    ("loaded", "built", "kernel"),
    [
        ([OWN | {"architecture": "Zen"}], "", "Zen"),
        ([OWN | {"architecture": "Zen"}, OPENBLAS | {"architecture": "Haswell"}], "", "Zen"),
        # Another package has loaded its own before.
        ([OPENBLAS | {"architecture": "Haswell"}, OWN | {"architecture": "Zen"}], "", "Zen"),
        ([MKL | {"architecture": None}, OWN | {"architecture": "SkylakeX"}], "mkl", "SkylakeX"),
        ([OPENMP, OWN | {"architecture": "Zen"}], "", "Zen"),
        # NumPy has none of its own.
        ([MKL, OPENBLAS | {"architecture": "Haswell"}], "openblas64", "Haswell"),
        ([OPENBLAS | {"architecture": "Haswell"}], "blas", "Haswell"),
        ([OPENBLAS | {"architecture": "Haswell"}], "accelerate", "unknown"),
        ([MKL | {"architecture": None}], "mkl-sdl", "unknown"),
        ([], "openblas", "unknown"),
    ],
)
def test_the_kernel_is_that_of_the_library_that_numpy_uses(monkeypatch, loaded, built, kernel):
    monkeypatch.setattr(products, "threadpool_info", lambda: loaded)
    monkeypatch.setattr(products, "_built_with", lambda: built)
    products.blas_kernel.cache_clear()
    assert products.blas_kernel() == kernel
    products.blas_kernel.cache_clear()


def test_what_numpy_was_built_with_is_known():
    assert products._built_with()
    assert products._is_beside_numpy(OWN["filepath"])
    assert not products._is_beside_numpy(OPENBLAS["filepath"])
