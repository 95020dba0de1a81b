"""Stack: one network from ids to logits, forward and backward.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L layers,
    S state arrays of a layer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids, Workspace
from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.cells.rnn import TimeRNN
from charrnn.nn.layers import Dropout, Embedding, Linear, OneHot
from charrnn.nn.parameters import Parameters


def with_new_ones(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return counts (V,) of symbols with a share for those that do not occur.

    All of these together count as often as a new symbol is to be expected, by Good and Turing:
    as often as there are symbols that occur once.
    """
    expected = counts.astype(np.float64)
    new = counts == 0
    if new.any():
        expected[new] = max(1, int(np.count_nonzero(counts == 1))) / int(np.count_nonzero(new))
    return expected


class Stack:
    """One-hot or embedding, recurrent layers with dropout, linear; no weights before ``bind``.

    Parameters
    ----------
    config : Architecture
    vocab_size : int
        V.
    workspace : Workspace
        Of ``backward``; stacks that work one after another may have the same.
    """

    def __init__(self, config: Architecture, vocab_size: int, workspace: Workspace) -> None:
        self.encoder: Any = (
            Embedding(vocab_size, config.embedding_size)
            if config.embedding_size
            else OneHot(vocab_size)
        )
        self.layers: list[Recurrent] = []
        for index in range(config.num_layers):
            size = config.hidden_size if index else self.encoder.output_size
            cell = CELLS[config.cell]
            relu = {"relu": config.nonlinearity == "relu"} if cell is TimeRNN else {}
            rate = config.weight_dropout
            layer = cell(size, config.hidden_size, weight_dropout=rate, **relu)
            layer.workspace = workspace
            self.layers.append(layer)
        self.dropouts = [Dropout(config.dropout) for _ in self.layers]
        self.head = Linear(config.hidden_size, vocab_size)
        self.head.workspace = workspace

    @property
    def parts(self) -> dict[str, Any]:
        """All that has weights, by name, bottom first."""
        layers = {f"layers.{index}": layer for index, layer in enumerate(self.layers)}
        return {"encoder": self.encoder, **layers, "head": self.head}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight, by name."""
        return {
            f"{part}.{name}": shape
            for part, layer in self.parts.items()
            for name, shape in layer.shapes().items()
        }

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """Matrices by name, with the columns that read learned features."""
        one_hot = isinstance(self.encoder, OneHot)
        return {
            f"layers.{index}.W": layer.hidden_columns(one_hot=one_hot and index == 0)
            for index, layer in enumerate(self.layers)
        }

    def bind(self, values: Parameters, grads: Parameters, prefix: str) -> None:
        """Use the weights and gradients whose names begin with the prefix."""
        for part, layer in self.parts.items():
            layer.bind(values.below(prefix + part), grads.below(prefix + part))

    def initialise(self, rng: np.random.Generator, counts: NDArray[np.integer] | None) -> None:
        """Draw all weights; see ``CharModel.initialise``."""
        for part in self.parts.values():
            part.initialise(rng)
        if counts is not None:
            logits = np.log(with_new_ones(counts))
            self.head.b[...] = logits - logits.mean()

    def forward(
        self, ids: Ids, state: Array, rng: np.random.Generator | None
    ) -> tuple[Array, Array]:
        """Return logits (V, T*N) and the state (L, S, H, N) after; see ``CharModel.forward``."""
        y = self.encoder.forward(ids, self.head.W.dtype)
        after = np.empty_like(state)
        for index, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            y, after[index] = layer.forward(y, state[index], rng)
            y = dropout.forward(y, rng)
        return self.head.forward(y), after

    def backward(self, dlogits: Array) -> None:
        """Fill the gradients from dlogits (V, T*N); they end at the start of the window."""
        top = self.layers[-1]
        T, N = top.window
        dy: Array | None = self.head.backward(dlogits, (T, top.hidden_size, N))
        nothing = np.zeros((len(top.states), top.hidden_size, N), dlogits.dtype)
        learns_input = isinstance(self.encoder, Embedding)
        for index in reversed(range(len(self.layers))):
            assert dy is not None
            dy = self.dropouts[index].backward(dy)
            wanted = index > 0 or learns_input
            dy, _ = self.layers[index].backward(dy, nothing, input_gradient=wanted)
        self.encoder.backward(dy)
