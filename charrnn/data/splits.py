"""Splitting the characters of a text into a training part and a held-out part."""

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from charrnn.config.text import Unit
from charrnn.data.dividing import chunks_of_items
from charrnn.text.codes import LINE_END, Codes, to_text


@dataclass(frozen=True)
class Split:
    """A text in equal parts; the end of each part is held out.

    Attributes
    ----------
    characters : int
        The length of the text.
    held_out : int
        Number of held-out characters, a multiple of ``parts``.
    parts : int
        1 holds out the end of the text; N, the batch size, the end of every stream, as in char-rnn.
    """

    characters: int
    held_out: int
    parts: int = 1

    def _borders(self) -> list[tuple[int, int, int]]:
        """Return the start of each part, the start of its held-out end, and its end."""
        borders = [self.characters * part // self.parts for part in range(self.parts + 1)]
        tail = self.held_out // self.parts
        return [(start, stop - tail, stop) for start, stop in pairwise(borders)]

    def learned(self, codes: Codes) -> Codes:
        """Return the training part: the beginnings of all parts, concatenated."""
        pieces = [codes[start:cut] for start, cut, _ in self._borders()]
        return pieces[0] if self.parts == 1 else np.concatenate(pieces)

    def held(self, codes: Codes) -> Codes:
        """Return the held-out part: the ends of all parts, concatenated."""
        pieces = [codes[cut:stop] for _, cut, stop in self._borders()]
        return pieces[0] if self.parts == 1 else np.concatenate(pieces)

    def tails(self, codes: Codes) -> list[Codes]:
        """Return the held-out end of each part, preceded by the character before it."""
        return [codes[cut - 1 : stop] for _, cut, stop in self._borders()]


@dataclass(frozen=True)
class HashedSplit:
    """Splits items by their content, independent of their order.

    An item is held out if its keyed hash, a number below 2**64, is below ``fraction`` of that. So
    copies of an item are on the same side, the order does not matter, and a list that grows keeps
    the split of its old items. Empty items are on neither side.

    Attributes
    ----------
    fraction : float
        Average share of the distinct items that is held out, in [0, 1).
    key : int
        In [0, 2**64); each key holds out different items.
    unit : "char" or "byte"
        What a code is: an item is hashed as UTF-8, or as its bytes.
    end : int
        The code that ends an item.
    """

    fraction: float
    key: int
    unit: Unit = "char"
    end: int = LINE_END

    def both(self, codes: Codes) -> tuple[Codes, Codes]:
        """Return the training and the held-out part of a divided text, both in its order."""
        learned, held = [], []
        for items in chunks_of_items(codes, self.end):
            ends = np.flatnonzero(items == self.end)
            is_held = np.repeat(self._is_held(items), np.diff(ends, prepend=-1))
            learned.append(items[~is_held])
            held.append(items[is_held])
        return _joined(learned, codes), _joined(held, codes)

    def _is_held(self, items: Codes) -> npt.NDArray[np.bool_]:
        """Return whether each item of a divided text is held out."""
        data = items.tobytes() if self.unit == "byte" else to_text(items).encode()
        keyed = blake2b(digest_size=8, key=self.key.to_bytes(8, "little"))
        digests = bytearray()
        for item in data.split(chr(self.end).encode())[:-1]:
            digest = keyed.copy()  # twice as fast as setting the key again
            digest.update(item)
            digests += digest.digest()
        is_held: npt.NDArray[np.bool_] = np.frombuffer(digests, "<u8") < np.uint64(
            int(self.fraction * 2**64)
        )
        return is_held


def _joined(pieces: list[Codes], codes: Codes) -> Codes:
    return np.concatenate(pieces) if pieces else codes[:0]
