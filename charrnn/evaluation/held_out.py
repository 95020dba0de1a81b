"""What scores the held-out part of a text, or a sample of it."""

import numpy as np
from numpy.typing import NDArray

from charrnn.data.items import as_lines, line_end_id
from charrnn.data.sides import Sides
from charrnn.evaluation.scorers import AnyScorer, ColdScorer, Scorer
from charrnn.text import Vocabulary
from charrnn.text.vocabulary import Codes, Ids


class EncodedText:
    """The ids of a text, encoded where they are read: the text may be a memory map of many GB.

    The vocabulary knows every character of it.
    """

    def __init__(self, codes: Codes, vocabulary: Vocabulary) -> None:
        self._codes, self._vocabulary = codes, vocabulary

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, places: NDArray[np.int64]) -> Ids:
        codes = np.asarray(self._codes[places])
        return self._vocabulary.encode(codes.reshape(-1)).reshape(codes.shape)


def held_out_scorer(
    sides: Sides,
    vocabulary: Vocabulary,
    *,
    lines: bool,
    characters: int | None = None,
    marked: NDArray[np.bool_] | None = None,
) -> AnyScorer | None:
    """Return what scores the held-out side of a text, or a sample of it; None for an empty one.

    Parameters
    ----------
    sides : Sides
        What is held out.
    vocabulary : Vocabulary
        What it does not know is left out: that of a run of format 1 is of its training part.
    lines : bool
        Whether each line is an item of its own.
    characters : int, optional
        How many to score, spread over all that is held out.
    marked : (V,) bool array, optional
        See ``Scorer``.
    """
    if sides.tails:
        tails = [vocabulary.encode_known(tail)[0] for tail in sides.tails]
        tails = [tail for tail in tails if len(tail) > 1]
        if not tails:
            return None
        return ColdScorer.of_tails(tails, characters=characters, marked=marked)
    held = vocabulary.known(sides.held)
    held = as_lines(held) if lines else held
    if not len(held):
        return None
    if lines:
        ids, line_end = vocabulary.encode(held), line_end_id(vocabulary)
        return ColdScorer.of_lines(ids, line_end, characters=characters, marked=marked)
    return Scorer.of_sample(EncodedText(held, vocabulary), characters or len(held), marked=marked)
