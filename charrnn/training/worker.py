"""A worker of the training step, with some shards of the streams and slices of the parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.data.windows import Batches
from charrnn.evaluation.scorers import Scorer, ScoreSums
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters
from charrnn.optimizers import Optimizer
from charrnn.parallel.summing import Sums
from charrnn.system.cores import Core, move_to

QUIET = np.errstate(over="ignore", invalid="ignore", divide="ignore")
"""Silences NumPy's warnings: non-finite values are caught in the loss and the norm."""


Held = tuple[dict[str, list[Array]], list[Array]]
"""Slices of the optimizer's vectors by name, and the states of some shards."""

LARGEST_WEIGHT = 1e6
"""No useful model has larger weights, and products of such weights still fit in float32."""


def is_sound(theta: Array) -> bool:
    """Return whether all weights are finite and of reasonable size."""
    return bool((np.abs(theta) <= LARGEST_WEIGHT).all())


@dataclass(frozen=True)
class FrozenWeights:
    """Frozen weights.

    Attributes
    ----------
    places, values : (k,) arrays
        Their positions in the parameter vector, ascending, and their values.
    """

    places: NDArray[np.intp]
    values: Array

    @staticmethod
    def of(model: CharModel, symbols: NDArray[np.integer]) -> "FrozenWeights":
        """Return the output weights of some symbols (U,)."""
        start, places = 0, [np.arange(0)]
        for name, shape in model.parameters.shapes.items():
            width = int(np.prod(shape[1:]))
            if name in {f"{prefix}head.W" for prefix in model.members}:
                rows = start + np.sort(symbols) * width
                places.append((rows[:, np.newaxis] + np.arange(width)).reshape(-1))
            start += shape[0] * width
        found = np.concatenate(places)
        return FrozenWeights(found, model.parameters.vector[found])

    def within(self, parts: Sequence[slice]) -> "FrozenWeights":
        """Return those within some slices of the vector."""
        if not len(self.places):
            return self
        borders = [np.searchsorted(self.places, (part.start, part.stop)) for part in parts]
        chosen = np.concatenate([np.arange(0), *(np.arange(*border) for border in borders)])
        return FrozenWeights(self.places[chosen], self.values[chosen])


@dataclass
class Shard:
    """Some of the streams, with their state and their gradient.

    ``next_state`` is the state after the window, or None if it is not carried over.
    """

    index: int
    columns: slice
    state: Array
    next_state: Array | None
    grads: Parameters


class Worker:
    """One worker's shards of the streams and slices of the parameters.

    The shards of a worker share the buffers of one model.
    """

    def __init__(
        self,
        model: CharModel,
        shards: Sequence[Shard],
        sums: Sums,
        parts: Sequence[slice],
        kept: FrozenWeights,
        optimizer: Optimizer,
        batches: Batches,
        reset: float,
        random_seed: int,
        scorer: Scorer | None,
        scored: range,
        core: Core = None,
    ) -> None:
        self.model, self.shards = model, shards
        self.sums, self.parts, self.optimizer = sums, parts, optimizer
        self.kept = kept
        self.batches, self.reset, self.random_seed = batches, reset, random_seed
        self.scorer, self.scored = scorer, scored
        self.core = core  # where it starts its longest work

    @QUIET
    def gradient(self, step: int) -> list[float]:
        """Compute the gradient of each shard, and return the summed losses."""
        move_to(self.core)
        losses = []
        for shard in self.shards:
            # A counter made of step and shard leaves no generator state to save.
            bits = np.random.Philox(key=self.random_seed, counter=[0, 0, shard.index, step])
            rng = np.random.Generator(bits)
            window = self.batches.window(step, shard.columns).trimmed()
            N = window.ids.shape[1]
            if not N:  # a batch with fewer items than shards
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
        """Sum the shards' gradients into the first; return the squared norm of each slice."""
        with self.sums.or_abort():
            self.sums.fetch()
            norms = []
            for part in self.parts:
                total = self.sums.total(part)
                norms.append(float(np.dot(total, total)))
            return norms

    @QUIET
    def update(self, learning_rate: float, step: int, scale: float) -> bool:
        """Update the parameters of this worker and carry over the states of its streams.

        Returns
        -------
        sound : bool
            Whether the parameters are still finite and of reasonable size.
        """
        with self.sums.or_abort():
            for part in self.parts:
                self.optimizer.update(part, learning_rate=learning_rate, step=step, scale=scale)
            for shard in self.shards:
                if shard.next_state is not None:
                    shard.state[..., : shard.next_state.shape[-1]] = shard.next_state
            theta = self.optimizer.theta
            sound = all(is_sound(theta[part]) for part in self.parts)
            theta[self.kept.places] = self.kept.values
            self.sums.spread(theta)
            return sound

    def meet(self, exchange: bool) -> None:
        """Do the communication of a step without its computation; nothing unless ``exchange``."""
        if exchange:
            with self.sums.or_abort():
                self.sums.fetch()
                self.sums.spread(self.optimizer.theta)

    def forget(self) -> None:
        """Reset the states of this worker's streams to zero."""
        for shard in self.shards:
            shard.state[...] = 0

    def held(self) -> Held | None:
        """Return this worker's slices of the optimizer's vectors, and the states of its streams.

        None if they are in memory shared with the process that saves.
        """
        if not self.sums.is_away:
            return None
        state = self.optimizer.state
        vectors = {name: [state[name][part] for part in self.parts] for name in state}
        return vectors, [shard.state for shard in self.shards]

    @QUIET
    def score(self) -> list[ScoreSums]:
        """Return the score sums of this worker's shards of the held-out text."""
        move_to(self.core)
        assert self.scorer is not None
        return [self.scorer.score(self.model, shard) for shard in self.scored]
