"""Weights for PyTorch: a safetensors file with its names, shapes and gate order.

Dimensions
    V vocabulary size, D input features, H hidden units, G gates, F features of the top layer's
    output, C predicted classes, K steps of a fixed window.

For a network with a recurrent cell, a file has::

    embedding.weight   (V, D)      as nn.Embedding; absent if the input is one-hot
    rnn.*                          as nn.RNN, nn.LSTM or nn.GRU: weight_ih_l0 (G*H, D), ...
    head.weight        (C, F)      as nn.Linear
    head.bias          (C,)

A fixed window is a convolution: ``conv.0.weight`` (H, D, K) and ``conv.0.bias`` (H,) replace
``rnn.*``, with ``conv_reverse`` for the other direction. For an ensemble, each name begins with
``members.0.``, ``members.1.`` and so on.
"""

import json
from pathlib import Path

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.errors import ConfigError
from charrnn.nn.cells.gru import TimeGRU
from charrnn.nn.cells.lstm import TimeLSTM
from charrnn.nn.cells.recurrent import Recurrent
from charrnn.nn.cells.window import TimeBag, TimeWindow
from charrnn.nn.layers.encoders import Embedding
from charrnn.nn.model import Member
from charrnn.storage.checkpoint import Checkpoint
from charrnn.system.files import write_whole

OIFG_AS_IFGO = 1, 2, 3, 0
"""For each position in PyTorch's gate order, the position of that gate in charrnn's LSTM."""
INSTALL = "pip install safetensors"

Tensors = dict[str, Array]


def write_safetensors(path: Path, checkpoint: Checkpoint) -> None:
    """Write the weights of a model to a file that PyTorch's modules load directly.

    N-grams or counts that the network is mixed with, and training texts that some checkpoints
    contain, are not in the file.

    Parameters
    ----------
    path : Path
        The file, which is replaced if it exists.
    checkpoint : Checkpoint
        A model of any cell, depth, direction and task.

    Raises
    ------
    ConfigError
        If safetensors is not installed.
    CheckpointError
        If the file cannot be written; an existing file stays intact.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise ConfigError(
            f"a .safetensors file needs the package safetensors, which is not installed: {INSTALL}"
        ) from None
    data = save(tensors_of(checkpoint), metadata_of(checkpoint))
    write_whole(path, lambda file: file.write(data), advice="name another file")


def tensors_of(checkpoint: Checkpoint) -> Tensors:
    """Return copies of the weights of a model as float32 arrays, under PyTorch's names."""
    model = checkpoint.model()
    return {
        f"{prefix}{name}": np.array(array, np.float32, order="C")
        for prefix, member in model.members.items()
        for name, array in _of_member(member).items()
    }


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the metadata for the header of the file.

    ``format`` is "pt", as in files that PyTorch writes. ``task`` is "text", "items", "prompted", or
    what is predicted. ``architecture``, ``vocabulary`` and ``labels`` are JSON in ASCII: symbols
    are code points, or bytes, in the order of their ids; labels are in the order of the logits. For
    a model of items, ``item_end`` is the code that ends an item, which is also read first.
    """
    settings = checkpoint.settings
    about = {
        "format": "pt",
        "task": settings.predict or "text",
        "architecture": json.dumps(checkpoint.architecture.to_json()),
        "vocabulary": json.dumps(checkpoint.vocabulary.to_json()),
        "labels": json.dumps(checkpoint.labels),
    }
    if settings.items and not settings.predict:
        about["task"] = "prompted" if settings.prompted else "items"
        about["item_end"] = str(settings.item_end)
    return about


def _of_member(member: Member) -> Tensors:
    tensors: Tensors = {}
    if isinstance(member.body.encoder, Embedding):
        tensors["embedding.weight"] = member.body.encoder.E
    for depth, level in enumerate(member.body.levels):
        for suffix, layer in zip(("", "_reverse"), level.layers, strict=False):
            if isinstance(layer, TimeWindow):
                tensors[f"conv{suffix}.{depth}.weight"] = _kernel(layer)
                tensors[f"conv{suffix}.{depth}.bias"] = layer.b
                continue
            for name, array in _of_layer(layer).items():
                tensors[f"rnn.{name}_l{depth}{suffix}"] = array
    tensors["head.weight"], tensors["head.bias"] = member.head.W[:, 1:], member.head.b
    return tensors


def _of_layer(layer: Recurrent) -> Tensors:
    """Return the weights of a recurrent layer; the second bias is zero if there is only one."""
    second = np.zeros_like(layer.b)
    if isinstance(layer, TimeGRU):
        second[2 * layer.hidden_size :] = layer.b_n
    return {
        "weight_ih": _reordered(layer, layer.Wx),
        "weight_hh": _reordered(layer, layer.Wh),
        "bias_ih": _reordered(layer, layer.b),
        "bias_hh": second,
    }


def _reordered(layer: Recurrent, rows: Array) -> Array:
    """Return the rows (G*H, ...) of all gates in PyTorch's order."""
    if not isinstance(layer, TimeLSTM):
        return rows
    gates = np.split(rows, layer.gates)
    return np.concatenate([gates[gate] for gate in OIFG_AS_IFGO])


def _kernel(layer: TimeWindow) -> Array:
    """Return the weights (H, D, K) of a fixed window, oldest step first, as in nn.Conv1d.

    The weights of a bag are the same at every step.
    """
    H, D, K = layer.hidden_size, layer.input_size, layer.context
    if isinstance(layer, TimeBag):
        return np.repeat(layer.Wx[:, :, np.newaxis], K, axis=2)
    return np.concatenate([layer.Wh, layer.Wx], axis=1).reshape(H, K, D).transpose(0, 2, 1)
