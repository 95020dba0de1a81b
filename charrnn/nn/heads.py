"""Heads map the output of the body to logits.

Dimensions
    T steps of the window, N parallel streams, H hidden units, F features of the body's output (H
    per direction), C classes (symbols or labels), M predictions.

A head selects the steps that it reads. It is a layer with weights (see ``layers.Layer``):
``forward(y, lengths)`` takes y (T, F, N) and returns logits (C, M), ``backward(dlogits)`` returns
dy, and ``predict_frequencies`` sets the bias.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Workspace
from charrnn.nn.layers.linear import Linear

Lengths = NDArray[np.integer]


class EveryStep(Linear):
    """Predicts at every step: column ``t*N + n`` reads ``y[t, :, n]``."""

    def forward(self, y: Array, lengths: Lengths | None = None) -> Array:
        """Return logits (C, T*N) for y (T, F, N), for any lengths of the streams."""
        return super().forward(y)

    def predict_frequencies(self, counts: NDArray[np.integer]) -> None:
        """Set the bias so that the initial prediction is the frequency of each class.

        ``counts`` (C,) are the counts of the classes; see ``smoothed`` for those that are zero.
        """
        logits = np.log(smoothed(counts))
        self.b[...] = logits - logits.mean()


class WholeItem(EveryStep):
    """Predicts once per stream: column n reads the last output of each direction.

    That is ``y[length - 1, :H, n]`` for the forward layer and ``y[0, H:, n]`` for the reverse
    layer.

    Parameters
    ----------
    input_size, output_size : int
        F and C.
    directions : int
        The number of directions of the body, 1 or 2.
    workspace : Workspace, optional
        As for ``Linear``.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        directions: int,
        workspace: Workspace | None = None,
    ) -> None:
        super().__init__(input_size, output_size, workspace)
        self.first = input_size // directions
        self.window: tuple[int, ...] = ()

    def forward(self, y: Array, lengths: Lengths | None = None) -> Array:
        """Return logits (C, N) for y (T, F, N) and the lengths (N,) of the streams."""
        self.window = y.shape
        T, _, N = y.shape
        self.last = np.full(N, T - 1) if lengths is None else lengths - 1
        ends = np.concatenate([y[self.last, : self.first, np.arange(N)].T, y[0, self.first :]])
        return super().forward(ends[np.newaxis])

    def backward(self, dz: Array) -> Array:
        """Fill ``dW`` from dlogits (C, N) and return dy (T, F, N), zero except at the ends."""
        (dends,) = super().backward(dz)
        dy = np.zeros(self.window, dz.dtype)
        dy[self.last, : self.first, np.arange(len(self.last))] = dends[: self.first].T
        dy[0, self.first :] += dends[self.first :]
        return dy


def smoothed(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return counts (C,) with the zeros replaced by a Good-Turing estimate.

    The classes with count zero share the number of classes that occur once, at least 1.
    """
    expected = counts.astype(np.float64)
    new = counts == 0
    if new.any():
        expected[new] = max(1, int(np.count_nonzero(counts == 1))) / int(np.count_nonzero(new))
    return expected
