"""Labelled texts in CSV files."""

import csv
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice

from charrnn.config.words import listing
from charrnn.data.labels.items import Labelled
from charrnn.data.labels.wording import counted, refuse_lines, shown
from charrnn.errors import ConfigError, CorpusError

LONGEST_CELL = 2**31 - 1
"""Most characters of a cell: the largest limit that ``csv`` accepts on every system."""
SURVEYED_ROWS = 1_000
"""Rows from which the label and text columns are guessed, for a message."""
_LINE_ENDS = re.compile("\r\n|\r|\n")


def read_table(name: str, content: str, columns: str | None) -> tuple[list[Labelled], list[str]]:
    """Read the items of a CSV file, and notices about them.

    The first row names the columns. The separator is the comma, semicolon or tab that occurs most
    often in it. A newline in a text or label becomes a space, and so does a tab in a label.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    content : str
        The content, with LF newlines.
    columns : str, optional
        The names of the label and text columns, separated by a comma; the default is "label,text".

    Raises
    ------
    ConfigError
        If the file does not have the columns.
    CorpusError
        If it is not a CSV file, or if a row has no label or no text.
    """
    rows = _rows(name, content)
    try:
        _, header = next(rows)
    except StopIteration:
        return [], []
    of_label, of_text = _places(name, header, columns, rows)
    items: list[Labelled] = []
    short: list[int] = []
    long: list[int] = []
    unlabelled: list[int] = []
    num_lines = num_tabs = 0
    for line, row in rows:
        if len(row) <= max(of_label, of_text):
            short.append(line)
        elif len(row) > len(header) and any(row[len(header) :]):
            long.append(line)
        else:
            label, text = row[of_label], row[of_text]
            if "\n" in text or "\r" in text:
                text = _LINE_ENDS.sub(" ", text)
                num_lines += 1
            if "\t" in label or "\n" in label or "\r" in label:
                label = _LINE_ENDS.sub(" ", label).replace("\t", " ")
                num_tabs += 1
            label = label.strip(" ")
            if not label:
                unlabelled.append(line)
            items.append(Labelled(label, text))
    wanted = counted(len(header), "column")
    if short:
        remedy = "give every row a label and a text"
        refuse_lines(name, short, f"fewer columns than the {wanted} of the first row", remedy)
    if long:
        remedy = "put texts with commas in quotation marks"
        refuse_lines(name, long, f"more columns than the {wanted} of the first row", remedy)
    if unlabelled:
        refuse_lines(name, unlabelled, "no label", "add one, or remove the row")
    notices = []
    if num_lines:
        what = counted(num_lines, "text")
        notices.append(f"{name}: {what} with newlines, which were replaced by spaces")
    if num_tabs:
        what = counted(num_tabs, "label")
        notices.append(f"{name}: {what} with tabs or newlines, which were replaced by spaces")
    return items, notices


def _rows(name: str, content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the non-blank rows, each with the number of its first line."""
    lines = content.split("\n")
    at_end = False

    def feed() -> Iterator[str]:
        nonlocal at_end
        for line in lines:
            yield line + "\n"
        at_end = True

    first = next((line for line in lines if line.strip()), "")
    reader = csv.reader(feed(), delimiter=max(",;\t", key=first.count))
    while True:
        start = reader.line_num + 1
        limit = csv.field_size_limit(LONGEST_CELL)  # a setting of the whole process
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CorpusError(
                f"{name}, line {start}: not valid CSV ({error}): repair it, or give lines with a "
                "label, a tab and a text under a name that does not end in .csv"
            ) from None
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        if at_end:  # it searched for the end of a cell up to the end of the file
            raise CorpusError(
                f"{name}, line {start}: a quoted cell is never closed: close the quotation mark, "
                "or double it if it is part of the text"
            )
        if any(map(str.strip, row)):
            yield start, row


def _places(
    name: str, header: Sequence[str], columns: str | None, rows: Iterator[tuple[int, list[str]]]
) -> tuple[int, int]:
    """Return the indices of the label and the text in a row."""
    names = [cell.strip() for cell in header]
    if columns is None:
        folded = [cell.casefold() for cell in names]
        if "label" in folded and "text" in folded:
            return folded.index("label"), folded.index("text")
        if sum(map(bool, names)) < 2:
            raise ConfigError(
                f"{name} has only the column {_listed(names)}: the first row of a CSV file must "
                "name a label and a text column"
            )
        guess = _guessed(names, [row for _, row in islice(rows, SURVEYED_ROWS)])
        raise ConfigError(
            f"{name} has the columns {_listed(names)}: name the label and the text column, as in "
            f"--columns {guess}"
        )
    try:
        wanted = [cell.strip() for cell in next(csv.reader([columns]), [])]
    except csv.Error:
        wanted = []
    if len(wanted) != 2 or len({*wanted, ""}) != 3:
        raise ConfigError(
            f"--columns {shown(columns)} is not valid: name the label column and the text column, "
            "separated by a comma"
        )
    for column in wanted:
        if column not in names:
            raise ConfigError(f"{name} has no column {shown(column)}: name two of {_listed(names)}")
    return names.index(wanted[0]), names.index(wanted[1])


def _guessed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a guess of ``--columns``: few different labels, long texts."""
    named = [place for place, name in enumerate(names) if name]
    cells = {place: [row[place] for row in rows if place < len(row)] for place in named}
    of_text = max(named, key=lambda place: sum(map(len, cells[place])))
    rest = [place for place in named if place != of_text]
    several = [place for place in rest if len(set(cells[place])) > 1] or rest
    of_label = min(several, key=lambda place: len(set(cells[place])))
    pair = (f'"{name}"' if "," in name else name for name in (names[of_label], names[of_text]))
    return shlex.quote(shown(",".join(pair), 80))


def _listed(names: Sequence[str]) -> str:
    return listing([shown(name) for name in names if name])
