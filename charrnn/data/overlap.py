"""How much of the held-out part of a text occurs verbatim in the training part.

Dimensions
    n characters of the training part, m of the held-out part, B characters of a block.
"""

import numpy as np
import numpy.typing as npt

from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.text.codes import LINE_END, Codes

BLOCK = 32
"""B: a repeat has at least this many characters."""
SAMPLE = 1_000_000
"""Most held-out characters that are searched for; longer texts are sampled."""
PIECES = 20
"""Evenly spaced pieces in the sample of a long held-out part."""
CHUNK = 1 << 18
"""Characters hashed at once; a multiple of B."""

_MULTIPLIERS = np.random.default_rng(20_240_501).integers(0, 2**63, BLOCK, np.uint64) * 2 + 1


def overlap(train: Codes, held_out: Codes) -> float:
    """Return the share of the held-out text that occurs verbatim in the training part.

    A held-out character counts if it is in a window of B = 32 characters that equals a block of
    the training part; blocks begin at each multiple of B. So most of every repeat of 2B - 1 = 63
    or more characters is found, and some shorter repeats.

    Parameters
    ----------
    train : (n,) uint array
        The training part, which may be a memory map; it is read once.
    held_out : (m,) uint array
        The held-out part. If it has more than ``SAMPLE`` characters, evenly spaced pieces are used.

    Returns
    -------
    float
        The share, in [0, 1].
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
    """Return the share of the held-out items that are training items too, without empty ones."""
    wanted = [text for items in chunks_of_items(held_out, end) for text in texts_of(items, end)]
    if not wanted:
        return 0.0
    missing = set(wanted)
    for items in chunks_of_items(train, end):
        missing.difference_update(texts_of(items, end))
    return sum(text not in missing for text in wanted) / len(wanted)


def spread(codes: Codes, characters: int, pieces: int) -> list[Codes]:
    """Return evenly spaced pieces of a text, with at most ``characters`` characters in total."""
    if len(codes) <= characters:
        return [codes]
    size = characters // pieces
    starts = np.linspace(0, len(codes) - size, pieces).astype(np.int64)
    return [codes[start : start + size] for start in starts.tolist()]


def _windows(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return the hashes (m - B + 1,) of the windows at every character of a text."""
    count = len(codes) - BLOCK + 1
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        piece = np.asarray(codes[start : stop + BLOCK - 1]).astype(np.uint64)
        view = np.lib.stride_tricks.sliding_window_view(piece, BLOCK)
        hashes[start:stop] = view @ _MULTIPLIERS
    return hashes


def _among_blocks(windows: npt.NDArray[np.uint64], codes: Codes) -> npt.NDArray[np.bool_]:
    """Return which of some sorted hashes are hashes of blocks of a text.

    There may be far more blocks than hashes, so blocks are processed in chunks and not stored.
    """
    found = np.zeros(len(windows), np.bool_)
    rows = len(codes) // BLOCK
    at_once = CHUNK // BLOCK
    for row in range(0, rows, at_once):
        chunk = np.asarray(codes[row * BLOCK : min(row + at_once, rows) * BLOCK])
        blocks = chunk.reshape(-1, BLOCK).astype(np.uint64) @ _MULTIPLIERS
        blocks.sort()  # searching in order keeps the compared values in cache
        places = np.minimum(np.searchsorted(windows, blocks), len(windows) - 1)
        found[places[windows[places] == blocks]] = True
    return found


def _covered(matched: npt.NDArray[np.bool_]) -> int:
    """Return the number of characters in any of the matched windows (m - B + 1,)."""
    steps = np.zeros(len(matched) + BLOCK, np.int64)
    steps[: len(matched)] += matched
    steps[BLOCK:] -= matched
    return int(np.count_nonzero(np.cumsum(steps[:-1]) > 0))
