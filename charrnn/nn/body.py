"""The body of a network: from ids to the output of the top recurrent layer, and back.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L recurrent
    layers, F features of the output: H for each direction, S state arrays of a layer, R features
    of each of them: H, but where a layer carries its inputs.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids, Workspace
from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.directions import Level, Reversal
from charrnn.nn.inputs import Symbols
from charrnn.nn.layers import Layer
from charrnn.nn.layers.dropout import Dropout
from charrnn.nn.layers.encoders import Embedding, Encoder, OneHot

Own = tuple[int, slice, slice]
"""The part of a state (L, S, R, N) that one layer has."""


class Body:
    """An encoder (one-hot or embedding) and levels of recurrent layers, with dropout after each.

    Parameters
    ----------
    architecture : Architecture
        The kind, number and size of the layers.
    vocab_size : int
        V, the number of symbols.
    workspace : Workspace
        The buffers of ``backward``. Networks that run one after another may share them.

    Attributes
    ----------
    encoder : Encoder
        Turns ids into the input of the lowest recurrent layer.
    levels : list of Level
        What stands side by side at each depth, lowest first.
    layers : list of Recurrent
        The L recurrent layers, lowest first; at each level the one that reads from the beginning
        comes before the one that reads from the end.
    dropouts : list of Dropout
        The dropout on the output of each level.
    output_size : int
        F.
    state_shape : tuple of int
        L, S and R. What a layer does not need of the largest S and R stays zero.
    """

    def __init__(self, architecture: Architecture, vocab_size: int, workspace: Workspace) -> None:
        size = architecture.embedding_size
        self.encoder: Encoder = Embedding(vocab_size, size) if size else OneHot(vocab_size)
        cell, directions = CELLS[architecture.cell], range(architecture.directions)
        self.levels: list[Level] = []
        D = self.encoder.output_size
        for _ in range(architecture.num_layers):
            self.levels.append(Level([cell(D, architecture, workspace) for _ in directions]))
            D = self.levels[-1].output_size
        self.layers = [layer for level in self.levels for layer in level.layers]
        self.dropouts = [Dropout(architecture.dropout) for _ in self.levels]
        self.output_size = D
        own = [layer.state_shape for layer in self.layers]
        self.state_shape = len(own), max(S for S, _ in own), max(R for _, R in own)
        self._own = [(index, slice(S), slice(R)) for index, (S, R) in enumerate(own)]

    @property
    def named(self) -> dict[str, Layer]:
        """The layers with weights by name, lowest first."""
        return {"encoder": self.encoder, **self._recurrent}

    @property
    def _recurrent(self) -> dict[str, Recurrent]:
        return {
            f"layers.{index}{suffix}": layer
            for index, level in enumerate(self.levels)
            for suffix, layer in zip(("", ".reverse"), level.layers, strict=False)
        }

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """The columns of each recurrent layer's matrix that read learned features."""
        one_hot = isinstance(self.encoder, OneHot)
        lowest = self.levels[0].layers
        return {
            f"{name}.W": layer.hidden_columns(one_hot=one_hot and layer in lowest)
            for name, layer in self._recurrent.items()
        }

    def forward(
        self,
        ids: Ids,
        state: Array,
        rng: np.random.Generator | None = None,
        lengths: NDArray[np.integer] | None = None,
    ) -> tuple[Array, Array]:
        """Read one window.

        Parameters
        ----------
        ids : (T, N) int array
            The symbols of each stream.
        state : (L, S, R, N) array
            The state before the window.
        rng : Generator, optional
            Draws the dropout masks. Without it nothing is dropped.
        lengths : (N,) int array, optional
            How many symbols each stream has, where not T. What reads from the end begins there.

        Returns
        -------
        y : (T, F, N) array
            The output of each step, valid until the next ``forward``.
        state : (L, S, R, N) array
            The state after the window.
        """
        y: Array | Symbols = self.encoder.forward(ids)
        turn = self._turn(lengths, ids)
        after = np.zeros(state.shape, state.dtype)
        for own, level, dropout in self._parts:
            y, states = level.forward(y, [state[mine] for mine in own], rng, turn)
            for mine, new in zip(own, states, strict=True):
                after[mine] = new
            y = dropout.forward(y, rng)
        assert not isinstance(y, Symbols)
        return y, after

    def backward(
        self, dy: Array, dstate: Array | None = None, *, state_gradient: bool = True
    ) -> Array:
        """Fill the gradients of the weights from those of the last ``forward``'s results.

        Parameters
        ----------
        dy : (T, F, N) array
            The gradient of each step's output.
        dstate : (L, S, R, N) array, optional
            The gradient of the state after the window. Without it, backpropagation is truncated
            at the end of the window.
        state_gradient : bool
            Whether to compute the gradient of the state before the window.

        Returns
        -------
        dstate : (L, S, R, N) array
            The gradient of the state before the window, zeros if it is not computed.

        Raises
        ------
        RuntimeError
            If there was no ``forward`` after the last ``backward``.
        """
        if dstate is None:
            dstate = np.zeros((*self.state_shape, dy.shape[-1]), dy.dtype)
        before = np.zeros(dstate.shape, dstate.dtype)
        learns_input = isinstance(self.encoder, Embedding)
        dx: Array | None = dy
        for own, level, dropout in reversed(self._parts):
            assert dx is not None
            dx, states = level.backward(
                dropout.backward(dx),
                [dstate[mine] for mine in own],
                input_gradient=learns_input or level is not self.levels[0],
                state_gradient=state_gradient,
            )
            for mine, new in zip(own, states, strict=True):
                if new is not None:
                    before[mine] = new
        self.encoder.backward(dx)
        return before

    @property
    def _parts(self) -> list[tuple[list[Own], Level, Dropout]]:
        """The levels, lowest first, with the part of a state of each layer, and their dropout."""
        own = iter(self._own)
        return [
            ([next(own) for _ in level.layers], level, dropout)
            for level, dropout in zip(self.levels, self.dropouts, strict=True)
        ]

    def _turn(self, lengths: NDArray[np.integer] | None, ids: Ids) -> Reversal | None:
        """Return what turns the streams around, if a layer reads them from the end."""
        if len(self.levels[0].layers) == 1:
            return None
        T, N = ids.shape
        return Reversal(np.full(N, T) if lengths is None else lengths)
