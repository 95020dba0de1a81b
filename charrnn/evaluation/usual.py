"""The default way to score a text, shared by validation and evaluation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.data.labels.task import LabelledTask
from charrnn.data.task import Task
from charrnn.evaluation.labels.scorer import LONGEST, LabelScorer
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import Scorer, TextScorer
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes
from charrnn.text.vocabulary import Ids


class EncodedText:
    """The ids of a text, encoded on access: the text may be a memory map of many GB.

    The vocabulary must have every character of the text.

    Parameters
    ----------
    codes : (m,) int array
        The text.
    vocabulary : Vocabulary
    before : (b,) int array, optional
        Ids before the text.
    """

    def __init__(self, codes: Codes, vocabulary: Vocabulary, before: Ids | None = None) -> None:
        self._codes, self._vocabulary = codes, vocabulary
        self._before = np.empty(0, vocabulary.dtype) if before is None else before

    def __len__(self) -> int:
        return len(self._before) + len(self._codes)

    def __getitem__(self, places: NDArray[np.int64]) -> Ids:
        b = len(self._before)
        codes = np.asarray(self._codes[np.maximum(places - b, 0)])
        ids = self._vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)
        if b:
            ids = np.where(places < b, self._before[np.minimum(places, b - 1)], ids)
        return ids


def scorer_for(
    codes: Codes,
    vocabulary: Vocabulary,
    *,
    task: Task,
    tails: Sequence[Codes] = (),
    characters: int | None = None,
    marked: NDArray[np.bool_] | None = None,
    seq_len: int = LONGEST,
) -> Scorer | None:
    """Return a scorer of a text for a task: of its labels, or the one of ``usual_scorer``.

    At most ``seq_len`` symbols of a labelled text are read at once, as in training.
    """
    if not isinstance(task, LabelledTask):
        return usual_scorer(
            codes, vocabulary, task=task, tails=tails, characters=characters, marked=marked
        )
    examples = task.judged(codes, vocabulary)
    return LabelScorer(examples, characters, seq_len) if examples.scored.any() else None


def usual_scorer(
    codes: Codes,
    vocabulary: Vocabulary,
    *,
    task: Task,
    tails: Sequence[Codes] = (),
    characters: int | None = None,
    marked: NDArray[np.bool_] | None = None,
) -> TextScorer | None:
    """Return a scorer of a text or a sample of it; None if the model knows none of its characters.

    Parameters
    ----------
    codes : (m,) int array
        The text, divided as the task requires. Unknown characters are left out.
    vocabulary : Vocabulary
        The model's.
    task : Task
        The model's, which says whether the text is items.
    tails : sequence of int arrays
        The same text as ends of streams, each preceded by one more character; see ``Sides``.
    characters : int, optional
        How many to score, spread over the whole text.
    marked : (V,) bool array, optional
        See ``TextScorer``.
    """
    pieces = _pieces(codes, vocabulary, task, tails, characters)
    return None if pieces is None else TextScorer(pieces, marked=marked)


def _pieces(
    codes: Codes,
    vocabulary: Vocabulary,
    task: Task,
    tails: Sequence[Codes],
    characters: int | None,
) -> Pieces | None:
    if tails:
        known_tails = [vocabulary.encode_known(tail)[0] for tail in tails]
        known_tails = [tail for tail in known_tails if len(tail) > 1]
        return Pieces.tails(known_tails, characters) if known_tails else None
    known = task.known_part(vocabulary.known(codes))
    if not len(known):
        return None
    end = task.first(vocabulary)
    if end is not None:
        prompts = task.prompts(known)
        return Pieces.items(vocabulary.encode(known), end, characters, prompts)
    return Pieces.sample(EncodedText(known, vocabulary), characters or len(known))
