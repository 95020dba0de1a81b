"""What each step of training sees: a window of a batch of parallel streams.

Dimensions
    T steps of the window, N parallel streams, n characters.
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charrnn.text.codes import Codes
from charrnn.text.vocabulary import Ids


class Window(NamedTuple):
    """What some streams read in a step.

    Attributes
    ----------
    ids : (T, N) int array
        The inputs.
    targets : (T, N) or (1, N) int array
        What follows each of them, its label, or the one label of each stream.
    scored : bool array, optional
        Of the shape of the targets. Where it is false, no target counts; None where all do.
    begins : (N,) bool array, optional
        Which streams begin from a zero state; None where the text goes on in all of them.
    carried : bool
        Whether the state after the window is that of the next one.
    lengths : (N,) int array, optional
        How many symbols each stream has, where not T.
    """

    ids: Ids
    targets: npt.NDArray[np.integer]
    scored: npt.NDArray[np.bool_] | None = None
    begins: npt.NDArray[np.bool_] | None = None
    carried: bool = True
    lengths: npt.NDArray[np.int64] | None = None

    def trimmed(self) -> "Window":
        """Return the window without the last steps that count for nothing in any stream.

        Where the state is carried, all of them count.
        """
        if self.carried or not self.ids.size:
            return self
        of_streams = len(self.targets) < len(self.ids)  # one target of each
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

    def streams(self, step: int) -> int:
        """Return how many streams the batch of a step has, N at most."""

    def window(self, step: int, columns: slice) -> Window:
        """Return some columns of the batch of a step."""
