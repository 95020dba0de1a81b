"""Files to train on and files to hold out: both have text, and no file is on both sides."""

import os
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.config import STDIN
from charrnn.errors import CorpusError
from charrnn.text.decoding import Findings
from charrnn.text.files import no_text_in
from charrnn.text.finding import find_files
from charrnn.text.sources import show_path

if TYPE_CHECKING:
    from charrnn.text.corpus import Corpus


def find_sides(
    paths: Sequence[str | Path],
    held_out: Sequence[str | Path],
    encoding: str,
    findings: Findings,
) -> tuple[list[str], list[str]]:
    """Return the files that the user named to train on, and those to hold out, if any.

    Raises
    ------
    CorpusError
        If a file is on both sides, or if ``find_files`` raises it.
    """
    learned = find_files(paths, encoding, findings)
    if not isinstance(held_out, str | Path) and not held_out:
        return learned, []
    held = find_files(held_out, encoding, findings)
    if STDIN in learned and STDIN in held:
        raise CorpusError(
            "standard input (-) is named twice, but can be read only once: name it once"
        )
    places = {os.path.realpath(path) for path in learned if path != STDIN}
    for path in held:
        if path != STDIN and os.path.realpath(path) in places:
            raise CorpusError(
                f"{show_path(path)} is both a file to train on and one to hold out: leave it out "
                "on one side"
            )
    return learned, held


def held_out_codes(corpus: "Corpus", number: int) -> int:
    """Return how many codes of a corpus come from its files after the first `number`.

    Raises
    ------
    CorpusError
        If one side has no text, or a file has the same content as one on the other side.
    """
    stops = (*corpus.starts[1:], len(corpus))
    full = [stop > start for start, stop in zip(corpus.starts, stops, strict=True)]
    sides = [corpus.sources[:number], corpus.sources[number:]]
    # Empty files all have the same content, which is not a leak.
    learned, held = (
        {source.sha256: source.path for source in compress(side, has_text)}
        for side, has_text in zip(sides, (full[:number], full[number:]), strict=True)
    )
    for side, with_text in zip(sides, (learned, held), strict=True):
        if not with_text:
            raise no_text_in([source.path for source in side])
    for sha256, path in held.items():
        if sha256 in learned:
            raise CorpusError(
                f"{show_path(path)}, a file to hold out, has the same content as "
                f"{show_path(learned[sha256])}, a file to train on: leave out one of them"
            )
    return len(corpus) - corpus.starts[number]
