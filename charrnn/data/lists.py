"""Detecting a text that is a list: many short, unrelated lines."""

import numpy as np

from charrnn.data.overlap import spread
from charrnn.text import Corpus
from charrnn.text.codes import LINE_END, to_text
from charrnn.text.sources import show_path

SAMPLE, PARTS = 200_000, 20
"""Characters that are sampled, and the number of pieces they come from."""
LEAST = 50
"""Fewest lines to judge."""
SHORT, LONG = 30, 60
"""In characters: most lines of a list are at most SHORT, and nearly all at most LONG."""
SENTENCE_ENDS = tuple(".,;:!?\u2026\u3002\uff0c\uff01\uff1f{}\"'\u201d\u2019)")
"""Last characters of lines of prose, verse or code."""


def list_notice(corpus: Corpus) -> tuple[str, ...]:
    """Return a notice if a text looks like a list; empty for most texts."""
    if not looks_like_list(corpus):
        return ()
    name = show_path(corpus.sources[0].path)
    others = f" and {len(corpus.sources) - 1:,} more look" if len(corpus.sources) > 1 else " looks"
    return (
        f"{name}{others} like a list of short, distinct lines, and is read as one text: with "
        "--lines, each line is a separate item, and sample generates new ones",
    )


def looks_like_list(corpus: Corpus) -> bool:
    """Return whether a text has only short, distinct lines that are not sentences or code."""
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
