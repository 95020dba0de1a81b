"""Starting from a trained model: its weights for more symbols, or for other predictions."""

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
    V = model.vocab_size
    new = np.setdiff1d(np.arange(V), places)
    for name, values in model.parameters.items():
        old = weights[name]
        if not name.endswith("head.W"):
            _fill_input(name, values, old, places, V)
            continue
        values[places] = old  # a row for each symbol, with its bias in front
        values[new] = 0
        values[new, 0] = old[:, 0].min()


def fill_body(
    model: CharModel,
    weights: Mapping[str, Array],
    places: NDArray[np.integer],
    *,
    same_labels: bool = False,
) -> None:
    """Give a model that labels the body of another one, which may predict something else.

    A layer that the other model does not have, such as one that reads from the end, keeps its first
    weights.

    Parameters
    ----------
    model : CharModel
        Initialised, with V symbols.
    weights : dict of str to array
        Of the other model, with U symbols.
    places : (U,) int array
        The new id of each of its symbols.
    same_labels : bool
        Whether its head is taken over too.
    """
    for name, values in model.parameters.items():
        old = weights.get(name)
        if old is not None and (same_labels or not name.endswith("head.W")):
            _fill_input(name, values, old, places, model.vocab_size)


def _fill_input(name: str, values: Array, old: Array, places: NDArray[np.integer], V: int) -> None:
    """Fill a matrix of an encoder or a layer; what reads something new stays as it is."""
    more = values.shape[-1] - old.shape[-1]
    if old.shape == values.shape:
        values[...] = old
    elif not name.endswith(("encoder.E", "layers.0.W", "layers.0.reverse.W")):
        # A layer above two directions: what it reads of the new one counts for nothing yet.
        first = old.shape[1] // 2
        values[:, first : first + more] = 0
        values[:, :first], values[:, first + more :] = old[:, :first], old[:, first:]
    elif name.endswith("encoder.E"):  # a row for each symbol
        values[places] = old
    elif name.endswith(("layers.0.W", "layers.0.reverse.W")):  # one-hot: a column for each
        U = len(places)
        values[:, places] = old[:, :U]
        values[:, V] = old[:, U]
        # Behind the bias, a window reads as many columns for each of the inputs before.
        before = (values.shape[1] - old.shape[1]) // (V - U) - 1
        for block in range(before):
            first, old_first = V + 1 + block * V, U + 1 + block * U
            values[:, first + places] = old[:, old_first : old_first + U]
        values[:, V + 1 + before * V :] = old[:, U + 1 + before * U :]
