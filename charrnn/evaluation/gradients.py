"""How much of a loss's gradient arrives at the states of the steps before it.

Dimensions
    T steps of the text, N places in it, V vocabulary size, H hidden units, L layers,
    K distances; S and R are those of a layer's state (see ``Recurrent``).

The loss of one step, t, is sent back as in training, but never cut off. What is measured is the
gradient of the state after step t - k: all of it, which is h and c of an LSTM, and the inputs that
it still has to read of a window. It is in float64: small numbers stay what they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.config import Architecture, Cell, Nonlinearity
from charrnn.config.words import count
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation.scored_text import held_out_text, named_text
from charrnn.nn.body import Body
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text.codes import Codes

DISTANCES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Steps between the loss and the state."""
LITTLE = 0.01
"""The share of the gradient at which it is as good as gone."""
PLACES = 32
"""Places of a text whose mean is taken."""
DRAWS = 4
"""Draws of the weights of untrained networks whose mean is taken: one may be off by a half."""
WARM_UP = 64
"""Characters that are read before the furthest distance."""
UNTRAINED: tuple[tuple[Cell, Nonlinearity], ...] = (
    ("rnn", "tanh"),
    ("rnn", "relu"),
    ("lstm", "tanh"),
    ("gru", "tanh"),
)
"""The cells that are shown without a model."""
SYMBOLS = 65
"""Of the random text that untrained networks read."""


@dataclass(frozen=True)
class GradientCurve:
    """What arrives at one layer.

    Attributes
    ----------
    name : str
        The network.
    layer : int
        The layer, from 0; the highest is nearest to the loss.
    distances : tuple of int
        K distances k.
    at_once : float
        The norm of the gradient of the layer's output at the step of the loss itself.
    norms : tuple of float
        The norm of the gradient of the state k steps before, for each distance; a mean over the
        places, and over the members of a model that has several.
    steps : int, optional
        How many steps the network was trained for; None if it is untrained.
    """

    name: str
    layer: int
    distances: tuple[int, ...]
    at_once: float
    norms: tuple[float, ...]
    steps: int | None = None

    @property
    def left(self) -> tuple[float, ...]:
        """The share of the gradient that is left at each distance."""
        return tuple(norm / self.at_once if self.at_once else 0.0 for norm in self.norms)

    @property
    def reach(self) -> float | None:
        """The distance at which ``LITTLE`` is left; None if more is left at all of them.

        Interpolated in the logarithm of what is left. Where nothing at all is left, it is the
        first distance without a gradient.
        """
        before, share = 0, 1.0
        for k, left in zip(self.distances, self.left, strict=True):
            if left < LITTLE:
                part = log(share / LITTLE) / log(share / left) if left > 0 else 1.0
                return before + (k - before) * part
            before, share = k, left
        return None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "name": self.name,
            "layer": self.layer,
            "steps": self.steps,
            "distances": list(self.distances),
            "at_once": self.at_once,
            "norms": list(self.norms),
            "left": list(self.left),
            "one_percent_left_after": self.reach,
        }


class Places(NamedTuple):
    """Places of a text."""

    ids: Ids  # (T, N), what is read; the loss is that of the last step
    targets: Ids  # (N,), what follows


Toward = Callable[[Array], Array]
"""From the output of the last step (1, H, N) to the gradient of the loss with respect to it."""


def norms_of(
    body: Body, ids: Ids, toward: Toward, distances: Sequence[int], dtype: np.dtype[np.floating]
) -> NDArray[np.float64]:
    """Return the norms (1 + K, L): at the step of the loss, and at each distance before it.

    Each is a mean over the N places.

    Parameters
    ----------
    body : Body
        The layers, bound to weights and gradients; the gradients are overwritten.
    ids : (T, N) int array
        What it reads, from a zero state.
    toward : callable
        Where the gradient comes from.
    distances : sequence of int
        K distances in rising order, from 1 to T at most.
    dtype : dtype
        Of the weights.
    """
    T, N = ids.shape
    borders = [T - k for k in reversed(distances)]
    state = np.zeros((*body.state_shape, N), dtype)
    if borders[0]:
        _, state = body.forward(ids[: borders[0]], state)
    parts, befores = list(pairwise([*borders, T])), []
    for start, stop in parts:
        befores.append(state)
        y, state = body.forward(ids[start:stop], state)
    found = [_at_once(body, toward(y))]
    dstate = np.zeros_like(state)
    # A layer keeps the buffers of one part alone: each is read again before it is gone back.
    for (start, stop), before in zip(reversed(parts), reversed(befores), strict=True):
        y, _ = body.forward(ids[start:stop], before)
        dstate = body.backward(toward(y) if stop == T else np.zeros_like(y), dstate)
        found.append(np.sqrt((dstate**2).sum(axis=(1, 2))).mean(axis=-1))
    return np.array(found)


def _at_once(body: Body, dy: Array) -> NDArray[np.float64]:
    """Return the norm (L,) of the gradient of each layer's output in the step just read.

    ``dy`` (1, H, N) is that of the top.
    """
    norms = np.zeros(len(body.layers))
    above: Array | None = dy
    for index in reversed(range(len(body.layers))):
        assert above is not None
        layer, dh = body.layers[index], body.dropouts[index].backward(above)
        norms[index] = np.sqrt((dh**2).sum(axis=1)).mean()
        dstate = np.zeros((*layer.state_shape, dh.shape[-1]), dh.dtype)
        above, _ = layer.backward(dh, dstate, input_gradient=index > 0)
    return norms


