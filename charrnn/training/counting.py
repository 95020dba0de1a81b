"""N-gram counts for a language model, mixed with the network at the end of a run."""

from dataclasses import replace
from math import isfinite
from time import perf_counter

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.counts.estimating import MOST_SYMBOLS, best_longest, counted
from charrnn.counts.mixing import EVEN, TEMPERATURES, Mixture, fitted
from charrnn.counts.model import CountingModel
from charrnn.data.apart import without_copies
from charrnn.evaluation.scorers import score
from charrnn.evaluation.usual import usual_scorer
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes
from charrnn.training.setup import Setup

SYMBOLS_PER_MINUTE = 15_000_000
"""Symbols per minute of the run that are counted: doing so twice takes less than half the time."""


def most_counted(minutes: float) -> int:
    """Return how many symbols a run of so many minutes counts, the last of its training part."""
    return min(MOST_SYMBOLS, int(SYMBOLS_PER_MINUTE * minutes) + 1) if minutes else MOST_SYMBOLS


def takes_end(learned: int, minutes: float) -> bool:
    """Return whether to set apart the end of a training part of so many characters.

    If it is too long to be counted as a whole, its middle would be far from all that is counted. It
    may also be mapped from a file, and leaving out its middle would copy it.
    """
    return learned > most_counted(minutes)


class Counting:
    """The n-gram counts of a run.

    Parameters
    ----------
    setup : Setup
        The run's; it trains a language model.

    Attributes
    ----------
    seconds : float
        What counting took; the end of the run counts once more.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._first = setup.task.first(setup.vocabulary)
        self._most = most_counted(setup.train.minutes)
        ids, apart = self._encoded(setup.sides.learned), self._encoded(setup.apart)
        V = len(setup.vocabulary)
        self._longest = best_longest(ids, apart, V, first=self._first)
        begun = perf_counter()
        self._table = counted(ids, V, first=self._first, longest=self._longest)
        self.seconds = perf_counter() - begun

    def _encoded(self, codes: Codes) -> Ids:
        """Return the ids of the end of a text that is counted; the text may be a memory map."""
        return self._setup.vocabulary.encode(np.asarray(codes[-self._most :]))

    def mixed(self, best: Checkpoint, threads: int) -> tuple[Checkpoint, str]:
        """Return a checkpoint with counts of the whole training part, and a sentence on their gain.

        The mixture is fitted on the text that was set apart, with counts of the rest. If there was
        a validation, the history of the checkpoint has the loss of the mixture too.
        """
        setup = self._setup
        alone = setup.device.model(best.model())
        mixture = self._fitted(alone)
        table = self._table
        if len(setup.apart):
            whole = [self._encoded(setup.sides.learned), self._encoded(setup.apart)]
            ids, V = np.concatenate(whole), len(setup.vocabulary)
            table = counted(ids, V, first=self._first, longest=self._longest, most=self._most)
        state = replace(
            best,
            table=table,
            counting=mixture,
            history=replace(best.history, mixed_nats=None),
        )
        scorer = setup.scorer(setup.validation.val_characters)
        if scorer is None:
            return state, ""
        nats = score(alone, scorer, threads=threads).mean
        mixed = score(state.with_counts(alone), scorer, threads=threads).mean
        if not isfinite(mixed):
            return state, ""
        if best.history.best_nats is not None:
            state.history.mixed_nats = mixed
        advice = (
            "eval, score and sample mix them with --counts"
            if mixed < nats
            else "counts do not help here, so leave --counts out of eval, score and sample"
        )
        return state, (
            f"mixed with counts of the training part, the validation loss is {mixed:.3f} nats, by "
            f"the network alone {nats:.3f}; {advice}"
        )

    def _fitted(self, alone: Predictor) -> Mixture:
        """Return the mixture fitted on the text that was set apart."""
        setup = self._setup
        model = CountingModel(alone, self._table, EVEN)
        apart = without_copies(setup.apart, setup.task)
        scorer = usual_scorer(apart, setup.vocabulary, task=setup.task)
        if scorer is None:
            return EVEN

        def read(ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
            return model.parts(ids, targets, state, TEMPERATURES)

        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = [
                values[..., here]
                for shard in range(scorer.num_shards)
                for values, _, here in scorer.windows(model, shard, read)
            ]
        if not found:
            return EVEN
        parts = np.concatenate(found, axis=-1)
        if not np.isfinite(parts).all():
            return EVEN  # the network has diverged: no weights fit it
        *network, counts, left = parts
        return fitted(list(zip(network[::2], network[1::2], strict=True)), counts, left)
