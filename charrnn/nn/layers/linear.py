"""A linear layer, applied to every column.

Dimensions
    T steps of the window, N parallel streams, D input features, F output features.
"""

from collections.abc import Mapping

import numpy as np

from charrnn.backend.arrays import Array, Workspace, swap_time
from charrnn.nn.layers import SPENT


class Linear:
    """``z = W @ [1; y]``, with ``W = [b Wy]`` (F, 1 + D).

    Parameters
    ----------
    input_size, output_size : int
        D and F.
    workspace : Workspace, optional
        Buffers for ``backward``. Layers that run one after another may share one workspace.
    """

    def __init__(
        self, input_size: int, output_size: int, workspace: Workspace | None = None
    ) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self.workspace = workspace or Workspace()
        self.columns: Array = np.empty((0, 0))
        self.shape: tuple[int, ...] | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the weights, whose first column is the bias."""
        return {"W": (self.output_size, 1 + self.input_size)}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Use these arrays as the weights and their gradient."""
        self.W, self.dW = values["W"], grads["W"]
        self.b = self.W[:, 0]

    def initialise(self, rng: np.random.Generator) -> None:
        """Set the weights to zero, so that the initial output is the bias."""
        self.W[...] = 0

    def forward(self, y: Array) -> Array:
        """Return z (F, T*N) for y (T, D, N)."""
        T, D, N = self.shape = y.shape
        if self.columns.shape != (1 + D, T * N):
            self.columns = np.ones((1 + D, T * N), self.W.dtype)
        swap_time(y, self.columns[1:].reshape(D, T, N))
        return self.W @ self.columns

    def backward(self, dz: Array) -> Array:
        """Fill ``dW`` from dz (F, T*N) and return dy (T, D, N).

        The next ``backward`` with this workspace overwrites dy.

        Raises
        ------
        RuntimeError
            If ``forward`` was not called since the last ``backward``.
        """
        if self.shape is None:
            raise RuntimeError(SPENT)
        (T, D, N), self.shape = self.shape, None
        np.matmul(dz, self.columns.T, out=self.dW)
        dy = np.matmul(self.W[:, 1:].T, dz, out=self.columns[1:])  # y is no longer needed
        return swap_time(dy.reshape(D, T, N), self.workspace.array("dx", (T, D, N), dy.dtype))
