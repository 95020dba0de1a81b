"""The loss of symbols that a model does not know, by the Good-Turing estimate."""

from dataclasses import dataclass
from math import log, log1p
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Novelty:
    """The estimated share of new symbols: the share of symbols that occur once in training.

    Attributes
    ----------
    share : float
        In (0, 1).
    """

    share: float

    @classmethod
    def of(cls, counts: NDArray[np.int64] | None, characters: int) -> Self:
        """Estimate it.

        Parameters
        ----------
        counts : (V,) int array, optional
            Occurrences of each symbol in training.
        characters : int
            Length of the training text, used if there are no counts.
        """
        if counts is None:
            return cls(1 / (characters + 1))
        once = max(1, int(np.count_nonzero(counts == 1)))
        return cls(once / (int(counts.sum()) + 1))

    @property
    def cost(self) -> float:
        """The loss of a new symbol in nats."""
        return -log(self.share)

    def charge(self, known: int, new: int) -> float:
        """Return the nats that new symbols add to the loss of a text.

        Each new symbol adds ``cost``, and every known symbol loses some probability to new ones.
        """
        return new * self.cost - known * log1p(-self.share) if new else 0.0
