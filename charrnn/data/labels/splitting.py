"""Splitting texts by their content, independent of their order."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

TESTED = 5
"""At least one text is held out for a label with this many different texts."""
FEW_TEXTS = 20
"""For a label with fewer different texts, an exact share is held out."""


def held_out(
    texts: Sequence[str], labels: Sequence[str] | None, fraction: float, key: int
) -> npt.NDArray[np.bool_]:
    """Return which texts are held out.

    Without labels, a text is held out if its keyed hash, a number below 2**64, is below
    ``fraction`` of that, as in ``HashedSplit``. All copies of a text are on the same side, the
    order of the texts does not matter, and a list that grows keeps the split of its old texts.

    With labels, the different texts of each label are held out in order of their hash: those below
    the fraction, or, if there are fewer than ``FEW_TEXTS``, the nearest share. If there are
    ``TESTED`` or more, at least one is held out; at least one is always trained on. A text with
    several labels counts for the label with the fewest different texts, which can spare it least
    (among equals, for the first one by code points).

    Parameters
    ----------
    texts : (n,) sequence of str
        The texts; an empty one is treated like any other.
    labels : (n,) sequence of str, optional
        The label of each text.
    fraction : float
        Average share of the different texts that is held out, in [0, 1); 0 holds out none.
    key : int
        In [0, 2**64); each key holds out different texts.

    Returns
    -------
    (n,) bool array
        Whether each text is held out.
    """
    numbers: dict[str, int] = {}
    of_text = np.fromiter(
        (numbers.setdefault(t, len(numbers)) for t in texts), np.int64, len(texts)
    )
    hashes = _hashes(numbers, key)
    limit = np.uint64(int(fraction * 2**64))
    below: npt.NDArray[np.bool_] = hashes < limit
    if labels is None or not numbers or not fraction:
        return below[of_text]
    owners = _owners(of_text, labels, len(numbers))
    order = np.lexsort((hashes, owners))  # the texts of each label, by hash
    sizes = np.bincount(owners)
    held = np.bincount(owners, weights=below).astype(np.int64)
    held = np.where(sizes < FEW_TEXTS, np.floor(fraction * sizes + 0.5).astype(np.int64), held)
    held = np.where(sizes >= TESTED, np.maximum(held, 1), held)
    held = np.minimum(held, sizes - 1)
    ranks = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_held = np.empty(len(order), np.bool_)
    is_held[order] = ranks < held[owners[order]]
    return is_held[of_text]


def _hashes(texts: dict[str, int], key: int) -> npt.NDArray[np.uint64]:
    """Return the keyed hash of each text, as in ``HashedSplit``."""
    keyed = blake2b(digest_size=8, key=key.to_bytes(8, "little"))
    digests = bytearray()
    for text in texts:
        digest = keyed.copy()  # twice as fast as setting the key again
        digest.update(text.encode())
        digests += digest.digest()
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def _owners(
    of_text: npt.NDArray[np.int64], labels: Sequence[str], num_texts: int
) -> npt.NDArray[np.int64]:
    """Return the label that each different text counts for, as an index into the sorted labels."""
    places = {label: place for place, label in enumerate(sorted(set(labels)))}
    of_label = np.fromiter((places[label] for label in labels), np.int64, len(labels))
    pairs = np.unique(of_text * len(places) + of_label)
    pair_texts, pair_labels = np.divmod(pairs, len(places))
    sizes = np.bincount(pair_labels, minlength=len(places))
    order = np.lexsort((pair_labels, sizes[pair_labels], pair_texts))
    firsts = np.searchsorted(pair_texts[order], np.arange(num_texts))
    owners: npt.NDArray[np.int64] = pair_labels[order][firsts]
    return owners
