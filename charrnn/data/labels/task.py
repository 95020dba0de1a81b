"""Labelling tasks: one label per text, or one per symbol.

Dimensions
    k texts, n symbols in total, C labels.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from charrnn.config import Head, Predicted, TextConfig, TrainingSettings, Unit
from charrnn.data.items import steps_of
from charrnn.data.labels.examples import Examples, LabelledBatches, Pieces
from charrnn.data.labels.splitting import held_out
from charrnn.data.task import Divided, HeldByText
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import Codes, to_codes, to_text

OFTEN = 2
"""A rarer symbol is read as unknown, so that the model learns to handle unknown symbols."""
NO_LABEL = -1
KEPT = 3
"""Parsed texts that are cached: a whole text, and its two sides."""


class Parsed(NamedTuple):
    """Texts and their labels.

    Attributes
    ----------
    texts : list of str
        The k texts, none of them empty.
    labels : list of str, or of lists of str or None
        The label of each text, or of each of its symbols; None for a symbol without one.
    """

    texts: list[str]
    labels: list[str] | list[list[str | None]]


class LabelledTask(HeldByText):
    """Base of labelling tasks; each text is read from a zero state.

    Attributes
    ----------
    predict : str
        What is predicted; see ``TrainConfig``.
    head : "step" or "item"
        Whether there is a label for each symbol, or one for the whole text.
    usual_directions : int
        1, or 2 if the label of a symbol depends on what follows it as well as on what precedes it.
    labels : tuple of str
        The C labels, sorted; empty until ``fitted``.
    """

    other_split = "hashed"
    head: Head
    usual_directions: int

    def __init__(self, predict: Predicted, items: str, end: int) -> None:
        self.predict, self.items, self.end = predict, items, end
        self._numbers: dict[str, int] = {}
        self._parsed: list[tuple[Codes, Parsed]] = []

    @abstractmethod
    def read(self, files: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
        """Return the texts of files in the form that this task stores, and notices.

        Parameters
        ----------
        files : sequence of (str, str)
            The name and the content of each.
        """

    @abstractmethod
    def _parse(self, stored: str) -> Parsed:
        """Return the texts and labels in the output of ``read``."""

    @abstractmethod
    def checked(self, codes: Codes, *, divided: bool = True) -> list[str]:
        """Return notices about the labels, one line each.

        Parameters
        ----------
        codes : (n,) int array
            A divided text.
        divided : bool
            Whether its texts will be divided into two parts, not by their files.

        Raises
        ------
        ConfigError
            If nothing can be learned from them.
        """

    def parse(self, codes: Codes) -> Parsed:
        """Return the texts and labels of a divided text."""
        for known, parsed in self._parsed:
            if known is codes:
                return parsed
        found = self._parse(to_text(codes))
        self._parsed[:] = [*self._parsed, (codes, found)][-KEPT:]
        return found

    def fitted(self, codes: Codes) -> Self:
        """Return the task with the labels of a divided text."""
        return self.with_labels(sorted(self.known_labels(codes)))

    def labels_of_several_texts(self, codes: Codes) -> set[str]:
        """Return the labels of more than one text in a divided text."""
        counts: Counter[str] = Counter()
        for some in self.parse(codes).labels:
            counts.update(label for label in set(_as_list(some)) if label is not None)
        return {label for label, count in counts.items() if count > 1}

    def known_labels(self, codes: Codes) -> set[str]:
        """Return the labels that occur in a divided text."""
        labels = self.parse(codes).labels
        return {label for some in labels for label in _as_list(some) if label is not None}

    def with_labels(self, labels: Sequence[str]) -> Self:
        """Return the task with these labels."""
        new = copy(self)
        new.labels = tuple(labels)
        new._numbers = {label: number for number, label in enumerate(labels)}
        return new

    def text(self, corpus: Corpus, val_files: int = 0) -> Divided:
        """Return the texts of a corpus with their labels; see ``Task``."""
        stops = (*corpus.starts[1:], len(corpus))
        files = [
            (source.path, corpus.text(start, stop))
            for source, start, stop in zip(corpus.sources, corpus.starts, stops, strict=True)
        ]
        border = len(files) - val_files
        learned, notices = self.read(files[:border])
        codes, notices = to_codes(learned), [*self.hints, *notices]
        if not val_files:
            return Divided(codes, 0, notices)
        held, more = self.read(files[border:])
        held_codes = to_codes(held)
        return Divided(np.concatenate([codes, held_codes]), len(held_codes), [*notices, *more])

    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return a text in the form that this task stores."""
        return to_codes(self.read([("text", to_text(codes))])[0])

    def known_part(self, known: Codes) -> Codes:
        """Return all of it, as no symbol is unknown."""
        return known

    def _both(self, codes: Codes, fraction: float, key: int) -> tuple[Codes, Codes]:
        """Return the training part and the held-out part."""
        texts, labels = self.parse(codes)
        whole = labels if self.head == "item" else None
        held = held_out(texts, whole, fraction, key)  # type: ignore[arg-type]
        lengths = np.diff(np.flatnonzero(codes == self.end), prepend=-1)
        is_held = np.repeat(held, lengths)
        if 2 * np.count_nonzero(is_held) > len(codes):  # too few different texts
            return codes, codes[:0]
        return codes[~is_held], codes[is_held]

    def vocabulary(self, learned: Codes, text: TextConfig) -> Vocabulary:
        """Return the symbols of the training part, and one for all others."""
        counts = Counter("".join(self.parse(learned).texts))
        often = sorted(ord(symbol) for symbol, count in counts.items() if count >= OFTEN)
        symbols = often or sorted(map(ord, counts))
        return Vocabulary(np.array(symbols, np.uint32), "char", text.normalize, has_unknown=True)

    def examples(self, codes: Codes, vocabulary: Vocabulary) -> Examples:
        """Return a divided text as ids and targets; unknown labels are not scored."""
        return self.encode(self.parse(codes), vocabulary)

    def judged(self, codes: Codes, vocabulary: Vocabulary) -> Examples:
        """Return ``examples`` for evaluation: without the labels in ``not_judged``."""
        examples = self.examples(codes, vocabulary)
        scored = examples.scored.copy()
        scored[self.not_judged(examples.lengths)] = False
        return replace(examples, scored=scored)

    def not_judged(self, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the indices of trivial labels, for texts of these lengths (k,)."""
        return lengths[:0]

    def encode(self, parsed: Parsed, vocabulary: Vocabulary) -> Examples:
        """Return texts as ids and their labels as targets."""
        texts, labels = parsed
        numbers, none = self._numbers, NO_LABEL
        flat = [label for some in labels for label in _as_list(some)]
        targets = np.array([none if x is None else numbers.get(x, none) for x in flat], np.int64)
        scored = targets != NO_LABEL
        return Examples(
            ids=vocabulary.encode(to_codes("".join(texts))),
            lengths=np.array([len(text) for text in texts], np.int64),
            targets=np.where(scored, targets, 0),
            scored=scored,
            of_texts=self.head == "item",
        )

    @abstractmethod
    def shown(self, text: str, labels: Sequence[str]) -> str:
        """Return a text with the labels of its characters in readable form."""

    def counts(self, learned: Codes, vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
        """Return the count of each label (C,)."""
        labels = self.parse(learned).labels
        found = Counter(label for some in labels for label in _as_list(some))
        return np.array([found[label] for label in self.labels], np.int64)

    def batches(
        self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings
    ) -> LabelledBatches:
        """Return batches of texts."""
        return LabelledBatches(
            self.examples(learned, vocabulary),
            learned,
            settings.batch_size,
            settings.seq_len,
            settings.random_seed,
        )

    def steps_per_pass(self, learned: Codes, settings: TrainingSettings) -> float:
        """Return the number of batches per epoch."""
        lengths = np.array([len(text) for text in self.parse(learned).texts], np.int64)
        pieces = Pieces.of_lengths(lengths, steps_of(settings.seq_len), cut=self.head == "step")
        return max(1, -(-len(pieces.texts) // settings.batch_size))

    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of the held-out texts that are in the training part too."""
        known, texts = set(self.parse(learned).texts), self.parse(held).texts
        return sum(text in known for text in texts) / max(1, len(texts))

    def texts_alone(self, codes: Codes) -> Codes:
        """Return the texts without their labels, each followed by a newline."""
        return to_codes("".join(f"{text}\n" for text in self.parse(codes).texts))

    def lengths(self, codes: Codes) -> npt.NDArray[np.int64]:
        """Return the number of symbols of each text."""
        return np.array([len(text) for text in self.parse(codes).texts], np.int64)


def _as_list(labels: str | list[str | None]) -> Sequence[str | None]:
    return [labels] if isinstance(labels, str) else labels
