"""Random matrices for initial weights."""

import numpy as np

from charrnn.backend.arrays import Array


def orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a random matrix with orthonormal rows or columns (Saxe et al. 2014)."""
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    # The sign makes the distribution uniform over orthogonal matrices (Mezzadri 2007).
    q *= np.sign(np.diag(r))
    return q if rows >= columns else q.T
