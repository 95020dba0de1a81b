"""Whether a text is a list: many short lines that have little to do with each other."""

import numpy as np

from charrnn.data.overlap import spread
from charrnn.text import Corpus
from charrnn.text.codes import LINE_END, to_text
from charrnn.text.sources import show_path

SAMPLE, PARTS = 200_000, 20
"""Characters that are looked at, in so many pieces of the text."""
LEAST = 50
"""Lines below which nothing can be said."""
SHORT, LONG = 30, 60
"""Characters: most lines of a list are no longer than the one, nearly none than the other."""
SENTENCE_ENDS = tuple(".,;:!?\u2026\u3002\uff0c\uff01\uff1f{}\"'\u201d\u2019)")
"""What lines of prose, verse or programs end with."""


def list_notice(corpus: Corpus) -> tuple[str, ...]:
    """Return what to say of a text that is learned as one and looks like a list; mostly nothing."""
    if not looks_like_list(corpus):
        return ()
    name = show_path(corpus.sources[0].path)
    others = f" and {len(corpus.sources) - 1:,} more look" if len(corpus.sources) > 1 else " looks"
    return (
        f"{name}{others} like a list, of short lines that nearly all differ, and all of it is read "
        "as one text: --lines learns each line by itself, and sample draws new ones",
    )


def looks_like_list(corpus: Corpus) -> bool:
    """Return whether a text has short lines alone, which differ and are no sentences or code."""
    lines = []
    for piece in spread(corpus.codes, SAMPLE, PARTS):
        ends = np.flatnonzero(piece == LINE_END)
        if len(ends) > 1:
            whole = piece[ends[0] + 1 : ends[-1]]
            text = (
                whole.tobytes().decode("utf-8", "replace")
                if corpus.unit == "byte"
                else to_text(whole)
            )
            lines += [line.rstrip("\r") for line in text.split("\n")]
    if len(lines) < LEAST:
        return False
    lengths = np.array([len(line) for line in lines])
    blank, indented, sentences = (
        np.mean([test(line) for line in lines])
        for test in (
            lambda line: not line.strip(),
            lambda line: line[:1].isspace(),
            lambda line: line.rstrip().endswith(SENTENCE_ENDS),
        )
    )
    return bool(
        np.median(lengths) <= SHORT
        and np.quantile(lengths, 0.95) <= LONG
        and blank <= 0.01
        and indented <= 0.02
        and sentences <= 0.15
        and len(set(lines)) >= 0.8 * len(lines)
    )
