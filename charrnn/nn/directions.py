"""One level of a network: a recurrent layer, or two for both directions.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, F output features
    (H per layer).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.inputs import Symbols

Number = TypeVar("Number", bound=np.number)


class Reversal:
    """Reverses each stream of a window within the length of the stream.

    The padding after the end of a stream stays in place, so the reverse layer reads it last and it
    has no effect on the stream. A reversal is its own inverse.

    Parameters
    ----------
    lengths : (N,) int array
        The number of symbols in each stream.
    """

    def __init__(self, lengths: NDArray[np.integer]) -> None:
        # Adjacent streams of equal length are reversed together. A batch is sorted by length.
        borders = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
        self._runs = [
            (slice(start, stop), int(lengths[start])) for start, stop in pairwise(borders)
        ]

    def __call__(self, a: NDArray[Number]) -> NDArray[Number]:
        """Return a reversed copy of ``a (T, F, N)``."""
        reversed_ = np.empty(a.shape, a.dtype)
        for columns, length in self._runs:
            reversed_[:length, :, columns] = a[:length, :, columns][::-1]
            reversed_[length:, :, columns] = a[length:, :, columns]
        return reversed_


class Level:
    """The recurrent layers at one depth.

    The first layer reads forward. In a bidirectional network (Schuster & Paliwal 1997) a second
    layer reads the same input from the end of each item, and its outputs are stacked below those of
    the first. The output of a step then depends on both the past and the future.

    Parameters
    ----------
    layers : sequence of Recurrent
        One or two, with the same cell and size.
    """

    def __init__(self, layers: Sequence[Recurrent]) -> None:
        self.layers = list(layers)

    @property
    def output_size(self) -> int:
        """F, the number of output features per step."""
        return sum(layer.hidden_size for layer in self.layers)

    def forward(
        self,
        x: Array | Symbols,
        states: Sequence[Array],
        rng: np.random.Generator | None,
        reverse: Reversal | None,
    ) -> tuple[Array, list[Array]]:
        """Read one window.

        Parameters
        ----------
        x : (T, D, N) array or Symbols
            The input of each step.
        states : sequence of arrays
            The state of each layer before it reads the window.
        rng : Generator, optional
            Samples the weights to drop.
        reverse : Reversal, optional
            The reversal of the streams, required for two layers.

        Returns
        -------
        y : (T, F, N) array
            The output of each step.
        states : list of arrays
            The state of each layer after it has read the window.
        """
        self.reverse, self.has_read_symbols = reverse, isinstance(x, Symbols)
        first = self.layers[0]
        y, after = first.forward(x, states[0], rng)
        if len(self.layers) == 1:
            return y, [after]
        assert reverse is not None
        if isinstance(x, Symbols):
            x_back: Array | Symbols = x.with_ids(reverse(x.ids[:, np.newaxis])[:, 0])
        else:
            x_back = reverse(x)
        y_back, after_back = self.layers[1].forward(x_back, states[1], rng)
        return np.concatenate([y, reverse(y_back)], axis=1), [after, after_back]

    def backward(
        self,
        dy: Array,
        dstates: Sequence[Array],
        *,
        input_gradient: bool,
        state_gradient: bool = True,
    ) -> tuple[Array | None, list[Array | None]]:
        """Compute the weight gradients from the gradients of the last ``forward``'s outputs.

        Parameters
        ----------
        dy : (T, F, N) array
            The gradient of each step's output.
        dstates : sequence of arrays
            The gradient of the state of each layer after the window.
        input_gradient, state_gradient : bool
            Whether to compute ``dx``, and the gradient of the states before the window.

        Returns
        -------
        dx : (T, D, N) array or None
            The gradient of the input, or the gradient (V, D) of the embedding vectors if the input
            is symbols.
        dstates : list of (array or None)
            The gradient of the state of each layer before the window.
        """
        wanted = {"input_gradient": input_gradient, "state_gradient": state_gradient}
        first = self.layers[0]
        if len(self.layers) == 1:
            dx, before = first.backward(dy, dstates[0], **wanted)
            return dx, [before]
        assert self.reverse is not None
        H = first.hidden_size
        dy_back = self.reverse(dy[:, H:])  # a copy, because the first layer may overwrite dy
        dx, before = first.backward(np.ascontiguousarray(dy[:, :H]), dstates[0], **wanted)
        total = None if dx is None else dx.copy()  # the layers share a workspace
        dx, before_back = self.layers[1].backward(dy_back, dstates[1], **wanted)
        if total is not None and dx is not None:
            total += dx if self.has_read_symbols else self.reverse(dx)
        return total, [before, before_back]
