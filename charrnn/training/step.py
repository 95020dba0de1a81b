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
from charrnn.trainer import StepResult
from charrnn.training.worker import Held, Kept, Shard, Worker, is_sound


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
        kept = Kept.of(model, np.arange(0) if new_symbols is None else new_symbols)
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
            )
            for number, mine in enumerate(self._dealt)
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
        """Whether every weight is a number that a model can have."""
        return is_sound(self.model.parameters.vector)

    def validate(self) -> Score:
        """Return what the held-out text costs; changes nothing."""
        assert self.scorer is not None
        return self.scorer.result(self.model, collect(self.team.call("score"), np.zeros(4)))

    def exchange(self) -> None:
        """Call the workers as often as a step does, and exchange what a step does."""
        for between in (False, True, False):
            self.team.call("meet", between)

    @property
    def bytes_sent(self) -> int:
        """What a machine sends to others in a step."""
        return self._sums.bytes_sent

    def publish(self) -> None:
        """Do nothing: the model is trained in place."""

    def arrays(self) -> dict[str, Array]:
        """Return the optimizer's vectors and the state of the streams."""
        if self._is_spread and self._team is not None:
            self._take_in(self._team.call("held"))
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
        if self._is_spread:
            self.close()  # the next team takes to other machines what is here now

    @property
    def _is_spread(self) -> bool:
        """Whether workers on other machines have memory of their own."""
        return self._sums.is_spread

    def _take_in(self, held: Sequence[Held | None]) -> None:
        """Bring here what workers on other machines hold."""
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
