"""Dynamic evaluation: the model keeps training on the text that it has just been scored on.

The update rule is that of Krause et al. (2018), "Dynamic Evaluation of Neural Sequence Models": the
gradient of a window is divided by the RMS gradient of the trained model, measured on the training
text, and the weights decay towards the trained ones::

    theta += -rate * g / (rms + EPSILON * |rms| / sqrt(P))
             + min(1, decay * rms / mean(rms)) * (theta_trained - theta)

Each window is first predicted with the weights as adapted to earlier windows, and then used for one
step. So no character is scored after the model was trained on it.

Dimensions
    T steps of a window, one stream, m characters, P parameters, D inputs of the heads of all
    members.
"""

from collections.abc import Iterator
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.optimizers import blocks
from charrnn.parallel.team import Team
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes

WINDOW, RATE = 20, 0.0005
"""Defaults. With models trained by Muon, twice this rate against this rate: tiny Shakespeare with
256, 384, 512 units 1.333, 1.302, 1.298 against 1.338, 1.284, 1.271 nats; Korean 1.748 against
1.754. 0.6 times this rate gave 1.273 with 512 units; windows of 10 gained nothing."""
DECAY = 0.001
EPSILON = 0.1
"""Added to each RMS gradient, as a fraction of the RMS over all weights: the weights of rare
symbols have had almost no gradient and would make huge steps. With a fifth of this value the loss
on Korean text, with 1,232 symbols, was 0.1 nats higher."""
STATISTICS = 800
"""Windows of the training text on which the RMS gradient is measured."""
RUN = 8
"""Consecutive windows per run, the first from a zero state."""


def usual_gradient(model: CharModel, vocabulary: Vocabulary, train: Codes, *, window: int) -> Array:
    """Return the RMS gradient (P,) over windows spread over a training text.

    Parameters
    ----------
    model : CharModel
        The model; its gradients are overwritten.
    vocabulary : Vocabulary
        The model's.
    train : (n,) int array
        The codes of the training text, in memory or mapped; only the windows are encoded.
    window : int
        T.
    """
    total = np.zeros_like(model.parameters.vector)
    stretch = RUN * window
    starts = np.linspace(0, max(0, len(train) - 1 - stretch), STATISTICS // RUN).astype(np.int64)
    count = 0
    with Team([model]):
        for start in np.unique(starts).tolist():
            state = model.zero_state(1)
            for first in range(start, min(start + stretch, len(train) - 1), window):
                ids = vocabulary.encode(train[first : first + window + 1])[:, np.newaxis]
                *_, state = _read(model, ids, state)
                total += model.grads.vector * model.grads.vector
                count += 1
    total /= max(1, count)
    root: Array = np.sqrt(total)
    return root


def dynamic_nats(
    model: CharModel, ids: Ids, usual: Array, *, window: int, rate: float, decay: float = DECAY
) -> NDArray[np.float64]:
    """Return the nats (m,) of each character of a text while the model adapts to it.

    Parameters
    ----------
    model : CharModel
        **Modified**: it ends adapted to the text.
    ids : (m,) int array
        The text; the first character is scored as uniform.
    usual : (P,) array
        From ``usual_gradient``.
    window : int
        T, the characters per step.
    rate, decay : float
        As above. If the rate is far too high, the result is not finite.
    """
    nats = np.full(len(ids), log(model.vocab_size))
    windows = dynamic_windows(model, ids, usual, window=window, rate=rate, decay=decay)
    place = 1
    # One stream is too little work to split. A team of one makes sums independent of BLAS threads.
    with Team([model]):
        for costs, *_ in windows:
            nats[place : place + len(costs)] = costs
            place += len(costs)
    return nats


def dynamic_windows(
    model: CharModel, ids: Ids, usual: Array, *, window: int, rate: float, decay: float = DECAY
) -> Iterator[tuple[Array, Array, Array]]:
    """Yield the predictions of each window, made before the model trains on it.

    The parameters are those of ``dynamic_nats``; the first character is not predicted.

    Yields
    ------
    nats : (T,) array
    logits : (V, T) array
    head_inputs : (D, T) array
        See ``CharModel.head_inputs``.
    """
    theta, grad = model.parameters.vector, model.grads.vector
    trained = theta.copy()
    mean = float(usual.mean()) or 1.0  # 0 for a model with nothing to learn
    steps = rate / (usual + EPSILON * (sqrt(float(np.mean(usual * usual))) or 1.0))
    pull = np.minimum(1, decay / mean * usual)
    state = model.zero_state(1)
    for first in range(0, len(ids) - 1, window):
        piece = ids[first : first + window + 1, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            nats, logits, inputs, state = _read(model, piece, state)
            for block in blocks(slice(0, len(theta))):
                grad[block] *= steps[block]
                theta[block] -= grad[block]
                theta[block] += pull[block] * (trained[block] - theta[block])
        yield nats, logits, inputs


def _read(model: CharModel, ids: Ids, state: Array) -> tuple[Array, Array, Array, Array]:
    """Predict each of ids (T + 1, 1) except the first; compute the gradients of the mean loss.

    Returns the nats (T,), the logits (V, T), the inputs of the heads (D, T) and the state after.
    For several members, this is the loss of their joint prediction, which differs from the
    training loss.
    """
    logits, state = model.forward(ids[:-1], state)
    inputs = model.head_inputs()
    nats, dlogits = cross_entropy_(logits.copy(), ids[1:].reshape(-1))
    dlogits *= 1 / len(nats)
    model.backward(dlogits)
    return nats, logits, inputs, state
