"""Parallel streams over one text: which characters each step of training sees.

Dimensions
    T steps of the window, N parallel streams, n characters.
"""

import numpy as np
import numpy.typing as npt

from charrnn.text.vocabulary import Codes, Ids, Vocabulary


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
    """

    def __init__(self, codes: Codes, vocabulary: Vocabulary, batch_size: int) -> None:
        self.codes, self.vocabulary, self.batch_size = codes, vocabulary, batch_size
        self.starts: npt.NDArray[np.int64] = (
            np.arange(batch_size, dtype=np.int64) * len(codes) // batch_size
        )

    def window(self, cursor: int, seq_len: int, streams: slice) -> tuple[Ids, Ids]:
        """Return inputs and targets (T, N) of some streams, ``cursor`` characters after the start.

        The targets are the inputs one character later.
        """
        steps = np.arange(cursor, cursor + seq_len + 1, dtype=np.int64)[:, np.newaxis]
        codes = self.codes[(steps + self.starts[streams]) % len(self.codes)]
        ids = self.vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)
        return ids[:-1], ids[1:]
