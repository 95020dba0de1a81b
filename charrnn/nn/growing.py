"""Initializing from a trained model, for a larger vocabulary or another task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.nn.model import CharModel


def fill_grown(model: CharModel, weights: Mapping[str, Array], places: NDArray[np.integer]) -> None:
    """Copy the weights of a model with fewer symbols.

    Input weights of new symbols keep their initial values. Output weights of new symbols are zero,
    and their bias is the lowest bias of the old symbols.

    Parameters
    ----------
    model : CharModel
        The initialized model, with V symbols.
    weights : dict of str to array
        The weights of a model that is the same except for its number of symbols, U.
    places : (U,) int array
        The new id of each old symbol.
    """
    V = model.vocab_size
    new = np.setdiff1d(np.arange(V), places)
    for name, values in model.parameters.items():
        old = weights[name]
        if not name.endswith("head.W"):
            _fill_input(name, values, old, places, V)
            continue
        values[places] = old  # a row per symbol, with its bias in the first column
        values[new] = 0
        values[new, 0] = old[:, 0].min()


def fill_body(
    model: CharModel,
    weights: Mapping[str, Array],
    places: NDArray[np.integer],
    *,
    same_labels: bool = False,
) -> None:
    """Copy the body of another model into a labelling model; their tasks may differ.

    Layers that the other model lacks, such as the reverse layers, keep their initial weights.

    Parameters
    ----------
    model : CharModel
        The initialized model, with V symbols.
    weights : dict of str to array
        The weights of the other model, with U symbols.
    places : (U,) int array
        The new id of each old symbol.
    same_labels : bool
        Whether to copy the head too.
    """
    for name, values in model.parameters.items():
        old = weights.get(name)
        if old is not None and (same_labels or not name.endswith("head.W")):
            _fill_input(name, values, old, places, model.vocab_size)


def _fill_input(name: str, values: Array, old: Array, places: NDArray[np.integer], V: int) -> None:
    """Copy a matrix of an encoder or a layer; the weights of new symbols stay unchanged."""
    more = values.shape[-1] - old.shape[-1]
    if old.shape == values.shape:
        values[...] = old
    elif not name.endswith(("encoder.E", "layers.0.W", "layers.0.reverse.W")):
        # A layer above a bidirectional level: the weights for the reverse layer start at zero.
        first = old.shape[1] // 2
        values[:, first : first + more] = 0
        values[:, :first], values[:, first + more :] = old[:, :first], old[:, first:]
    elif name.endswith("encoder.E"):  # a row per symbol
        values[places] = old
    elif name.endswith(("layers.0.W", "layers.0.reverse.W")):  # one-hot: a column per symbol
        U = len(places)
        values[:, places] = old[:, :U]
        values[:, V] = old[:, U]
        # After the bias, a window layer has one more block of columns per earlier input.
        before = (values.shape[1] - old.shape[1]) // (V - U) - 1
        for block in range(before):
            first, old_first = V + 1 + block * V, U + 1 + block * U
            values[:, first + places] = old[:, old_first : old_first + U]
        values[:, V + 1 + before * V :] = old[:, U + 1 + before * U :]
