"""The two sides of a text: the training part and the held-out part."""

from dataclasses import dataclass

import numpy as np

from charrnn.data.splits import Split
from charrnn.text.codes import Codes


@dataclass(frozen=True, eq=False)
class Sides:
    """The training part and the held-out part of a text.

    Attributes
    ----------
    learned, held : (n,) and (m,) int arrays
        The training part and the held-out part; views of the text if each is one piece of it.
    tails : tuple of int arrays
        The held-out ends of several parts, each with the character before it; empty for one part.
    """

    learned: Codes
    held: Codes
    tails: tuple[Codes, ...] = ()

    @property
    def both(self) -> Codes:
        """The training part followed by the held-out part, a copy."""
        return np.concatenate([self.learned, self.held])

    @classmethod
    def of(cls, split: Split, codes: Codes) -> "Sides":
        """Split a text."""
        tails = tuple(split.tails(codes)) if split.parts > 1 and split.held_out else ()
        return cls(split.learned(codes), split.held(codes), tails)
