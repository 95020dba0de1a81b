"""CharModel: the stack from ids to logits, forward and backward.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L layers,
    S state arrays of a layer, P parameters.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import ModelConfig
from charrnn.nn.cells import CELLS
from charrnn.nn.layers import Dropout, Embedding, Linear, OneHot
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.parameters import Array, Ids, Parameters
from charrnn.nn.recurrent import Recurrent
from charrnn.nn.rnn import TimeRNN

Zeros = Callable[[int, np.dtype[np.floating]], Array]


class CharModel:
    """A character language model: one-hot or embedding, recurrent layers, linear, softmax.

    Parameters
    ----------
    config : ModelConfig
        Every size given; nothing left to be chosen automatically.
    vocab_size : int
        V, the number of symbols.
    dtype : dtype
        float32, or float64 to check gradients.
    parameters, grads : Parameters, optional
        Weights to share, and where gradients go; zeros of its own if left out, for ``initialise``
        or a checkpoint to fill.
    zeros : callable, optional
        ``zeros(size, dtype)`` makes the vectors of weights and gradients: for memory that several
        processes share.

    Attributes
    ----------
    parameters, grads : Parameters
        All weights and their gradients, as named views of one flat vector each.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocab_size: int,
        *,
        dtype: DTypeLike = np.float32,
        parameters: Parameters | None = None,
        grads: Parameters | None = None,
        zeros: Zeros = np.zeros,
    ) -> None:
        self.config = config
        self.vocab_size = vocab_size
        self._zeros = zeros
        self._parts = _build(config, vocab_size)
        self.encoder: Any = self._parts["encoder"]
        self.layers: list[Recurrent] = [
            part for part in self._parts.values() if isinstance(part, Recurrent)
        ]
        for layer in self.layers:
            layer.workspace = self.layers[0].workspace
        self.head: Any = self._parts["head"]
        assert config.dropout is not None
        self.dropouts = [Dropout(config.dropout) for _ in self.layers]
        shapes = _shapes(self._parts)
        self.dtype: np.dtype[np.floating] = np.dtype(  # type: ignore[assignment]
            dtype if parameters is None else parameters.vector.dtype
        )
        size = sum(map(prod, shapes.values()))
        self.parameters = parameters or Parameters(shapes, self.dtype, zeros(size, self.dtype))
        self.bind(grads or Parameters(shapes, self.dtype, zeros(size, self.dtype)))

    def bind(self, grads: Parameters) -> None:
        """Put gradients there from now on."""
        self.grads = grads
        for part, layer in self._parts.items():
            layer.bind(self.parameters.below(part), grads.below(part))

    @staticmethod
    def shapes_of(config: ModelConfig, vocab_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of such a model without making it."""
        return _shapes(_build(config, vocab_size))

    @staticmethod
    def size_of(config: ModelConfig, vocab_size: int) -> int:
        """Return the number of weights of such a model without making it."""
        return sum(map(prod, CharModel.shapes_of(config, vocab_size).values()))

    @staticmethod
    def floats_per_character(config: ModelConfig, vocab_size: int) -> int:
        """Return about how many numbers the buffers hold for one step of one stream."""
        parts = _build(config, vocab_size).values()
        layers = [part.floats_per_character for part in parts if isinstance(part, Recurrent)]
        kept, passing = zip(*layers, strict=True)
        return int(sum(kept) + max(passing) + 3 * vocab_size)

    @staticmethod
    def floats_of_copies(config: ModelConfig, vocab_size: int) -> int:
        """Return about how many numbers one worker's copies of weights have."""
        parts = _build(config, vocab_size).values()
        return sum(part.floats_of_weights for part in parts if isinstance(part, Recurrent))

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """Matrices by name, with the columns that read learned features."""
        one_hot = isinstance(self.encoder, OneHot)
        return {
            f"layers.{index}.W": layer.hidden_columns(one_hot=one_hot and index == 0)
            for index, layer in enumerate(self.layers)
        }

    @property
    def num_parameters(self) -> int:
        """P, the number of weights."""
        return len(self.parameters.vector)

    def initialise(
        self, rng: np.random.Generator, counts: NDArray[np.integer] | None = None
    ) -> None:
        """Draw all weights from one generator.

        With ``counts`` (V,), how often each symbol occurs in the text, the first prediction is
        their frequency and not uniform: the first steps need not learn that. One is added to
        each, so that a symbol that does not occur stays possible.
        """
        for part in self._parts.values():
            part.initialise(rng)
        if counts is not None:
            logits = np.log(counts + 1.0)
            self.head.b[...] = logits - logits.mean()

    def replica(self) -> "CharModel":
        """Return a model with the same weights and gradients, and buffers of its own."""
        return CharModel(self.config, self.vocab_size, parameters=self.parameters, grads=self.grads)

    def for_one_stream(self) -> "CharModel":
        """Return a replica for ``forward`` alone that reads one stream faster.

        Its layers' ``W`` are copies that lie transposed in memory, which BLAS multiplies by a
        single column up to 1.3 times as fast; they see no later change of the weights.
        """
        replica = self.replica()
        for layer in replica.layers:
            layer.W = np.asfortranarray(layer.W)
        return replica

    def gradients(self) -> Parameters:
        """Return zeros in the shape of the gradients, in shared memory."""
        return Parameters(
            self.grads.shapes, self.dtype, self._zeros(self.num_parameters, self.dtype)
        )

    def zero_state(self, N: int) -> Array:
        """Return the state (L, S, H, N) before any text."""
        S = len(self.layers[0].states)
        return np.zeros((len(self.layers), S, self.layers[0].hidden_size, N), self.dtype)

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
            Draws the dropout masks; without it nothing is dropped.

        Returns
        -------
        logits : (V, T*N) array
            Column ``t * N + n`` predicts what follows ``ids[t, n]``.
        state : (L, S, H, N) array
            The state after the window.
        """
        y = self.encoder.forward(ids, self.dtype)
        after = np.empty_like(state)
        for index, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            y, after[index] = layer.forward(y, state[index], rng)
            y = dropout.forward(y, rng)
        return self.head.forward(y), after

    def backward(self, dlogits: Array) -> None:
        """Fill ``grads`` from dlogits (V, T*N); the gradient ends at the start of the window."""
        top = self.layers[-1]
        T, N = top.window
        dy: Array | None = self.head.backward(dlogits, (T, top.hidden_size, N))
        nothing = np.zeros((len(top.states), top.hidden_size, N), self.dtype)
        learns_input = isinstance(self.encoder, Embedding)
        for index in reversed(range(len(self.layers))):
            assert dy is not None
            dy = self.dropouts[index].backward(dy)
            wanted = index > 0 or learns_input
            dy, _ = self.layers[index].backward(dy, nothing, input_gradient=wanted)
        self.encoder.backward(dy)

    def loss_and_gradient(
        self,
        ids: Ids,
        targets: Ids,
        state: Array,
        *,
        predictions: float,
        rng: np.random.Generator | None = None,
        scored: NDArray[np.bool_] | None = None,
    ) -> tuple[float, Array]:
        """Return the summed loss of a window in nats and the state after it; fill ``grads``.

        The gradients are of the sum over this window divided by ``predictions``, the number of
        targets in all shards of the batch: then the shards' gradients add up to the mean's.
        Targets that are not ``scored`` (T, N) count for nothing.
        """
        logits, state = self.forward(ids, state, rng)
        nats, dlogits = cross_entropy_(logits, targets.reshape(-1))
        if scored is not None:
            nats *= scored.reshape(-1)
            dlogits *= scored.reshape(-1)
        dlogits *= 1 / predictions
        self.backward(dlogits)
        return float(nats.sum(dtype=np.float64)), state


def _build(config: ModelConfig, vocab_size: int) -> dict[str, Any]:
    """Return the layers by name, bottom first, without weights."""
    assert config.cell and config.num_layers and config.hidden_size
    encoder = (
        Embedding(vocab_size, config.embedding_size)
        if config.embedding_size
        else OneHot(vocab_size)
    )
    parts: dict[str, Any] = {"encoder": encoder}
    for index in range(config.num_layers):
        size = config.hidden_size if index else encoder.output_size
        cell = CELLS[config.cell]
        relu = {"relu": config.nonlinearity == "relu"} if cell is TimeRNN else {}
        rate = config.weight_dropout or 0.0
        parts[f"layers.{index}"] = cell(size, config.hidden_size, weight_dropout=rate, **relu)
    return {**parts, "head": Linear(config.hidden_size, vocab_size)}


def _shapes(parts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {
        f"{part}.{name}": shape
        for part, layer in parts.items()
        for name, shape in layer.shapes().items()
    }
