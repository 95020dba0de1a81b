"""CharModel: from ids to logits, forward and backward, by one stack or the mean of several.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, H hidden units, L layers of all
    members, S state arrays of a layer, P parameters.
"""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.backend.arrays import Array, Ids, Workspace
from charrnn.config import Architecture
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import Stack

Zeros = Callable[[int, np.dtype[np.floating]], Array]


class CharModel:
    """A character language model.

    Its members are stacks of one shape (one-hot or embedding, recurrent layers, linear), usually
    one. Several are an ensemble (Hansen & Salamon 1990): each learns by a loss of its own from
    other first weights, and the mean of their logits predicts, usually better than any of them.

    Parameters
    ----------
    config : Architecture
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
    stacks : dict of str to Stack
        The members, by what the names of their weights begin with: ``""`` where there is one.
    layers : list of Recurrent
        Those of all members.
    """

    def __init__(
        self,
        config: Architecture,
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
        self.stacks = _stacks(config, vocab_size)
        self.layers = [layer for stack in self.stacks.values() for layer in stack.layers]
        shapes = _shapes(self.stacks)
        self.dtype: np.dtype[np.floating] = np.dtype(  # type: ignore[assignment]
            dtype if parameters is None else parameters.vector.dtype
        )
        size = sum(map(prod, shapes.values()))
        self.parameters = parameters or Parameters(shapes, self.dtype, zeros(size, self.dtype))
        self.bind(grads or Parameters(shapes, self.dtype, zeros(size, self.dtype)))

    def bind(self, grads: Parameters) -> None:
        """Put gradients there from now on."""
        self.grads = grads
        for prefix, stack in self.stacks.items():
            stack.bind(self.parameters, grads, prefix)

    @staticmethod
    def shapes_of(config: Architecture, vocab_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of such a model without making it."""
        return _shapes(_stacks(config, vocab_size))

    @staticmethod
    def size_of(config: Architecture, vocab_size: int) -> int:
        """Return the number of weights of such a model without making it."""
        return sum(map(prod, CharModel.shapes_of(config, vocab_size).values()))

    @staticmethod
    def floats_per_character(config: Architecture, vocab_size: int) -> int:
        """Return about how many numbers the buffers hold for one step of one stream."""
        stacks = _stacks(config, vocab_size).values()
        layers = [layer.floats_per_character for stack in stacks for layer in stack.layers]
        kept, passing = zip(*layers, strict=True)
        heads = sum(1 + stack.head.input_size for stack in stacks)
        return int(sum(kept) + heads + max(passing) + 3 * vocab_size)

    @staticmethod
    def stream_bytes(config: Architecture, vocab_size: int, seq_len: int) -> int:
        """Return about how many bytes the buffers of one stream take in a window of T steps."""
        return 4 * seq_len * CharModel.floats_per_character(config, vocab_size)

    @staticmethod
    def floats_of_copies(config: Architecture, vocab_size: int) -> int:
        """Return about how many numbers one worker's copies of weights have."""
        stacks = _stacks(config, vocab_size).values()
        return sum(layer.floats_of_weights for stack in stacks for layer in stack.layers)

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """Matrices by name, with the columns that read learned features."""
        return {
            f"{prefix}{name}": columns
            for prefix, stack in self.stacks.items()
            for name, columns in stack.hidden_columns.items()
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
        their frequency and not uniform: the first steps need not learn that. Symbols that do not
        occur share what Good and Turing expect of new ones.
        """
        for stack in self.stacks.values():
            stack.initialise(rng, counts)

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
        stacks = list(self.stacks.values())
        if len(stacks) == 1:
            return stacks[0].forward(ids, state, rng)
        total, states = np.zeros((), self.dtype), []
        for stack, before in zip(stacks, self._dealt(state), strict=True):
            logits, after = stack.forward(ids, before, rng)
            total = total + logits
            states.append(after)
        return total / len(stacks), np.concatenate(states)

    def backward(self, dlogits: Array) -> None:
        """Fill ``grads`` from dlogits (V, T*N); the gradient ends at the start of the window."""
        if len(self.stacks) > 1:
            dlogits = dlogits / len(self.stacks)
        for stack in self.stacks.values():
            stack.backward(dlogits)

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
        Targets that are not ``scored`` (T, N) count for nothing. Each member has the gradient of
        its own loss, and the mean of these losses is returned.
        """
        total, states = 0.0, []
        for stack, before in zip(self.stacks.values(), self._dealt(state), strict=True):
            logits, after = stack.forward(ids, before, rng)
            nats, dlogits = cross_entropy_(logits, targets.reshape(-1))
            if scored is not None:
                nats *= scored.reshape(-1)
                dlogits *= scored.reshape(-1)
            dlogits *= 1 / predictions
            stack.backward(dlogits)
            total += float(nats.sum(dtype=np.float64))
            states.append(after)
        return total / len(states), np.concatenate(states)

    def _dealt(self, state: Array) -> list[Array]:
        """Return each member's layers of a state (L, S, H, N)."""
        return np.split(state, len(self.stacks))


def _stacks(config: Architecture, vocab_size: int) -> dict[str, Stack]:
    """Return the stacks, without weights."""
    workspace = Workspace()
    count = config.members
    prefixes = [f"members.{index}." for index in range(count)] if count > 1 else [""]
    return {prefix: Stack(config, vocab_size, workspace) for prefix in prefixes}


def _shapes(stacks: dict[str, Stack]) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}{name}": shape
        for prefix, stack in stacks.items()
        for name, shape in stack.shapes().items()
    }
