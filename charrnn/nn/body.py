"""The body of a network: the encoder and the recurrent layers, forward and backward.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L recurrent
    layers, F output features (H per direction), S state arrays per layer, R features per state
    array (H, unless the state of a layer is its past inputs).
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

LayerState = tuple[int, slice, slice]
"""The index of one layer's state in a state (L, S, R, N)."""


class Body:
    """An encoder (one-hot or embedding) and recurrent levels, each followed by dropout.

    Parameters
    ----------
    architecture : Architecture
        The cell, the sizes and the number of layers.
    vocab_size : int
        V, the number of symbols.
    workspace : Workspace
        Buffers for ``backward``. Networks that run one after another may share one workspace.

    Attributes
    ----------
    encoder : Encoder
        Turns ids into the input of the lowest recurrent layer.
    levels : list of Level
        The layer or the two layers at each depth, lowest first.
    layers : list of Recurrent
        The L recurrent layers, lowest first. At each level the forward layer comes before the
        reverse layer.
    dropouts : list of Dropout
        The dropout on the output of each level.
    output_size : int
        F.
    state_shape : tuple of int
        L, S and R, with the largest S and R of all layers. Smaller states are padded with zeros.
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
        shapes = [layer.state_shape for layer in self.layers]
        self.state_shape = len(shapes), max(S for S, _ in shapes), max(R for _, R in shapes)
        self._layer_states = [(index, slice(S), slice(R)) for index, (S, R) in enumerate(shapes)]

    @property
    def named(self) -> dict[str, Layer]:
        """The layers that have weights, by name, lowest first."""
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
            Samples the dropout masks. Without it, nothing is dropped.
        lengths : (N,) int array, optional
            The number of symbols in each stream, if not T. The reverse layers start at its end.

        Returns
        -------
        y : (T, F, N) array
            The output of each step, valid until the next ``forward``.
        state : (L, S, R, N) array
            The state after the window.
        """
        y: Array | Symbols = self.encoder.forward(ids)
        if ids.size == 1 and rng is None and self._steps_singly:
            return self._step(y, state)
        reverse = self._reversal(lengths, ids)
        after = np.zeros(state.shape, state.dtype)
        for indices, level, dropout in self._parts:
            y, states = level.forward(y, [state[index] for index in indices], rng, reverse)
            for index, new in zip(indices, states, strict=True):
                after[index] = new
            y = dropout.forward(y, rng)
        assert not isinstance(y, Symbols)
        return y, after

    def backward(
        self, dy: Array, dstate: Array | None = None, *, state_gradient: bool = True
    ) -> Array:
        """Compute the weight gradients from the gradients of the last ``forward``'s outputs.

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
            The gradient of the state before the window: zeros if it is not computed.

        Raises
        ------
        RuntimeError
            If ``forward`` was not called since the last ``backward``.
        """
        if dstate is None:
            dstate = np.zeros((*self.state_shape, dy.shape[-1]), dy.dtype)
        before = np.zeros(dstate.shape, dstate.dtype)
        learns_input = isinstance(self.encoder, Embedding)
        dx: Array | None = dy
        for indices, level, dropout in reversed(self._parts):
            assert dx is not None
            dx, states = level.backward(
                dropout.backward(dx),
                [dstate[index] for index in indices],
                input_gradient=learns_input or level is not self.levels[0],
                state_gradient=state_gradient,
            )
            for index, new in zip(indices, states, strict=True):
                if new is not None:
                    before[index] = new
        self.encoder.backward(dx)
        return before

    @property
    def _steps_singly(self) -> bool:
        """Whether a window of one symbol of one stream is read by ``_step``."""
        lowest, has_one_direction = self.layers[0], len(self.layers) == len(self.levels)
        return lowest.is_frozen and lowest.has_step and has_one_direction

    @np.errstate(over="ignore")  # in sigmoid_
    def _step(self, y: Array | Symbols, state: Array) -> tuple[Array, Array]:
        """Read one symbol of one stream; see ``forward``."""
        after = np.empty_like(state)
        for layer, before, new in zip(self.layers, state, after, strict=True):
            y = layer.step(y, before, new)
        assert not isinstance(y, Symbols)
        return y[np.newaxis], after

    @property
    def _parts(self) -> list[tuple[list[LayerState], Level, Dropout]]:
        """For each level, lowest first: the state indices of its layers, the level, its dropout."""
        indices = iter(self._layer_states)
        return [
            ([next(indices) for _ in level.layers], level, dropout)
            for level, dropout in zip(self.levels, self.dropouts, strict=True)
        ]

    def _reversal(self, lengths: NDArray[np.integer] | None, ids: Ids) -> Reversal | None:
        """Return the reversal of the streams, or None if there are no reverse layers."""
        if len(self.levels[0].layers) == 1:
            return None
        T, N = ids.shape
        return Reversal(np.full(N, T) if lengths is None else lengths)
