"""The training step: truncated backpropagation through time over shards of streams.

Dimensions
    T steps of the window, N parallel streams, L layers of all members, S state arrays,
    H hidden units, P parameters.

The batch is cut into shards of streams. Each shard has its own state and its own gradient; a worker
of the team does some shards and then some parts of the parameters. How the work is cut follows from
the sizes alone, and sums run in the order of the shards and of the parts, so the result is the
same, bit for bit, for every number of workers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, shared_zeros
from charrnn.data.windows import Batches
from charrnn.errors import CheckpointError
from charrnn.evaluation.scorers import Score, Scorer, Sums
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters
from charrnn.optimizers import Optimizer, hidden_rows
from charrnn.parallel.sharding import collect, deal, shard_columns
from charrnn.parallel.team import Team
from charrnn.trainer import StepResult

QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")
"""What is not finite is dealt with where it shows, in the loss and the norm, not warned of."""


LARGEST_WEIGHT = 1e6
"""No model that predicts anything has larger ones, and their products still fit float32."""


def is_sound(theta: Array) -> bool:
    """Return whether all of these weights are finite and not absurdly large."""
    return bool((np.abs(theta) <= LARGEST_WEIGHT).all())


@dataclass
class Shard:
    """Some of the streams: their state, and where the gradient of their windows goes.

    ``next_state`` is that after the window, or None where nothing goes on from it.
    """

    index: int
    columns: slice
    state: Array
    next_state: Array | None
    grads: Parameters


class Worker:
    """One worker's shards of the streams and parts of the parameters.

    The shards of a worker take turns in the buffers of one model.
    """

    def __init__(
        self,
        model: CharModel,
        shards: Sequence[Shard],
        grads: Sequence[Array],
        parts: Sequence[slice],
        optimizer: Optimizer,
        batches: Batches,
        reset: float,
        random_seed: int,
        scorer: Scorer | None,
        scored: range,
    ) -> None:
        self.model, self.shards = model, shards
        self.grads, self.parts, self.optimizer = grads, parts, optimizer
        self.batches, self.reset, self.random_seed = batches, reset, random_seed
        self.scorer, self.scored = scorer, scored

    @QUIET
    def gradient(self, step: int) -> list[float]:
        """Return the summed loss of each shard, its gradient filled."""
        losses = []
        for shard in self.shards:
            # Numbered by step and shard, a generator needs no state to resume from.
            bits = np.random.Philox(key=self.random_seed, counter=[0, 0, shard.index, step])
            rng = np.random.Generator(bits)
            window = self.batches.window(step, shard.columns).trimmed()
            N = window.ids.shape[1]
            if not N:  # a batch of fewer items than shards
                shard.grads.vector[...] = 0
                shard.next_state = None
                losses.append(0.0)
                continue
            kept = np.greater_equal(rng.random(N), self.reset)
            if window.begins is not None:
                kept = ~window.begins
            self.model.bind(shard.grads)
            loss, after = self.model.loss_and_gradient(
                window.ids,
                window.targets,
                shard.state[..., :N] * kept.astype(shard.state.dtype),
                predictions=self.batches.symbols_per_step,
                rng=rng,
                scored=window.scored,
                lengths=window.lengths,
            )
            shard.next_state = after if window.carried else None
            losses.append(loss)
        return losses

    @QUIET
    def reduce(self) -> list[float]:
        """Sum the shards' gradients into the first; return the squared norm of each part."""
        total, *rest = self.grads
        norms = []
        for part in self.parts:
            for grad in rest:
                np.add(total[part], grad[part], out=total[part])
            norms.append(float(np.dot(total[part], total[part])))
        return norms

    @QUIET
    def update(self, learning_rate: float, step: int, scale: float) -> bool:
        """Move the parameters of this worker and let the state of its streams go on.

        Returns
        -------
        sound : bool
            Whether the parameters are still numbers that a model can have.
        """
        for part in self.parts:
            self.optimizer.update(part, learning_rate=learning_rate, step=step, scale=scale)
        for shard in self.shards:
            if shard.next_state is not None:
                shard.state[..., : shard.next_state.shape[-1]] = shard.next_state
        theta = self.optimizer.theta
        return all(is_sound(theta[part]) for part in self.parts)

    @QUIET
    def score(self) -> list[Sums]:
        """Return the sums of this worker's shards of the held-out text."""
        assert self.scorer is not None
        return [self.scorer.score(self.model, shard) for shard in self.scored]


