"""What a checkpoint of a model of labels has in addition to its network; it may be untrusted."""

import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Architecture, TrainingSettings
from charrnn.errors import CheckpointError
from charrnn.linear.model import NgramModel
from charrnn.storage.history import is_count
from charrnn.storage.npz import read_array, read_member
from charrnn.text.codes import CODE_POINTS, LINE_END, Codes

COUNTED = 2
"""Number of models based on counts: Kneser-Ney n-grams and naive Bayes."""
CHAINED = 3
"""Number of weights of a chain: of the network, of n-grams, and of transitions."""
LARGEST_WEIGHT = 1e6
TAB = ord("\t")
LABEL_LIMIT = 1000
"""Most characters of a label."""


def labels_from(
    data: Any, architecture: Architecture, settings: TrainingSettings
) -> tuple[str, ...]:
    """Return the labels, after checking that they match the network and its task."""
    strings = isinstance(data, list) and all(isinstance(label, str) for label in data)
    if not strings or any(len(label) > LABEL_LIMIT for label in data):
        raise CheckpointError("its labels are malformed")
    whole = architecture.head == "item"
    fits = (settings.predict == "label") == whole and bool(settings.predict) == bool(data)
    if not fits or len(data) != architecture.num_labels or len(set(data)) != len(data):
        raise CheckpointError("its labels do not match its network")
    return tuple(data)


def mixture_from(data: Any, settings: TrainingSettings, parts: int) -> tuple[float, ...]:
    """Return the mixture weights of a network that predicts labels and ``parts`` other models.

    A model with one label per text may have none; other models have none if there are no parts.
    """
    numbers = isinstance(data, list) and all(
        type(weight) is float and abs(weight) <= LARGEST_WEIGHT for weight in data
    )
    sizes: tuple[int, ...] = (1 + parts,) if parts else (0, 1)
    if settings.predict != "label":
        sizes = (CHAINED,) if parts else (0,)
    if not numbers or len(data) not in sizes:
        raise CheckpointError("its mixture does not match its settings")
    return tuple(data)


def ngram_shapes(
    data: Any, architecture: Architecture, settings: TrainingSettings
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a linear model, by name, if a file has one."""
    if data is None:
        return {}
    if not (settings.ngrams and settings.predict and is_count(data)):
        raise CheckpointError("its n-grams do not match its settings")
    C = architecture.num_labels
    shapes: dict[str, tuple[int, ...]] = {"keys": (data,), "weights": (data, C), "bias": (C,)}
    if architecture.head == "step":
        shapes["transitions"] = (C + 1, C)
    return shapes


def ngram_arrays(model: NgramModel) -> dict[str, NDArray[Any]]:
    """Return the arrays of a linear model, by name."""
    arrays: dict[str, NDArray[Any]] = {
        "keys": model.keys.astype("<u8"),
        "weights": model.weights,
        "bias": model.bias,
    }
    return arrays if model.transitions is None else {**arrays, "transitions": model.transitions}


def read_ngrams(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    shapes: Mapping[str, tuple[int, ...]],
) -> NgramModel:
    """Return a linear model with arrays of these shapes."""
    (count,) = shapes["keys"]
    shape, dtype, data = read_member(archive, members["keys"])
    if shape != (count,) or dtype != "<u8" or len(data) != 8 * count:
        raise CheckpointError("its n-grams are malformed")
    keys = np.frombuffer(data, "<u8")
    if (keys[1:] <= keys[:-1]).any():
        raise CheckpointError("its n-grams are not in order")
    others = {name: shape for name, shape in shapes.items() if name != "keys"}
    return NgramModel(
        keys, **{name: read_array(archive, members[name], shape) for name, shape in others.items()}
    )


def kept_shape(data: Any, settings: TrainingSettings) -> tuple[int, ...] | None:
    """Return the shape of the training texts in a file, if it has any."""
    if data is None:
        return None
    if not (settings.counts and isinstance(data, list) and len(data) == 1 and is_count(data[0])):
        raise CheckpointError("its training texts do not match its settings")
    return tuple(data)


def read_kept(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Codes:
    """Return the training texts: lines with a label, a tab and a text."""
    shape, dtype, data = read_member(archive, member)
    if shape != expected or dtype != "<u4" or len(data) != 4 * expected[0]:
        raise CheckpointError("its training texts are malformed")
    codes = np.frombuffer(data, "<u4")
    surrogates = (codes >= 0xD800) & (codes <= 0xDFFF)
    if not len(codes) or codes[-1] != LINE_END or codes.max() >= CODE_POINTS or surrogates.any():
        raise CheckpointError("its training texts are malformed")
    ends = np.flatnonzero(codes == LINE_END)
    tabs = np.searchsorted(np.flatnonzero(codes == TAB), np.concatenate([[0], ends]))
    if (np.diff(tabs) < 1).any():
        raise CheckpointError("its training texts are malformed")
    return codes
