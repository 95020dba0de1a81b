"""Reading labelled text from files, in one of several layouts."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from charrnn.config.words import listing
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
from charrnn.text.sources import show_path

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
"""The prefix of a label in fastText's files."""
_FASTTEXT = re.compile(rf"{PREFIX}(\S*)\s*((?:{PREFIX}\S*(?:\s+|\Z))*)(.*)", re.DOTALL)
_EACH = "each line must be a label, a tab and a text"


def read_labelled(
    files: Sequence[tuple[str, str]],
    *,
    columns: str | None = None,
    whole_files: bool = False,
    like: Layout | None = None,
) -> tuple[list[Labelled], list[str], Layout]:
    """Read texts and their labels in the layout of the files.

    ========  =====================================================================
    csv       names end in ``.csv``; one column has the labels, another the texts
    fasttext  every line begins with ``__label__``; the first label of a line counts
    folder    several files ``Label.txt``, whose lines are texts, mostly without tabs;
              with ``whole_files``, files with one text each, in folders named after labels
    tsv       lines with a label, a tab and a text, which may have tabs
    ========  =====================================================================

    Empty lines are skipped. Spaces around a label are removed.

    Parameters
    ----------
    files : sequence of (str, str)
        The path of each file, as messages show it, and its content, with LF newlines.
    columns : str, optional
        The columns of label and text in CSV files, as in ``v1,v2``.
    whole_files : bool
        Whether each file is one text, labelled with the name of its folder.
    like : Layout, optional
        The layout of other files of the same data; for "folder", a single file is then enough.

    Returns
    -------
    items : list of Labelled
        The items in order; a text may be empty.
    notices : list of str
        Notices, one line each.
    layout : "tsv", "fasttext", "csv" or "folder"

    Raises
    ------
    ConfigError
        If ``columns`` or ``whole_files`` does not fit the files.
    CorpusError
        If a line does not fit the layout, or if there is no item.
    """
    layout = _layout_of(files, whole_files, 1 if like == "folder" else 2)
    if columns is not None and layout != "csv":
        raise ConfigError(
            f"--columns {shown(columns)} applies to CSV files, whose names end in .csv, and "
            f"{files[0][0]} is not one: leave it out"
        )
    items: list[Labelled] = []
    notices: list[str] = []
    if layout == "folder":
        items, notices = _folders(files) if whole_files else _named_files(files)
    for path, content in files if layout != "folder" else ():
        name = show_path(path)
        if layout == "csv":
            of_file = read_table(name, content, columns)
        else:
            of_file = (_fasttext if layout == "fasttext" else _tabs)(name, content)
        items.extend(of_file[0])
        notices.extend(of_file[1])
    if not items:
        raise CorpusError(f"{_names(files)}: there is no text with a label: {_EACH}")
    return items, notices, layout


def _names(files: Sequence[tuple[str, str]]) -> str:
    return listing([show_path(name) for name, _ in files], 3)


def _layout_of(files: Sequence[tuple[str, str]], whole_files: bool, fewest: int) -> Layout:
    """Return the layout of files, by their names or else by their content."""
    tables = [kind(name) == ".csv" for name, _ in files]
    if any(tables):
        table = files[tables.index(True)][0]
        if whole_files:
            raise ConfigError(
                f"--items file takes the name of the folder as the label, and {table} is CSV, with "
                "a label in each row: leave it out"
            )
        if not all(tables):
            other = files[tables.index(False)][0]
            raise ConfigError(f"{table} is CSV and {other} is not: give files of one layout")
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
            f"{other} does not end in .txt, like the files whose names are labels: leave it out, "
            "or give lines with a label, a tab and a text"
        )
    if len(files) >= fewest and all(texts) and not any(tabs):
        return "folder"
    return "tsv"


def _fasttext_lines(files: Sequence[tuple[str, str]]) -> bool:
    """Return whether the lines begin with ``__label__``.

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
        refuse_lines(name, lines, f"no {PREFIX}", "the other lines begin with it: add it")
    return count > 0 and not bad


def _has_tabs(content: str) -> bool:
    """Return whether most lines have a tab."""
    lines = [line for line in content.split("\n") if line.strip()]
    return 2 * sum("\t" in line for line in lines) > len(lines)


def _tabs(name: str, content: str) -> tuple[list[Labelled], list[str]]:
    """Read lines with a label, a tab and a text."""
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
    """Read lines of fastText, in which labels precede the text."""
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
        refuse_lines(
            name,
            unlabelled,
            f"no label after {PREFIX}",
            "write the label right after it, without a space",
        )
    notices = [f"{name}: read in fastText's layout, with labels after {PREFIX}"]
    if several:
        more = f" ({len(several):,} such lines)" if len(several) > 1 else ""
        notices.append(f"{name}, line {several[0]}: several labels{more}: only the first is used")
    return items, notices


def _in_one_line(name: str) -> str:
    """Return the name of a file as a label, with spaces for tabs and newlines."""
    return " ".join(re.split(r"[\t\r\n]", name)).strip(" ")


def _named_files(files: Sequence[tuple[str, str]]) -> tuple[list[Labelled], list[str]]:
    """Read files ``Label.txt``, in which each line is a text."""
    items = []
    for name, content in files:
        label = _in_one_line(unpacked(name).stem)
        items += [Labelled(label, line) for line in content.split("\n") if line.strip()]
    notice = f"{counted(len(files), 'file')}: each line is labelled with the name of its file"
    if all(unpacked(name).stem.isdigit() for name, _ in files):
        notice += "; use --items file to take the name of the folder"
    return items, [notice]


def _folders(files: Sequence[tuple[str, str]]) -> tuple[list[Labelled], list[str]]:
    """Read files with one text each, in folders named after the labels."""
    items = []
    num_lines = 0
    for name, content in files:
        label = _in_one_line(PurePath(name).parent.name)
        if not label or label == "..":
            raise ConfigError(
                f"{show_path(name)} is in no folder that could name its label: with --items file, "
                "give files such as pos/1.txt neg/2.txt, or the folder above pos and neg"
            )
        text = content.strip("\r\n")
        if "\n" in text:
            text = text.replace("\n", " ")
            num_lines += 1
        items.append(Labelled(label, text))
    notices = [f"{counted(len(files), 'file')}: each is labelled with the name of its folder"]
    if num_lines:
        notices.append(f"{counted(num_lines, 'text')} with newlines, which were replaced by spaces")
    return items, notices
