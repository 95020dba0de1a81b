"""Counts beside a network of text: made when a run begins, mixed with the network when it ends."""

from dataclasses import replace

import numpy as np

from charrnn.backend.arrays import Array, Ids
from charrnn.counts.estimating import MOST_SYMBOLS, best_longest, counted
from charrnn.counts.mixing import EVEN, TEMPERATURES, Mixture, fitted
from charrnn.counts.model import CountingModel
from charrnn.evaluation.scorers import score
from charrnn.evaluation.usual import usual_scorer
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes
from charrnn.training.setup import Setup

SYMBOLS_A_MINUTE = 15_000_000
"""So many symbols are counted twice in less than half of the time."""


class Counting:
    """What a run counts.

    Parameters
    ----------
    setup : Setup
        Of the run, of a model of text.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._first = setup.task.first(setup.vocabulary)
        minutes = setup.train.minutes
        self._most = MOST_SYMBOLS
        if minutes:
            self._most = min(self._most, int(SYMBOLS_A_MINUTE * minutes) + 1)
        ids, apart = self._encoded(setup.sides.learned), self._encoded(setup.apart)
        V = len(setup.vocabulary)
        self._longest = best_longest(ids, apart, V, first=self._first)
        self._table = counted(ids, V, first=self._first, longest=self._longest)

    def _encoded(self, codes: Codes) -> Ids:
        """Return what is counted of a text, its end: it may be a memory map."""
        return self._setup.vocabulary.encode(np.asarray(codes[-self._most :]))

    def mixed(self, best: Checkpoint, threads: int) -> tuple[Checkpoint, str]:
        """Return a state with counts of the whole training part, and what they gain in a sentence.

        How counts and network are mixed is fitted on what was set apart, by counts of the rest.
        """
        setup = self._setup
        mixture = self._fitted(best)
        table = self._table
        if len(setup.apart):
            whole = [self._encoded(setup.sides.learned), self._encoded(setup.apart)]
            ids, V = np.concatenate(whole), len(setup.vocabulary)
            table = counted(ids, V, first=self._first, longest=self._longest, most=self._most)
        state = replace(best, table=table, counting=mixture)
        scorer = setup.scorer(setup.validation.val_characters)
        if scorer is None:
            return state, ""
        alone = best.model()
        nats = score(alone, scorer, threads=threads).mean
        mixed = score(state.with_counts(alone), scorer, threads=threads).mean
        return state, (
            f"mixed with counts of the training part, what is held out costs {mixed:.3f} nats, by "
            f"the network alone {nats:.3f}; eval, score and sample mix them with --counts"
        )

    def _fitted(self, best: Checkpoint) -> Mixture:
        """Return the mixture that is best on what was set apart."""
        setup = self._setup
        model = CountingModel(best.model(), self._table, EVEN)
        scorer = usual_scorer(setup.apart, setup.vocabulary, task=setup.task)
        if scorer is None:
            return EVEN

        def read(ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
            return model.parts(ids, targets, state, TEMPERATURES)

        found = [
            values[..., here]
            for shard in range(scorer.num_shards)
            for values, _, here in scorer.windows(model, shard, read)  # type: ignore[arg-type]
        ]
        if not found:
            return EVEN
        *network, counts, left = np.concatenate(found, axis=-1)
        return fitted(list(zip(network[::2], network[1::2], strict=True)), counts, left)
