"""The n-gram counts in a checkpoint, which may be untrusted.

Dimensions: K levels, G grams of all levels (see ``CountTable``).
"""

import zipfile
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import TrainingSettings
from charrnn.counts.counting import WORD
from charrnn.counts.estimating import MOST_BYTES
from charrnn.counts.mixing import FEATURES, Mixture
from charrnn.counts.table import CountTable, sums_of_shares, symbol_type
from charrnn.errors import CheckpointError
from charrnn.storage.history import is_count
from charrnn.storage.npz import read_member

ARRAYS = ("symbols", "shares", "children")


def table_to_json(table: CountTable | None, mixture: Mixture | None) -> dict[str, Any] | None:
    """Return the description of a table and its mixture."""
    if table is None or mixture is None:
        return None
    return {
        "sizes": list(table.sizes),
        "temperature": mixture.temperature,
        "weights": list(mixture.weights),
    }


def table_arrays(table: CountTable | None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a table, by name."""
    if table is None:
        return {}
    arrays = {name: getattr(table, name) for name in ARRAYS}
    return {name: array.astype(array.dtype.newbyteorder("<")) for name, array in arrays.items()}


def sizes_from(data: Any, settings: TrainingSettings) -> tuple[int, ...]:
    """Return the number of grams of each level, if a file has a table."""
    if data is None:
        return ()
    sizes = data["sizes"] if isinstance(data, dict) else None
    if not (settings.counts and not settings.predict and isinstance(sizes, list)):
        raise CheckpointError("its counts do not match its settings")
    if not (1 <= len(sizes) <= WORD and all(map(is_count, sizes))):
        raise CheckpointError("its counts are malformed")
    return tuple(sizes)


def mixture_of_counts(data: Mapping[str, Any]) -> Mixture:
    """Return the mixture of the network and the counts."""
    temperature, weights = data["temperature"], data["weights"]
    numbers = [temperature, *weights] if isinstance(weights, list) else []
    if len(numbers) != 1 + FEATURES or not all(_is_number(number) for number in numbers):
        raise CheckpointError("the mixture of its counts is malformed")
    if not 0.01 <= temperature <= 100:
        raise CheckpointError("the temperature of its mixture is impossible")
    return Mixture(temperature, tuple(weights))


def _is_number(value: Any) -> bool:
    return type(value) is float and isfinite(value) and abs(value) <= 1e6


def read_table(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    sizes: tuple[int, ...],
    vocab_size: int,
) -> CountTable:
    """Return a table, after checking that it is a tree of symbols with positive probabilities."""
    kinds = {name: symbol_type(vocab_size) for name in ("symbols", "children")}
    kinds["shares"] = np.dtype(np.uint16)
    lengths = {name: sum(sizes) for name in ("symbols", "shares")}
    lengths["children"] = sum(sizes[:-1])
    if sum(lengths[name] * kinds[name].itemsize for name in ARRAYS) > MOST_BYTES:
        raise CheckpointError("its counts are larger than any that charrnn writes")
    arrays = {}
    for name in ARRAYS:
        kind = kinds[name].newbyteorder("<")
        shape, dtype, data = read_member(archive, members[name])
        count = lengths[name]
        if shape != (count,) or dtype != kind.str or len(data) != count * kind.itemsize:
            raise CheckpointError("its counts are malformed")
        arrays[name] = np.frombuffer(data, kind).astype(kinds[name])
    _check_tree(arrays["symbols"], arrays["shares"], arrays["children"], sizes, vocab_size)
    return CountTable(vocab_size, sizes, **arrays)


def _check_tree(
    symbols: NDArray[Any],
    shares: NDArray[Any],
    children: NDArray[Any],
    sizes: tuple[int, ...],
    vocab_size: int,
) -> None:
    """Reject what is not a tree, or leaves no probability for shorter contexts."""
    if symbols.max(initial=0) >= vocab_size:
        raise CheckpointError("its counts have unknown symbols")
    counts = np.array([sizes[0]])
    at = 0
    for size in sizes:
        if counts.sum(dtype=np.int64) != size:
            raise CheckpointError("its counts are not a tree")
        some = slice(at, at + size)
        firsts = np.cumsum(counts[counts > 0], dtype=np.int64)[:-1]  # of all nodes but the first
        rises = symbols[some][1:] > symbols[some][:-1]
        rises[firsts - 1] = True
        if not rises.all():
            raise CheckpointError("its counts are not in order")
        if size and sums_of_shares(shares[some], np.append(0, firsts)).max() >= 1:
            raise CheckpointError("its counts are not probabilities")
        counts = children[some]
        at += size
