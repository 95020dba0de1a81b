"""Growing a trained model: the same weights for a vocabulary with more symbols."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.nn.model import CharModel


def fill_grown(model: CharModel, weights: Mapping[str, Array], places: NDArray[np.integer]) -> None:
    """Give a model the weights of one that has fewer symbols.

    What reads or predicts a new symbol keeps its first weights, but for the bias of its logit,
    which becomes that of the least likely symbol before.

    Parameters
    ----------
    model : CharModel
        Initialised, with V symbols.
    weights : dict of str to array
        Of a model that differs in the number of symbols alone, U.
    places : (U,) int array
        The new id of each of its symbols.
    """
    V, U = model.vocab_size, len(places)
    new = np.setdiff1d(np.arange(V), places)
    for name, values in model.parameters.items():
        old = weights[name]
        if old.shape == values.shape:
            values[...] = old
        elif len(old) == len(values):  # one-hot input: the first columns belong to the symbols
            values[:, places] = old[:, :U]
            values[:, V:] = old[:, U:]
        else:  # a row for each symbol: of the embedding, or of the head with its bias in front
            values[places] = old
            if name.endswith("head.W"):
                values[new] = 0
                values[new, 0] = old[:, 0].min()
