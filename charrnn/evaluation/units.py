"""Interpretable units of a network, selected on one half of a text.

Dimensions
    n symbols in a piece, T steps, N pieces that are read in parallel, F properties, H units in a
    layer, U units in all layers.

For each property in ``properties``, the unit whose output correlates most with it is selected on
the first half of a text, and its correlation is measured on the second half. The same is done with
an untrained network of the same shape: among many units some correlate with anything by chance, so
only the difference shows what was learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.evaluation.properties import PROPERTIES, properties_of
from charrnn.nn.model import CharModel

AT_ONCE = 2**14
"""Largest T times N."""
LEAST = 20
"""Positions at which a yes-or-no property must hold, and must not hold, in each half."""

Floats = NDArray[np.float64]


class Piece(NamedTuple):
    """A part of a text that is read from a zero state.

    Attributes
    ----------
    ids : (n,) int array
        The inputs.
    properties : (F, n) float64 array
        The properties of each symbol.
    counted : (n,) bool array
        Which symbols are measured; the others only warm up the state.
    """

    ids: Ids
    properties: Floats
    counted: NDArray[np.bool_]


@dataclass(frozen=True)
class UnitFound:
    """A unit that correlates with a property.

    Attributes
    ----------
    name : str
        The property's name.
    number : int
        The property's index in ``PROPERTIES``.
    layer, unit : int
        Indices from 0; the lowest layer is 0.
    chosen, correlation : float
        Pearson correlation on the half used for selection, and on the other half.
    untrained_chosen, untrained : float
        The same for the best unit of the untrained network.
    """

    name: str
    number: int
    layer: int
    unit: int
    chosen: float
    correlation: float
    untrained_chosen: float
    untrained: float


def pieces_of(
    ids: Ids, text: str, *, length: int = 512, warm_up: int = 64, least: int = 0
) -> list[Piece]:
    """Split a text into pieces in which each symbol is measured once.

    Parameters
    ----------
    ids : (n,) int array
        The symbols of the text.
    text : str
        One character per symbol.
    length, warm_up : int
        Symbols of a piece that are measured, and symbols before them that are only read.
    least : int
        The first symbol that is measured.
    """
    values = properties_of(text)
    pieces = []
    for start in range(least, len(ids), length):
        first, stop = max(0, start - warm_up), min(start + length, len(ids))
        counted = np.arange(first, stop) >= start
        pieces.append(Piece(ids[first:stop], values[:, first:stop], counted))
    return pieces


def outputs(model: CharModel, ids: Ids, lengths: NDArray[np.int64] | None = None) -> Array:
    """Return the outputs (T, U, N) of all units of the first member for ids (T, N).

    Layers are ordered from lowest to highest. For a bidirectional layer, these are the units of the
    forward direction.
    """
    body = next(iter(model.members.values())).body
    state = np.zeros((*body.state_shape, ids.shape[1]), model.dtype)
    body.forward(ids, state, lengths=lengths)
    return np.concatenate([level.layers[0].output for level in body.levels], axis=1)


def correlations(model: CharModel, pieces: Sequence[Piece]) -> Floats:
    """Return the Pearson correlation (F, U) of each property with the output of each unit.

    It is 0 if one of the two is constant.
    """
    count, of_f, of_ff, of_h, of_hh, of_fh = 0, *(np.zeros(()) for _ in range(5))
    for ids, values, counted, lengths in _batches(pieces):
        h = outputs(model, ids, lengths).transpose(1, 0, 2)[:, counted].astype(np.float64)  # (U, m)
        f = values[:, counted]  # (F, m)
        count += f.shape[1]
        of_f, of_ff = of_f + f.sum(axis=1), of_ff + (f * f).sum(axis=1)
        of_h, of_hh = of_h + h.sum(axis=1), of_hh + (h * h).sum(axis=1)
        of_fh = of_fh + f @ h.T
    covariance = of_fh - np.outer(of_f, of_h) / count
    spread_f = np.sqrt(np.maximum(0, of_ff - of_f**2 / count))
    spread_h = np.sqrt(np.maximum(0, of_hh - of_h**2 / count))
    spread = np.outer(spread_f, spread_h)
    # For a constant, only rounding errors of the sums remain.
    varies = spread > 1e-9 * np.sqrt(np.outer(of_ff, of_hh))
    found: Floats = np.divide(covariance, spread, out=np.zeros_like(covariance), where=varies)
    return found


def units_that_follow(
    model: CharModel, untrained: CharModel, first: Sequence[Piece], second: Sequence[Piece]
) -> list[UnitFound]:
    """Return for each property the unit that correlates with it best on the first half.

    Parameters
    ----------
    model, untrained : CharModel
        Two networks of the same shape.
    first, second : sequence of Piece
        Two halves of a text, for selection and for measurement.

    Returns
    -------
    list of UnitFound
        Ordered by how much the trained network exceeds the untrained one on the first half.
        Properties that are too rare in a half are left out.
    """
    usable = _occur(first) & _occur(second)
    trained = [correlations(model, half) for half in (first, second)]
    plain = [correlations(untrained, half) for half in (first, second)]
    H = model.config.hidden_size
    found = []
    for number, name in enumerate(PROPERTIES):
        if not usable[number]:
            continue
        best, other = (int(np.abs(half[0][number]).argmax()) for half in (trained, plain))
        found.append(
            UnitFound(
                name,
                number,
                *divmod(best, H),
                *(float(half[number, best]) for half in trained),
                *(float(half[number, other]) for half in plain),
            )
        )
    return sorted(found, key=lambda unit: abs(unit.untrained_chosen) - abs(unit.chosen))


def _occur(pieces: Sequence[Piece]) -> NDArray[np.bool_]:
    """Return whether each property varies at enough positions."""
    values = np.concatenate([piece.properties[:, piece.counted] for piece in pieces], axis=1)
    low = values.min(axis=1, keepdims=True)
    above = np.count_nonzero(values > low, axis=1)
    usable: NDArray[np.bool_] = (above >= LEAST) & (values.shape[1] - above >= LEAST)
    return usable


def _batches(
    pieces: Sequence[Piece],
) -> Iterator[tuple[Ids, Floats, NDArray[np.bool_], NDArray[np.int64]]]:
    """Yield ids (T, N), properties (F, T, N), counted (T, N) and lengths (N,)."""
    ordered = sorted(pieces, key=lambda piece: len(piece.ids))
    while ordered:
        N = max(1, AT_ONCE // len(ordered[-1].ids))
        some, ordered = ordered[-N:], ordered[:-N]
        T = len(some[-1].ids)
        ids = np.zeros((T, len(some)), some[0].ids.dtype)
        values = np.zeros((len(PROPERTIES), T, len(some)))
        counted = np.zeros((T, len(some)), np.bool_)
        for column, piece in enumerate(some):
            n = len(piece.ids)
            ids[:n, column], values[:, :n, column] = piece.ids, piece.properties
            counted[:n, column] = piece.counted
        yield ids, values, counted, np.array([len(piece.ids) for piece in some])
