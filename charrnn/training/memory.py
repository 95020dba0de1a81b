"""How much memory a run takes, all of its processes on this machine together."""

import numpy as np

from charrnn.config import Architecture, TrainingSettings
from charrnn.counts.estimating import COUNTING_BYTES, MOST_SYMBOLS
from charrnn.data.sides import Sides
from charrnn.errors import ConfigError
from charrnn.evaluation.scorers import window_of
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.ranks import current
from charrnn.parallel.sharding import shard_columns
from charrnn.system.machine import installed_memory
from charrnn.text import Corpus

PROCESS = 46_000_000
"""Bytes of Python with NumPy and what charrnn imports, as measured on Linux."""
WORKER = 17_000_000
"""Bytes that a forked worker does not share with it: pages that it writes, BLAS's own buffers."""
FLOAT = 4


LABELLED = 42
"""Bytes that a symbol takes with its label, parsed and encoded."""


def text_bytes(corpus: Corpus, sides: Sides, *, train: TrainingSettings) -> int:
    """Return what a text takes in memory, and what is made of it beside the windows.

    A text that is mapped from a file takes nothing.
    """
    parts = (sides.learned, sides.held)
    copies = sum(part.nbytes for part in parts if not np.may_share_memory(part, corpus.codes))
    if train.predict:
        copies += LABELLED * len(corpus)
    elif train.counts:
        copies += COUNTING_BYTES * min(len(sides.learned), MOST_SYMBOLS)
    return copies + (0 if isinstance(corpus.codes, np.memmap) else corpus.codes.nbytes)


def training_memory(
    model: Architecture,
    train: TrainingSettings,
    vocab_size: int,
    threads: int,
    *,
    text_bytes: int = 0,
) -> int:
    """Return about how many bytes a run takes, the interpreter included.

    Parameters
    ----------
    model, train : Architecture, TrainingSettings
        The sizes.
    vocab_size : int
        V.
    threads : int
        Workers at most, each with the buffers of one shard.
    text_bytes : int
        What the text takes in memory.
    """
    ranks, each = current(), WORKER
    if ranks is not None:  # processes of their own, those of this machine
        threads, each = min(threads, len(ranks.local_ranks)), PROCESS
        text_bytes *= 2  # the copy that the others read
    workers = min(threads, train.shards)
    vectors = 1 + len(OPTIMIZERS[train.optimizer].slots) + train.shards
    # The first save of each kind is read back.
    shared = FLOAT * CharModel.size_of(model, vocab_size) * (vectors + 2)
    processes = PROCESS + each * (workers - 1)
    return processes + text_bytes + shared + workers * _worker_bytes(model, train, vocab_size)


def _worker_bytes(model: Architecture, train: TrainingSettings, vocab_size: int) -> int:
    """Return about how many bytes the buffers of one worker take.

    Those of a window are made again for a window of another shape: when it scores, and when it
    learns again.
    """
    kept, passing = CharModel.floats_of_buffers(model, vocab_size)
    columns = shard_columns(train.batch_size, train.shards)
    widest: int = max(part.stop - part.start for part in columns)
    learning = train.seq_len * widest
    scoring = window_of(vocab_size)
    floats = CharModel.floats_of_copies(model, vocab_size)
    floats += passing * learning + kept * max(learning, scoring)
    floats += 3 * vocab_size * max(learning, scoring)
    return FLOAT * floats


def check_memory(
    model: Architecture,
    train: TrainingSettings,
    vocab_size: int,
    threads: int,
    *,
    text_bytes: int = 0,
) -> None:
    """Refuse what cannot fit, before the system ends the process for it.

    Raises
    ------
    ConfigError
        If training needs more memory than this machine has.
    """
    installed = installed_memory()
    needed = training_memory(model, train, vocab_size, threads, text_bytes=text_bytes)
    if installed is not None and needed > installed:
        raise ConfigError(
            f"training needs about {needed / 1e9:,.0f} GB and this machine has "
            f"{installed / 1e9:,.0f} GB: give a smaller --hidden-size, --num-layers, "
            "--members, --batch-size or --seq-len"
        )
