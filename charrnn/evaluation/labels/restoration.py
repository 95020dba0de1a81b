"""Figures of restored texts: characters, what had been removed, words and lines.

Dimensions: n characters of all texts one after the other.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.evaluation.labels.matches import (
    Matches,
    Numbers,
    Spans,
    check_lengths,
    flatten,
    wilson,
)

Kind = Literal["spaces", "case", "marks", "accents"]

NOTHING: dict[Kind, str] = {"spaces": "", "case": "L", "marks": "", "accents": ""}
"""The label of a character at which nothing was removed."""


@dataclass(frozen=True)
class Share:
    """So many of so many are right."""

    count: int
    right: int

    @property
    def accuracy(self) -> float:
        """The share that is right; 0 of none."""
        return self.right / self.count if self.count else 0.0

    @property
    def interval(self) -> float:
        """Half the width of its 95 % interval by Wilson's score."""
        return wilson(self.right, self.count)

    def to_json(self) -> dict[str, float]:
        """Return all of it as JSON types."""
        return {**asdict(self), "accuracy": self.accuracy, "interval": self.interval}


@dataclass(frozen=True)
class RestorationFigures:
    """How well texts are restored.

    Attributes
    ----------
    kind : str
        What had been removed.
    characters : Share
        Characters that were given the right label. The last character of a text has none for
        spaces, where nothing can follow it.
    removed : Matches
        What had been removed, was restored, and was restored rightly: labels that are not
        "nothing".
    words : Share
        Words of which every label is right; for spaces, words with both borders right and none
        inside. A word is what stands between white space in the text, restored where that is
        what is restored.
    lines : Share
        Texts of which every label is right, of those that are not empty.
    found_words : Matches, optional
        For spaces: words of the text and words of the restored text, which are right if both have
        them, with both borders. Its F1 is the word F1.
    """

    kind: Kind
    characters: Share
    removed: Matches
    words: Share
    lines: Share
    found_words: Matches | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "kind": self.kind,
            "characters": self.characters.to_json(),
            "removed": self.removed.to_json(),
            "words": self.words.to_json(),
            "lines": self.lines.to_json(),
            "found_words": self.found_words and self.found_words.to_json(),
        }


def restoration_figures(
    kind: Kind,
    gold: Sequence[tuple[str, Sequence[str]]],
    predicted: Sequence[Sequence[str]],
) -> RestorationFigures:
    """Compare the predicted labels of characters with the right ones.

    Parameters
    ----------
    kind : str
        What had been removed.
    gold : sequence of (str, sequence of str)
        Texts without it, and the right label of each of their characters.
    predicted : sequence of sequences of str
        The predicted label of each.

    Raises
    ------
    ValueError
        If the labels are not as many as the characters, text by text.
    """
    texts, right = [text for text, _ in gold], [labels for _, labels in gold]
    check_lengths(texts, right)
    check_lengths(texts, predicted)
    names = [NOTHING[kind], *sorted({*_all(right), *_all(predicted)} - {NOTHING[kind]})]
    index = {label: place for place, label in enumerate(names)}
    wanted, found = flatten(index, right), flatten(index, predicted)
    lengths = np.array([len(text) for text in texts if text], np.int64)
    ends = np.cumsum(lengths)
    scored = np.ones(len(wanted), bool)
    if kind == "spaces":
        scored[ends - 1] = False
    same = (wanted == found) | ~scored
    removed, restored = (wanted > 0) & scored, (found > 0) & scored
    lines = _all_within(same, ends - lengths)
    found_words = None
    if kind == "spaces":
        found_words = _common(_words(removed, ends), _words(restored, ends))
        words = Share(found_words.gold, found_words.right)
    else:
        words = _share(_all_within(*_in_words(texts, same, ends)))
    return RestorationFigures(
        kind=kind,
        characters=Share(int(scored.sum()), int((same & scored).sum())),
        removed=Matches(int(removed.sum()), int(restored.sum()), int((removed & same).sum())),
        words=words,
        lines=_share(lines),
        found_words=found_words,
    )


def _all(sequences: Sequence[Sequence[str]]) -> set[str]:
    """Return the labels that occur."""
    return set().union(*sequences)


def _share(right: NDArray[np.bool_]) -> Share:
    """Count what is right."""
    return Share(len(right), int(right.sum()))


def _all_within(right: NDArray[np.bool_], starts: Numbers) -> NDArray[np.bool_]:
    """Return whether all is right in each group, from its start to the next one's."""
    if not len(starts):
        return np.zeros(0, bool)
    return np.asarray(np.logical_and.reduceat(right, starts))


def _in_words(
    texts: Sequence[str], right: NDArray[np.bool_], ends: Numbers
) -> tuple[NDArray[np.bool_], Numbers]:
    """Keep the characters of words, and find where each word begins among them."""
    whole = "".join(texts)
    inside = np.fromiter((not character.isspace() for character in whole), bool, len(whole))
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    first = np.append(0, ends[:-1])[: len(ends)]
    begins[first] = inside[first]
    return right[inside], np.flatnonzero(begins[inside])


def _words(spaces: NDArray[np.bool_], ends: Numbers) -> Spans:
    """Return the words of texts in which spaces follow the characters."""
    borders = spaces.copy()
    borders[ends - 1] = True
    stops = np.flatnonzero(borders) + 1
    return Spans(np.append(0, stops[:-1])[: len(stops)], stops, np.zeros(len(stops), np.int64))


def _common(wanted: Spans, found: Spans) -> Matches:
    """Count the spans that both have."""
    right = int(wanted.found_in(found).sum())
    return Matches(len(wanted.starts), len(found.starts), right)
