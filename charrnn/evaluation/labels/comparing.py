"""Metrics of predicted labels for every task, and the main one."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.labels.tasks import RestoringTask
from charrnn.evaluation.labels.entities import EntityFigures, entity_figures, has_entities
from charrnn.evaluation.labels.figures import LabelFigures, label_figures
from charrnn.evaluation.labels.restoration import RestorationFigures, restoration_figures

Predicted = Sequence[str] | Sequence[Sequence[str]]
"""The label of each text, or of each of its tokens or characters."""


class Figures(NamedTuple):
    """Metrics of predicted labels.

    Attributes
    ----------
    labels : LabelFigures
        Metrics over all labels.
    entities : EntityFigures, optional
        If tags mark spans.
    restored : RestorationFigures, optional
        If something was removed from the texts.
    """

    labels: LabelFigures
    entities: EntityFigures | None = None
    restored: RestorationFigures | None = None

    @property
    def main(self) -> tuple[str, float]:
        """The name and value of the metric by which predictions are compared."""
        if self.restored is not None and self.restored.found_words is not None:
            return "word F1", self.restored.found_words.f1
        if self.restored is not None:
            return "word accuracy", self.restored.words.accuracy
        if self.entities is not None:
            return "entity F1", self.entities.f1
        return "accuracy", self.labels.accuracy


def figures(task: LabelledTask, parsed: Parsed, predicted: Predicted) -> Figures:
    """Compare predicted labels with the correct ones.

    Parameters
    ----------
    task : LabelledTask
        The labelling task.
    parsed : Parsed
        The texts with their correct labels.
    predicted : sequence
        The label of each text, or of each of its tokens or characters.
    """
    if task.head == "item":
        pair = (cast(list[str], each) for each in (parsed.labels, predicted))
        return Figures(label_figures(*pair))
    gold = gold_of(parsed)
    found: Sequence[Sequence[str]] = predicted
    flat = label_figures(_joined(gold), _joined(found))
    if isinstance(task, RestoringTask):
        texts = list(zip(parsed.texts, gold, strict=True))
        return Figures(flat, restored=restoration_figures(task.kind, texts, found))
    spans = has_entities(task.labels)
    return Figures(flat, entities=entity_figures(gold, found) if spans else None)


def gold_of(parsed: Parsed) -> list[list[str]]:
    """Return the correct labels of each text, for the symbols that have one."""
    return [[label for label in some if label is not None] for some in parsed.labels]


def _joined(sequences: Sequence[Sequence[str]]) -> list[str]:
    return [label for some in sequences for label in some]
