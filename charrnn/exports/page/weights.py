"""The weights of a page: float16 numbers, half the size of a checkpoint."""

import base64
from collections.abc import Mapping

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.errors import CharrnnError

LARGEST = float(np.finfo(np.float16).max)


def float16_base64(weights: Mapping[str, Array]) -> str:
    """Return all weights in order as little-endian float16 numbers in base64.

    Each is rounded to the nearest float16 number, with 11 significant bits. A weight below 6e-8,
    the smallest such number, becomes zero.

    Parameters
    ----------
    weights : dict of str to array
        By name, as in ``CharModel.parameters``.

    Raises
    ------
    CharrnnError
        If a weight is too large for float16, which normal training does not produce.
    """
    for name, values in weights.items():
        largest = float(np.abs(values).max(initial=0))
        if not largest <= LARGEST:
            raise CharrnnError(
                f"{name} has a weight of {largest:.3g}, and a page stores float16, at most "
                f"{LARGEST:,.0f}: train with a lower --learning-rate, or with --weight-decay"
            )
    parts = [values.astype("<f2").tobytes() for values in weights.values()]
    return base64.b64encode(b"".join(parts)).decode("ascii")
