"""Which characters of a text are learned from and which are held out."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from charrnn.data.items import chunks_of_lines
from charrnn.text.vocabulary import LINE_END, Codes, Unit, to_text


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


@dataclass(frozen=True)
class HashedSplit:
    """A text of lines, of which each is held out or learned by what it says, not where it stands.

    A line is held out if its keyed hash, a number below 2**64, is below ``fraction`` of that. So
    copies of a line fall on one side, their order does not matter, and a list that grows keeps
    the split of its old lines. Empty lines are no items: they are on neither side.

    Attributes
    ----------
    characters : int
        The length of the text.
    held_out : int
        How many characters the lines that are held out take, line ends counted in.
    fraction : float
        The share of the distinct lines that is held out, on average; in [0, 1).
    key : int
        In [0, 2**64): another key holds out other lines.
    unit : "char" or "byte"
        What a code is: a line is hashed as UTF-8, or as its bytes.
    """

    characters: int
    held_out: int
    fraction: float
    key: int
    unit: Unit = "char"

    @classmethod
    def of(cls, codes: Codes, fraction: float, key: int, unit: Unit = "char") -> Self:
        """Make the split of a text, `codes (n,)`."""
        split = cls(len(codes), 0, fraction, key, unit)
        held_out = sum(len(held) for _, held in split._sides(codes))
        return cls(len(codes), held_out, fraction, key, unit)

    @property
    def parts(self) -> int:
        """As of a ``Split``: the text is one part."""
        return 1

    def learned(self, codes: Codes) -> Codes:
        """Return the lines that are learned from, in their order, each with its line end."""
        return _joined([learned for learned, _ in self._sides(codes)], codes)

    def held(self, codes: Codes) -> Codes:
        """Return the lines that are held out, in their order, each with its line end."""
        return _joined([held for _, held in self._sides(codes)], codes)

    def both(self, codes: Codes) -> tuple[Codes, Codes]:
        """Return what is learned and what is held out: each line is hashed once."""
        learned, held = [], []
        for one, other in self._sides(codes):
            learned.append(one)
            held.append(other)
        return _joined(learned, codes), _joined(held, codes)

    def _sides(self, codes: Codes) -> Iterator[tuple[Codes, Codes]]:
        """Return the lines of both sides, a chunk of the text after another."""
        for lines in chunks_of_lines(codes):
            ends = np.flatnonzero(lines == LINE_END)
            is_held = np.repeat(self._is_held(lines), np.diff(ends, prepend=-1))
            yield lines[~is_held], lines[is_held]

    def _is_held(self, lines: Codes) -> npt.NDArray[np.bool_]:
        """Return of each line of a text, which ends with a line end, whether it is held out."""
        data = lines.tobytes() if self.unit == "byte" else to_text(lines).encode()
        keyed = blake2b(digest_size=8, key=self.key.to_bytes(8, "little"))
        digests = bytearray()
        for line in data.split(b"\n")[:-1]:
            digest = keyed.copy()  # twice as fast as setting the key again
            digest.update(line)
            digests += digest.digest()
        is_held: npt.NDArray[np.bool_] = np.frombuffer(digests, "<u8") < np.uint64(
            int(self.fraction * 2**64)
        )
        return is_held


def _joined(pieces: list[Codes], codes: Codes) -> Codes:
    return np.concatenate(pieces) if pieces else codes[:0]
