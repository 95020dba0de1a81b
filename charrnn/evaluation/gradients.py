"""How much of a loss's gradient reaches the states of earlier steps.

Dimensions
    T steps of the text, N positions in it, V vocabulary size, H hidden units, L layers,
    K distances; S and R as in a layer's state (see ``Recurrent``).

The loss of a single step t is backpropagated as in training, but without truncation. What is
measured is the gradient of the whole state after step t - k: h, for an LSTM also c, and for a
context window the inputs that are still to be read. It is computed in float64, so that small
gradients are accurate.
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
VANISHED = 0.01
"""Share of the gradient below which it counts as vanished."""
NUM_POSITIONS = 32
"""Positions in a text to average over."""
NUM_INITIALIZATIONS = 4
"""Random initializations of untrained networks to average over: a single one may be off by half."""
WARM_UP = 64
"""Characters that are read before the largest distance."""
UNTRAINED: tuple[tuple[Cell, Nonlinearity], ...] = (
    ("rnn", "tanh"),
    ("rnn", "relu"),
    ("lstm", "tanh"),
    ("gru", "tanh"),
)
"""The cells that are compared when no model is given."""
SYMBOLS = 65
"""Vocabulary size of the random text for untrained networks."""


@dataclass(frozen=True)
class GradientCurve:
    """The gradient that reaches one layer.

    Attributes
    ----------
    name : str
        The network.
    layer : int
        The layer, from 0; the highest is closest to the loss.
    distances : tuple of int
        K distances k.
    at_once : float
        The norm of the gradient of the layer's output at the step of the loss.
    norms : tuple of float
        The norm of the gradient of the state k steps before, for each distance, averaged over
        positions and ensemble members.
    steps : int, optional
        Training steps of the network; None if it is untrained.
    """

    name: str
    layer: int
    distances: tuple[int, ...]
    at_once: float
    norms: tuple[float, ...]
    steps: int | None = None

    @property
    def left(self) -> tuple[float, ...]:
        """The remaining share of the gradient at each distance."""
        return tuple(norm / self.at_once if self.at_once else 0.0 for norm in self.norms)

    @property
    def reach(self) -> float | None:
        """The distance at which the share falls to ``VANISHED``; None if it stays above.

        It is interpolated in the logarithm of the share. If that becomes exactly 0, it is the first
        distance with a zero gradient.
        """
        before, share = 0, 1.0
        for k, left in zip(self.distances, self.left, strict=True):
            if left < VANISHED:
                part = log(share / VANISHED) / log(share / left) if left > 0 else 1.0
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
    """Positions in a text."""

    ids: Ids  # (T, N), the inputs; the loss is that of the last step
    targets: Ids  # (N,), the next symbols


Toward = Callable[[Array], Array]
"""Maps the output of the last step (1, H, N) to the gradient of the loss with respect to it."""


def norms_of(
    body: Body, ids: Ids, toward: Toward, distances: Sequence[int], dtype: np.dtype[np.floating]
) -> NDArray[np.float64]:
    """Return the gradient norms (1 + K, L) at the step of the loss and at each distance before it.

    Each is a mean over the N positions.

    Parameters
    ----------
    body : Body
        The layers, bound to weights and gradients; the gradients are overwritten.
    ids : (T, N) int array
        The inputs, read from a zero state.
    toward : callable
        Gives the gradient of the loss.
    distances : sequence of int
        K distances in ascending order, between 1 and T.
    dtype : dtype
        The dtype of the weights.
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
    # A layer keeps the buffers of one part only: each is read again before its backward pass.
    for (start, stop), before in zip(reversed(parts), reversed(befores), strict=True):
        y, _ = body.forward(ids[start:stop], before)
        dstate = body.backward(toward(y) if stop == T else np.zeros_like(y), dstate)
        found.append(np.sqrt((dstate**2).sum(axis=(1, 2))).mean(axis=-1))
    return np.array(found)


