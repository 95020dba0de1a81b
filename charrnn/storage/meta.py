"""The description in a checkpoint: untrusted JSON, every value of which is checked."""

import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CheckpointError
from charrnn.storage.formats import FORMAT, upgraded
from charrnn.storage.history import is_count
from charrnn.storage.npz import read_member

META_LIMIT = 2**26
"""Most bytes of JSON in a checkpoint; enough for a million validations or symbols."""
META_LISTS, META_VALUES = 2**21, 2**23
"""Most lists and values in this JSON, as each takes many times its bytes in memory."""


def read_meta(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> Mapping[str, Any]:
    if "meta.npy" not in members:
        raise CheckpointError("it has no charrnn model")
    member = members["meta.npy"]
    _check_size(member.file_size, META_LIMIT + 2**16)
    shape, dtype, data = read_member(archive, member)
    if dtype != "|u1" or shape != (len(data),):
        raise CheckpointError("its description is malformed")
    check_meta_size(data)
    meta = json.loads(data.decode("ascii"))
    number = meta.get("format") if isinstance(meta, dict) else None
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise CheckpointError(
            f"its format is {number!r:.40}, and this charrnn reads formats 1 to {FORMAT}: update "
            "charrnn"
        )
    return {**upgraded(meta), "read": number}


def counts_from(data: Any, symbols: int) -> NDArray[np.int64] | None:
    if data is None:
        return None
    if not isinstance(data, list) or len(data) != symbols or not all(map(is_count, data)):
        raise CheckpointError("its counts do not match its vocabulary")
    return np.array(data, np.int64)


def check_meta_size(text: bytes) -> None:
    """Reject a description that is too long to be read; it must not be written either."""
    _check_size(len(text), META_LIMIT)
    _check_size(text.count(b"[") + text.count(b"{"), META_LISTS)
    _check_size(text.count(b","), META_VALUES)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise CheckpointError("its description is too long: join the files of its corpus into one")


def training_shapes(data: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(data, dict) or len(data) > 16:
        raise CheckpointError("its list of training arrays is malformed")
    for name, shape in data.items():
        if not (
            re.fullmatch(r"[a-z_.]{1,40}", name)
            and isinstance(shape, list)
            and len(shape) <= 8
            and all(map(is_count, shape))
        ):
            raise CheckpointError("its list of training arrays is malformed")
    return {name: tuple(shape) for name, shape in data.items()}
