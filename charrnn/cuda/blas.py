"""cuBLAS through ctypes.

CuPy rejects its own products while a CUDA graph is recorded; a handle with its own workspace can be
recorded.

Dimensions
    m by n results, sums over k; B products per batch.
"""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from charrnn.cuda.backend import DeviceArray, Precision
from charrnn.errors import DeviceError

WORKSPACE = 32 << 20
"""Bytes per handle, as NVIDIA recommends for its newest GPUs."""
COMPUTE: dict[Precision, int] = {"float32": 68, "tf32": 77, "bf16": 68}
"""cublasComputeType_t: CUBLAS_COMPUTE_32F and _32F_FAST_TF32; for bf16, only the operands are
bf16."""
FLOAT32, BF16 = 0, 14
"""cudaDataType_t."""
DEFAULT_ALGORITHM = -1
STRIDED_BATCH = "cublasGemmStridedBatchedEx"


def libraries(version: int) -> Iterator[str]:
    """Yield possible paths of cuBLAS: in Python packages, in a CUDA toolkit, or on the system."""
    name = f"libcublas.so.{version}"
    for package in ("nvidia.cublas", f"nvidia.cu{version}"):
        with suppress(ImportError, ValueError):
            spec = find_spec(package)
            for place in (spec.submodule_search_locations or []) if spec else []:
                yield from map(str, Path(place).glob(f"lib/{name}"))
    yield f"/usr/local/cuda/lib64/{name}"
    yield name


def load(version: int) -> ctypes.CDLL:
    """Return the library of CUDA ``version`` (12 or 13).

    Raises
    ------
    DeviceError
        If it is not found.
    """
    for path in libraries(version):
        with suppress(OSError):
            return ctypes.CDLL(path)
    raise DeviceError(
        f"cuBLAS for CUDA {version} is missing: pip install 'cupy-cuda{version}x[ctk]'"
    )


class Blas:
    """Matrix products on one lane.

    Parameters
    ----------
    library : CDLL
        cuBLAS.
    stream : int
        The CUDA stream, as a pointer.
    workspace : DeviceArray
        ``WORKSPACE`` bytes.
    precision : {"float32", "tf32", "bf16"}
        Precision of products of float32 operands; with "bf16" they are computed in float32.
    """

    def __init__(
        self, library: ctypes.CDLL, stream: int, workspace: DeviceArray, precision: Precision
    ) -> None:
        self._library, self._workspace = library, workspace
        self._handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream))
        at, size = ctypes.c_void_p(workspace.data.ptr), ctypes.c_size_t(workspace.nbytes)
        self._call("cublasSetWorkspace_v2", self._handle, at, size)
        self._compute = COMPUTE[precision]
        self._one, self._zero = ctypes.c_float(1), ctypes.c_float(0)

    def product(
        self, out: DeviceArray, A: DeviceArray, B: DeviceArray, ta: bool, tb: bool, add: bool
    ) -> None:
        """Compute ``out = op(A) op(B)`` (+ out), all row-major; see ``Backend.product``."""
        m, n = out.shape
        k = A.shape[0] if ta else A.shape[1]
        kind = BF16 if A.itemsize == 2 else FLOAT32
        # cuBLAS is column-major: a row-major matrix is its transpose there.
        self._call(
            "cublasGemmEx",
            self._handle,
            int(tb),
            int(ta),
            n,
            m,
            k,
            ctypes.byref(self._one),
            *(ctypes.c_void_p(B.data.ptr), kind, _row(B)),
            *(ctypes.c_void_p(A.data.ptr), kind, _row(A)),
            ctypes.byref(self._one if add else self._zero),
            *(ctypes.c_void_p(out.data.ptr), FLOAT32, _row(out)),
            self._compute,
            DEFAULT_ALGORITHM,
        )

    def products(self, out: DeviceArray, A: DeviceArray, B: DeviceArray, tb: bool) -> None:
        """Compute a batch of products (B, m, n); see ``Backend.products``."""
        count, m, n = out.shape
        k = A.shape[2]
        self._call(
            STRIDED_BATCH,
            self._handle,
            int(tb),
            0,
            n,
            m,
            k,
            ctypes.byref(self._one),
            *(ctypes.c_void_p(B.data.ptr), FLOAT32, B.shape[2], _distance(B)),
            *(ctypes.c_void_p(A.data.ptr), FLOAT32, k, _distance(A)),
            ctypes.byref(self._zero),
            *(ctypes.c_void_p(out.data.ptr), FLOAT32, n, _distance(out)),
            count,
            self._compute,
            DEFAULT_ALGORITHM,
        )

    def _call(self, name: str, *args: Any) -> None:
        status = getattr(self._library, name)(*args)
        if status:
            raise DeviceError(f"the GPU failed: {name} of cuBLAS returned {status}")


def _row(array: DeviceArray) -> int:
    """Return the leading dimension: the distance between the starts of two rows."""
    return int(array.strides[0] // array.itemsize)


def _distance(array: DeviceArray) -> ctypes.c_longlong:
    return ctypes.c_longlong(array.shape[1] * array.shape[2])
