"""The base class of tasks, which define what a model learns from a text.

Dimensions
    T steps per window, N streams or items per batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Head, Predicted, SplitMode, TrainingSettings, Unit
from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.data.sides import Sides
from charrnn.data.splits import Split
from charrnn.data.windows import Batches
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import LINE_END, Codes


class Divided(NamedTuple):
    """A text in the form that a task trains on, splits and scores.

    Attributes
    ----------
    codes : (n,) int array
    held_apart : int
        Number of codes at the end that come from separate held-out files.
    notices : sequence of str
        Notices for the user, one line each.
    """

    codes: Codes
    held_apart: int
    notices: Sequence[str] = ()


class Task(ABC):
    """Defines what a model learns from a text, and how the text is split, batched and scored.

    Attributes
    ----------
    items : str
        How the text is divided, see ``divide``; empty for running text.
    end : int
        The code that ends an item.
    other_split : str
        The name of the split that holds out parts from all over the text.
    predict : str
        What is predicted; empty for the next symbol.
    labels : tuple of str
        The predicted labels; empty for the next symbol.
    head : "step" or "item"
        Whether there is a prediction at each step, or one per item.
    hints : tuple of str
        Notices about the files of a new run, one line each.
    fitting : str
        The option that would fit if nothing can be learned as requested.
    """

    items: str = ""
    end: int = LINE_END
    other_split: ClassVar[SplitMode]
    predict: Predicted = ""
    labels: tuple[str, ...] = ()
    head: Head = "step"
    hints: tuple[str, ...] = ()
    fitting: str = ""

    @property
    def separate(self) -> bool:
        """Whether the text is divided into items, each read from a zero state."""
        return bool(self.items)

    @abstractmethod
    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return a text in the form that is trained on, split and scored."""

    def text(self, corpus: Corpus, val_files: int = 0) -> Divided:
        """Return the divided text of a corpus.

        Parameters
        ----------
        corpus : Corpus
            The text.
        val_files : int
            Number of files at the end that are held out.
        """
        codes, starts, unit = corpus.codes, corpus.starts, corpus.unit
        if not val_files:
            return Divided(self.divided(codes, starts, unit), 0, self.hints)
        border = starts[-val_files]
        learned = self.divided(codes[:border], starts[:-val_files], unit)
        later = [start - border for start in starts[-val_files:]]
        held = self.divided(codes[border:], later, unit)
        return Divided(np.concatenate([learned, held]), len(held), self.hints)

    @abstractmethod
    def known_part(self, known: Codes) -> Codes:
        """Return a valid divided text, given one from which some symbols were removed."""

    @abstractmethod
    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return the number of held-out characters; None for ``fraction`` of the text."""

    @abstractmethod
    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Split a divided text."""

    def counts(self, learned: Codes, vocabulary: Vocabulary) -> NDArray[np.int64]:
        """Return the counts (C,) of the C possible predictions in a training part."""
        return vocabulary.count(learned)

    @abstractmethod
    def batches(
        self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings
    ) -> Batches:
        """Return the windows of a training part."""

    @abstractmethod
    def steps_per_pass(self, learned: Codes, settings: TrainingSettings) -> float:
        """Return the number of steps per pass over a training part."""

    @abstractmethod
    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of a held-out text that is also in the training part."""

    def first(self, vocabulary: Vocabulary) -> int | None:
        """Return the id of the symbol that begins and ends an item; None for running text."""
        return None

    def copies(self, codes: Codes) -> Iterator[NDArray[np.int64]]:
        """Number the items of a divided text, with one number for all copies of an item.

        Yields
        ------
        (items,) int array
            Different items are numbered from 0 in the order of the text. If several things may
            count as copies, there is an array for each, from wide to narrow.
        """
        yield numbered(self.items_of(codes))

    def items_of(self, codes: Codes) -> Iterator[str]:
        """Yield the items of a divided text, without their ends."""
        for chunk in chunks_of_items(codes, self.end):
            yield from texts_of(chunk, self.end)

    def prompts(self, codes: Codes) -> NDArray[np.int64] | None:
        """Return the number of symbols of each item that are read and not predicted, or None."""
        return None

    def predicted(self, codes: Codes) -> Codes:
        """Return a divided text without its prompts."""
        prompts = self.prompts(codes)
        if prompts is None:
            return codes
        kept: Codes = codes[~in_prompts(codes, self.end, prompts)]
        return kept


def numbered(texts: Iterable[str]) -> NDArray[np.int64]:
    """Number texts from 0 in their order, with one number for equal texts."""
    hashes = np.fromiter(map(hash, texts), np.int64)  # the texts themselves may not fit in memory
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    numbers: NDArray[np.int64] = ranks[inverse]
    return numbers


def in_prompts(codes: Codes, end: int, prompts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each symbol of a divided text is in the prompt of its item."""
    ends = np.flatnonzero(codes == end)
    starts = np.concatenate([[0], ends[:-1] + 1])
    change = np.zeros(len(codes) + 1, np.int64)
    change[starts] += 1
    change[starts + prompts] -= 1
    inside: NDArray[np.bool_] = np.cumsum(change[:-1]) > 0
    return inside


class HeldByText(Task):
    """A task whose items are held out by the hash of their text."""

    @abstractmethod
    def _both(self, codes: Codes, fraction: float, key: int) -> tuple[Codes, Codes]:
        """Return the training part and the held-out part."""

    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return the number of held-out characters."""
        return len(self._both(codes, fraction, key)[1])

    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Hold out the items whose text has a low hash, or separate files."""
        if held_out and settings.split_mode == "hashed":
            return Sides(*self._both(codes, settings.val_fraction, settings.split_key))
        return Sides.of(Split(len(codes), held_out), codes)
