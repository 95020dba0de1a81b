"""The body of a network: from ids to the output of the top recurrent layer, and back.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L layers,
    S state arrays of a layer.
"""

import numpy as np

from charrnn.backend.arrays import Array, Ids, Workspace
from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.layers import Layer
from charrnn.nn.layers.dropout import Dropout
from charrnn.nn.layers.encoders import Embedding, Encoder, OneHot


class Body:
    """An encoder (one-hot or embedding) and recurrent layers, each with dropout on its output.

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
    layers : list of Recurrent
        The L recurrent layers, lowest first.
    dropouts : list of Dropout
        The dropout on the output of each.
    """

    def __init__(self, architecture: Architecture, vocab_size: int, workspace: Workspace) -> None:
        size = architecture.embedding_size
        self.encoder: Encoder = Embedding(vocab_size, size) if size else OneHot(vocab_size)
        cell, H, L = CELLS[architecture.cell], architecture.hidden_size, architecture.num_layers
        sizes = [self.encoder.output_size] + [H] * (L - 1)
        self.layers: list[Recurrent] = [cell(D, architecture, workspace) for D in sizes]
        self.dropouts = [Dropout(architecture.dropout) for _ in self.layers]

    @property
    def named(self) -> dict[str, Layer]:
        """The layers with weights by name, lowest first."""
        layers = {f"layers.{index}": layer for index, layer in enumerate(self.layers)}
        return {"encoder": self.encoder, **layers}

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """The columns of each recurrent layer's matrix that read learned features."""
        one_hot = isinstance(self.encoder, OneHot)
        return {
            f"layers.{index}.W": layer.hidden_columns(one_hot=one_hot and index == 0)
            for index, layer in enumerate(self.layers)
        }

    def forward(
        self, ids: Ids, state: Array, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Read one window.

        Parameters
        ----------
        ids : (T, N) int array
            The symbols of each stream.
        state : (L, S, H, N) array
            The state before the window.
        rng : Generator, optional
            Draws the dropout masks. Without it nothing is dropped.

        Returns
        -------
        y : (T, H, N) array
            The output of each step, valid until the next ``forward``.
        state : (L, S, H, N) array
            The state after the window.
        """
        y = self.encoder.forward(ids, self.layers[0].W.dtype)
        after = np.empty_like(state)
        for index, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            y, after[index] = layer.forward(y, state[index], rng)
            y = dropout.forward(y, rng)
        return y, after

    def backward(self, dy: Array, dstate: Array | None = None) -> Array:
        """Fill the gradients of the weights from those of the last ``forward``'s results.

        Parameters
        ----------
        dy : (T, H, N) array
            The gradient of each step's output.
        dstate : (L, S, H, N) array, optional
            The gradient of the state after the window. Without it, backpropagation is truncated
            at the end of the window.

        Returns
        -------
        dstate : (L, S, H, N) array
            The gradient of the state before the window.

        Raises
        ------
        RuntimeError
            If there was no ``forward`` after the last ``backward``.
        """
        if dstate is None:
            top = self.layers[-1]
            shape = len(self.layers), len(top.states), top.hidden_size, dy.shape[-1]
            dstate = np.zeros(shape, dy.dtype)
        before = np.empty_like(dstate)
        learns_input = isinstance(self.encoder, Embedding)
        dx: Array | None = dy
        for index in reversed(range(len(self.layers))):
            assert dx is not None
            dx, before[index] = self.layers[index].backward(
                self.dropouts[index].backward(dx),
                dstate[index],
                input_gradient=index > 0 or learns_input,
            )
        self.encoder.backward(dx)
        return before
