"""Whole characters of a text whose symbols are bytes, or the parts of letters."""

import numpy as np

from charrnn.text.codes import Codes
from charrnn.text.normalizing import starts_anew
from charrnn.text.vocabulary import Vocabulary


def whole_characters(vocabulary: Vocabulary, codes: Codes) -> list[int]:
    """Return where the characters of a text begin, and its end.

    The bytes of one character belong together, and so do the parts of a letter.

    Parameters
    ----------
    vocabulary : Vocabulary
        Knows the unit and the normal form.
    codes : (n,) int array
        The text.

    Returns
    -------
    list of int
        Ascending, from 0 to n; [0] of an empty text.
    """
    starts = np.ones(len(codes), np.bool_)
    if vocabulary.unit == "byte":
        starts[1:] = codes[1:] & 0xC0 != 0x80
    elif vocabulary.normalize == "nfd":
        starts[1:] = [starts_anew(chr(code)) for code in codes[1:].tolist()]
    return [*np.flatnonzero(starts).tolist(), len(codes)]
