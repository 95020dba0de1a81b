"""Setting apart a part of the training text, to fit a few weights on; nothing trains on it.

Dimensions: n characters of a training part.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from charrnn.data.sides import Sides
from charrnn.data.task import Task
from charrnn.text.codes import Codes

MOST = 10_000
"""Most characters set apart: enough to fit a few weights, and 1 % of a novel."""
SHARE = 20
"""One character in this many is set apart, if that is fewer; for a short text up to four times as
many, as a thousand are still enough."""
LEAST, LEAST_SHARE = 1_000, 5


def size_apart(n: int) -> int:
    """Return the approximate number of characters to set apart."""
    return min(MOST, max(n // SHARE, min(LEAST, n // LEAST_SHARE)))


def set_apart(sides: Sides, task: Task, *, at_end: bool = False) -> tuple[Sides, Codes]:
    """Split a training part into what is trained on and what is set apart.

    Of running text it is the middle: the end is most like the held-out part that follows, so
    training should keep it. Items are taken from all over the text, as they may be sorted. An item
    is taken with all its copies, or it would be learned all the same. One whose copies are more
    than all that is to be set apart is not taken.

    Parameters
    ----------
    sides : Sides
        A text, divided by the task.
    task : Task
        A task without labels.
    at_end : bool
        Whether to take the end of running text, without a copy; see ``apart_at_end``.
    """
    learned, apart = _cut(sides.learned, task, at_end=at_end)
    return replace(sides, learned=learned), apart


def _cut(learned: Codes, task: Task, *, at_end: bool) -> tuple[Codes, Codes]:
    n, size = len(learned), size_apart(len(learned))
    if not task.separate and at_end:
        return learned[: n - size], learned[n - size :]
    if not task.separate:
        start = (n - size) // 2
        middle = slice(start, start + size)
        return np.concatenate([learned[:start], learned[start + size :]]), learned[middle]
    ends = np.flatnonzero(learned == task.end)
    lengths = np.diff(ends, prepend=-1)
    inside = np.zeros(len(learned), np.bool_)
    for groups in task.copies(learned):
        inside = np.repeat(_taken(groups, lengths, size), lengths)
        if inside.any():
            break
    return learned[~inside], learned[inside]


def without_copies(apart: Codes, task: Task) -> Codes:
    """Return a text that was set apart with one copy of each item, to fit on.

    Otherwise a few items with many copies would count as much evidence.
    """
    if not task.separate or not len(apart):
        return apart
    *_, numbers = task.copies(apart)
    first = np.zeros(len(numbers), np.bool_)
    first[np.unique(numbers, return_index=True)[1]] = True
    lengths = np.diff(np.flatnonzero(apart == task.end), prepend=-1)
    return apart[np.repeat(first, lengths)]


def _taken(groups: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Return which items to take: evenly spaced ones, of about ``size`` characters in total.

    ``groups`` numbers the items in the order of the text, with one number for all copies of an
    item.
    """
    totals, copies = np.bincount(groups, weights=lengths), np.bincount(groups)
    small = np.flatnonzero((copies == 1) | (totals <= size))
    count = round(len(small) * size / max(1, lengths.sum()))
    chosen = np.zeros(len(totals), np.bool_)
    if count:
        chosen[small[np.linspace(0, len(small) - 1, count + 2, dtype=np.int64)[1:-1]]] = True
    taken: NDArray[np.bool_] = chosen[groups]
    return taken