class ShardTrainer:
    """Trains a model on the cores of this machine, each at work on some shards of the batch.

    Parameters
    ----------
    model : CharModel
        Initialised; trained in place.
    batches : Batches
        The windows of the training text.
    optimizer : type of Optimizer
    max_grad_norm : float
        Clipping by global norm, of several members by the quadratic mean of theirs; 0 for none.
    weight_decay : float
    random_seed : int
        Numbers the dropout masks and resets.
    reset : float
        The probability that a stream begins a window from a zero state, so that the model also
        learns to begin (Melis et al. 2018); 1 where windows have nothing to do with each other.
    new_symbols : (U,) int array, optional
        Symbols that the text does not have. Their logits keep what they begin with: learned, they
        would fall without end, and the first one that is met in another text would cost any sum.
    scorer : Scorer, optional
        The held-out text for ``validate``.
    shards : int
        How many shards the streams are cut into.
    threads : int
        At most this many workers; no effect on the result.
    """

    def __init__(
        self,
        model: CharModel,
        batches: Batches,
        *,
        optimizer: type[Optimizer],
        max_grad_norm: float,
        weight_decay: float,
        random_seed: int,
        reset: float = 0.0,
        new_symbols: NDArray[np.integer] | None = None,
        scorer: Scorer | None = None,
        shards: int = 1,
        threads: int = 1,
    ) -> None:
        self.model, self.batches = model, batches
        heads = [member.head.W for member in model.members.values()]
        self._new_symbols = np.arange(0) if new_symbols is None else new_symbols
        self._kept = [(W, W[self._new_symbols]) for W in heads if len(self._new_symbols)]
        self.max_grad_norm = max_grad_norm
        self.step_count = 0
        N = batches.batch_size
        L, S, R, _ = model.zero_state(0).shape
        self.state = shared_zeros(L * S * R * N, model.dtype).reshape(L, S, R, N)
        cut = [
            Shard(
                index,
                columns,
                self.state[..., columns],
                None,
                model.gradients() if index else model.grads,
            )
            for index, columns in enumerate(shard_columns(N, shards))
        ]
        grads = [shard.grads.vector for shard in cut]
        self.optimizer = optimizer(
            model.parameters.vector,
            grads[0],
            zeros=shared_zeros,
            weight_decay=weight_decay,
            rows=hidden_rows(model.parameters, model.hidden_columns),
        )
        count = max(1, min(threads, shards))
        self.scorer = scorer
        scored = deal(range(scorer.num_shards if scorer else 0), count)
        scored += [range(0)] * (count - len(scored))
        workers = [
            Worker(
                model.replica(),
                [cut[index] for index in mine],
                grads,
                self.optimizer.parts[number::count],
                self.optimizer,
                batches,
                reset,
                random_seed,
                scorer,
                scored[number],
            )
            for number, mine in enumerate(deal(range(shards), count))
        ]
        self._workers = workers
        self._team: Team | None = None

    @property
    def team(self) -> Team:
        """The workers, who begin when they are first needed."""
        if self._team is None:
            self._team = Team(self._workers)
        return self._team

    @property
    def workers(self) -> int:
        """How many work at once."""
        return len(self._workers)

    def work(self, step: int) -> float:
        """Return the steps of a window times its streams."""
        return self.batches.steps(step) * self.batches.streams(step)

    @property
    def chunk(self) -> int:
        """A step at a time: nothing is gained by more."""
        return 1

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Learn from a batch for each learning rate, up to one that is not finite."""
        results: list[StepResult] = []
        for rate in rates:
            results.append(self.step(rate))
            if not results[-1].applied:
                break
        return results

    def step(self, learning_rate: float) -> StepResult:
        """Learn from one window of every stream.

        A step whose loss or gradient is not finite changes neither weights nor optimizer; the
        streams go on from a zero state. Where it is the update that is not, the weights are lost:
        see ``is_sound``.
        """
        number = self.step_count + 1
        losses = self.team.call("gradient", number)
        symbols = self.batches.symbols(number)
        loss = collect(losses, 0.0) / max(1, symbols)
        norm = sqrt(collect(self.team.call("reduce"), 0.0) / len(self.model.members))
        applied = isfinite(loss) and isfinite(norm)
        if applied:
            scale = self.max_grad_norm / norm if 0 < self.max_grad_norm < norm else 1.0
            applied = all(self.team.call("update", learning_rate, number, scale))
            for W, rows in self._kept:
                W[self._new_symbols] = rows
        if not applied:
            self.state[...] = 0
        self.step_count = number
        return StepResult(loss, norm, applied, symbols > 0)

    @property
    def is_sound(self) -> bool:
        """Whether every weight is a number that a model can have."""
        return is_sound(self.model.parameters.vector)

    def validate(self) -> Score:
        """Return what the held-out text costs; changes nothing."""
        assert self.scorer is not None
        return self.scorer.result(self.model, collect(self.team.call("score"), np.zeros(4)))

    def publish(self) -> None:
        """Do nothing: the model is trained in place."""

    def arrays(self) -> dict[str, Array]:
        """Return the optimizer's vectors and the state of the streams."""
        return {**self.optimizer.state, "state": self.state}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take back what ``arrays`` gave; the weights are the model's in any case."""
        own = self.arrays()
        if {name: array.shape for name, array in arrays.items()} != {
            name: array.shape for name, array in own.items()
        }:
            raise CheckpointError("last.npz does not fit its own settings: it cannot be resumed")
        for name, array in own.items():
            array[...] = arrays[name]

    def close(self) -> None:
        """End the workers."""
        if self._team is not None:
            self._team.close()
            self._team = None