def curves_of(
    model: CharModel, places: Places, name: str, *, trained: int | None = None
) -> list[GradientCurve]:
    """Return a curve for each layer of a model, the highest first.

    Parameters
    ----------
    model : CharModel
        In float64.
    places : Places
        What it reads.
    name : str
        What the curves are called.
    trained : int, optional
        For how many steps it was trained; its loss is then that of its prediction. The head of an
        untrained model is zero and would send nothing back: there, a sum of the outputs whose
        gradient has norm 1 stands in for the loss.
    """
    distances = tuple(k for k in DISTANCES if k <= len(places.ids))
    total = np.zeros(())
    for member in model.members.values():

        def of_loss(y: Array, head: Any = member.head) -> Array:
            _, dlogits = cross_entropy_(head.forward(y), places.targets)
            dy: Array = head.backward(dlogits)
            return dy

        toward = _of_outputs if trained is None else of_loss
        total = total + norms_of(member.body, places.ids, toward, distances, model.dtype)
    return _curves(total / len(model.members), name, distances, trained)


def untrained(
    hidden_size: int, cells: Sequence[tuple[Cell, Nonlinearity]] = UNTRAINED, random_seed: int = 0
) -> list[GradientCurve]:
    """Return the curves of untrained cells side by side, on random text.

    Each with uniform recurrent weights, as PyTorch draws them, and with orthogonal ones; a mean
    over ``DRAWS`` draws of weights and text.
    """
    curves = []
    for cell, nonlinearity in cells:
        shape = Architecture(cell=cell, nonlinearity=nonlinearity, hidden_size=hidden_size)
        title = f"{cell} ({nonlinearity})" if cell == "rnn" else cell
        model = CharModel(shape, SYMBOLS, dtype=np.float64)
        (layer,), limit = model.layers, hidden_size**-0.5
        for drawn in ("uniform", "orthogonal"):
            rng, norms = np.random.default_rng(random_seed), []
            for _ in range(DRAWS):
                ids = rng.integers(SYMBOLS, size=(WARM_UP + DISTANCES[-1], PLACES // DRAWS))
                model.initialise(rng)
                if drawn == "uniform":
                    layer.Wh[...] = rng.uniform(-limit, limit, layer.Wh.shape)
                norms.append(norms_of(_body(model), ids, _of_outputs, DISTANCES, model.dtype))
            curves += _curves(np.mean(norms, axis=0), f"{title}, {drawn}", DISTANCES, None)
    return curves


def _body(model: CharModel) -> Body:
    (member,) = model.members.values()
    return member.body


def _of_outputs(y: Array) -> Array:
    return np.full_like(y, y.shape[1] ** -0.5)


def _curves(
    norms: NDArray[np.float64], name: str, distances: tuple[int, ...], steps: int | None
) -> list[GradientCurve]:
    """Return norms (1 + K, L) as a curve for each layer, the highest first."""
    return [
        GradientCurve(name, layer, distances, float(norms[0, layer]), tuple(found), steps)
        for layer in reversed(range(norms.shape[1]))
        for found in [norms[1:, layer].tolist()]
    ]


def of_checkpoint(checkpoint: Checkpoint, places: Places, name: str) -> list[GradientCurve]:
    """Return the curves of a trained model, and of the same architecture untrained."""
    architecture, symbols = checkpoint.architecture, len(checkpoint.vocabulary)
    model = CharModel(architecture, symbols, dtype=np.float64)
    model.parameters.fill(checkpoint.weights)
    curves = curves_of(model, places, name, trained=checkpoint.history.step)
    model.initialise(np.random.default_rng(checkpoint.settings.random_seed))
    return curves + curves_of(model, places, f"{name}, untrained")


def places_of(
    checkpoint: Checkpoint, paths: Sequence[str | Path] = (), *, cache_dir: Path | None = None
) -> tuple[Places, list[str]]:
    """Return places spread evenly over a text, and what the user should be told of it.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model that is to read it.
    paths : sequence of path
        The text; without it, the held-out part of the checkpoint's own.
    cache_dir : Path, optional
        Where a corpus too large for memory is kept encoded.

    Raises
    ------
    ConfigError
        If the model reads items, which are too short for distances.
    CorpusError
        If the text is not found, or too short.
    """
    if checkpoint.task.separate:
        raise ConfigError(
            "this model reads each item from a zero state: gradients over many steps are those of "
            "a model of running text"
        )
    if paths:
        text = named_text(checkpoint, paths, "skip", text={}, cache_dir=cache_dir)
        notices = list(text.notices)
    elif checkpoint.held_out:
        advice = "name a text with --text FILE"
        own, notices = find_own_text(checkpoint, cache_dir=cache_dir, advice=advice)
        text = held_out_text(checkpoint, own, "skip")
    else:
        raise CorpusError("the run held no text out: name a text with --text FILE")
    places = _spread(checkpoint, text.known)
    if len(places.ids) < DISTANCES[-1]:
        noun = checkpoint.vocabulary.noun
        notices.append(f"the text has {count(len(text.known), noun)}: no distance is longer")
    return places, notices


def _spread(checkpoint: Checkpoint, codes: Codes) -> Places:
    T = min(WARM_UP + DISTANCES[-1], len(codes) - 1)
    if T < 1:
        raise CorpusError("the text is too short: a gradient needs two known symbols")
    starts = np.linspace(0, len(codes) - 1 - T, min(PLACES, len(codes) - T)).astype(np.int64)
    read = np.asarray(codes[starts + np.arange(T + 1)[:, np.newaxis]])
    ids = checkpoint.vocabulary.encode(read.reshape(-1)).reshape(read.shape)
    return Places(ids[:-1], ids[-1])
