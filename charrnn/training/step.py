"""The training step: truncated backpropagation through time over shards of streams.

Dimensions
    T steps of the window, N parallel streams, L layers of all members, S state arrays,
    H hidden units, P parameters.

The batch is split into shards of streams. Each shard has its own state and gradient; a worker of
the team computes some shards and then updates some slices of the parameters. The shards are stored
with the run, and sums are taken in the order of shards and slices, so the result is bit-identical
for any number of workers.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import isfinite, sqrt
from operator import add

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, shared_zeros
from charrnn.data.windows import Batches
from charrnn.errors import CheckpointError
from charrnn.evaluation.scorers import Score, Scorer
from charrnn.nn.model import CharModel
from charrnn.optimizers import Optimizer, hidden_rows
from charrnn.parallel.present import current
from charrnn.parallel.sharding import collect, deal, in_order, shard_columns
from charrnn.parallel.summing import Sums
from charrnn.parallel.team import Team
from charrnn.system.cores import Core, core_of_each
from charrnn.trainer import StepResult
from charrnn.training.worker import FrozenWeights, Held, Shard, Worker, is_sound


class ShardTrainer:
    """Trains a model on CPU cores, each of which computes some shards of the batch.

    Parameters
    ----------
    model : CharModel
        Initialised; trained in place.
    batches : Batches
        The windows of the training text.
    optimizer : type of Optimizer
    max_grad_norm : float
        Limit for clipping by the global norm, which for several members is the root mean square of
        theirs; 0 for no clipping.
    weight_decay : float
    random_seed : int
        For dropout masks and resets.
    reset : float
        The probability that a stream starts a window from a zero state, so that the model also
        learns how texts begin (Melis et al. 2018); 1 if windows are independent.
    new_symbols : (U,) int array, optional
        Symbols that do not occur in the text. Their output weights are frozen: otherwise their
        logits would fall without limit, and their first occurrence in another text would have an
        unbounded loss.
    scorer : Scorer, optional
        The held-out text for ``validate``.
    shards : int
        Number of shards that the streams are split into.
    threads : int
        Maximum number of workers; no effect on the result.
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
        kept = FrozenWeights.of(model, np.arange(0) if new_symbols is None else new_symbols)
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
        parts, ranks = self.optimizer.parts, current()
        if ranks is None or threads < 2:
            self._dealt = deal(range(shards), threads)
        else:
            layout = ranks.layout.first(threads)
            self._dealt = layout.shards(shards)
        count = len(self._dealt)
        own = [parts[number::count] for number in range(count)]
        self._sums = Sums(grads)
        if ranks is not None and count > 1 and len(layout.machines) > 1:
            from charrnn.parallel.exchange import MachineSums

            self._sums = MachineSums(grads, layout, layout.machines_of(self._dealt), own)
        # A launcher places its ranks itself.
        cores: list[Core] = core_of_each(count) if ranks is None else [None] * count
        self.scorer = scorer
        scored = deal(range(scorer.num_shards if scorer else 0), count)
        scored += [range(0)] * (count - len(scored))
        workers = [
            Worker(
                model.replica(),
                [cut[index] for index in mine],
                self._sums,
                own[number],
                kept.within(own[number]),
                self.optimizer,
                batches,
                reset,
                random_seed,
                scorer,
                scored[number],
                cores[number],
            )
            for number, mine in enumerate(self._dealt)
        ]
        self._workers = workers
        self._team: Team | None = None

    @property
    def team(self) -> Team:
        """The workers, started on first use."""
        if self._team is None:
            self._team = Team(self._workers)
        return self._team

    @property
    def workers(self) -> int:
        """Number of parallel workers."""
        return len(self._workers)

    def work(self, step: int) -> float:
        """Return the steps of a window times its streams."""
        return self.batches.steps(step) * self.batches.streams(step)

    @property
    def chunk(self) -> int:
        """One step per call: more would gain nothing."""
        return 1

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Make one step per learning rate, and stop after one that is not finite."""
        results: list[StepResult] = []
        for rate in rates:
            results.append(self.step(rate))
            if not results[-1].applied:
                break
        return results

    def step(self, learning_rate: float) -> StepResult:
        """Train on one window of every stream.

        A step with a non-finite loss or gradient leaves weights and optimizer unchanged, and the
        streams continue from a zero state. A non-finite update destroys the weights: see
        ``is_sound``.
        """
        number = self.step_count + 1
        losses = self.team.call("gradient", number)
        symbols = self.batches.symbols(number)
        loss = reduce(add, in_order(self._dealt, losses), 0.0) / max(1, symbols)
        norm = sqrt(collect(self.team.call("reduce"), 0.0) / len(self.model.members))
        applied = isfinite(loss) and isfinite(norm)
        if applied:
            scale = self.max_grad_norm / norm if 0 < self.max_grad_norm < norm else 1.0
            applied = all(self.team.call("update", learning_rate, number, scale))
        if not applied:
            self.team.call("forget")
        self.step_count = number
        return StepResult(loss, norm, applied, symbols > 0)

    @property
    def is_sound(self) -> bool:
        """Whether every weight is finite and of reasonable size."""
        return is_sound(self.model.parameters.vector)

    def validate(self) -> Score:
        """Return the score on the held-out text; changes no state."""
        assert self.scorer is not None
        return self.scorer.result(self.model, collect(self.team.call("score"), np.zeros(4)))

    def exchange(self) -> None:
        """Do the communication of a step without its computation."""
        for between in (False, True, False):
            self.team.call("meet", between)

    @property
    def bytes_sent(self) -> int:
        """Bytes that a machine sends to the others per step."""
        return self._sums.bytes_sent

    def publish(self) -> None:
        """Do nothing: the model is trained in place."""

    def arrays(self) -> dict[str, Array]:
        """Return the optimizer's vectors and the state of the streams."""
        if self._is_spread and self._team is not None:
            self._take_in(self._team.call("held"))
        return {**self.optimizer.state, "state": self.state}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore what ``arrays`` returned; the weights are in the model."""
        own = self.arrays()
        if {name: array.shape for name, array in arrays.items()} != {
            name: array.shape for name, array in own.items()
        }:
            raise CheckpointError("last.npz does not fit its own settings: it cannot be resumed")
        for name, array in own.items():
            array[...] = arrays[name]
        if self._is_spread:
            self.close()  # the next team sends this to other machines

    @property
    def _is_spread(self) -> bool:
        """Whether some workers are on other machines, without shared memory."""
        return self._sums.is_spread

    def _take_in(self, held: Sequence[Held | None]) -> None:
        """Copy here what workers on other machines hold."""
        for worker, its in zip(self._workers, held, strict=True):
            if its is None:
                continue
            vectors, states = its
            for name, values in vectors.items():
                for part, value in zip(worker.parts, values, strict=True):
                    self.optimizer.state[name][part] = value
            for shard, state in zip(worker.shards, states, strict=True):
                shard.state[...] = state

    def close(self) -> None:
        """End the workers."""
        if self._team is not None:
            self._team.close()
            self._team = None
