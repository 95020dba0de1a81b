"""What a task is: it says what is learned from what.

Dimensions
    T steps of a window, N streams or items of a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from charrnn.config import SplitMode, TrainingSettings, Unit
from charrnn.data.sides import Sides
from charrnn.data.windows import Batches
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import LINE_END, Codes


class Task(ABC):
    """What a model learns from a text, and how that is held out, cut and scored.

    Attributes
    ----------
    items : str
        How the text is divided: see ``divide``; empty for running text.
    end : int
        The code that ends an item.
    other_split : str
        The split that holds out parts from all over the text.
    """

    items: str = ""
    end: int = LINE_END
    other_split: ClassVar[SplitMode]

    @property
    def separate(self) -> bool:
        """Whether the text is items, each read from a zero state."""
        return bool(self.items)

    @abstractmethod
    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return a text as it is learned, split and scored."""

    def text(self, corpus: Corpus, val_files: int = 0) -> tuple[Codes, int]:
        """Return the divided text of a corpus, and how much of it its last files take.

        Parameters
        ----------
        corpus : Corpus
            The text.
        val_files : int
            How many files at its end are held out.
        """
        codes, starts, unit = corpus.codes, corpus.starts, corpus.unit
        if not val_files:
            return self.divided(codes, starts, unit), 0
        border = starts[-val_files]
        learned = self.divided(codes[:border], starts[:-val_files], unit)
        later = [start - border for start in starts[-val_files:]]
        held = self.divided(codes[border:], later, unit)
        return np.concatenate([learned, held]), len(held)

    @abstractmethod
    def known_part(self, known: Codes) -> Codes:
        """Return what is left of a divided text of which some symbols were taken out."""

    @abstractmethod
    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return how many characters of a divided text are held out; None for that share of it."""

    @abstractmethod
    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Cut a divided text."""

    @abstractmethod
    def batches(
        self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings
    ) -> Batches:
        """Return the windows of a training part."""

    @abstractmethod
    def steps_per_pass(self, learned: Codes, settings: TrainingSettings) -> float:
        """Return how many steps read a training part once."""

    @abstractmethod
    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of a held-out text that is also learned from."""

    def first(self, vocabulary: Vocabulary) -> int | None:
        """Return the id of the symbol that begins and ends an item; None for running text."""
        return None
