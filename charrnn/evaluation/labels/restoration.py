"""Metrics of restored texts: characters, removed characters, words and lines.

Dimensions: n characters of all texts, concatenated.
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
"""The label of a character where nothing was removed."""


@dataclass(frozen=True)
class Share:
    """The numbers of correct ones and of all."""

    count: int
    right: int

    @property
    def accuracy(self) -> float:
        """The share of correct ones; 0 for a total of 0."""
        return self.right / self.count if self.count else 0.0

    @property
    def interval(self) -> float:
        """Half-width of the 95 % Wilson score interval."""
        return wilson(self.right, self.count)

    def to_json(self) -> dict[str, float]:
        """Return all of it as JSON types."""
        return {**asdict(self), "accuracy": self.accuracy, "interval": self.interval}


@dataclass(frozen=True)
class RestorationFigures:
    """Metrics of restored texts.

    Attributes
    ----------
    kind : str
        What was removed.
    characters : Share
        Characters with the correct label. For spaces the last character of a text has no label,
        since nothing can follow it.
    removed : Matches
        Labels other than "nothing": those removed, those restored, and those restored
        correctly.
    words : Share
        Words whose labels are all correct; for spaces, words with both borders correct and none
        inside. Words are separated by white space in the text, after restoration if spaces are
        what is restored.
    lines : Share
        Non-empty texts whose labels are all correct.
    found_words : Matches, optional
        For spaces: words of the text and of the restored text, which are correct if they occur in
        both with the same borders. Their F1 is the word F1.
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
    """Compare the predicted labels of characters with the correct ones.

    Parameters
    ----------
    kind : str
        What was removed.
    gold : sequence of (str, sequence of str)
        The texts after removal, and the correct label of each of their characters.
    predicted : sequence of sequences of str
        The predicted label of each character.

    Raises
    ------
    ValueError
        If the number of labels differs from the number of characters in a text.
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
    """Count the correct ones."""
    return Share(len(right), int(right.sum()))


def _all_within(right: NDArray[np.bool_], starts: Numbers) -> NDArray[np.bool_]:
    """Return whether all are correct in each group, from its start to the start of the next."""
    if not len(starts):
        return np.zeros(0, bool)
    return np.asarray(np.logical_and.reduceat(right, starts))


def _in_words(
    texts: Sequence[str], right: NDArray[np.bool_], ends: Numbers
) -> tuple[NDArray[np.bool_], Numbers]:
    """Keep the characters of words, and find where each word starts among them."""
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
    """Count the spans that are in both."""
    right = int(wanted.found_in(found).sum())
    return Matches(len(wanted.starts), len(found.starts), right)
