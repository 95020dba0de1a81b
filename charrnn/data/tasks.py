"""The tasks: running text, items, and labelled text.

A task divides a text, splits it into a training part and a held-out part, and makes the training
windows.

Dimensions
    T steps per window, N streams or items per batch.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SplitMode, TrainConfig, TrainingSettings, Unit
from charrnn.data.dividing import (
    as_items,
    divide,
    division_of,
    end_of,
    last_items,
    texts_of,
)
from charrnn.data.items import Items, id_of, lengths_of, prompts_of, steps_per_epoch
from charrnn.data.labels.fitting import check_layout
from charrnn.data.labels.splitting import held_out
from charrnn.data.labels.task import LabelledTask
from charrnn.data.labels.tasks import LabelTask, RestoringTask, TagTask
from charrnn.data.lists import list_notice
from charrnn.data.overlap import overlap, overlap_of_items
from charrnn.data.sides import Sides
from charrnn.data.splits import HashedSplit, Split
from charrnn.data.streams import Streams
from charrnn.data.task import Divided, HeldByText, Task, numbered
from charrnn.errors import CorpusError
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import LINE_END, Codes

TAB = ord("\t")
MOST_TIMES = 3.0
"""For items: most that may be held out, as a multiple of the requested share."""


class RunningText(Task):
    """Predicts the next character of running text, in streams whose state is carried over."""

    other_split = "strided"

    def text(self, corpus: Corpus, val_files: int = 0) -> Divided:
        """Return the corpus unchanged; it may be a memory map."""
        border = corpus.starts[-val_files] if val_files else len(corpus)
        return Divided(corpus.codes, len(corpus) - border, self.hints)

    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return the text unchanged."""
        return codes

    def known_part(self, known: Codes) -> Codes:
        """Return all of it."""
        return known

    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return None, for a share of the characters."""
        return None

    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Hold out the end of the text, or of each stream."""
        return Sides.of(Split(len(codes), held_out, settings.split_parts), codes)

    def batches(
        self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings
    ) -> Streams:
        """Return N streams."""
        return Streams(learned, vocabulary, settings.batch_size, settings.seq_len)

    def steps_per_pass(self, learned: Codes, settings: TrainingSettings) -> float:
        """Return the number of characters divided by those of a step."""
        return len(learned) / (settings.batch_size * settings.seq_len)

    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of the characters that are in long repeats."""
        return overlap(learned, held)


class SeparateItems(Task):
    """Predicts the next character of independent items."""

    other_split = "hashed"

    def __init__(self, items: str, end: int) -> None:
        self.items, self.end = items, end

    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return the items, each followed by its end."""
        return divide(codes, self.items, self.end, starts=starts, unit=unit)

    def known_part(self, known: Codes) -> Codes:
        """Drop items that became empty."""
        return as_items(known, self.end)

    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return the number of characters of the last items, or of those with a low hash.

        Copies of an item are on the same side, so with few different items far too many might be
        held out; then none are.
        """
        if mode == "contiguous":
            return last_items(codes, fraction, self.end)
        _, held = HashedSplit(fraction, key, unit, self.end).both(codes)
        counts = [int(np.count_nonzero(part == self.end)) for part in (held, codes)]
        few_different = counts[0] > MOST_TIMES * fraction * counts[1]
        return 0 if few_different or 2 * len(held) > len(codes) else len(held)

    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Hold out the items with a low hash, the last items, or separate files."""
        if held_out and settings.split_mode == "hashed":
            split = HashedSplit(settings.val_fraction, settings.split_key, unit, self.end)
            return Sides(*split.both(codes))
        if held_out and settings.split_mode == "contiguous":
            held_out = last_items(codes, settings.val_fraction, self.end)
        return Sides.of(Split(len(codes), held_out), codes)

    def batches(self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings) -> Items:
        """Return batches of items."""
        return Items(
            learned,
            vocabulary,
            settings.batch_size,
            settings.seq_len,
            settings.random_seed,
            self.end,
        )

    def steps_per_pass(self, learned: Codes, settings: TrainingSettings) -> float:
        """Return the number of batches per epoch."""
        return max(1, steps_per_epoch(learned, settings.batch_size, settings.seq_len, self.end))

    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of the held-out items that are in the training part too."""
        return overlap_of_items(learned, held, self.end)

    def first(self, vocabulary: Vocabulary) -> int:
        """Return the id of the end, which also precedes the first symbol."""
        return id_of(vocabulary, self.end)


class PromptedItems(HeldByText, SeparateItems):
    """Items with a prompt, up to a tab or the end of the first line, which is not predicted.

    A model learns to generate a text for a label, or an answer to a question: one-to-many.
    """

    @property
    def border(self) -> int:
        """The code that ends a prompt."""
        return TAB if self.items == "line" else LINE_END

    @property
    def border_name(self) -> str:
        """The name of that code."""
        return "a tab" if self.items == "line" else "the first newline"

    def text(self, corpus: Corpus, val_files: int = 0) -> Divided:
        """Return the divided text of a corpus; see ``Task``.

        Raises
        ------
        CorpusError
            If an item has no prompt.
        """
        divided = super().text(corpus, val_files)
        without = self.prompts(divided.codes) == 0
        if without.any():
            first = texts_of(divided.codes, self.end)[int(np.argmax(without))]
            raise CorpusError(
                f"--prompted: {np.count_nonzero(without):,} of {len(without):,} items have no "
                f"{self.border_name.split(' ', 1)[1]} after a prompt; the first one is "
                f"{' '.join(first.split())!r:.60}: add it, or leave out --prompted"
            )
        return divided

    def batches(self, learned: Codes, vocabulary: Vocabulary, settings: TrainingSettings) -> Items:
        """Return batches of items."""
        return Items(
            learned,
            vocabulary,
            settings.batch_size,
            settings.seq_len,
            settings.random_seed,
            self.end,
            border=self.border,
        )

    def counts(self, learned: Codes, vocabulary: Vocabulary) -> NDArray[np.int64]:
        """Return the count of each predicted symbol."""
        return vocabulary.count(self.predicted(learned))

    def prompts(self, codes: Codes) -> NDArray[np.int64]:
        """Return the length of the prompt of each item, including its border."""
        return prompts_of(codes, self.end, self.border)

    def copies(self, codes: Codes) -> Iterator[NDArray[np.int64]]:
        """Number the items by the text after the prompt, and then by the whole item."""
        yield numbered(item.partition(chr(self.border))[2] for item in self.items_of(codes))
        yield from super().copies(codes)

    def _both(self, codes: Codes, fraction: float, key: int) -> tuple[Codes, Codes]:
        """Split by the text after the prompt; return the training part and the held-out part."""
        items = texts_of(codes, self.end)
        texts = [item.partition(chr(self.border))[2] for item in items]
        lengths = lengths_of(codes, self.end)
        # With few answers to many questions, split by whole items, or else hold out nothing.
        for hashed in (texts, items):
            held = held_out(hashed, None, fraction, key)
            is_held = np.repeat(held, lengths)
            if 0 < held.mean() <= MOST_TIMES * fraction and 2 * is_held.sum() <= len(codes):
                return codes[~is_held], codes[is_held]
        return codes, codes[:0]


def task_of(settings: TrainingSettings, labels: Sequence[str] = ()) -> Task:
    """Return the task of a run.

    Parameters
    ----------
    settings : TrainingSettings
        The settings of the run.
    labels : sequence of str
        The predicted labels; empty for the next symbol.
    """
    if settings.predict:
        task = _labelled(settings, settings.items, settings.item_end, spaced=settings.spaced)
        return task.with_labels(labels)
    if settings.prompted:
        return PromptedItems(settings.items, settings.item_end)
    if settings.items:
        return SeparateItems(settings.items, settings.item_end)
    return RunningText()


def task_for(train: TrainConfig, corpus: Corpus) -> Task:
    """Return the task of a new run on a corpus, from the settings of the user.

    Raises
    ------
    ConfigError
        If another option fits the files.
    """
    hints, fitting = ((), "") if corpus.column else check_layout(train, corpus)
    task = _new_task(train, corpus)
    if not hints and isinstance(task, RunningText):
        hints = list_notice(corpus)
    task.hints, task.fitting = hints, fitting
    return task


def _new_task(train: TrainConfig, corpus: Corpus) -> Task:
    if train.predict in ("label", "tags"):
        end = end_of(corpus.codes, "blank-line") if train.predict == "tags" else LINE_END
        return _labelled(train, train.items or "line", end)
    items = train.items or ("line" if train.predict or train.prompted else "")
    if not items:
        return RunningText()
    division = division_of(corpus, items)
    end = end_of(corpus.codes, division)
    if train.predict:
        return _labelled(train, division, end)
    return PromptedItems(division, end) if train.prompted else SeparateItems(division, end)


def _labelled(
    train: TrainConfig | TrainingSettings, items: str, end: int, *, spaced: bool = False
) -> LabelledTask:
    if train.predict == "label":
        return LabelTask(items, train.columns or "")
    if train.predict == "tags":
        return TagTask(end, train.columns or "", spaced=spaced)
    assert train.predict
    return RestoringTask(train.predict, items, end)