def _at_once(body: Body, dy: Array) -> NDArray[np.float64]:
    """Return the norm (L,) of the gradient of each layer's output at the step just read.

    ``dy`` (1, H, N) is the gradient of the top layer's output.
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
        The inputs.
    name : str
        The name of the curves.
    trained : int, optional
        Training steps of the model, whose loss is then used. The head of an untrained model is zero
        and would pass no gradient, so there a sum of the outputs with gradient norm 1 replaces the
        loss.
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
    """Return the curves of untrained cells on random text.

    Each cell has uniform recurrent weights, as in PyTorch, or orthogonal ones. Curves are averaged
    over ``NUM_INITIALIZATIONS`` samples of weights and text.
    """
    curves = []
    for cell, nonlinearity in cells:
        shape = Architecture(cell=cell, nonlinearity=nonlinearity, hidden_size=hidden_size)
        title = f"{cell} ({nonlinearity})" if cell == "rnn" else cell
        model = CharModel(shape, SYMBOLS, dtype=np.float64)
        (layer,), limit = model.layers, hidden_size**-0.5
        for drawn in ("uniform", "orthogonal"):
            rng, norms = np.random.default_rng(random_seed), []
            for _ in range(NUM_INITIALIZATIONS):
                ids = rng.integers(
                    SYMBOLS, size=(WARM_UP + DISTANCES[-1], NUM_POSITIONS // NUM_INITIALIZATIONS)
                )
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
    """Return the curves of a trained model, and those of its architecture before training."""
    architecture, symbols = checkpoint.architecture, len(checkpoint.vocabulary)
    model = CharModel(architecture, symbols, dtype=np.float64)
    model.parameters.fill(checkpoint.weights)
    curves = curves_of(model, places, name, trained=checkpoint.history.step)
    model.initialise(np.random.default_rng(checkpoint.settings.random_seed))
    return curves + curves_of(model, places, f"{name}, untrained")


def places_of(
    checkpoint: Checkpoint, paths: Sequence[str | Path] = (), *, cache_dir: Path | None = None
) -> tuple[Places, list[str]]:
    """Return positions spread evenly over a text, and notices.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model that will read it.
    paths : sequence of path
        The text; by default the held-out part of the checkpoint's own corpus.
    cache_dir : Path, optional
        Where a corpus too large for memory is cached.

    Raises
    ------
    ConfigError
        If the model reads items, which are too short for long distances.
    CorpusError
        If the text is not found, or too short.
    """
    if checkpoint.task.separate:
        raise ConfigError(
            "this model reads each item from a zero state, so no gradient spans many steps: name a "
            "model of running text"
        )
    if paths:
        text = named_text(checkpoint, paths, "skip", text={}, cache_dir=cache_dir)
        notices = list(text.notices)
    elif checkpoint.held_out:
        advice = "name a text with --text FILE"
        own, notices = find_own_text(checkpoint, cache_dir=cache_dir, advice=advice)
        text = held_out_text(checkpoint, own, "skip")
    else:
        raise CorpusError("nothing was held out of training: name a text with --text FILE")
    places = _spread(checkpoint, text.known)
    if len(places.ids) < DISTANCES[-1]:
        noun = checkpoint.vocabulary.noun
        notices.append(f"the text has only {count(len(text.known), noun)}: no distance is longer")
    return places, notices


def _spread(checkpoint: Checkpoint, codes: Codes) -> Places:
    T = min(WARM_UP + DISTANCES[-1], len(codes) - 1)
    if T < 1:
        raise CorpusError("the text is too short: at least two known symbols are needed")
    starts = np.linspace(0, len(codes) - 1 - T, min(NUM_POSITIONS, len(codes) - T)).astype(np.int64)
    read = np.asarray(codes[starts + np.arange(T + 1)[:, np.newaxis]])
    ids = checkpoint.vocabulary.encode(read.reshape(-1)).reshape(read.shape)
    return Places(ids[:-1], ids[-1])
