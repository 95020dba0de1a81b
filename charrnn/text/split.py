"""Which characters of a text are learned from and which are held out."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from charrnn.text.vocabulary import Codes


@dataclass(frozen=True)
class Split:
    """A text cut into equal parts, of each of which the end is held out.

    Attributes
    ----------
    characters : int
        The length of the text.
    held_out : int
        How many of them are held out, a multiple of ``parts``.
    parts : int
        1 holds out the end of the text; N, the batch size, the end of every stream, as char-rnn
        does.
    """

    characters: int
    held_out: int
    parts: int = 1

    def _borders(self) -> list[tuple[int, int, int]]:
        """Return of each part where it begins, where its held-out end begins and where it ends."""
        borders = [self.characters * part // self.parts for part in range(self.parts + 1)]
        tail = self.held_out // self.parts
        return [(start, stop - tail, stop) for start, stop in pairwise(borders)]

    def learned(self, codes: Codes) -> Codes:
        """Return what is learned from, the parts one after another."""
        pieces = [codes[start:cut] for start, cut, _ in self._borders()]
        return pieces[0] if self.parts == 1 else np.concatenate(pieces)

    def held(self, codes: Codes) -> Codes:
        """Return what is held out, the parts one after another."""
        pieces = [codes[cut:stop] for _, cut, stop in self._borders()]
        return pieces[0] if self.parts == 1 else np.concatenate(pieces)

    def tails(self, codes: Codes) -> list[Codes]:
        """Return the held-out end of each part with the character before it, which begins it."""
        return [codes[cut - 1 : stop] for _, cut, stop in self._borders()]
