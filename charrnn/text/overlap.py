"""How much of the held-out part of a text stands in the training part, word for word.

Dimensions
    n characters of the training part, m of the held-out part, B characters of a block.
"""

import numpy as np
import numpy.typing as npt

from charrnn.text.lines import chunks_of_lines
from charrnn.text.vocabulary import Codes, to_text

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
    blocks = _block_hashes(train)
    found = characters = 0
    for piece in spread(held_out, SAMPLE, PIECES):
        found += int(np.count_nonzero(_covered(piece, blocks)))
        characters += len(piece)
    return found / characters


def overlap_of_items(train: Codes, held_out: Codes) -> float:
    """Return the share of the held-out lines that are training lines too; empty ones are none."""
    wanted = [line for lines in chunks_of_lines(held_out) for line in _split(lines)]
    if not wanted:
        return 0.0
    missing = set(wanted)
    for lines in chunks_of_lines(train):
        missing.difference_update(_split(lines))
    return sum(line not in missing for line in wanted) / len(wanted)


def _split(lines: Codes) -> list[str]:
    return to_text(lines).split("\n")[:-1]


def spread(codes: Codes, characters: int, pieces: int) -> list[Codes]:
    """Return so many evenly spread pieces of a text, so many characters in all, at most."""
    if len(codes) <= characters:
        return [codes]
    size = characters // pieces
    starts = np.linspace(0, len(codes) - size, pieces).astype(np.int64)
    return [codes[start : start + size] for start in starts.tolist()]


def _block_hashes(codes: Codes) -> npt.NDArray[np.uint64]:
    """Return the hashes (n // B,) of the blocks of a text, sorted."""
    whole = len(codes) // BLOCK * BLOCK
    hashes = np.empty(whole // BLOCK, np.uint64)
    for start in range(0, whole, CHUNK):
        chunk = np.asarray(codes[start : min(start + CHUNK, whole)])
        rows = chunk.reshape(-1, BLOCK).astype(np.uint64)
        hashes[start // BLOCK : start // BLOCK + len(rows)] = rows @ _MULTIPLIERS
    hashes.sort()
    return hashes


def _covered(codes: Codes, blocks: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Return which characters (m,) lie in a window whose hash is among those of the blocks."""
    count = len(codes) - BLOCK + 1
    matched = np.zeros(count, np.bool_)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        piece = np.asarray(codes[start : stop + BLOCK - 1]).astype(np.uint64)
        hashes = np.lib.stride_tricks.sliding_window_view(piece, BLOCK) @ _MULTIPLIERS
        order = np.argsort(hashes)  # searched in order, what is compared stays in cache
        hashes = hashes[order]
        places = np.minimum(np.searchsorted(blocks, hashes), len(blocks) - 1)
        matched[start + order] = blocks[places] == hashes
    # A character is covered if one of the B windows that it lies in is matched.
    steps = np.zeros(len(codes) + 1, np.int64)
    steps[:count] += matched
    steps[BLOCK : BLOCK + count] -= matched
    covered: npt.NDArray[np.bool_] = np.cumsum(steps[:-1]) > 0
    return covered
