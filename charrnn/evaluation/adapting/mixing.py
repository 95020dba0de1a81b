"""Online mixing of predictors in the log domain.

Each of several sets of weights w makes a prediction of all V symbols, and these are mixed again
with weights f::

    log p_s(x) = sum over e of (w[s, e] + v[e]) log p_e(x) + constant
    log p(x) = sum over s of f[s] log p_s(x) + constant

In each set the weights are selected by something that is known before the symbol, such as the
previous symbol, and so is f. v, shared by all sets, is a linear function of what the network's
output layer reads, as in a mixture of experts with a gate (Jacobs et al. 1991). After the symbol y
is scored, w takes a gradient step that raises log p_s(y), v one that raises their mean, and f one
that raises log p(y). PAQ (Mahoney 2005) mixes bits in this way, with gated sets and a final mixer;
a sum of weights other than 1 acts as a temperature.

Dimensions
    E predictors, S sets, B symbols in a block, V vocabulary size, D inputs of the network's
    output layer.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.online import OnlineLinear
from charrnn.nn.loss import log_softmax_

Floats = npt.NDArray[np.float32]

RATE, LAST_RATE, HALF = 0.015, 0.002, 1500
"""The rate of w at the t-th symbol is LAST_RATE + (RATE - LAST_RATE) / (1 + t / HALF)."""
FINAL_RATE = 0.0005
"""The rate of f."""
GATE_RATE = 0.001
"""The rate of v."""
MOST = 2.0
"""A step of w raises log p_s(y) by at most this many nats: one symbol that all predictors
rule out must not turn the weights around."""


class Mixer:
    """Mixing weights that are learned symbol by symbol.

    Parameters
    ----------
    start : (E,) float array
        The initial weights of each set.
    sizes : sequence of S ints
        The number of weight vectors in each set.
    final_size : int
        The number of choices for f.
    input_size : int
        D.
    """

    def __init__(
        self, start: Floats, sizes: Sequence[int], final_size: int, input_size: int = 0
    ) -> None:
        self._first = np.cumsum([0, *sizes[:-1]])
        self._w = np.tile(start.astype(np.float32), (sum(sizes), 1))
        self._f = np.full((final_size, len(sizes)), 1 / len(sizes), np.float32)
        self._gate = OnlineLinear(input_size, len(start), GATE_RATE)
        self._read = 0

    def read(self, logs: Floats, chosen: Ids, final: Ids, symbols: Ids, inputs: Floats) -> Floats:
        """Predict the symbols of a block, each before the weights are updated with it.

        Parameters
        ----------
        logs : (E, B, V) float32 array
            The log-probabilities of the predictors.
        chosen : (S, B) int array
            The choice of each set.
        final : (B,) int array
            The choice of f.
        symbols : (B,) int array
            The symbols to predict.
        inputs : (D, B) float32 array
            What the network's output layer reads.

        Returns
        -------
        (V, B) float32 array
            Log-probabilities.
        """
        _, B, V = logs.shape
        S = len(chosen)
        rows = (chosen + self._first[:, np.newaxis]).T
        t = self._read + np.arange(B)
        rates = (LAST_RATE + (RATE - LAST_RATE) / (1 + t / HALF)).tolist()
        mixed = np.empty((B, S + 1, V), np.float32)
        mean = np.full(S, 1 / S, np.float32)
        self._gate.begin(inputs)
        for place, (y, last) in enumerate(zip(symbols.tolist(), final.tolist(), strict=True)):
            x, z, row = logs[:, place], mixed[place], rows[place]
            w, f = self._w[row], self._f[last]
            np.matmul(w + self._gate.value(place), x, out=z[:S])
            np.matmul(f, z[:S], out=z[S])
            p = np.exp(z - np.maximum.reduce(z, axis=1, keepdims=True))  # quicker than z.max
            p /= np.add.reduce(p, axis=1, keepdims=True)
            gradient = x[:, y] - p[:S] @ x.T
            raised = rates[place] * np.einsum("se,se->s", gradient, gradient)
            gradient *= (MOST / np.maximum(raised, MOST))[:, np.newaxis]
            self._w[row] = w + rates[place] * gradient
            self._gate.learn(place, mean @ gradient)
            f += FINAL_RATE * (z[:S, y] - z[:S] @ p[S])
        self._gate.end()
        self._read += B
        return log_softmax_(mixed[:, S].T)
