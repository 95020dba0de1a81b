"""What a symbol costs that a model does not know, by the estimate of Good and Turing."""

from dataclasses import dataclass
from math import log, log1p
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Novelty:
    """The share of new symbols in a text: that of symbols that occurred once in what was learned.

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
            How often each symbol occurs in what was learned.
        characters : int
            How long that is: what is estimated from where there are no counts.
        """
        if counts is None:
            return cls(1 / (characters + 1))
        once = max(1, int(np.count_nonzero(counts == 1)))
        return cls(once / (int(counts.sum()) + 1))

    @property
    def cost(self) -> float:
        """Nats of a new symbol."""
        return -log(self.share)

    def charge(self, known: int, new: int) -> float:
        """Return the nats by which new symbols make a text dearer.

        They cost ``cost`` each, and every known symbol costs more since others are possible.
        """
        return new * self.cost - known * log1p(-self.share) if new else 0.0
