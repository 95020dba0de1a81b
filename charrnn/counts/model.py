"""A network mixed with n-gram counts, for scorers and samplers.

Dimensions
    T steps of a window, N parallel streams, V vocabulary size, F features of the network's flat
    state, C symbols of the longest context in the counts.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.counts.mixing import Floats, Mixture, log_probabilities
from charrnn.counts.table import CountTable, Nodes
from charrnn.nn.predictor import Predictor


class CountingModel:
    """Predicts the next symbol with a network and n-gram counts; it is a ``Predictor``.

    Parameters
    ----------
    network : Predictor
        It may be on a GPU.
    table : CountTable
    mixture : Mixture

    Notes
    -----
    The state stacks the network's flat state (F, N) and the last C symbols of each stream, each
    plus one; 0 means none.
    """

    def __init__(self, network: Predictor, table: CountTable, mixture: Mixture) -> None:
        self.network, self.table, self.mixture = network, table, mixture
        self.config, self.vocab_size, self.dtype = network.config, network.vocab_size, network.dtype
        self._shape = network.zero_state(0).shape[:-1]
        table.prepare()

    def replica(self) -> "CountingModel":
        """Return a model with the same weights and counts, and buffers of its own."""
        return CountingModel(self.network.replica(), self.table, self.mixture)

    def for_one_stream(self) -> "CountingModel":
        """Return a replica that is faster on one stream; see ``Predictor.for_one_stream``."""
        return CountingModel(self.network.for_one_stream(), self.table, self.mixture)

    def zero_state(self, N: int) -> Array:
        """Return the state (F + C, N) before any text."""
        return np.zeros((prod(self._shape) + self.table.context, N), self.dtype)

    def forward(
        self, ids: Ids, state: Array, *, lengths: NDArray[np.integer] | None = None
    ) -> tuple[Array, Array]:
        """Return the logarithms of the probabilities (V, T * N), and the state after."""
        assert lengths is None  # they belong to labels, which have no counts
        logits, contexts, after = self._read(ids, state)
        network, entropy = log_probabilities(logits, self.mixture.temperature)
        counts, left = self.table.rows([nodes.reshape(-1) for nodes in contexts])
        share = self.mixture.share(entropy, left)
        mixed = share * np.exp(network) + (1 - share) * counts
        return np.log(mixed).astype(self.dtype), after

    def nats(self, ids: Ids, targets: Ids, state: Array) -> tuple[Array, Array]:
        """Return the loss of each target (T, N) in nats, and the state after."""
        parts, after = self.parts(ids, targets, state, [self.mixture.temperature])
        (nats, entropy), (counts, left) = parts[:2], parts[2:]
        share = self.mixture.share(entropy, left)
        return -np.log(share * np.exp(-nats) + (1 - share) * counts), after

    def parts(
        self, ids: Ids, targets: Ids, state: Array, temperatures: Sequence[float]
    ) -> tuple[Floats, Array]:
        """Return the inputs of the mixture, and the state after.

        Returns
        -------
        parts : (2 * len(temperatures) + 2, T, N) float64 array
            For each temperature the network's loss on the targets and the entropy of its
            predictions; then the probabilities of the targets by counts, and the weight that the
            counts leave to shorter contexts.
        state : (F + C, N) array
        """
        logits, contexts, after = self._read(ids, state)
        columns = np.arange(ids.size)
        found = []
        for temperature in temperatures:
            network, entropy = log_probabilities(logits, temperature)
            found += [-network[targets.reshape(-1), columns], entropy]
        shaped = [each.reshape(ids.shape) for each in found]
        return np.stack([*shaped, *self.table.probabilities(contexts, targets)]), after

    def _read(self, ids: Ids, state: Array) -> tuple[Array, list[Nodes], Array]:
        """Return the network's logits, the nodes of the contexts, and the state after."""
        C = self.table.context
        kept = state[len(state) - C :]
        before = state[: len(state) - C].reshape(*self._shape, -1)
        logits, after = self.network.forward(ids, before)
        symbols = np.concatenate([kept.astype(np.int64) - 1, ids])
        contexts = [nodes[C:] for nodes in self.table.contexts(symbols)]
        last = symbols[len(symbols) - C :] + 1
        flat = after.reshape(-1, ids.shape[1])
        return logits, contexts, np.concatenate([flat, last.astype(flat.dtype)])
