"""Numbers as a GPU has them, and how near to others they are."""

import numpy as np


def bf16(values):
    """Return float32 numbers as bf16, in uint16: rounded to the nearest, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def floats(bits):
    """Return bf16 numbers, in uint16, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def near(found, wanted, tolerance=3e-6):
    """Assert that float32 numbers are those computed in float64, but for rounding."""
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
