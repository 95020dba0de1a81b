"""Labelled text as it lies in files: which of the known layouts it has, and its items."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from charrnn.data.labels.items import (
    Labelled,
    Layout,
    Tagged,
    from_lines,
    from_sentences,
    to_lines,
    to_sentences,
)
from charrnn.data.labels.names import kind, unpacked
from charrnn.data.labels.sentences import read_tagged
from charrnn.data.labels.tables import read_table
from charrnn.data.labels.wording import OF_PLAIN_TEXT, counted, refuse_lines, shown
from charrnn.errors import ConfigError, CorpusError

__all__ = [
    "Labelled",
    "Layout",
    "Tagged",
    "from_lines",
    "from_sentences",
    "read_labelled",
    "read_tagged",
    "to_lines",
    "to_sentences",
]

PREFIX = "__label__"
"""What a label begins with in fastText's files."""
_FASTTEXT = re.compile(rf"{PREFIX}(\S*)\s*((?:{PREFIX}\S*(?:\s+|\Z))*)(.*)", re.DOTALL)
_EACH = "each line is a label, a tab, a text"


def read_labelled(
    files: Sequence[tuple[str, str]],
    *,
    columns: str | None = None,
    whole_files: bool = False,
    like: Layout | None = None,
) -> tuple[list[Labelled], list[str], Layout]:
    """Read texts and their labels, in the layout that the files have.

    ========  =====================================================================
    csv       names end in ``.csv``; a column has the labels, another the texts
    fasttext  every line begins with ``__label__``; the first label of a line counts
    folder    several files ``Label.txt``, whose lines are texts, without tabs in most;
              with ``whole_files``, files that are a text each, in folders named as labels
    tsv       lines of a label, a tab, a text, which may have tabs
    ========  =====================================================================

    Empty lines are passed over. The spaces around a label are no part of it.

    Parameters
    ----------
    files : sequence of (str, str)
        Of each its path, as messages show it, and its content, with LF line ends.
    columns : str, optional
        The columns of label and text in CSV files, as in ``v1,v2``.
    whole_files : bool
        Whether a file is one text, and the name of its folder the label.
    like : Layout, optional
        What other files of the same data have: of "folder", one file may be alone.

    Returns
    -------
    items : list of Labelled
        In their order; a text may be empty.
    notices : list of str
        One line each.
    layout : "tsv", "fasttext", "csv" or "folder"

    Raises
    ------
    ConfigError
        If ``columns`` or ``whole_files`` does not fit the files.
    CorpusError
        If a line is not what the others are, or if there is no item.
    """
    layout = _layout_of(files, whole_files, 1 if like == "folder" else 2)
    if columns is not None and layout != "csv":
        raise ConfigError(
            f"--columns {shown(columns)} is for CSV files, whose names end in .csv, and "
            f"{files[0][0]} is none: leave it out"
        )
    items: list[Labelled] = []
    notices: list[str] = []
    if layout == "folder":
        items, notices = _folders(files) if whole_files else _named_files(files)
    for name, content in files if layout != "folder" else ():
        if layout == "csv":
            of_file = read_table(name, content, columns)
        else:
            of_file = (_fasttext if layout == "fasttext" else _tabs)(name, content)
        items.extend(of_file[0])
        notices.extend(of_file[1])
    if not items:
        raise CorpusError(f"{_names(files)}: no text with a label: {_EACH}")
    return items, notices, layout


def _names(files: Sequence[tuple[str, str]]) -> str:
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    return ", ".join(name for name, _ in files[:3]) + more


def _layout_of(files: Sequence[tuple[str, str]], whole_files: bool, fewest: int) -> Layout:
    """Return which layout files have: by their names, else by what they hold."""
    tables = [kind(name) == ".csv" for name, _ in files]
    if any(tables):
        table = files[tables.index(True)][0]
        if whole_files:
            raise ConfigError(
                f"--items file takes a label from the name of a folder, and {table} is CSV, with "
                "a label in each row: leave it out"
            )
        if not all(tables):
            other = files[tables.index(False)][0]
            raise ConfigError(f"{table} is CSV and {other} is none: give files of one layout")
        return "csv"
    if whole_files:
        return "folder"
    if _fasttext_lines(files):
        return "fasttext"
    texts = [kind(name) == ".txt" for name, _ in files]
    tabs = [_has_tabs(content) for _, content in files]
    if sum(texts) >= 2 and not all(texts) and not any(tabs):
        other = files[texts.index(False)][0]
        raise ConfigError(
            f"{other} is no .txt among files whose names would be labels: leave it out, or give "
            "lines of a label, a tab, a text"
        )
    if len(files) >= fewest and all(texts) and not any(tabs):
        return "folder"
    return "tsv"


