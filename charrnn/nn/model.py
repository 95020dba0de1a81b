"""CharModel: forward and backward pass of one network or of an ensemble.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, C predicted classes, H hidden
    units, L layers of all members, S state arrays per layer, R features per state array (see
    ``Body``), P parameters, M predictions per window.
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.backend.arrays import Array, Ids, Workspace
from charrnn.config import Architecture
from charrnn.nn.body import Body
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.heads import EveryStep, WholeItem
from charrnn.nn.layers import Layer
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.parameters import Parameters

Zeros = Callable[[int, np.dtype[np.floating]], Array]


class Member(NamedTuple):
    """One network of a model: a body and a head."""

    body: Body
    head: EveryStep

    @property
    def named(self) -> dict[str, Layer]:
        """The layers that have weights, by name, lowest first."""
        return {**self.body.named, "head": self.head}

    def forward(
        self,
        ids: Ids,
        state: Array,
        rng: np.random.Generator | None = None,
        lengths: NDArray[np.integer] | None = None,
    ) -> tuple[Array, Array]:
        """Return logits (C, M) and the new state (L, S, R, N); see ``CharModel.forward``."""
        y, after = self.body.forward(ids, state, rng, lengths)
        return self.head.forward(y, lengths), after

    def backward(
        self, dlogits: Array, dstate: Array | None = None, *, state_gradient: bool = True
    ) -> Array:
        """Return the gradient of the state before the window; see ``CharModel.backward``."""
        dy = self.head.backward(dlogits)
        return self.body.backward(dy, dstate, state_gradient=state_gradient)


class CharModel:
    """A recurrent character model.

    Depending on its architecture, it predicts the next symbol at every step, a label at every step,
    or one label per stream. Its members are networks of the same architecture, each with a body and
    a head. Usually there is one member. Several members are an ensemble (Hansen & Salamon 1990):
    each has its own initial weights and minimizes its own loss. The prediction is the mean of their
    logits, which usually has a lower loss than any single member.

    Parameters
    ----------
    config : Architecture
        The cell, the sizes and the number of members.
    vocab_size : int
        V, the number of symbols.
    dtype : dtype
        float32, or float64 to check gradients.
    parameters, grads : Parameters, optional
        Weights and gradients to share with another model. If omitted, they are new and zero, to be
        filled by ``initialise`` or from a checkpoint.
    zeros : callable, optional
        ``zeros(size, dtype)`` allocates the vectors of weights and gradients, for example in shared
        memory.

    Attributes
    ----------
    parameters, grads : Parameters
        All weights and all gradients, each as named views of one flat vector.
    members : dict of str to Member
        The members by the prefix of their weight names: ``""`` if there is only one member.
    layers : list of Recurrent
        The recurrent layers of all members.
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
        self.members = _members(config, vocab_size)
        self.layers = _layers(self.members)
        shapes = _shapes(self.members)
        self.dtype: np.dtype[np.floating] = np.dtype(  # type: ignore[assignment]
            dtype if parameters is None else parameters.vector.dtype
        )
        size = sum(map(prod, shapes.values()))
        self.parameters = parameters or Parameters(shapes, self.dtype, zeros(size, self.dtype))
        self.bind(grads or Parameters(shapes, self.dtype, zeros(size, self.dtype)))

    def bind(self, grads: Parameters) -> None:
        """Write gradients to these arrays from now on."""
        self.grads = grads
        for prefix, member in self.members.items():
            for name, layer in member.named.items():
                layer.bind(self.parameters.below(prefix + name), grads.below(prefix + name))

    @staticmethod
    def shapes_of(config: Architecture, vocab_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of a model's weights without allocating them."""
        return _shapes(_members(config, vocab_size))

    @staticmethod
    def size_of(config: Architecture, vocab_size: int) -> int:
        """Return the number of a model's weights without allocating them."""
        return sum(map(prod, CharModel.shapes_of(config, vocab_size).values()))

    @staticmethod
    def floats_of_buffers(config: Architecture, vocab_size: int) -> tuple[int, int]:
        """Return the approximate number of floats in the buffers for one step of one stream.

        The first number is for ``forward``, without the logits. The second is what ``backward``
        needs in addition.
        """
        members = _members(config, vocab_size)
        layers = [layer.floats_per_character for layer in _layers(members)]
        kept, passing = zip(*layers, strict=True)
        heads = sum(1 + member.head.input_size for member in members.values())
        return int(sum(kept)) + heads, int(max(passing))

    @staticmethod
    def stream_bytes(config: Architecture, vocab_size: int, seq_len: int) -> int:
        """Return the approximate size in bytes of one stream's buffers for a window of T steps."""
        outputs = config.num_labels or vocab_size
        floats = sum(CharModel.floats_of_buffers(config, vocab_size)) + 3 * outputs
        return 4 * seq_len * floats

    @staticmethod
    def floats_of_copies(config: Architecture, vocab_size: int) -> int:
        """Return the approximate number of floats in one worker's copies of the weights."""
        return sum(layer.floats_of_weights for layer in _layers(_members(config, vocab_size)))

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """The columns of each recurrent layer's matrix that read learned features, by name."""
        return {
            f"{prefix}{name}": columns
            for prefix, member in self.members.items()
            for name, columns in member.body.hidden_columns.items()
        }

    @property
    def num_parameters(self) -> int:
        """P, the number of weights."""
        return len(self.parameters.vector)

    def initialise(
        self, rng: np.random.Generator, counts: NDArray[np.integer] | None = None
    ) -> None:
        """Initialize all weights from one generator.

        ``counts`` (C,) are the frequencies of the classes in the training data. If given, the
        initial prediction is these frequencies instead of a uniform distribution, so the first
        steps need not learn them.
        """
        for member in self.members.values():
            for layer in member.named.values():
                layer.initialise(rng)
            if counts is not None:
                member.head.predict_frequencies(counts)

    def replica(self) -> "CharModel":
        """Return a model that shares weights and gradients but has its own buffers."""
        return CharModel(self.config, self.vocab_size, parameters=self.parameters, grads=self.grads)

    def for_one_stream(self) -> "CharModel":
        """Return a replica whose ``forward`` is faster for one stream.

        It cannot run ``backward``. Its copies of the weights do not reflect later updates.
        """
        replica = self.replica()
        for layer in replica.layers:
            layer.for_one_stream()
        return replica

    def gradients(self) -> Parameters:
        """Allocate zeros in the shape of the gradients, with the model's own allocator."""
        return Parameters(
            self.grads.shapes, self.dtype, self._zeros(self.num_parameters, self.dtype)
        )

    def zero_state(self, N: int) -> Array:
        """Return the zero state (L, S, R, N), from which a text starts."""
        shapes = [member.body.state_shape for member in self.members.values()]
        return np.zeros((sum(L for L, *_ in shapes), *shapes[0][1:], N), self.dtype)

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
            The number of symbols in each stream, if not T.

        Returns
        -------
        logits : (C, M) array
            With a prediction per step, M = T*N, and column ``t * N + n`` predicts the symbol after
            ``ids[t, n]`` or its label. With a prediction per stream, M = N.
        state : (L, S, R, N) array
            The state after the window.
        """
        members = list(self.members.values())
        if len(members) == 1:
            return members[0].forward(ids, state, rng, lengths)
        total, states = np.zeros((), self.dtype), []
        for member, before in zip(members, self._split(state), strict=True):
            logits, after = member.forward(ids, before, rng, lengths)
            total = total + logits
            states.append(after)
        return total / len(members), np.concatenate(states)

    def head_inputs(self) -> Array:
        """Return what the heads of all members read in the last ``forward``: (features, M).

        ``backward`` overwrites it, so this is for use before.
        """
        return np.concatenate([member.head.columns[1:] for member in self.members.values()])

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return the loss of each target (T, N) in nats and the new state; see ``forward``."""
        logits, after = self.forward(ids, state)
        nats, _ = cross_entropy_(logits, targets.reshape(-1))
        return nats.reshape(targets.shape), after

    def backward(self, dlogits: Array, dstate: Array | None = None) -> Array:
        """Compute ``grads`` from the gradients of the last ``forward``'s outputs.

        Parameters
        ----------
        dlogits : (C, M) array
            The gradient of the logits.
        dstate : (L, S, R, N) array, optional
            The gradient of the state after the window. Without it, backpropagation is truncated
            at the end of the window.

        Returns
        -------
        dstate : (L, S, R, N) array
            The gradient of the state before the window.

        Raises
        ------
        RuntimeError
            If ``forward`` was not called since the last ``backward``.
        """
        members = list(self.members.values())
        if len(members) == 1:
            return members[0].backward(dlogits, dstate)
        dlogits = dlogits / len(members)
        after = [None] * len(members) if dstate is None else self._split(dstate)
        return np.concatenate(
            [member.backward(dlogits, part) for member, part in zip(members, after, strict=True)]
        )

    def loss_and_gradient(
        self,
        ids: Ids,
        targets: Ids,
        state: Array,
        *,
        predictions: float,
        rng: np.random.Generator | None = None,
        scored: NDArray[np.bool_] | None = None,
        lengths: NDArray[np.integer] | None = None,
    ) -> tuple[float, Array]:
        """Return the summed loss of a window in nats and the state after it; fill ``grads``.

        The gradients are those of the summed loss divided by ``predictions``, the number of targets
        in all shards of the batch. The gradients of the shards then sum to that of the mean loss.
        ``targets`` has shape (T, N), or (1, N) with one target per stream. ``scored`` has the same
        shape and masks the targets: where it is false, the loss is zero. Each member gets the
        gradient of its own loss, and the returned loss is the mean over the members.
        """
        total, states = 0.0, []
        for member, before in zip(self.members.values(), self._split(state), strict=True):
            logits, after = member.forward(ids, before, rng, lengths)
            nats, dlogits = cross_entropy_(logits, targets.reshape(-1))
            if scored is not None:
                nats *= scored.reshape(-1)
                dlogits *= scored.reshape(-1)
            dlogits *= 1 / predictions
            member.backward(dlogits, state_gradient=False)
            total += float(nats.sum(dtype=np.float64))
            states.append(after)
        return total / len(states), np.concatenate(states)

    def _split(self, state: Array) -> list[Array]:
        """Split a state (L, S, R, N) into the states of the members."""
        return np.split(state, len(self.members))


def _members(config: Architecture, vocab_size: int) -> dict[str, Member]:
    """Return the members, not yet bound to weights."""
    workspace = Workspace()
    count = config.members
    prefixes = [f"members.{index}." for index in range(count)] if count > 1 else [""]
    members = {}
    for prefix in prefixes:
        body = Body(config, vocab_size, workspace)
        members[prefix] = Member(body, _head(config, body.output_size, vocab_size, workspace))
    return members


def _head(
    config: Architecture, input_size: int, vocab_size: int, workspace: Workspace
) -> EveryStep:
    C = config.num_labels or vocab_size
    if config.head == "item":
        return WholeItem(input_size, C, config.directions, workspace)
    return EveryStep(input_size, C, workspace)


def _layers(members: dict[str, Member]) -> list[Recurrent]:
    return [layer for member in members.values() for layer in member.body.layers]


def _shapes(members: dict[str, Member]) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}{name}.{weight}": shape
        for prefix, member in members.items()
        for name, layer in member.named.items()
        for weight, shape in layer.shapes().items()
    }
