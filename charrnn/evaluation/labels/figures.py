"""Metrics of predicted labels: accuracy with its interval, macro-F1, a row per label, confusions.

Dimensions: n predicted labels, C distinct labels.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.evaluation.labels.entities import EntityFigures, entity_figures, has_entities
from charrnn.evaluation.labels.matches import Matches, Numbers, number, wilson, wilson_bounds
from charrnn.evaluation.labels.restoration import RestorationFigures, restoration_figures
from charrnn.views.numbers import percent

__all__ = [
    "EntityFigures",
    "LabelFigures",
    "LabelRow",
    "RestorationFigures",
    "entity_figures",
    "has_entities",
    "label_figures",
    "restoration_figures",
    "wilson",
    "wilson_bounds",
]

CONFUSED = 3
"""Most wrong predictions listed per label."""


@dataclass(frozen=True)
class LabelRow:
    """Metrics of one label.

    Attributes
    ----------
    label : str
    count : int
        How often it is correct.
    predicted : int
        How often it was predicted.
    precision, recall, f1 : float
    confused : tuple of (str, float)
        Up to 3 labels that were predicted instead, the most frequent first, each with its share of
        ``count``.
    """

    label: str
    count: int
    predicted: int
    precision: float
    recall: float
    f1: float
    confused: tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class LabelFigures:
    """Metrics of predicted labels.

    Attributes
    ----------
    count, right : int
        Number of predicted labels, and of correct ones.
    accuracy : float
        ``right / count``; 0 if nothing was predicted.
    interval : float
        Half-width of the 95 % Wilson score interval of the accuracy.
    macro_f1 : float
        The unweighted mean F1 over the labels that occur among the correct ones, as in
        scikit-learn's ``classification_report(gold, predicted, labels=sorted(set(gold)))``. Labels
        that are only predicted are left out.
    rows : tuple of LabelRow
        A row per label, the most frequent first; labels that are only predicted come last.
    labels : tuple of str
        All labels, correct or predicted, in order.
    confusion : (C, C) int array
        How often the label of the row was correct while that of the column was predicted.
    """

    count: int
    right: int
    accuracy: float
    interval: float
    macro_f1: float
    rows: tuple[LabelRow, ...]
    labels: tuple[str, ...]
    confusion: Numbers

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of that interval, whose middle is not the accuracy."""
        return wilson_bounds(self.right, self.count)

    @property
    def accuracy_words(self) -> str:
        """The accuracy with its interval, for people."""
        low, high = self.bounds
        return f"{percent(self.accuracy)} (95 % interval: {100 * low:.1f} to {percent(high)})"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "count": self.count,
            "right": self.right,
            "accuracy": self.accuracy,
            "interval": self.interval,
            "bounds": list(self.bounds),
            "macro_f1": self.macro_f1,
            "rows": [asdict(row) for row in self.rows],
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
        }


def label_figures(gold: Sequence[str], predicted: Sequence[str]) -> LabelFigures:
    """Compare predicted labels with the correct ones.

    Parameters
    ----------
    gold, predicted : sequence of str
        The n correct labels, and the n predicted ones.

    Raises
    ------
    ValueError
        If their numbers differ.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted):,} predicted labels for {len(gold):,} correct ones")
    labels = tuple(sorted({*gold, *predicted}))
    C, count = len(labels), len(gold)
    index = {label: place for place, label in enumerate(labels)}
    pairs = number(index, gold, count) * C + number(index, predicted, count)
    confusion = np.bincount(pairs, minlength=C * C).reshape(C, C)
    rows = sorted(
        (_row(labels, confusion, place) for place in range(C)), key=lambda row: -row.count
    )
    right = int(np.trace(confusion))
    scored = [row.f1 for row in rows if row.count]
    return LabelFigures(
        count=count,
        right=right,
        accuracy=right / count if count else 0.0,
        interval=wilson(right, count),
        macro_f1=sum(scored) / len(scored) if scored else 0.0,
        rows=tuple(rows),
        labels=labels,
        confusion=confusion,
    )


def _row(labels: Sequence[str], confusion: Numbers, place: int) -> LabelRow:
    """Return the row of the label at an index."""
    answers = confusion[place]
    found = Matches(int(answers.sum()), int(confusion[:, place].sum()), int(answers[place]))
    wrong = answers.copy()
    wrong[place] = 0
    most = [other for other in np.argsort(-wrong, kind="stable")[:CONFUSED] if wrong[other]]
    return LabelRow(
        label=labels[place],
        count=found.gold,
        predicted=found.predicted,
        precision=found.precision,
        recall=found.recall,
        f1=found.f1,
        confused=tuple((labels[other], int(wrong[other]) / found.gold) for other in most),
    )
