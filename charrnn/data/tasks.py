"""The tasks that there are: running text, and items.

A task divides a text, says what of it is held out and makes the windows that a model learns from.

Dimensions
    T steps of a window, N streams or items of a batch.
"""

from collections.abc import Sequence

import numpy as np

from charrnn.config import SplitMode, TrainingSettings, Unit
from charrnn.data.dividing import as_items, divide, division_of, end_of, last_items
from charrnn.data.items import Items, id_of, steps_per_epoch
from charrnn.data.overlap import overlap, overlap_of_items
from charrnn.data.sides import Sides
from charrnn.data.splits import HashedSplit, Split
from charrnn.data.streams import Streams
from charrnn.data.task import Task
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import LINE_END, Codes

MOST_TIMES = 3.0
"""How many times the share that was asked for may be held out of a text of items."""


class RunningText(Task):
    """The next character of a text that goes on: streams of it, their state carried."""

    other_split = "strided"

    def text(self, corpus: Corpus, val_files: int = 0) -> tuple[Codes, int]:
        """Return the corpus as it is: it may be a memory map."""
        border = corpus.starts[-val_files] if val_files else len(corpus)
        return corpus.codes, len(corpus) - border

    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return the text as it is."""
        return codes

    def known_part(self, known: Codes) -> Codes:
        """Return all of it."""
        return known

    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return None: a share of the characters."""
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
        """Return the characters over those of a step."""
        return len(learned) / (settings.batch_size * settings.seq_len)

    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of the characters that stand in long repeats."""
        return overlap(learned, held)


class SeparateItems(Task):
    """The next character of items that have nothing to do with each other."""

    other_split = "hashed"

    def __init__(self, items: str, end: int) -> None:
        self.items, self.end = items, end

    def divided(self, codes: Codes, starts: Sequence[int], unit: Unit) -> Codes:
        """Return the items, each followed by its end."""
        return divide(codes, self.items, self.end, starts=starts, unit=unit)

    def known_part(self, known: Codes) -> Codes:
        """Leave out the items of which nothing is left."""
        return as_items(known, self.end)

    def held_out(
        self, codes: Codes, mode: SplitMode, fraction: float, key: int, unit: Unit
    ) -> int | None:
        """Return what the last items take, or those whose hash is low.

        Copies of an item fall on one side, so of a few different ones far too many may be held
        out: then none are.
        """
        if mode == "contiguous":
            return last_items(codes, fraction, self.end)
        _, held = HashedSplit(fraction, key, unit, self.end).both(codes)
        counts = [int(np.count_nonzero(part == self.end)) for part in (held, codes)]
        few_different = counts[0] > MOST_TIMES * fraction * counts[1]
        return 0 if few_different or 2 * len(held) > len(codes) else len(held)

    def sides(self, codes: Codes, settings: TrainingSettings, held_out: int, unit: Unit) -> Sides:
        """Hold out the items whose hash is low, the last ones, or those of files of their own."""
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
        """Return the batches of an epoch."""
        return max(1, steps_per_epoch(learned, settings.batch_size, settings.seq_len, self.end))

    def overlap(self, learned: Codes, held: Codes) -> float:
        """Return the share of the items that are learned too."""
        return overlap_of_items(learned, held, self.end)

    def first(self, vocabulary: Vocabulary) -> int:
        """Return the id of the end: it also stands before the first symbol."""
        return id_of(vocabulary, self.end)


def task_of(items: str, end: int) -> Task:
    """Return the task of a run: ``items`` is empty for running text."""
    return SeparateItems(items, end) if items else RunningText()


def task_for(items: str, corpus: Corpus) -> Task:
    """Return the task of a new run on a corpus; ``items`` is what the user gave, if anything."""
    if not items:
        return task_of("", LINE_END)
    division = division_of(corpus, items)
    return task_of(division, end_of(corpus.codes, division))
