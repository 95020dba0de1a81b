"""Products of a tall weight matrix with a few columns, cut so that BLAS does them at full speed.

A step of a recurrent layer multiplies ``(M, K)`` weights by ``(K, N)`` columns with N small. A
general BLAS routine first copies both matrices into another order, and for few columns that copy
costs as much as the product. OpenBLAS has kernels without the copy for its AVX-512 processors,
used up to ``M * N * K = 10**6``. So the weights are handed over in blocks of rows below that size:
``(512, 1025) @ (1025, 32)`` went from 61 to 91 GFLOP/s on one core of an AMD EPYC, where a large
product reaches 98. Other kernels have no such path and get the matrix whole.
"""

from functools import cache

from threadpoolctl import threadpool_info

from charrnn.backend.arrays import Array

SMALL_PRODUCT_LIMIT = 10**6
SMALL_PRODUCT_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


@cache
def blas_kernel() -> str:
    """Return the name of the processor whose BLAS kernels are in use, such as ``"Haswell"``."""
    names = (str(library.get("architecture")) for library in threadpool_info())
    return next(names, "unknown")


def rows_per_block(M: int, K: int, N: int) -> int:
    """Return into blocks of how many rows an (M, K) matrix is best cut to multiply (K, N).

    It depends on the sizes and the kind of processor only, so that results repeat bit for bit.
    """
    limit = SMALL_PRODUCT_LIMIT // (K * N)
    if blas_kernel() not in SMALL_PRODUCT_KERNELS or limit >= M:
        return M
    rows = next((rows for rows in range(limit, 0, -1) if M % rows == 0), M)
    # Blocks of fewer than 128 results are slower than the copy.
    return rows if rows * N >= 128 else M


def in_blocks(matrix: Array, rows: int) -> Array:
    """Return an (M, K) array as an (M / rows, rows, K) view."""
    return matrix.reshape(-1, rows, matrix.shape[1])
