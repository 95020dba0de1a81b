"""An output layer that learns beside the network's own, after every symbol.

It reads what the network's output layer reads, and adds to its log-probabilities::

    log p(x) = log p_network(x) + z_x + constant        z = A [1; y]

Its steps are so large that it mostly repeats what followed similar states of the network, as the
neural cache of Grave et al. (2017) does. By itself it predicts badly, but the mixture gains from
it.

Dimensions
    D inputs of the network's output layer, V vocabulary size, B symbols in a block.
"""

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.online import OnlineLinear
from charrnn.nn.loss import log_softmax_

RATE = 2.0
"""Twice the rate at which the error of a linear output would vanish; a softmax moves at most half
as far, so this is stable. It is the best of 0.5, 1, 2 and 4 on tiny Shakespeare and garden.txt; on
three other texts 4 gains up to 0.004 nats."""

Floats = npt.NDArray[np.float32]


class LearningHead:
    """An output layer that starts at zero, that is, with the predictions of the network.

    Parameters
    ----------
    input_size, vocab_size : int
        D and V.
    """

    def __init__(self, input_size: int, vocab_size: int) -> None:
        self._layer = OnlineLinear(input_size, vocab_size, RATE)

    def read(self, network: Floats, y: Floats, symbols: Ids) -> Floats:
        """Predict the symbols of a block, each before the layer learns from it.

        Parameters
        ----------
        network : (B, V) float32 array
            The network's log-probabilities.
        y : (D, B) float32 array
            The inputs of its output layer.
        symbols : (B,) int array
            The symbols to predict.

        Returns
        -------
        (B, V) float32 array
            Log-probabilities.
        """
        layer, found = self._layer, network.copy()
        layer.begin(y)
        for place, (symbol, row) in enumerate(zip(symbols.tolist(), found, strict=True)):
            row += layer.value(place)
            error = -np.exp(log_softmax_(row))
            error[symbol] += 1
            layer.learn(place, error)
        layer.end()
        return found
