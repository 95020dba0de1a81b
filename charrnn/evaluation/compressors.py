"""File compressors as opponents: the bytes that a text adds to the compressed training text."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from math import log

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip -9": lambda data: gzip.compress(data, compresslevel=9, mtime=0),
    "bzip2 -9": lambda data: bz2.compress(data, compresslevel=9),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


def compressed_bytes_given(train: bytes, held_out: bytes) -> dict[str, int]:
    """Count the bytes that the held-out text adds to the compressed training text.

    This is the closest that a file compressor comes to a held-out loss: it has read the training
    text (as much as fits its window of 32 KiB, 900 kB or 64 MiB) and adapts to the held-out text.

    Parameters
    ----------
    train, held_out : bytes
        The two texts, in this order.

    Returns
    -------
    dict of str to int
        Bytes added with ``"gzip -9"``, ``"bzip2 -9"`` and ``"xz -9e"``.
    """
    both = train + held_out
    return {
        name: len(compress(both)) - len(compress(train)) for name, compress in COMPRESSORS.items()
    }


def compressed_nats_given(train: bytes, held_out: bytes) -> dict[str, float]:
    """Return the same in nats, 8 ln 2 per byte, without compressors that add no bytes.

    If a text repeats the training text, a compressor may need no more bytes for both than for one.
    Such a result says nothing about the text and is left out.
    """
    added = compressed_bytes_given(train, held_out)
    return {name: count * 8 * log(2) for name, count in added.items() if count > 0}
