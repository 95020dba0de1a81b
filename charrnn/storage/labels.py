"""What a checkpoint of a model of labels holds beside its network; it may come from anyone."""

import zipfile
from typing import Any

import numpy as np

from charrnn.config import Architecture, TrainingSettings
from charrnn.errors import CheckpointError
from charrnn.storage.history import is_count
from charrnn.storage.npz import read_member
from charrnn.text.codes import CODE_POINTS, LINE_END, Codes

MIXED = 3
"""Weights of a network that is mixed with counts."""
LARGEST_WEIGHT = 1e6
TAB = ord("\t")
LABEL_LIMIT = 1000
"""Characters of a label."""


def labels_from(
    data: Any, architecture: Architecture, settings: TrainingSettings
) -> tuple[str, ...]:
    """Return the labels, if they are those of the network and of its task."""
    strings = isinstance(data, list) and all(isinstance(label, str) for label in data)
    if not strings or any(len(label) > LABEL_LIMIT for label in data):
        raise CheckpointError("its labels are malformed")
    whole = architecture.head == "item"
    fits = (settings.predict == "label") == whole and bool(settings.predict) == bool(data)
    if not fits or len(data) != architecture.num_labels or len(set(data)) != len(data):
        raise CheckpointError("its labels are not those of its network")
    return tuple(data)


def mixture_from(data: Any, settings: TrainingSettings) -> tuple[float, ...]:
    """Return the weights of a mixture: none, or the network's and those of counts."""
    numbers = isinstance(data, list) and all(
        type(weight) is float and abs(weight) <= LARGEST_WEIGHT for weight in data
    )
    sizes = (0, MIXED) if settings.counts else (0, 1)
    if not numbers or len(data) not in (sizes if settings.predict == "label" else (0,)):
        raise CheckpointError("its mixture is not that of its settings")
    return tuple(data)


def kept_shape(data: Any, settings: TrainingSettings) -> tuple[int, ...] | None:
    """Return the shape of the training texts that a file holds, if it holds any."""
    if data is None:
        return None
    if not (settings.counts and isinstance(data, list) and len(data) == 1 and is_count(data[0])):
        raise CheckpointError("its training texts are not those of its settings")
    return tuple(data)


def read_kept(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Codes:
    """Return the training texts: lines of a label, a tab and a text."""
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
