"""Evaluating a model that labels: metrics, and opponents on the same text."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.labels.tasks import LabelTask
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation.labels.comparing import Figures, figures
from charrnn.evaluation.labels.entities import EntityFigures
from charrnn.evaluation.labels.figures import LabelFigures
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.refitting import as_fitted
from charrnn.evaluation.labels.restoration import RestorationFigures
from charrnn.evaluation.labels.rivals import Rival, rivals
from charrnn.evaluation.provenance import provenance_of
from charrnn.evaluation.verdict import NOTABLE_OVERLAP
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus
from charrnn.text.codes import Codes
from charrnn.views.numbers import percent


@dataclass(frozen=True)
class LabelEvaluation:
    """The result of evaluating a model that labels.

    Attributes
    ----------
    predict : str
        What is predicted; see ``TrainConfig``.
    texts : int
    characters : int
        Total over all texts.
    nats : float or None
        The mean negative log-probability of the correct label, over labels that the model knows;
        None if it knows none of them.
    uniform_nats : float
        The same for equally likely labels.
    labels : LabelFigures
        Metrics of the labels of texts, tokens or characters.
    entities : EntityFigures, optional
        If the tags mark spans.
    restored : RestorationFigures, optional
        If the labels restore something that was removed from a text.
    unknown_labels : dict of str to int
        Correct labels that the model does not know, and so cannot predict.
    protocol : str
        What was compared, in a sentence.
    fitted_here : bool
        Whether weights of the model were fitted on this text, so that the metrics are optimistic.
    seconds : float
    overlap : float, optional
        Share of the texts that the model or its n-grams were trained on, if that is known.
    rivals : tuple of Rival
        Opponents on the same text, the best first; empty if not requested.
    notices : tuple of str
        Messages for the user, one line each.
    """

    predict: str
    texts: int
    characters: int
    nats: float | None
    uniform_nats: float
    labels: LabelFigures
    entities: EntityFigures | None
    restored: RestorationFigures | None
    unknown_labels: dict[str, int]
    protocol: str
    fitted_here: bool
    seconds: float
    overlap: float | None = None
    rivals: tuple[Rival, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def main(self) -> tuple[str, float]:
        """The name and value of the metric that is compared with opponents."""
        return Figures(self.labels, self.entities, self.restored).main

    @property
    def comparison(self) -> str:
        """A sentence that compares the model with its opponents; empty without them."""
        if not self.rivals:
            return ""
        name, own = self.main
        best = self.rivals[0]
        points = 100 * abs(own - best.main)
        within = ""
        if name == "accuracy" and points < 100 * self.labels.interval:
            within = ", which may be chance: the confidence interval on this text is wider"
        if own == best.main == 0:
            return "no label is predicted correctly, by the model or its opponents"
        if own == best.main:
            return f"the model ties with {best.name}"
        if own > best.main:
            return f"the model is best: its {name} is {points:.1f} points above {best.name}{within}"
        why = within or ": train longer, or on more text"
        return f"{best.name} is better by {points:.1f} points of {name}{why}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        name, value = self.main
        return {
            "predict": self.predict,
            "texts": self.texts,
            "characters": self.characters,
            "nats": self.nats,
            "uniform_nats": self.uniform_nats,
            "main": {"name": name, "value": value},
            "labels": self.labels.to_json(),
            "entities": self.entities and self.entities.to_json(),
            "restored": self.restored and self.restored.to_json(),
            "unknown_labels": self.unknown_labels,
            "protocol": self.protocol,
            "fitted_here": self.fitted_here,
            "seconds": self.seconds,
            "overlap": self.overlap,
            "rivals": [rival.to_json() for rival in self.rivals],
            "comparison": self.comparison,
            "notices": list(self.notices),
        }


def evaluate_labels(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    model: Predictor | None = None,
    corpus: Corpus | None = None,
    columns: str | None = None,
    baselines: bool = False,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
) -> LabelEvaluation:
    """Compare the labels that a model predicts with those of a text.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint of a model that labels.
    paths : sequence of str
        The files that ``corpus`` was read from.
    model : Predictor, optional
        Its network, if already loaded.
    corpus : Corpus, optional
        The text, in the form of the training text; by default the run's held-out part.
    columns : str, optional
        The columns of label and text in a table, if they differ from training.
    baselines : bool
        Whether opponents label it too; they are trained on the texts that the model was.
    threads, stdin, cache_dir
        As for ``evaluate_checkpoint``.

    Raises
    ------
    CorpusError
        If the text cannot be read, has no label, or the run's own text is not found.
    """
    task = checkpoint.task
    assert isinstance(task, LabelledTask)
    if columns is not None:
        if corpus is None or not isinstance(task, LabelTask):
            raise ConfigError("--columns applies to a FILE and a model that predicts labels")
        task = task.with_columns(columns)
    fitted_here = bool(checkpoint.mixture) and (corpus is None or _is_held_out(checkpoint, corpus))
    fitted = _fitted_words(checkpoint) if fitted_here else ""
    texts = _texts(checkpoint, task, corpus, paths, cache_dir, baselines)
    parsed, train = task.parse(texts.codes), texts.train
    if not parsed.texts:
        raise CorpusError("there is nothing to score: the text has no item with a label")
    if corpus is None and train is not None:
        checkpoint = as_fitted(checkpoint, train)
    start = time.perf_counter()
    labeller = Labeller(checkpoint, model, threads=threads)
    found, predicted = labeller.predictions(parsed)
    seconds = time.perf_counter() - start
    judged = figures(task, parsed, predicted)
    known, unknown = _costs(task, parsed, found)
    shown: Sequence[Rival] = ()
    if baselines:
        assert train is not None
        shown = rivals(task, task.parse(train), parsed)
    return LabelEvaluation(
        predict=task.predict,
        texts=len(parsed.texts),
        characters=sum(map(len, parsed.texts)),
        nats=float(known.mean()) if len(known) else None,
        uniform_nats=log(len(task.labels)),
        labels=judged.labels,
        entities=judged.entities,
        restored=judged.restored,
        unknown_labels=unknown,
        protocol=f"{texts.what}{fitted}; {_way(task, judged.entities is not None)}",
        fitted_here=fitted_here,
        seconds=seconds,
        overlap=texts.overlap,
        rivals=tuple(shown),
        notices=texts.notices,
    )


class _Texts(NamedTuple):
    """The text to label, its name, what was trained on, what of it is in there, and notices."""

    codes: Codes
    what: str
    train: Codes | None
    overlap: float | None
    notices: tuple[str, ...]


def _costs(task: LabelledTask, parsed: Parsed, found: Array) -> tuple[Array, dict[str, int]]:
    """Return the nats of each known correct label, and the counts of unknown ones."""
    numbers = {label: number for number, label in enumerate(task.labels)}
    flat = [
        label for some in parsed.labels for label in ([some] if isinstance(some, str) else some)
    ]
    left_out = task.not_judged(np.array([len(text) for text in parsed.texts], np.int64))
    certain = set(left_out.tolist())
    known = (place for place, label in enumerate(flat) if label in numbers)
    rows = [place for place in known if place not in certain]
    unknown: dict[str, int] = {}
    for label in flat:
        if label is not None and label not in numbers:
            unknown[label] = unknown.get(label, 0) + 1
    right = [numbers[flat[place]] for place in rows]  # type: ignore[index]
    return -found[rows, right], unknown


def _texts(
    checkpoint: Checkpoint,
    task: LabelledTask,
    corpus: Corpus | None,
    paths: Sequence[str | Path],
    cache_dir: Path | None,
    baselines: bool,
) -> _Texts:
    if corpus is None:
        if not checkpoint.held_out:
            raise CorpusError(
                "nothing was held out of training: name a file to score, as in: charrnn eval FILE"
            )
        own, notices = find_own_text(checkpoint, cache_dir=cache_dir)
        sides = checkpoint.sides(own)
        shared = task.overlap(sides.learned, sides.held)
        what = "the part held out of training"
        return _Texts(sides.held, what, sides.learned, shared, tuple(notices))
    provenance = provenance_of(checkpoint, corpus, paths, cache_dir)
    own_text = provenance.own
    if own_text is None and baselines:
        own_text, _ = find_own_text(
            checkpoint,
            cache_dir=cache_dir,
            advice="the baselines are trained on it: put it back, or leave out --baselines",
        )
    divided, learned, shared = task.text(corpus), None, 0.0
    notices = [*corpus.notices, *provenance.notices]
    if own_text is not None:
        sides = checkpoint.sides(own_text)
        learned = sides.both if checkpoint.refitted else sides.learned
        shared = task.overlap(learned, divided.codes)
    if provenance.learned and checkpoint.refitted:
        notices.append("the n-grams that the model is mixed with were trained on all of this text")
    elif shared >= NOTABLE_OVERLAP and not provenance.learned:
        notices.append(
            f"{percent(shared, 0)} of these texts are also in training, so the metrics partly "
            "measure how well the model memorized them"
        )
    notices += divided.notices
    overlap = None if learned is None else shared
    return _Texts(divided.codes, "the whole text", learned, overlap, tuple(notices))


def _is_held_out(checkpoint: Checkpoint, corpus: Corpus) -> bool:
    """Return whether a text has a file that was completely held out."""
    number = checkpoint.settings.val_files
    held = {source.sha256 for source in checkpoint.sources[-number:]} if number else set()
    return any(source.sha256 in held for source in corpus.sources)


def _fitted_words(checkpoint: Checkpoint) -> str:
    """Return what was fitted on the held-out part, and what a fair test would be."""
    what = "weights of the mixture were" if len(checkpoint.mixture) > 1 else "temperature was"
    ngrams = ", with n-grams of the training part alone" if checkpoint.refitted else ""
    return (
        f"{ngrams}, on which the best state was chosen and the {what} fitted: for a fair test, run "
        "charrnn eval FILE with texts that are not in the corpus"
    )


def _way(task: LabelledTask, spans: bool) -> str:
    """Return what is compared, in words."""
    if task.predict == "label":
        return (
            f"one of {len(task.labels):,} labels per text; macro-F1 is the mean over the "
            "labels that occur"
        )
    if task.predict == "tags":
        how = "; an entity is correct if its borders and type are (strict IOB2)" if spans else ""
        return f"one of {len(task.labels):,} tags per token{how}"
    return f"{task.predict} removed and restored, one of {len(task.labels):,} labels per character"
