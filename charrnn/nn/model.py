"""CharModel: from ids to logits and back, by one network or the mean of several.

Dimensions
    T steps of the window, N parallel streams, V vocabulary size, C classes that are predicted,
    H hidden units, L layers of all members, S state arrays of a layer, R features of each of them
    (see ``Body``), P parameters, M predictions of a window.
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
    """One network of a model."""

    body: Body
    head: EveryStep

    @property
    def named(self) -> dict[str, Layer]:
        """The layers with weights by name, lowest first."""
        return {**self.body.named, "head": self.head}

    def forward(
        self,
        ids: Ids,
        state: Array,
        rng: np.random.Generator | None = None,
        lengths: NDArray[np.integer] | None = None,
    ) -> tuple[Array, Array]:
        """Return logits (C, M) and the state (L, S, R, N) after; see ``CharModel.forward``."""
        y, after = self.body.forward(ids, state, rng, lengths)
        return self.head.forward(y, lengths), after

    def backward(
        self, dlogits: Array, dstate: Array | None = None, *, state_gradient: bool = True
    ) -> Array:
        """Return the gradient of the state before the window; see ``CharModel.backward``."""
        dy = self.head.backward(dlogits)
        return self.body.backward(dy, dstate, state_gradient=state_gradient)


class CharModel:
    """A recurrent model of characters.

    It predicts the next symbol at every step, a label at every step, or one label for each stream,
    as its architecture says. Its members are networks of one architecture, each a body and a head;
    usually there is one. Several are an ensemble (Hansen & Salamon 1990): each learns by a loss of
    its own from other first weights, and the mean of their logits predicts, usually better than
    any of them.

    Parameters
    ----------
    config : Architecture
        The kind, number and size of the networks.
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
    members : dict of str to Member
        The members by the prefix of their weights' names, which is ``""`` if there is only one.
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
        """Put gradients there from now on."""
        self.grads = grads
        for prefix, member in self.members.items():
            for name, layer in member.named.items():
                layer.bind(self.parameters.below(prefix + name), grads.below(prefix + name))

    @staticmethod
    def shapes_of(config: Architecture, vocab_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of such a model without making it."""
        return _shapes(_members(config, vocab_size))

    @staticmethod
    def size_of(config: Architecture, vocab_size: int) -> int:
        """Return the number of weights of such a model without making it."""
        return sum(map(prod, CharModel.shapes_of(config, vocab_size).values()))

    @staticmethod
    def floats_of_buffers(config: Architecture, vocab_size: int) -> tuple[int, int]:
        """Return about how many numbers the buffers hold for one step of one stream.

        The first are those of ``forward``, logits not counted in, and the second those that
        ``backward`` needs beside them.
        """
        members = _members(config, vocab_size)
        layers = [layer.floats_per_character for layer in _layers(members)]
        kept, passing = zip(*layers, strict=True)
        heads = sum(1 + member.head.input_size for member in members.values())
        return int(sum(kept)) + heads, int(max(passing))

    @staticmethod
    def stream_bytes(config: Architecture, vocab_size: int, seq_len: int) -> int:
        """Return about how many bytes the buffers of one stream take in a window of T steps."""
        outputs = config.num_labels or vocab_size
        floats = sum(CharModel.floats_of_buffers(config, vocab_size)) + 3 * outputs
        return 4 * seq_len * floats

    @staticmethod
    def floats_of_copies(config: Architecture, vocab_size: int) -> int:
        """Return about how many numbers one worker's copies of weights have."""
        return sum(layer.floats_of_weights for layer in _layers(_members(config, vocab_size)))

    @property
    def hidden_columns(self) -> dict[str, tuple[slice, ...]]:
        """Matrices by name, with the columns that read learned features."""
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
        """Draw all weights from one generator.

        With ``counts`` (C,), how often each class occurs in what is learned from, the first
        prediction is their frequency and not uniform: the first steps need not learn that.
        """
        for member in self.members.values():
            for layer in member.named.values():
                layer.initialise(rng)
            if counts is not None:
                member.head.predict_frequencies(counts)

    def replica(self) -> "CharModel":
        """Return a model with the same weights and gradients, and buffers of its own."""
        return CharModel(self.config, self.vocab_size, parameters=self.parameters, grads=self.grads)

    def for_one_stream(self) -> "CharModel":
        """Return a replica that runs ``forward`` faster on one stream.

        It has no ``backward``, and its copies of the weights do not follow later changes.
        """
        replica = self.replica()
        for layer in replica.layers:
            layer.for_one_stream()
        return replica

    def gradients(self) -> Parameters:
        """Return zeros in the shape of the gradients, in shared memory."""
        return Parameters(
            self.grads.shapes, self.dtype, self._zeros(self.num_parameters, self.dtype)
        )

    def zero_state(self, N: int) -> Array:
        """Return the state (L, S, R, N) before any text."""
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
            Draws the dropout masks; without it nothing is dropped.
        lengths : (N,) int array, optional
            How many symbols each stream has, where not T.

        Returns
        -------
        logits : (C, M) array
            At every step, M = T*N: column ``t * N + n`` predicts what follows ``ids[t, n]``, or its
            label. For each stream, M = N.
        state : (L, S, R, N) array
            The state after the window.
        """
        members = list(self.members.values())
        if len(members) == 1:
            return members[0].forward(ids, state, rng, lengths)
        total, states = np.zeros((), self.dtype), []
        for member, before in zip(members, self._dealt(state), strict=True):
            logits, after = member.forward(ids, before, rng, lengths)
            total = total + logits
            states.append(after)
        return total / len(members), np.concatenate(states)

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return what each target (T, N) costs and the state after a window; see ``forward``."""
        logits, after = self.forward(ids, state)
        nats, _ = cross_entropy_(logits, targets.reshape(-1))
        return nats.reshape(targets.shape), after

    def backward(self, dlogits: Array, dstate: Array | None = None) -> Array:
        """Fill ``grads`` from the gradients of the last ``forward``'s results.

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
            If there was no ``forward`` after the last ``backward``.
        """
        members = list(self.members.values())
        if len(members) == 1:
            return members[0].backward(dlogits, dstate)
        dlogits = dlogits / len(members)
        after = [None] * len(members) if dstate is None else self._dealt(dstate)
        return np.concatenate(
            [member.backward(dlogits, its) for member, its in zip(members, after, strict=True)]
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

        The gradients are of the sum over this window divided by ``predictions``, the number of
        targets in all shards of the batch: then the shards' gradients add up to the mean's.
        ``targets`` are (T, N), or (1, N) where each stream has one, and those that are not
        ``scored``, of the same shape, count for nothing. Each member has the gradient of
        its own loss, and the mean of these losses is returned.
        """
        total, states = 0.0, []
        for member, before in zip(self.members.values(), self._dealt(state), strict=True):
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

    def _dealt(self, state: Array) -> list[Array]:
        """Return each member's layers of a state (L, S, R, N)."""
        return np.split(state, len(self.members))


def _members(config: Architecture, vocab_size: int) -> dict[str, Member]:
    """Return the members, without weights."""
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
