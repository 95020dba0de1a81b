"""Products of a tall weight matrix with a few columns, laid out so that BLAS does them fast.

A step of a recurrent layer multiplies ``(M, K)`` weights by ``(K, N)`` columns with N small. A
general BLAS routine first copies both matrices into another order, and for few columns that copy
costs as much as the product. OpenBLAS has kernels without the copy for its AVX-512 processors,
used up to ``M * N * K = 10**6``. So the weights are handed over in blocks of rows below that size:
``(512, 1025) @ (1025, 32)`` went from 61 to 91 GFLOP/s on one core of an AMD EPYC, where a large
product reaches 98. Other kernels have no such path and get the matrix whole.

Few rows must be a multiple of 12, with a remainder, because those kernels compute tiles of 12 rows:
on one core of an Intel Xeon with AVX-512, ``(512, 2048) @ (2048, 32)`` takes 501 us in blocks of 8
rows and 437 in blocks of 12, ``(2048, 1025) @ (1025, 32)`` 1,200 in blocks of 16 and 1,015 of 12.
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
"""Rows that the kernels compute together."""
MANY_ROWS = 64
"""A block of so many loses nothing if they are no multiple of the tile."""

TRANSPOSED_AT_ONCE = 128
"""Rows transposed together: few enough to stay in the cache until they are written."""


class Product(Protocol):
    """``product(W, x, out=z)`` computes ``z = W @ x``."""

    def __call__(self, W: Array, x: Array, /, *, out: Array) -> object: ...


def product_of(M: int, K: int, N: int) -> Product:
    """Return the fastest product of (M, K) weights and (K, N) columns on this processor.

    The choice depends only on the sizes and the kind of processor, so that results repeat bit for
    bit.
    """
    rows = rows_per_block(M, K, N)
    # NumPy's function itself if nothing is cut: one more Python call would cost 0.1 us a step.
    return np.matmul if rows == M else BlockedProduct(M, K, N, rows)


def product_of_each(product: Product, W: Array, x: Array, *, out: Array) -> None:
    """Fill ``out`` (T, M, N) with the products of W and each of x (T, K, N)."""
    if product is np.matmul:
        np.matmul(W, x, out=out)
        return
    for x_t, z in zip(x, out, strict=True):
        product(W, x_t, out=z)


class BlockedProduct:
    """A product that takes ``rows`` rows of the weights at a time, and at last the remainder."""

    def __init__(self, M: int, K: int, N: int, rows: int) -> None:
        self.rows = rows
        self._whole = M - M % rows
        self._W_shape = M // rows, rows, K
        self._out_shape = M // rows, rows, N
        self._W: Array | None = None

    def __call__(self, W: Array, x: Array, /, *, out: Array) -> None:
        whole = self._whole
        if W is not self._W:  # all steps of a window share their weights: cut them once
            self._W = W
            self._blocks, self._rest = W[:whole].reshape(self._W_shape), W[whole:]
        np.matmul(self._blocks, x, out=out[:whole].reshape(self._out_shape))
        if len(self._rest):
            np.matmul(self._rest, x, out=out[whole:])


def rows_per_block(M: int, K: int, N: int) -> int:
    """Return the rows of a block of (M, K) weights that multiply (K, N) columns; M if uncut."""
    limit = SMALL_PRODUCT_LIMIT // max(1, K * N)
    if blas_kernel() not in SMALL_PRODUCT_KERNELS or limit >= M:
        return M
    rows = next((rows for rows in range(limit, 0, -1) if M % rows == 0), M)
    if rows < MANY_ROWS and limit >= TILE:
        rows = limit - limit % TILE
    # Blocks of fewer than 128 results are slower than the copy.
    return rows if rows * N >= 128 else M


@cache
def blas_kernel() -> str:
    """Return the name of the processor whose BLAS kernels NumPy uses, such as ``"Haswell"``.

    Other packages load a BLAS of their own, before or after: the kernels are those of the library
    that lies beside NumPy, or else of the one that NumPy was built with. ``"unknown"`` where that
    does not tell, as Accelerate.
    """
    loaded = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    own = [library for library in loaded if _is_beside_numpy(str(library.get("filepath", "")))]
    if not own:
        named = _built_with()
        own = [one for one in loaded if str(one.get("internal_api", "?")) in named]
        if named in ("", "blas", "cblas"):  # the interface alone: any library may be behind it
            own = loaded
    return str(next(filter(None, (one.get("architecture") for one in own)), "unknown"))


def _is_beside_numpy(path: str) -> bool:
    """Return whether a library is in the folder of NumPy or in that of its wheel's libraries."""
    package = Path(np.__file__).parent
    places = (package, package.with_name("numpy.libs"))
    return any(Path(path).is_relative_to(place) for place in places)


def _built_with() -> str:
    """Return the name of the BLAS that NumPy was built with, such as ``"scipy-openblas"``."""
    built: Any = np.__config__.CONFIG.get("Build Dependencies", {})
    return str(built.get("blas", {}).get("name", "")).lower()


def transpose(matrix: Array, out: Array) -> Array:
    """Copy the transpose of an (R, C) matrix to ``out`` (C, R) and return it.

    BLAS multiplies by the copy up to 1.7 times faster than by a transposed view.
    """
    for start in range(0, len(matrix), TRANSPOSED_AT_ONCE):
        rows = slice(start, start + TRANSPOSED_AT_ONCE)
        out[:, rows] = matrix[rows].T
    return out


def for_one_column(W: Array) -> Array:
    """Return a copy of the weights in Fortran order.

    BLAS multiplies it by a single column up to 1.3 times as fast.
    """
    return np.asfortranarray(W)
