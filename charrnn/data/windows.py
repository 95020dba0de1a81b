"""The input of a training step: a window of a batch of parallel streams.

Dimensions
    T steps per window, N parallel streams, n characters.
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charrnn.text.codes import Codes
from charrnn.text.vocabulary import Ids


class Window(NamedTuple):
    """The inputs and targets of some streams in a step.

    Attributes
    ----------
    ids : (T, N) int array
        The inputs.
    targets : (T, N) or (1, N) int array
        The next symbol of each input, its label, or one label per stream.
    scored : bool array, optional
        Mask in the shape of the targets: which of them count. None if all do.
    begins : (N,) bool array, optional
        Which streams start from a zero state; None if all streams continue.
    carried : bool
        Whether the state after the window is carried over to the next one.
    lengths : (N,) int array, optional
        Number of symbols in each stream; None if all have T.
    """

    ids: Ids
    targets: npt.NDArray[np.integer]
    scored: npt.NDArray[np.bool_] | None = None
    begins: npt.NDArray[np.bool_] | None = None
    carried: bool = True
    lengths: npt.NDArray[np.int64] | None = None

    def trimmed(self) -> "Window":
        """Return the window without trailing steps that no target depends on.

        If the state is carried over, all steps are kept.
        """
        if self.carried or not self.ids.size:
            return self
        of_streams = len(self.targets) < len(self.ids)  # one target per stream
        if self.lengths is not None:
            T = max(1, int(self.lengths.max()))
        elif self.scored is not None and not of_streams:
            T = 1 + int(np.flatnonzero(self.scored.any(axis=1)).max(initial=0))
        else:
            return self
        if of_streams:
            return self._replace(ids=self.ids[:T])
        scored = None if self.scored is None else self.scored[:T]
        return self._replace(ids=self.ids[:T], targets=self.targets[:T], scored=scored)


class Batches(Protocol):
    """The source of training windows; steps count from 1.

    Attributes
    ----------
    codes : (n,) int array
        The training text.
    batch_size : int
        N, streams per batch.
    seq_len : int
        T, steps of the longest window.
    symbols_per_step : float
        Average number of targets per step. The summed loss is divided by it, so that every target
        of an epoch has the same weight.
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
        """Return the number of targets in the batch of a step."""

    def steps(self, step: int) -> int:
        """Return T, the steps of the window of a training step."""

    def streams(self, step: int) -> int:
        """Return the number of streams in the batch of a step, at most N."""

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step."""
