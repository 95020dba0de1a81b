"""One level of a network: a recurrent layer, or two that read each item from both ends.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units, F output features:
    H for each layer.
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
    """Turns each stream of a window around within its own length.

    What stands behind the end of a stream stays there, so the layer that reads from the end meets
    it last, and it changes nothing. Applied twice, a reversal gives what was there before.

    Parameters
    ----------
    lengths : (N,) int array
        The symbols of each stream.
    """

    def __init__(self, lengths: NDArray[np.integer]) -> None:
        # Neighbors of equal length turn together. The streams of a batch are sorted by length.
        borders = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
        self._runs = [
            (slice(start, stop), int(lengths[start])) for start, stop in pairwise(borders)
        ]

    def __call__(self, a: NDArray[Number]) -> NDArray[Number]:
        """Return a copy of ``a (T, F, N)`` turned around."""
        turned = np.empty(a.shape, a.dtype)
        for columns, length in self._runs:
            turned[:length, :, columns] = a[:length, :, columns][::-1]
            turned[length:, :, columns] = a[length:, :, columns]
        return turned


class Level:
    """The recurrent layers that stand side by side at one depth.

    One layer reads from the beginning. A second one, if there is one, reads the same input from the
    end of each item (Schuster & Paliwal 1997), and its outputs are stacked below those of the
    first: the output of a step knows what comes before it and what comes after.

    Parameters
    ----------
    layers : sequence of Recurrent
        One or two, of one cell and size.
    """

    def __init__(self, layers: Sequence[Recurrent]) -> None:
        self.layers = list(layers)

    @property
    def output_size(self) -> int:
        """F, the features of a step's output."""
        return sum(layer.hidden_size for layer in self.layers)

    def forward(
        self,
        x: Array | Symbols,
        states: Sequence[Array],
        rng: np.random.Generator | None,
        turn: Reversal | None,
    ) -> tuple[Array, list[Array]]:
        """Read one window.

        Parameters
        ----------
        x : (T, D, N) array or Symbols
            The input of each step.
        states : sequence of arrays
            The state of each layer before the window; of the second one, before it reads the end.
        rng : Generator, optional
            Draws the dropped weights.
        turn : Reversal, optional
            Of the streams; two layers need it.

        Returns
        -------
        y : (T, F, N) array
            The output of each step.
        states : list of arrays
            The state of each layer after it has read the window.
        """
        self.turn, self.has_read_symbols = turn, isinstance(x, Symbols)
        first = self.layers[0]
        y, after = first.forward(x, states[0], rng)
        if len(self.layers) == 1:
            return y, [after]
        assert turn is not None
        x_back = x.with_ids(turn(x.ids[:, np.newaxis])[:, 0]) if isinstance(x, Symbols) else turn(x)
        y_back, after_back = self.layers[1].forward(x_back, states[1], rng)
        return np.concatenate([y, turn(y_back)], axis=1), [after, after_back]

    def backward(
        self,
        dy: Array,
        dstates: Sequence[Array],
        *,
        input_gradient: bool,
        state_gradient: bool = True,
    ) -> tuple[Array | None, list[Array | None]]:
        """Fill the gradients of the weights from those of the last ``forward``'s results.

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
            The gradient of the input; of symbols, that of their vectors (V, D).
        dstates : list of (array or None)
            The gradient of the state of each layer before the window.
        """
        wanted = {"input_gradient": input_gradient, "state_gradient": state_gradient}
        first = self.layers[0]
        if len(self.layers) == 1:
            dx, before = first.backward(dy, dstates[0], **wanted)
            return dx, [before]
        assert self.turn is not None
        H = first.hidden_size
        dy_back = self.turn(dy[:, H:])  # a copy: the first layer may write where dy is
        dx, before = first.backward(np.ascontiguousarray(dy[:, :H]), dstates[0], **wanted)
        total = None if dx is None else dx.copy()  # the layers share their workspace
        dx, before_back = self.layers[1].backward(dy_back, dstates[1], **wanted)
        if total is not None and dx is not None:
            total += dx if self.has_read_symbols else self.turn(dx)
        return total, [before, before_back]
