"""Recognizing the layout of files, for advice if an option does not read it."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from charrnn.data.labels.layouts import PREFIX
from charrnn.data.labels.names import kind, unpacked
from charrnn.data.labels.sentences import CONLLU_COLUMNS

Form = Literal["csv", "conllu", "fasttext", "conll", "pairs", "plain"]
"""``pairs`` are lines with a tab; ``plain`` is anything not recognized."""

FEW = 10
"""Fewest lines or files from which anything is concluded."""


def form_of(files: Sequence[tuple[str, str]]) -> Form:
    """Return the apparent layout of files, by their names or else by their content.

    Parameters
    ----------
    files : sequence of (str, str)
        The name of each file and the lines at its beginning.
    """
    kinds = {kind(name) for name, _ in files}
    if kinds == {".csv"}:
        return "csv"
    if kinds == {".conllu"}:
        return "conllu"
    blocks = [
        rows
        for _, content in files
        for blank, group in groupby(_lines(content), key=lambda line: not line.strip(" \r"))
        if not blank and (rows := list(group))
    ]
    lines = [line for rows in blocks for line in rows]
    if len(lines) < FEW:
        return "plain"
    if all(line.startswith(PREFIX) for line in lines):
        return "fasttext"
    if _is_conllu(lines):
        return "conllu"
    if 2 <= len(blocks) <= len(lines) / 2 and _are_tagged(lines):
        return "conll"
    pairs = [line.partition("\t") for line in lines if "\t" in line.lstrip("\t ")]  # not an indent
    if 2 * len(pairs) <= len(lines):
        return "plain"
    labels, texts = ({pair[side] for pair in pairs} for side in (0, 2))
    in_blocks = len(blocks) >= 2  # may be tagged sentences
    return "pairs" if not in_blocks or 2 * len(labels) <= len(texts) else "plain"


def are_named_files(files: Sequence[tuple[str, str]]) -> bool:
    """Return whether the names of files may be the labels of their content."""
    texts = [kind(name) == ".txt" for name, _ in files]
    return len(files) >= 2 and all(texts) and form_of(files) == "plain"


def are_single_texts(files: Sequence[tuple[str, str]]) -> bool:
    """Return whether files seem to have one text each, in folders named after labels.

    Their names differ only in a number, or each has one line.
    """
    folders = {unpacked(name).parent for name, _ in files}
    if len(files) < FEW or not 2 <= len(folders) <= len(files) / 4:
        return False
    stems = [unpacked(name).stem for name, _ in files]
    bare = {re.sub("[0-9]+", "", stem) for stem in stems}
    if len(set(stems)) >= 2 * FEW and len(bare) <= len(files) / FEW:  # fewer names may be ratings
        return True
    differ = len(set(stems)) > len(stems) / 2
    return differ and all("\n" not in content.strip() for _, content in files)


def _lines(content: str) -> list[str]:
    return [line for line in content.split("\n") if not line.startswith("-DOCSTART-")]


def _is_conllu(lines: Sequence[str]) -> bool:
    """Return whether lines have the ten columns of CoNLL-U."""
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return bool(rows) and all(
        len(row) == len(CONLLU_COLUMNS) and row[0][:1].isdigit() for row in rows
    )


def _are_tagged(lines: Sequence[str]) -> bool:
    """Return whether lines have equally many columns, the last with far fewer values."""
    tabs = any("\t" in line for line in lines)
    rows = [line.split("\t") if tabs else line.split() for line in lines]
    if {len(row) for row in rows} != {len(rows[0])} or len(rows[0]) < 2:
        return False
    tokens, tags = ({row[place] for row in rows} for place in (0, -1))
    return 2 * len(tags) <= len(tokens) and not any(" " in tag.strip() for tag in tags)
