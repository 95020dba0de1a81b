"""Labelled texts in CSV files."""

import csv
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice

from charrnn.data.labels.items import Labelled
from charrnn.data.labels.wording import counted, refuse_lines, shown
from charrnn.errors import ConfigError, CorpusError

LONGEST_CELL = 2**31 - 1
"""Characters of a cell: the most that ``csv`` can be told on every system."""
SURVEYED_ROWS = 1_000
"""Rows by which the columns of label and text are guessed for a message."""
_LINE_ENDS = re.compile("\r\n|\r|\n")


def read_table(name: str, content: str, columns: str | None) -> tuple[list[Labelled], list[str]]:
    """Read the items of a CSV file and what there is to say of them.

    The first row names the columns; what separates them is the comma, semicolon or tab that it has
    most. A line end in a text or label becomes a space, and so does a tab in a label.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    content : str
        With LF line ends.
    columns : str, optional
        The names of the columns of label and text, with a comma between them; "label,text" if
        nothing is said.

    Raises
    ------
    ConfigError
        If the file does not have the columns.
    CorpusError
        If it is no CSV file, or if a row lacks a label or a text.
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
        remedy = "put a text that has commas into quotation marks"
        refuse_lines(name, long, f"more columns than the {wanted} of the first row", remedy)
    if unlabelled:
        refuse_lines(name, unlabelled, "no label", "give the row one, or remove it")
    notices = []
    if num_lines:
        what = counted(num_lines, "text")
        notices.append(f"{name}: {what} with line ends, which are read as spaces")
    if num_tabs:
        what = counted(num_tabs, "label")
        notices.append(f"{name}: {what} with tabs or line ends, which are read as spaces")
    return items, notices


def _rows(name: str, content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its first line."""
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
        limit = csv.field_size_limit(LONGEST_CELL)  # it belongs to the process
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CorpusError(
                f"{name}, line {start}: not CSV ({error}): give a file that csv can read, or lines "
                "of a label, a tab, a text under a name that does not end in .csv"
            ) from None
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        if at_end:  # it looked for the end of a cell up to the end of the file
            raise CorpusError(
                f"{name}, line {start}: a quotation mark opens a cell and none closes it: "
                "close it, or double it if it belongs to the text"
            )
        if any(map(str.strip, row)):
            yield start, row


def _places(
    name: str, header: Sequence[str], columns: str | None, rows: Iterator[tuple[int, list[str]]]
) -> tuple[int, int]:
    """Return where label and text stand in a row."""
    names = [cell.strip() for cell in header]
    if columns is None:
        folded = [cell.casefold() for cell in names]
        if "label" in folded and "text" in folded:
            return folded.index("label"), folded.index("text")
        if sum(map(bool, names)) < 2:
            raise ConfigError(
                f"{name} has one column, {_listed(names)}: the first row of a CSV file names a "
                "column of labels and one of texts"
            )
        guess = _guessed(names, [row for _, row in islice(rows, SURVEYED_ROWS)])
        raise ConfigError(
            f"{name} has the columns {_listed(names)}: say which are label and text, "
            f"--columns {guess}"
        )
    try:
        wanted = [cell.strip() for cell in next(csv.reader([columns]), [])]
    except csv.Error:
        wanted = []
    if len(wanted) != 2 or len({*wanted, ""}) != 3:
        raise ConfigError(
            f"--columns {shown(columns)}: give the names of two columns, first the label's, then "
            "the text's, with a comma between them"
        )
    for column in wanted:
        if column not in names:
            raise ConfigError(
                f"{name} has no column {shown(column)}: it has the columns {_listed(names)}"
            )
    return names.index(wanted[0]), names.index(wanted[1])


def _guessed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return what ``--columns`` most likely is: few different labels, long texts."""
    named = [place for place, name in enumerate(names) if name]
    cells = {place: [row[place] for row in rows if place < len(row)] for place in named}
    of_text = max(named, key=lambda place: sum(map(len, cells[place])))
    rest = [place for place in named if place != of_text]
    several = [place for place in rest if len(set(cells[place])) > 1] or rest
    of_label = min(several, key=lambda place: len(set(cells[place])))
    pair = (f'"{name}"' if "," in name else name for name in (names[of_label], names[of_text]))
    return shlex.quote(shown(",".join(pair), 80))


def _listed(names: Sequence[str], most: int = 10) -> str:
    named = [shown(name) for name in names if name]
    more = f" and {len(named) - most:,} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more
