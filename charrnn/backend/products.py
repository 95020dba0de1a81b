"""Fast products of a tall weight matrix and a few columns.

A step of a recurrent layer multiplies ``(M, K)`` weights by ``(K, N)`` columns with small N. A
general BLAS routine first packs both matrices into another layout, and with few columns the packing
takes as long as the product. For AVX-512, OpenBLAS has kernels without packing, which it uses up to
``M * N * K = 10**6``. The weights are therefore multiplied in blocks of rows below that size:
``(512, 1025) @ (1025, 32)`` went from 61 to 91 GFLOP/s on one core of an AMD EPYC, where a large
product reaches 98. Other kernels have no such path and get the whole matrix.

These kernels compute tiles of 12 rows, so small blocks have a multiple of 12 rows, and the last
block has the remainder. On one core of an Intel Xeon with AVX-512, ``(512, 2048) @ (2048, 32)``
takes 501 us in blocks of 8 rows and 437 us in blocks of 12; ``(2048, 1025) @ (1025, 32)`` takes
1,200 us in blocks of 16 rows and 1,015 us in blocks of 12.
"""

from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_info

from charrnn.backend.arrays import Array

SMALL_PRODUCT_LIMIT = 10**6
SMALL_PRODUCT_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}

TILE = 12
"""The number of rows that the kernels compute together."""
MANY_ROWS = 64
"""Blocks of at least this many rows need not be a multiple of the tile."""

TRANSPOSED_AT_ONCE = 128
"""The number of rows transposed together, few enough to stay in the cache."""


class Product(Protocol):
    """``product(W, x, out=z)`` computes ``z = W @ x``."""

    def __call__(self, W: Array, x: Array, /, *, out: Array) -> object: ...


def product_of(M: int, K: int, N: int) -> Product:
    """Return the fastest product of (M, K) weights and (K, N) columns on this processor.

    The choice depends only on the sizes and the processor type, so results are reproducible bit
    for bit.
    """
    rows = rows_per_block(M, K, N)
    # NumPy's function itself if there is one block: a wrapper would add 0.1 us per step.
    return np.matmul if rows == M else BlockedProduct(M, K, N, rows)


def product_of_each(product: Product, W: Array, x: Array, *, out: Array) -> None:
    """Fill ``out`` (T, M, N) with the product of W and each step of x (T, K, N)."""
    if product is np.matmul:
        np.matmul(W, x, out=out)
        return
    for x_t, z in zip(x, out, strict=True):
        product(W, x_t, out=z)


class BlockedProduct:
    """A product in blocks of ``rows`` rows of the weights, with the remainder last."""

    def __init__(self, M: int, K: int, N: int, rows: int) -> None:
        self.rows = rows
        self._whole = M - M % rows
        self._W_shape = M // rows, rows, K
        self._out_shape = M // rows, rows, N
        self._W: Array | None = None

    def __call__(self, W: Array, x: Array, /, *, out: Array) -> None:
        whole = self._whole
        if W is not self._W:  # split once, as all steps of a window share the weights
            self._W = W
            self._blocks, self._rest = W[:whole].reshape(self._W_shape), W[whole:]
        np.matmul(self._blocks, x, out=out[:whole].reshape(self._out_shape))
        if len(self._rest):
            np.matmul(self._rest, x, out=out[whole:])


def rows_per_block(M: int, K: int, N: int) -> int:
    """Return the rows per block of (M, K) weights for (K, N) columns; M for a single block."""
    limit = SMALL_PRODUCT_LIMIT // max(1, K * N)
    if blas_kernel() not in SMALL_PRODUCT_KERNELS or limit >= M:
        return M
    rows = next((rows for rows in range(limit, 0, -1) if M % rows == 0), M)
    if rows < MANY_ROWS and limit >= TILE:
        rows = limit - limit % TILE
    # Blocks with fewer than 128 results are slower than packing.
    return rows if rows * N >= 128 else M


@cache
def blas_kernel() -> str:
    """Return the name of the processor whose BLAS kernels NumPy uses, such as ``"Haswell"``.

    Other packages may load their own BLAS. NumPy's is the library next to it, or else the one that
    it was built with. The name is ``"unknown"`` if neither identifies the kernels, as with
    Accelerate.
    """
    loaded = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    own = [library for library in loaded if _is_beside_numpy(str(library.get("filepath", "")))]
    if not own:
        named = _built_with()
        own = [one for one in loaded if str(one.get("internal_api", "?")) in named]
        if named in ("", "blas", "cblas"):  # only the interface: the library can be any of them
            own = loaded
    return str(next(filter(None, (one.get("architecture") for one in own)), "unknown"))


def _is_beside_numpy(path: str) -> bool:
    """Return whether a library is in NumPy's folder or in the library folder of its wheel."""
    package = Path(np.__file__).parent
    places = (package, package.with_name("numpy.libs"))
    return any(Path(path).is_relative_to(place) for place in places)


def _built_with() -> str:
    """Return the name of the BLAS that NumPy was built with, such as ``"scipy-openblas"``."""
    built: Any = np.__config__.CONFIG.get("Build Dependencies", {})
    return str(built.get("blas", {}).get("name", "")).lower()


def transpose(matrix: Array, out: Array) -> Array:
    """Copy the transpose of an (R, C) matrix to ``out`` (C, R) and return it.

    BLAS multiplies by the copy up to 1.7 times as fast as by a transposed view.
    """
    for start in range(0, len(matrix), TRANSPOSED_AT_ONCE):
        rows = slice(start, start + TRANSPOSED_AT_ONCE)
        out[:, rows] = matrix[rows].T
    return out


def for_one_column(W: Array) -> Array:
    """Return a copy of the weights in Fortran order.

    BLAS multiplies the copy by a single column up to 1.3 times as fast.
    """
    return np.asfortranarray(W)
