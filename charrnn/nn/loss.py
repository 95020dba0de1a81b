"""Softmax cross-entropy, in nats."""

import numpy as np

from charrnn.backend.arrays import Array, Ids


def log_softmax_(logits: Array) -> Array:
    """Turn logits (V, M) into log-probabilities, in place, and return them.

    Subtracting the maximum of each column first prevents overflow.
    """
    logits -= logits.max(axis=0)
    logits -= np.log(np.exp(logits).sum(axis=0))
    return logits


def cross_entropy_(logits: Array, targets: Ids) -> tuple[Array, Array]:
    """Return the loss of each column and its gradient, which overwrites the logits.

    Parameters
    ----------
    logits : (V, M) array
        One column per prediction; overwritten.
    targets : (M,) int array
        The index of the correct class in each column.

    Returns
    -------
    nats : (M,) array
        ``-log softmax(logits)[target]``.
    dlogits : (V, M) array
        ``softmax(logits) - onehot(target)``.
    """
    columns = np.arange(len(targets))
    logits -= logits.max(axis=0)
    target_logits = logits[targets, columns]
    np.exp(logits, out=logits)
    total = logits.sum(axis=0)
    nats = np.log(total) - target_logits
    logits /= total
    logits[targets, columns] -= 1
    return nats, logits
