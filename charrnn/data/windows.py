"""What each step of training sees: a window of a batch of parallel streams.

Dimensions
    T steps of the window, N parallel streams, n characters.
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charrnn.text.vocabulary import Codes, Ids, Vocabulary


class Window(NamedTuple):
    """Inputs and targets (T, N) of some streams; where ``scored`` is false, no target counts."""

    ids: Ids
    targets: Ids
    scored: npt.NDArray[np.bool_] | None = None


class Batches(Protocol):
    """Where training takes its windows from; steps count from 1.

    Attributes
    ----------
    codes : (n,) int array
        What is learned.
    batch_size : int
        N, the streams of a batch.
    seq_len : int
        T, the steps of the longest window.
    symbols_per_step : float
        How many targets a step has in the mean: by that many its summed loss is divided, so that
        every target of an epoch weighs the same.
    """

    @property
    def codes(self) -> Codes: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def seq_len(self) -> int: ...

    @property
    def symbols_per_step(self) -> float: ...

    def symbols(self, step: int) -> int:
        """Return how many targets the batch of a step has."""

    def steps(self, step: int) -> int:
        """Return T, the steps of the window of a step of training."""

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step."""


class Streams:
    """N streams that start at evenly spaced characters of a text, read on, and wrap at its end.

    Forward the text is never cut, so the state of a stream is carried from window to window;
    every character is a target once per epoch and none is dropped.

    Parameters
    ----------
    codes : (n,) int array
        The text, in memory or mapped; each window is encoded when it is read.
    vocabulary : Vocabulary
        Knows every character of the text.
    batch_size : int
        N, the number of streams.
    seq_len : int
        T, the steps of a window.
    """

    def __init__(self, codes: Codes, vocabulary: Vocabulary, batch_size: int, seq_len: int) -> None:
        self.codes, self.vocabulary = codes, vocabulary
        self.batch_size, self.seq_len = batch_size, seq_len
        self.symbols_per_step = batch_size * seq_len
        self.starts: npt.NDArray[np.int64] = (
            np.arange(batch_size, dtype=np.int64) * len(codes) // batch_size
        )

    def symbols(self, step: int) -> int:
        """Return how many targets the batch of a step has: always as many."""
        return self.symbols_per_step

    def steps(self, step: int) -> int:
        """Return T: always as many."""
        return self.seq_len

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step; the targets are one character later."""
        read = (step - 1) * self.seq_len
        steps = np.arange(read, read + self.seq_len + 1, dtype=np.int64)[:, np.newaxis]
        codes = self.codes[(steps + self.starts[columns]) % len(self.codes)]
        ids = self.vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)
        return Window(ids[:-1], ids[1:])
