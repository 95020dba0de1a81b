"""What the bytes of a whole file are: UTF-8 in part, or another encoding that all of it fits."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from charrnn.text.guessing import CANDIDATES, is_believed, looks_binary, plausibility
from charrnn.text.marking import FIRST_BAD, MARK_BAD, NEXT_BAD

_UTF8_SURROGATE = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
_RIVAL = 0.75
"""The share of the best score from which on another encoding is worth a word."""
_PIECES = 64
"""Chunks of a file that the sample comes from, at most."""
_PRUNED_AFTER = (8, 64)
"""Chunks after which the hopeless candidates are given up."""
_LINES, _LINE = 8, 400
"""Lines of a chunk that are looked at, and half the bytes of each."""


@dataclass(frozen=True)
class Survey:
    """What the bytes of a whole file, which are not UTF-8, could be.

    Attributes
    ----------
    mixed : bool
        It is UTF-8 but for some damaged bytes, or in part.
    fits : list of str
        Encodings in which all of it can be read and reads well, the most plausible first, each
        with another text; at most three.
    nearly : list of str
        Those in which it reads well but for a few bytes.
    binary : bool
        It does not look like a text.
    """

    mixed: bool = False
    fits: list[str] = field(default_factory=list)
    nearly: list[str] = field(default_factory=list)
    binary: bool = False


def survey(chunks: Iterable[bytes]) -> Survey:
    """Find out what the bytes of a file are, from all of them.

    Every candidate decodes the whole file; the sample that decides between those that can comes
    from lines with bytes beyond ASCII, wherever they are. UTF-8 counts as one of the candidates.

    Parameters
    ----------
    chunks : iterable of bytes
        The file. All but the last have a length that is a multiple of 4.
    """
    surveyor = _Surveyor()
    for data in chunks:
        surveyor.feed(data)
    return surveyor.conclude()


class _Surveyor:
    """Tries all encodings on a file, and takes a sample of it on the way."""

    def __init__(self) -> None:
        names = ("utf-16-le", "utf-16-be", *CANDIDATES)
        self._trials = {name: _Trial(name) for name in names}
        self._utf8 = _Utf8Count()
        self._lines: list[list[bytes]] = []
        self._heads: list[bytes] = []
        self._every, self._number = 1, 0
        self._strange = 0
        self._first, self._nul = True, False
        self._binary = False

    def feed(self, data: bytes) -> None:
        """Look at the next chunk."""
        values = np.frombuffer(data, np.uint8)
        self._strange += int(np.count_nonzero(values >= 0x80))
        self._nul = self._nul or b"\0" in data
        if self._first:
            self._binary = looks_binary(data[:4096])
        sampled = not data.isascii() and self._number % self._every == 0
        self._utf8.feed(data, sampled)
        for trial in self._trials.values():
            trial.feed(data, self._strange)
        if sampled:
            self._lines.append(_strange_lines(data, values, first=self._first))
            self._heads.append(data[:1024])
        if len(self._lines) > _PIECES:  # keep every second one: they stay evenly spread
            self._lines, self._heads = self._lines[::2], self._heads[::2]
            self._every *= 2
        self._first = False
        if data.isascii():  # which says nothing
            return
        self._number += 1
        if self._number in _PRUNED_AFTER and self._strange > 1000 * self._number:
            scores = self._scores()
            best = max(scores.values(), default=0.0)
            for name, trial in self._trials.items():  # decoding takes time
                trial.gone |= scores.get(name, 0.0) < 0.5 * best

    def conclude(self) -> Survey:
        """Say what the file is, after its last chunk."""
        self._utf8.feed(b"", True, final=True)
        for trial in self._trials.values():
            trial.feed(b"", self._strange, final=True)
        if not self._utf8.bad:
            return Survey(fits=["utf-8"])
        if self._utf8.is_in_part:
            return Survey(mixed=True)
        scores = self._scores()
        if self._binary:
            scores = {name: score for name, score in scores.items() if self._trials[name].wide}
        ranked = sorted(scores, key=lambda name: -scores[name])
        strict = [name for name in ranked if not self._trials[name].bad]
        nearly = [name for name in ranked if self._trials[name].bad]
        if strict and nearly and scores[strict[0]] < _RIVAL * scores[nearly[0]]:
            strict = []  # it is the better encoding that the file is damaged in
        close = [name for name in strict if scores[name] >= _RIVAL * scores[strict[0]]]
        return Survey(fits=close[:3], nearly=nearly[:1], binary=self._binary)

    def _scores(self) -> dict[str, float]:
        """Return how well the sample reads, for each encoding that is left and gives a new text."""
        scores: dict[str, float] = {}
        texts: set[str] = set()
        lines = [line for sample in self._lines for line in sample]
        # Of two that give the same text, the one that all of the file fits comes first.
        for name in sorted(self._trials, key=lambda name: self._trials[name].bad > 0):
            trial = self._trials[name]
            if trial.gone or (trial.wide and not self._nul):
                continue
            decode = codecs.getincrementaldecoder(name)
            pieces = self._heads if trial.wide else lines
            text = "\n".join(decode(MARK_BAD).decode(piece) for piece in pieces)
            text = text.replace(FIRST_BAD, "").replace(NEXT_BAD, "")
            score = plausibility(text, name)
            if is_believed(score, name) and text not in texts:
                texts.add(text)
                scores[name] = score
        return scores


class _Utf8Count:
    """Counts the characters beyond ASCII that are UTF-8, and the sequences that are not.

    Where many are not, the beginnings of sampled chunks stand for the rest: to count every bad
    byte takes long.
    """

    def __init__(self) -> None:
        self.good = self.bad = self.surrogates = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(MARK_BAD)

    def feed(self, data: bytes, sampled: bool, final: bool = False) -> None:
        """Count what is in the next chunk."""
        if self.bad > 10_000:
            if not sampled:
                return
            data = data[:16_384]
        text = self._decoder.decode(data, final)
        if text.isascii():
            return
        bad = text.count(FIRST_BAD)
        values = _utf16(text)
        self.good += int(np.count_nonzero((values >= 0x80) & (values & 0xFC00 != 0xDC00)))
        self.bad += bad
        self.surrogates += len(_UTF8_SURROGATE.findall(data)) if bad else 0

    @property
    def is_in_part(self) -> bool:
        """Whether much of it is UTF-8, halves of pairs that are spelled in it among that."""
        return self.good + self.surrogates >= self.bad - 3 * self.surrogates


def _utf16(text: str) -> npt.NDArray[np.uint16]:
    """Return the UTF-16 code units of a text, surrogates among them."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2").astype(np.uint16)


