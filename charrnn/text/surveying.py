"""Surveying a whole file that is not UTF-8: damaged UTF-8, or another encoding that fits."""

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
"""The share of the best score above which another encoding is worth mentioning."""
_PIECES = 64
"""Most chunks of a file that the sample is taken from."""
_PRUNED_AFTER = (8, 64)
"""Chunks after which hopeless candidates are dropped."""
_LINES, _LINE = 8, 400
"""Lines sampled per chunk, and half the bytes taken of each."""


@dataclass(frozen=True)
class Survey:
    """What a file that is not valid UTF-8 may be.

    Attributes
    ----------
    mixed : bool
        Whether it is UTF-8 with damaged bytes, or partly UTF-8.
    fits : list of str
        Encodings that decode the whole file to plausible and different texts, the most plausible
        first; at most three.
    nearly : list of str
        Encodings that decode it to a plausible text except for a few bytes.
    binary : bool
        Whether it does not look like text.
    """

    mixed: bool = False
    fits: list[str] = field(default_factory=list)
    nearly: list[str] = field(default_factory=list)
    binary: bool = False


def survey(chunks: Iterable[bytes]) -> Survey:
    """Determine what a file is from all of its bytes.

    Every candidate encoding decodes the whole file. A sample of lines with non-ASCII bytes, from
    anywhere in the file, decides between those that succeed. UTF-8 is one of the candidates.

    Parameters
    ----------
    chunks : iterable of bytes
        The file in chunks; the length of all but the last is a multiple of 4.
    """
    surveyor = _Surveyor()
    for data in chunks:
        surveyor.feed(data)
    return surveyor.conclude()


class _Surveyor:
    """Tries all encodings on a file, and samples lines of it."""

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
        """Process the next chunk."""
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
        if len(self._lines) > _PIECES:  # keep every second one, so that they stay evenly spaced
            self._lines, self._heads = self._lines[::2], self._heads[::2]
            self._every *= 2
        self._first = False
        if data.isascii():  # fits every candidate
            return
        self._number += 1
        if self._number in _PRUNED_AFTER and self._strange > 1000 * self._number:
            scores = self._scores()
            best = max(scores.values(), default=0.0)
            for name, trial in self._trials.items():  # decoding takes time
                trial.gone |= scores.get(name, 0.0) < 0.5 * best

    def conclude(self) -> Survey:
        """Return what the file is, after the last chunk."""
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
            strict = []  # the file is damaged in the more plausible encoding
        close = [name for name in strict if scores[name] >= _RIVAL * scores[strict[0]]]
        return Survey(fits=close[:3], nearly=nearly[:1], binary=self._binary)

    def _scores(self) -> dict[str, float]:
        """Return the plausibility of the sample in each encoding left that gives a new text."""
        scores: dict[str, float] = {}
        texts: set[str] = set()
        lines = [line for sample in self._lines for line in sample]
        # Of two encodings that give the same text, one that decodes the whole file comes first.
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
    """Counts non-ASCII characters of valid UTF-8, and invalid sequences.

    If many are invalid, only the beginnings of sampled chunks are counted from then on, as counting
    every bad byte is slow.
    """

    def __init__(self) -> None:
        self.good = self.bad = self.surrogates = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(MARK_BAD)

    def feed(self, data: bytes, sampled: bool, final: bool = False) -> None:
        """Count the next chunk."""
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
        """Whether much of it is UTF-8, counting encoded surrogates as valid."""
        return self.good + self.surrogates >= self.bad - 3 * self.surrogates


def _utf16(text: str) -> npt.NDArray[np.uint16]:
    """Return the UTF-16 code units of a text, including surrogates."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2").astype(np.uint16)


class _Trial:
    """One encoding, tried on the whole file."""

    def __init__(self, name: str) -> None:
        self.wide = name.startswith("utf-16")
        self.gone = False
        self.bad = 0
        self._decoder = codecs.getincrementaldecoder(name)(MARK_BAD)

    def feed(self, data: bytes, strange: int, final: bool = False) -> None:
        """Decode the next chunk; give up if too many non-ASCII bytes do not fit."""
        if self.gone:
            return
        if not self.wide and data.isascii() and not final and not self._decoder.getstate()[0]:
            return
        text = self._decoder.decode(data, final)
        if not text.isascii():
            self.bad += text.count(FIRST_BAD)
            self.gone = self.bad > 8 + strange // 100


def _strange_lines(data: bytes, values: npt.NDArray[np.uint8], *, first: bool) -> list[bytes]:
    """Return parts of lines with non-ASCII bytes, spread over a chunk.

    Each starts where a character starts in every candidate but UTF-16; where that is not known,
    none is taken. The `first` chunk of a file starts with a character.
    """
    strange = np.flatnonzero(values >= 0x80)
    chosen = np.linspace(0, len(strange) - 1, min(_LINES, len(strange)), dtype=np.int64)
    lines = []
    done = 0
    for place in strange[chosen].tolist():
        if place < done:
            continue
        start = max(data.rfind(b"\n", 0, place), data.rfind(b"\r", 0, place)) + 1
        if place - start > _LINE:  # none of these occurs inside a two-byte character
            marks = (data.rfind(mark, place - _LINE, place) for mark in (b" ", b".", b","))
            start = max(start, max(marks) + 1)
        if start < done or (start == 0 and not first):
            continue
        stop = data.find(b"\n", start)
        stop = min(len(data) if stop < 0 else stop, start + 2 * _LINE)
        lines.append(data[start:stop])
        done = stop
    return lines
