"""The opponents of a model that labels, on the same text.

A recurrent network is worth training only if it beats a few seconds of counting. All opponents are
trained on the texts that the model was trained on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.labels.tasks import RestoringTask, TagTask
from charrnn.evaluation.labels.comparing import Predicted, figures, gold_of
from charrnn.evaluation.labels.labelling import Labelling
from charrnn.evaluation.labels.majority import majority
from charrnn.evaluation.labels.naive_bayes import naive_bayes
from charrnn.evaluation.labels.per_label_ngrams import kneser_ney_per_label
from charrnn.evaluation.labels.tagging import (
    backoff_tagger,
    likeliest_form,
    likeliest_tag,
    unchanged,
)
from charrnn.parallel.team import at_once


@dataclass(frozen=True)
class Rival:
    """The result of an opponent.

    Attributes
    ----------
    name : str
    main : float
        The metric by which it is compared; see ``Figures.main``.
    accuracy, macro_f1 : float
    nats : float, optional
        Mean nats of the correct label, over labels that the model knows. None if the opponent gives
        no probabilities, or rules out a correct label, as none of its training texts has it.
    """

    name: str
    main: float
    accuracy: float
    macro_f1: float
    nats: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return dict(vars(self))


def rivals(task: LabelledTask, train: Parsed, scored: Parsed) -> tuple[Rival, ...]:
    """Return the results of the opponents, the best first.

    Parameters
    ----------
    task : LabelledTask
        The labelling task.
    train, scored : Parsed
        The texts to train on, and the texts to label.
    """
    if isinstance(task, TagTask):
        found = list(_of_tags(task, train, scored))
    elif isinstance(task, RestoringTask):
        found = list(_of_restored(task, train, scored))
    else:
        found = list(_of_texts(task, train, scored))
    return tuple(sorted(found, key=lambda rival: -rival.main))


def _of_texts(task: LabelledTask, train: Parsed, scored: Parsed) -> Iterator[Rival]:
    pairs = list(zip(cast(list[str], train.labels), train.texts, strict=True))
    opponents = {
        "the most frequent label": majority,
        "naive Bayes on 1- to 5-grams": naive_bayes,
        "Kneser-Ney n-grams per label": kneser_ney_per_label,
    }
    found = at_once([partial(opponent, pairs, scored.texts) for opponent in opponents.values()])
    known, labels = set(task.labels), cast(list[str], scored.labels)
    gold = [(row, label) for row, label in enumerate(labels) if label in known]
    for name, labelling in zip(opponents, found, strict=True):
        nats = _nats(labelling, gold)
        yield _rival(name, task, scored, labelling.likeliest, nats)


def _of_tags(task: TagTask, train: Parsed, scored: Parsed) -> Iterator[Rival]:
    learned = list(zip(_tokens(task, train), gold_of(train), strict=True))
    sentences = _tokens(task, scored)
    opponents = {"the likeliest tag": likeliest_tag, "back-off windows": backoff_tagger}
    found = at_once([partial(opponent, learned, sentences) for opponent in opponents.values()])
    for name, predicted in zip(opponents, found, strict=True):
        yield _rival(name, task, scored, predicted)


def _tokens(task: TagTask, parsed: Parsed) -> list[tuple[str, ...]]:
    pairs = zip(parsed.texts, cast(list[list[str | None]], parsed.labels), strict=True)
    return [task.tokens_of(text, labels) for text, labels in pairs]


def _of_restored(task: RestoringTask, train: Parsed, scored: Parsed) -> Iterator[Rival]:
    learned = list(zip(train.texts, gold_of(train), strict=True))
    kind, texts = task.kind, scored.texts
    opponents: dict[str, Callable[[], Predicted]] = {"unchanged": partial(unchanged, kind, texts)}
    if kind != "spaces":
        forms = partial(likeliest_form, kind, learned, texts)
        opponents["the likeliest form of a word"] = forms
    opponents["back-off windows"] = partial(backoff_tagger, learned, texts)
    found = at_once(list(opponents.values()))
    for name, predicted in zip(opponents, found, strict=True):
        yield _rival(name, task, scored, predicted)


def _rival(
    name: str,
    task: LabelledTask,
    scored: Parsed,
    predicted: Predicted,
    nats: float | None = None,
) -> Rival:
    found = figures(task, scored, predicted)
    return Rival(name, found.main[1], found.labels.accuracy, found.labels.macro_f1, nats)


def _nats(labelling: Labelling, gold: Sequence[tuple[int, str]]) -> float | None:
    """Return the mean nats of the correct labels of rows; None if one is unknown, or none given."""
    numbers = {label: number for number, label in enumerate(labelling.labels)}
    if not gold or any(label not in numbers for _, label in gold):
        return None
    rows, right = zip(*((row, numbers[label]) for row, label in gold), strict=True)
    return abs(float(labelling.log_probabilities[rows, right].mean()))  # never -0