class _Trial:
    """One encoding, tried on all of a file."""

    def __init__(self, name: str) -> None:
        self.wide = name.startswith("utf-16")
        self.gone = False
        self.bad = 0
        self._decoder = codecs.getincrementaldecoder(name)(MARK_BAD)

    def feed(self, data: bytes, strange: int, final: bool = False) -> None:
        """Decode the next chunk; give up if too many of the strange bytes do not fit."""
        if self.gone:
            return
        if not self.wide and data.isascii() and not final and not self._decoder.getstate()[0]:
            return
        text = self._decoder.decode(data, final)
        if not text.isascii():
            self.bad += text.count(FIRST_BAD)
            self.gone = self.bad > 8 + strange // 100


def _strange_lines(data: bytes, values: npt.NDArray[np.uint8], *, first: bool) -> list[bytes]:
    """Return pieces of lines with bytes beyond ASCII, from all over a chunk.

    They begin where a character begins in every candidate but UTF-16; where that cannot be known,
    there is none. The `first` chunk of a file begins with a character.
    """
    strange = np.flatnonzero(values >= 0x80)
    chosen = np.linspace(0, len(strange) - 1, min(_LINES, len(strange)), dtype=np.int64)
    lines = []
    done = 0
    for place in strange[chosen].tolist():
        if place < done:
            continue
        start = max(data.rfind(b"\n", 0, place), data.rfind(b"\r", 0, place)) + 1
        if place - start > _LINE:  # no character of two bytes has one of these in it
            marks = (data.rfind(mark, place - _LINE, place) for mark in (b" ", b".", b","))
            start = max(start, max(marks) + 1)
        if start < done or (start == 0 and not first):
            continue
        stop = data.find(b"\n", start)
        stop = min(len(data) if stop < 0 else stop, start + 2 * _LINE)
        lines.append(data[start:stop])
        done = stop
    return lines
