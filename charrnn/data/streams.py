"""Running text as parallel streams.

Dimensions
    T steps per window, N parallel streams, n characters.
"""

import numpy as np
import numpy.typing as npt

from charrnn.data.windows import Window
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes


class Streams:
    """N streams that start at evenly spaced characters of a text and wrap around at its end.

    The state of a stream is carried from window to window, so the text is never cut in the forward
    pass. Every character is a target once per epoch; none is dropped.

    Parameters
    ----------
    codes : (n,) int array
        The text, in memory or memory-mapped; each window is encoded when it is read.
    vocabulary : Vocabulary
        Has every character of the text.
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
        """Return the number of targets in the batch of a step, which is constant."""
        return self.symbols_per_step

    def steps(self, step: int) -> int:
        """Return T, which is constant."""
        return self.seq_len

    def streams(self, step: int) -> int:
        """Return N, which is constant."""
        return self.batch_size

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step; targets are shifted by one character."""
        read = (step - 1) * self.seq_len
        steps = np.arange(read, read + self.seq_len + 1, dtype=np.int64)[:, np.newaxis]
        codes = self.codes[(steps + self.starts[columns]) % len(self.codes)]
        ids = self.vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)
        return Window(ids[:-1], ids[1:])
