"""A model on the GPU for scoring and sampling.

Dimensions
    T steps, N streams, L layers of all members, S state arrays, H hidden units, C classes.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, each
from charrnn.cuda.step import Networks, State, shape_of
from charrnn.cuda.window import Read
from charrnn.evaluation.scorers import Score, Scorer, ScoreSums
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel

MOST_SHAPES = 64
"""Most window shapes whose work is kept recorded."""


class Reading:
    """The members of a model reading windows of one shape.

    Parameters
    ----------
    networks : Networks
    T, N : int
        The window, and its streams without padding.
    """

    def __init__(self, networks: Networks, T: int, N: int) -> None:
        shape = shape_of(T, N)
        self._backend, self._T, self._N, self._filled = networks.backend, T, N, shape.N
        self._read = Read(networks.buffers, shape, networks.model.config)
        self._members = networks.networks(self._read)
        self._layers = [layer for member in self._members for layer in member.layers]
        self._state = State(networks, shape.N, shape.N)
        self._control = networks.control
        head = self._members[0].head
        self._steps, self._classes = head.M // shape.N, head.C
        self._logits = networks.buffers.take("logits of all", head.M, head.C)
        self._run: dict[bool, Callable[[], None]] = {}

    def logits(
        self, ids: Ids, state: Array, lengths: NDArray[np.integer] | None
    ) -> tuple[Array, Array]:
        """Return logits (C, M) and the state (L, S, H, N) after the window."""
        self._launch(ids, state, lengths, None)
        C = self._classes
        logits = self._backend.download(self._logits) / np.float32(len(self._members))
        used = logits.reshape(self._steps, self._filled, C)[:, : self._N].reshape(-1, C)
        return np.ascontiguousarray(used.T), self._after

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return the loss (T, N) of each target and the state after; only for a single member."""
        self._launch(ids, state, None, targets)
        nats = self._backend.download(self._members[0].head.nats)
        return nats.reshape(self._T, self._filled)[:, : self._N], self._after

    @property
    def _after(self) -> Array:
        return self._state.download()[..., : self._N]

    def _launch(
        self,
        ids: Ids,
        state: Array,
        lengths: NDArray[np.integer] | None,
        targets: Ids | None,
    ) -> None:
        T, N, filled = self._T, self._N, self._filled
        inputs = np.zeros(self._read.inputs.size, np.int32)
        inputs[: T * filled].reshape(T, filled)[:, :N] = ids
        if targets is not None:
            inputs[T * filled :][: T * filled].reshape(T, filled)[:, :N] = targets
        keep, of_streams = inputs[inputs.size - 2 * filled :].reshape(2, filled)
        keep.view(np.float32)[...] = 1
        of_streams[...] = T
        if lengths is not None:
            of_streams[:N] = lengths
        self._backend.upload(self._read.inputs, inputs)
        whole = np.zeros((*state.shape[:-1], filled), np.float32)
        whole[..., :N] = state
        self._state.upload(whole)
        scores = targets is not None
        if scores not in self._run:
            self._run[scores] = self._backend.record(lambda: self._forward(scores))
            self._state.upload(whole)  # recording runs it once
        self._run[scores]()

    def _forward(self, scores: bool) -> None:
        """Run all members over the window."""
        backend = self._backend
        self._read.turn(backend)
        self._state.begin(self._layers, self._read)
        for index, member in enumerate(self._members):
            member.forward()
            head = member.head
            if scores:
                head.cost()
            else:
                out, M, C = self._logits, head.M, head.C
                args = out, head.logits.values, head.b, int(index > 0), M, C, head.Cp
                each(backend, "add_logits", M * C, *args)
        self._state.carry(self._layers, self._control)


class CudaModel:
    """Reads windows on the GPU with the weights of a model.

    It is a ``Predictor``, for scorers and samplers.

    Parameters
    ----------
    model : CharModel
    backend : Backend
    """

    def __init__(self, model: CharModel, backend: Backend) -> None:
        self._model, self._backend = model, backend
        self.config: Architecture = model.config
        self.vocab_size, self.dtype = model.vocab_size, model.dtype
        self._networks = Networks(backend, model, learns=False)
        self._readings: OrderedDict[tuple[int, int], Reading] = OrderedDict()

    def take_weights(self, networks: Networks) -> None:
        """Use the weights of networks that are trained."""
        self._backend.copy(self._networks.theta.array, networks.theta.array)
        self._networks.copy_weights()

    def replica(self) -> "CudaModel":
        """Return itself, as the GPU is shared."""
        return self

    def for_one_stream(self) -> "CudaModel":
        """Return itself."""
        return self

    def zero_state(self, N: int) -> Array:
        """Return the state (L, S, H, N) before any text."""
        return self._model.zero_state(N)

    def forward(
        self, ids: Ids, state: Array, *, lengths: NDArray[np.integer] | None = None
    ) -> tuple[Array, Array]:
        """Return logits (C, M) and the state after; see ``CharModel.forward``."""
        return self._reading(*ids.shape).logits(ids, state, lengths)

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return the loss (T, N) of each target and the state after."""
        if self.config.members > 1:
            logits, after = self.forward(ids, state)
            return cross_entropy_(logits, targets.reshape(-1))[0].reshape(targets.shape), after
        return self._reading(*ids.shape).nats(ids, targets, state)

    def _reading(self, T: int, N: int) -> Reading:
        """Return the reading for windows of this shape."""
        if (T, N) not in self._readings:
            if len(self._readings) >= MOST_SHAPES:
                self._readings.popitem(last=False)
            self._readings[T, N] = Reading(self._networks, T, N)
        self._readings.move_to_end((T, N))
        return self._readings[T, N]


class Scoring:
    """Scores held-out text with the weights of networks that are trained.

    Parameters
    ----------
    backend : Backend
    model : CharModel
        A model of the same shape.
    """

    def __init__(self, backend: Backend, model: CharModel) -> None:
        self._model = CudaModel(model, backend)

    def take_weights(self, networks: Networks) -> None:
        """Use these weights from now on."""
        self._model.take_weights(networks)

    def score(self, scorer: Scorer) -> Score:
        """Return the score of a scorer's text."""
        sums: ScoreSums = np.zeros(4)
        for shard in range(scorer.num_shards):
            sums = np.add(sums, scorer.score(self._model, shard))
        return scorer.result(self._model, sums)
