"""How much of the held-out part of a text stands in the training part, word for word.

Dimensions
    n characters of the training part, m of the held-out part, B characters of a block.
"""

import numpy as np
import numpy.typing as npt

from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.text.codes import LINE_END, Codes

BLOCK = 32
"""B: a repeat is a stretch of at least so many characters."""
SAMPLE = 1_000_000
"""Held-out characters that are looked for; more are sampled."""
PIECES = 20
"""Evenly spread pieces that make up the sample of a long held-out part."""
CHUNK = 1 << 18
"""Characters hashed at once; a multiple of B."""

_MULTIPLIERS = np.random.default_rng(20_240_501).integers(0, 2**63, BLOCK, np.uint64) * 2 + 1


def overlap(train: Codes, held_out: Codes) -> float:
    """Return the share of the held-out text that stands in the training part, word for word.

    A held-out character counts if it lies in a stretch of B = 32 characters that is also a block
    of the training part, blocks beginning at each multiple of B. So every repeat of 2B - 1 = 63
    or more is found, for the most part of its length, and some shorter ones.

    Parameters
    ----------
    train : (n,) uint array
        May be a memory map; it is read once.
    held_out : (m,) uint array
        Of more than ``SAMPLE`` characters, evenly spread pieces are looked for.

    Returns
    -------
    float
        In [0, 1].
    """
    if len(train) < BLOCK or len(held_out) < BLOCK:
        return 0.0
    pieces = spread(held_out, SAMPLE, PIECES)
    windows, places = np.unique(np.concatenate(list(map(_windows, pieces))), return_inverse=True)
    matched = _among_blocks(windows, train)[places]
    found = characters = start = 0
    for piece in pieces:
        stop = start + len(piece) - BLOCK + 1
        found += _covered(matched[start:stop])
        characters += len(piece)
        start = stop
    return found / characters


def overlap_of_items(train: Codes, held_out: Codes, end: int = LINE_END) -> float:
    """Return the share of the held-out items that are training items too; empty ones are none."""
    wanted = [text for items in chunks_of_items(held_out, end) for text in texts_of(items, end)]
    if not wanted:
        return 0.0
    missing = set(wanted)
    for items in chunks_of_items(train, end):
        missing.difference_update(texts_of(items, end))
    return sum(text not in missing for text in wanted) / len(wanted)


def spread(codes: Codes, characters: int, pieces: int) -> list[Codes]:
    """Return so many evenly spread pieces of a text, so many characters in all, at most."""
    if len(codes) <= characters:
        return [codes]
    size = characters // pieces
    starts = np.linspace(0, len(codes) - size, pieces).astype(np.int64)
    return [codes[start : start + size] for start in starts.tolist()]


def _windows(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return the hashes (m - B + 1,) of a window at every character of a text."""
    count = len(codes) - BLOCK + 1
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        piece = np.asarray(codes[start : stop + BLOCK - 1]).astype(np.uint64)
        view = np.lib.stride_tricks.sliding_window_view(piece, BLOCK)
        hashes[start:stop] = view @ _MULTIPLIERS
    return hashes


def _among_blocks(windows: npt.NDArray[np.uint64], codes: Codes) -> npt.NDArray[np.bool_]:
    """Return which of some hashes, sorted, are those of blocks of a text.

    The blocks may be many more than the hashes: they pass by, and none is kept.
    """
    found = np.zeros(len(windows), np.bool_)
    rows = len(codes) // BLOCK
    at_once = CHUNK // BLOCK
    for row in range(0, rows, at_once):
        chunk = np.asarray(codes[row * BLOCK : min(row + at_once, rows) * BLOCK])
        blocks = chunk.reshape(-1, BLOCK).astype(np.uint64) @ _MULTIPLIERS
        blocks.sort()  # searched in order, what is compared stays in cache
        places = np.minimum(np.searchsorted(windows, blocks), len(windows) - 1)
        found[places[windows[places] == blocks]] = True
    return found


def _covered(matched: npt.NDArray[np.bool_]) -> int:
    """Return how many characters lie in one of the windows (m - B + 1,) that are matched."""
    steps = np.zeros(len(matched) + BLOCK, np.int64)
    steps[: len(matched)] += matched
    steps[BLOCK:] -= matched
    return int(np.count_nonzero(np.cumsum(steps[:-1]) > 0))
