"""The memory of a run: the total of its processes on this machine."""

import numpy as np

from charrnn.config import Architecture, TrainingSettings
from charrnn.counts.estimating import COUNTING_BYTES, MOST_SYMBOLS
from charrnn.data.sides import Sides
from charrnn.errors import ConfigError
from charrnn.evaluation.labels.labelling import LEARNED as COUNTED
from charrnn.evaluation.labels.labelling import PORTION
from charrnn.evaluation.labels.mixture import (
    FEWER_LETTERS,
    LABELS_OF_NGRAMS,
    LEARNED,
    WORK,
)
from charrnn.evaluation.scorers import window_of
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.present import current
from charrnn.parallel.sharding import shard_columns
from charrnn.system.machine import installed_memory
from charrnn.text import Corpus

PROCESS = 46_000_000
"""Bytes of a Python process with NumPy and charrnn, measured on Linux."""
WORKER = 17_000_000
"""Bytes that a forked worker does not share: pages that it writes, and BLAS buffers."""
FLOAT = 4

TEXTS, LABELLED = 20, 42
"""Bytes per symbol of parsed and encoded texts, with a label per text and with one per symbol."""
NGRAM_BYTES, LETTER_BYTES, COUNTED_BYTES = 110, 370, 260
"""Bytes per character for training a linear model of labels, of which letters have longer n-grams,
and for counting n-grams per label, measured on 300,000 to a million characters."""
SCORED_BYTES, MIXED_BYTES = 8, 24
"""Bytes per held-out character and label for scoring both."""


def text_bytes(
    corpus: Corpus, sides: Sides, *, model: Architecture, train: TrainingSettings
) -> int:
    """Return the memory of a text and of what is derived from it, apart from windows.

    A memory-mapped text takes none.
    """
    parts = (sides.learned, sides.held)
    copies = sum(part.nbytes for part in parts if not np.may_share_memory(part, corpus.codes))
    if train.predict:
        copies += (TEXTS if model.head == "item" else LABELLED) * len(corpus)
        copies += _mixture_bytes(len(sides.learned), len(sides.held), model, train)
    elif train.counts:
        copies += COUNTING_BYTES * min(len(sides.learned), MOST_SYMBOLS)
    return copies + (0 if isinstance(corpus.codes, np.memmap) else corpus.codes.nbytes)


def _mixture_bytes(learned: int, held: int, model: Architecture, train: TrainingSettings) -> int:
    """Return the memory for the models that are mixed with a labelling network after training.

    Parameters
    ----------
    learned, held : int
        The numbers of symbols of both sides.
    model : Architecture
        Its head and its labels.
    train : TrainingSettings
        Settings, which include what is mixed.
    """
    ngrams, counts, num_labels = 0, 0, model.num_labels
    if train.ngrams and num_labels <= LABELS_OF_NGRAMS:
        most = min(LEARNED, WORK // num_labels)
        read = learned if train.val_files else learned + held
        ngrams = NGRAM_BYTES * min(read, most)
        if model.head == "step":  # if its characters are letters
            ngrams = max(ngrams, LETTER_BYTES * min(read, -(-most // FEWER_LETTERS)))
        ngrams += SCORED_BYTES * held * num_labels
    if train.counts:
        counts = COUNTED_BYTES * min(learned, COUNTED)
        counts += MIXED_BYTES * min(held * num_labels, PORTION)
    return max(ngrams, counts)


def training_memory(
    model: Architecture,
    train: TrainingSettings,
    vocab_size: int,
    threads: int,
    *,
    text_bytes: int = 0,
    in_memory: bool = False,
) -> int:
    """Return the approximate number of bytes that a run takes, including the interpreter.

    Parameters
    ----------
    model, train : Architecture, TrainingSettings
        The sizes.
    vocab_size : int
        V.
    threads : int
        Maximum number of workers, each with the buffers of one shard.
    text_bytes : int
        The memory of the text.
    in_memory : bool
        Whether both states of the run are kept in memory instead of files.
    """
    ranks, each = current(), WORKER
    if ranks is not None:  # separate processes; only local ones count
        threads, each = min(threads, len(ranks.local_ranks)), PROCESS
        text_bytes *= 2  # the copy that other ranks read
    workers, slots = min(threads, train.shards), len(OPTIMIZERS[train.optimizer].slots)
    vectors = 1 + slots + train.shards
    # The first file of each kind is read back; last.npz includes the optimizer's vectors.
    vectors += 2 + slots if in_memory else 2
    shared = FLOAT * CharModel.size_of(model, vocab_size) * vectors
    processes = PROCESS + each * (workers - 1)
    return processes + text_bytes + shared + workers * _worker_bytes(model, train, vocab_size)


def _worker_bytes(model: Architecture, train: TrainingSettings, vocab_size: int) -> int:
    """Return the approximate number of bytes in the buffers of one worker.

    A window of another shape needs new buffers: when the worker scores, and when it trains again.
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
    in_memory: bool = False,
) -> None:
    """Reject what cannot fit, before the operating system kills the process.

    Raises
    ------
    ConfigError
        If training needs more memory than this machine has.
    """
    installed = installed_memory()
    needed = training_memory(
        model, train, vocab_size, threads, text_bytes=text_bytes, in_memory=in_memory
    )
    if installed is not None and needed > installed:
        raise ConfigError(
            f"training needs about {needed / 1e9:,.0f} GB and this machine has "
            f"{installed / 1e9:,.0f} GB: lower --hidden-size, --num-layers, "
            "--members, --batch-size or --seq-len"
        )
