"""Metrics of named entities: spans of tags B-X, I-X, I-X that must match exactly.

Dimensions: n tags of all sentences, concatenated; C distinct tags.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.evaluation.labels.matches import Matches, Numbers, Spans, check_lengths, flatten

OUTSIDE = "O"
BEGIN, INSIDE = "B-", "I-"


def has_entities(labels: Iterable[str]) -> bool:
    """Return whether tags mark spans: each is O, B-X or I-X, with at least one B-X."""
    found = set(labels) - {OUTSIDE}
    return any(tag.startswith(BEGIN) for tag in found) and all(
        tag.startswith((BEGIN, INSIDE)) and len(tag) > len(BEGIN) for tag in found
    )


@dataclass(frozen=True)
class EntityFigures:
    """Metrics of entities by strict IOB2, as in conlleval and seqeval (strict).

    A span begins with B-X and continues with I-X of the same type X. An I-X without a B-X starts no
    span. A span is correct if its borders and its type are.

    Attributes
    ----------
    total : Matches
        Matches over all spans: their F1 is the micro-average.
    kinds : dict of str to Matches
        The same for each type X, the most frequent first.
    """

    total: Matches
    kinds: dict[str, Matches]

    @property
    def precision(self) -> float:
        """The share of predicted spans that are correct."""
        return self.total.precision

    @property
    def recall(self) -> float:
        """The share of correct spans that were predicted."""
        return self.total.recall

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, over all spans."""
        return self.total.f1

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        kinds = {kind: found.to_json() for kind, found in self.kinds.items()}
        return {**self.total.to_json(), "kinds": kinds}


def entity_figures(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityFigures:
    """Compare the spans of predicted tags with the correct ones, sentence by sentence.

    Raises
    ------
    ValueError
        If the numbers of tags differ in a sentence.
    """
    check_lengths(gold, predicted)
    tags = sorted({tag for sequences in (gold, predicted) for tags in sequences for tag in tags})
    kinds = sorted({tag[len(BEGIN) :] for tag in tags if tag.startswith((BEGIN, INSIDE))})
    right, found = (_spans(sequences, tags, kinds) for sequences in (gold, predicted))
    counts = (right.kinds, found.kinds, right.kinds[right.found_in(found)])
    rows = np.stack([np.bincount(each, minlength=len(kinds)) for each in counts], axis=1)
    by_kind = {kind: Matches(*row) for kind, row in zip(kinds, rows.tolist(), strict=True)}
    frequent = sorted(kinds, key=lambda kind: -by_kind[kind].gold)
    return EntityFigures(
        Matches(*rows.sum(axis=0).tolist()), {kind: by_kind[kind] for kind in frequent}
    )


def _spans(sentences: Sequence[Sequence[str]], tags: Sequence[str], kinds: Sequence[str]) -> Spans:
    """Find the spans of all sentences, with their types as indices."""
    ids = flatten({tag: place for place, tag in enumerate(tags)}, sentences)
    kind_of = np.array([_kind(tag, kinds) for tag in tags], np.int64)
    begins = np.array([tag.startswith(BEGIN) for tag in tags], bool)
    kind, begin = kind_of[ids], begins[ids]
    goes_on = ~begin & (kind >= 0)
    goes_on[1:] &= kind[1:] == kind[:-1]
    goes_on[_first_places(sentences, len(ids))] = False
    starts = np.flatnonzero(begin)
    stops = np.append(np.flatnonzero(~goes_on), len(ids))
    return Spans(starts, stops[np.searchsorted(stops, starts, side="right")], kind[starts])


def _kind(tag: str, kinds: Sequence[str]) -> int:
    """Return the index of a tag's type, -1 for a tag outside of spans."""
    return kinds.index(tag[len(BEGIN) :]) if tag.startswith((BEGIN, INSIDE)) else -1


def _first_places(sentences: Sequence[Sequence[str]], count: int) -> Numbers:
    """Return where each non-empty sentence starts."""
    lengths = np.array([len(tags) for tags in sentences], np.int64)
    starts = np.cumsum(lengths) - lengths
    return starts[starts < count]