def _fasttext_lines(files: Sequence[tuple[str, str]]) -> bool:
    """Return whether lines begin with ``__label__``.

    Raises
    ------
    CorpusError
        If most do and some do not.
    """
    count, bad = 0, []
    for name, content in files:
        for number, line in enumerate(content.split("\n"), 1):
            if line.startswith(PREFIX):
                count += 1
            elif line.strip():
                bad.append((name, number))
    if count > len(bad) > 0:
        name = bad[0][0]
        lines = [number for own, number in bad if own == name]
        refuse_lines(name, lines, f"no {PREFIX}", "the other lines begin with it: give it to all")
    return count > 0 and not bad


def _has_tabs(content: str) -> bool:
    """Return whether most lines have a tab."""
    lines = [line for line in content.split("\n") if line.strip()]
    return 2 * sum("\t" in line for line in lines) > len(lines)


def _tabs(name: str, content: str) -> tuple[list[Labelled], list[str]]:
    """Read lines of a label, a tab, a text."""
    items: list[Labelled] = []
    bare: list[int] = []
    unlabelled: list[int] = []
    for number, line in enumerate(content.split("\n"), 1):
        label, tab, text = line.partition("\t")
        label = label.strip(" ")
        if tab and label:
            items.append(Labelled(label, text))
        elif line.strip():
            (unlabelled if tab else bare).append(number)
    if bare:
        plain = "" if items else f"; {OF_PLAIN_TEXT}"
        refuse_lines(name, bare, "no tab", f"{_EACH}{plain}")
    if unlabelled:
        refuse_lines(name, unlabelled, "no label before the tab", _EACH)
    return items, []


def _fasttext(name: str, content: str) -> tuple[list[Labelled], list[str]]:
    """Read fastText's lines, in which labels stand before the text."""
    items: list[Labelled] = []
    several: list[int] = []
    unlabelled: list[int] = []
    for number, line in enumerate(content.split("\n"), 1):
        found = _FASTTEXT.match(line)
        if found is None:
            continue
        label, others, text = found.groups()
        if others:
            several.append(number)
        if not label:
            unlabelled.append(number)
        items.append(Labelled(label, text))
    if unlabelled:
        refuse_lines(name, unlabelled, f"no label behind {PREFIX}", "write one without a space")
    notices = [f"{name}: fastText's layout, a label is what follows {PREFIX}"]
    if several:
        more = f" ({len(several):,} such lines)" if len(several) > 1 else ""
        notices.append(
            f"{name}, line {several[0]}: several labels{more}: the first is learned, the others "
            "are left out"
        )
    return items, notices


def _in_one_line(name: str) -> str:
    """Return the name of a file as a label: tabs and line ends, which divide, are spaces."""
    return " ".join(re.split(r"[\t\r\n]", name)).strip(" ")


def _named_files(files: Sequence[tuple[str, str]]) -> tuple[list[Labelled], list[str]]:
    """Read files ``Label.txt``, each line a text."""
    items = []
    for name, content in files:
        label = _in_one_line(unpacked(name).stem)
        items += [Labelled(label, line) for line in content.split("\n") if line.strip()]
    notice = f"{counted(len(files), 'file')}: each line has its file's name as its label"
    if all(unpacked(name).stem.isdigit() for name, _ in files):
        notice += "; --items file takes the name of its folder"
    return items, [notice]


def _folders(files: Sequence[tuple[str, str]]) -> tuple[list[Labelled], list[str]]:
    """Read files that are a text each, in a folder that is named as their label."""
    items = []
    num_lines = 0
    for name, content in files:
        label = _in_one_line(PurePath(name).parent.name)
        if not label or label == "..":
            raise ConfigError(
                f"{name} lies in no folder that could name its label: with --items file, give "
                "files as in pos/1.txt neg/2.txt, or the folder above pos and neg"
            )
        text = content.strip("\r\n")
        if "\n" in text:
            text = text.replace("\n", " ")
            num_lines += 1
        items.append(Labelled(label, text))
    notices = [f"{counted(len(files), 'file')}: each has its folder's name as its label"]
    if num_lines:
        notices.append(f"{counted(num_lines, 'text')} with line ends, which are read as spaces")
    return items, notices
