"""Labelling texts with a checkpoint's model: labels, tags, or removed characters.

Dimensions
    k texts, n symbols in all texts, C labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.labels.tasks import LabelTask, RestoringTask, TagTask
from charrnn.errors import ConfigError
from charrnn.evaluation.labels.bio import decode
from charrnn.evaluation.labels.chained import rows_with_labels
from charrnn.evaluation.labels.mixture import chain_of, mixed
from charrnn.evaluation.labels.predicting import log_probabilities
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.normalizing import normalized


@dataclass(frozen=True)
class LabelledText:
    """A text with its most likely labels.

    Attributes
    ----------
    text : str
    labels : dict of str to float
        Labels with their probabilities, the most likely first.
    """

    text: str
    labels: dict[str, float]

    @property
    def label(self) -> str:
        """The most likely label."""
        return next(iter(self.labels))


@dataclass(frozen=True)
class TaggedText:
    """A sentence with a tag for each token.

    Attributes
    ----------
    tokens, tags : tuple of str
    probabilities : tuple of float
        The marginal probability of each tag.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    probabilities: tuple[float, ...]


class Predictions(NamedTuple):
    """Predictions for texts.

    Attributes
    ----------
    log_probabilities : (k, C) or (n, C) array
        The log-probability of every label for each text, or for each symbol separately.
    labels : list of str, or of lists of str
        The most likely label of each text, or the most likely consistent labels of its tokens or
        characters.
    """

    log_probabilities: Array
    labels: list[str] | list[list[str]]


class Labeller:
    """Labels texts.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint of a model that predicts labels.
    model : Predictor, optional
        Its network, if already loaded.
    threads : int
        Number of workers; no effect on the result.

    Raises
    ------
    ConfigError
        If the model predicts the next character.
    """

    def __init__(
        self, checkpoint: Checkpoint, model: Predictor | None = None, *, threads: int = 1
    ) -> None:
        task = checkpoint.task
        if not isinstance(task, LabelledTask):
            raise ConfigError(
                "this model predicts the next character: train one with --predict label, tags, "
                "spaces, case, marks or accents"
            )
        self.task, self._vocabulary, self._checkpoint = task, checkpoint.vocabulary, checkpoint
        self._model = model or checkpoint.model()
        self._seq_len, self._threads = checkpoint.settings.seq_len, threads

    def normalized(self, text: str) -> str:
        """Return a text with the model's normalization."""
        return normalized(text, self._vocabulary.normalize)

    def predictions(self, parsed: Parsed) -> Predictions:
        """Return the predictions for texts.

        Parameters
        ----------
        parsed : Parsed
            The texts. Labels mark the positions to predict; their values are ignored.
        """
        checkpoint, names = self._checkpoint, self.task.labels
        examples = self.task.encode(parsed, self._vocabulary)
        found = log_probabilities(
            self._model, examples, seq_len=self._seq_len, threads=self._threads
        )
        if self.task.head == "item":
            if weights := checkpoint.mixture:
                parts = checkpoint.kept, checkpoint.ngrams
                found = mixed(weights, self.task, found, parsed.texts, *parts)
            return Predictions(found, [names[number] for number in found.argmax(axis=1).tolist()])
        rows, lengths = rows_with_labels(parsed.labels)  # type: ignore[arg-type]
        if checkpoint.ngrams is not None:
            chain = chain_of(self.task, found, parsed, checkpoint.ngrams)
            found = found.astype(np.float64)
            found[rows], numbers = chain.predicted(checkpoint.mixture)
        elif self.task.predict == "tags":
            each = np.split(found[rows], np.cumsum(lengths)[:-1])
            numbers = np.concatenate([decode(some, names) for some in each])
        else:
            numbers = found[rows].argmax(axis=1)
        ends = np.cumsum(lengths).tolist()
        flat = [names[number] for number in numbers.tolist()]
        pairs = zip(ends, lengths.tolist(), strict=True)
        return Predictions(found, [flat[end - length : end] for end, length in pairs])

    def label(self, texts: Sequence[str], top: int = 1) -> list[LabelledText]:
        """Return each text with its most likely labels.

        Parameters
        ----------
        texts : sequence of str
            Non-empty texts.
        top : int
            Number of labels per text.
        """
        self._check(LabelTask, "label")
        if not texts:
            return []
        texts = [self.normalized(text) for text in texts]
        found = self.predictions(Parsed(texts, [""] * len(texts))).log_probabilities
        order = np.argsort(-found, axis=1, kind="stable")[:, :top]
        names = self.task.labels
        return [
            LabelledText(text, {names[number]: float(np.exp(row[number])) for number in best})
            for text, row, best in zip(texts, found, order.tolist(), strict=True)
        ]

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        """Return each sentence with its most likely consistent tags.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The tokens of each sentence; none may be empty.
        """
        self._check(TagTask, "tag")
        if not sentences:
            return []
        assert isinstance(self.task, TagTask)
        kept = [tuple(map(self.normalized, tokens)) for tokens in sentences]
        blank = [[self.task.labels[0]] * len(tokens) for tokens in kept]
        parsed = self.task.joined(kept, blank)
        found, chosen = self.predictions(parsed)
        index = {name: number for number, name in enumerate(self.task.labels)}
        tagged = []
        rows = found[rows_with_labels(parsed.labels)[0]]  # type: ignore[arg-type]
        for tokens, tags in zip(kept, chosen, strict=True):
            numbers = [index[tag] for tag in tags]
            probabilities = np.exp(rows[np.arange(len(tags)), numbers]).tolist()
            rows = rows[len(tags) :]
            tagged.append(TaggedText(tokens, tuple(tags), tuple(probabilities)))
        return tagged

    def tokens(self, sentence: str | Sequence[str]) -> tuple[str, ...]:
        """Return the tokens of a sentence: its words, or its characters if given as a str."""
        assert isinstance(self.task, TagTask)
        if isinstance(sentence, str) and self.task.spaced:
            return tuple(sentence.split())
        return tuple(sentence)

    def restore(self, texts: Sequence[str], *, keep: bool = False) -> list[str]:
        """Return texts with the most likely characters restored.

        Parameters
        ----------
        texts : sequence of str
            The texts. Any spaces, case, marks or accents that the model restores are removed first.
        keep : bool
            Whether to keep what the texts had, so that the model's predictions are only added.
        """
        self._check(RestoringTask, "restore")
        assert isinstance(self.task, RestoringTask)
        restorer = self.task.restorer
        removed = [restorer.remove(self.normalized(text)) for text in texts]
        filled = [pair for pair in removed if pair[0]]
        if not filled:
            return [bare for bare, _ in removed]
        bare, typed = map(list, zip(*filled, strict=True))
        chosen = iter(self.predictions(Parsed(bare, typed)).labels)
        restored = []
        for text, own in removed:
            labels: Sequence[str] = next(chosen) if text else []
            if keep:
                pairs = zip(own, labels, strict=True)
                labels = [b if a == restorer.neutral else a for a, b in pairs]
            restored.append(restorer.restore(text, labels))
        return restored

    def _check(self, kind: type[LabelledTask], verb: str) -> None:
        if not isinstance(self.task, kind):
            raise ConfigError(f"this model predicts {self.task.predict}: it cannot {verb} texts")
