"""One column of a CSV or TSV file as a text: each cell is a line."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from charrnn.config import DecodingErrors, Unit
from charrnn.config.words import count, listing
from charrnn.errors import CorpusError
from charrnn.text.codes import Codes, to_codes, to_text
from charrnn.text.decoding import Findings

DELIMITERS = ",;\t|"
LONGEST_CELL = 2**31 - 1
"""Most characters of a cell: the largest limit that ``csv`` accepts on every system."""
LINES, NAMES = 3, 9
"""Most lines and columns that a message names."""
AT_ONCE = 2**16
"""Characters of cells that are yielded together."""
_ARCHIVES = {".gz", ".bz2", ".xz"}


def is_table(path: str) -> bool:
    """Whether a file is a table according to its name, compressed or not."""
    name = PurePath(path)
    name = name.with_suffix("") if name.suffix.casefold() in _ARCHIVES else name
    return name.suffix.casefold() in (".csv", ".tsv", ".tab")


def cells_of(
    pieces: Iterator[Codes],
    column: str,
    name: str,
    errors: DecodingErrors,
    findings: Findings,
    unit: Unit = "char",
) -> Iterator[Codes]:
    """Yield the cells of a column in pieces; each cell ends with a newline.

    The separator is the comma, semicolon, tab or bar that occurs most often in the first row. A
    newline in a cell becomes a space, and empty cells are left out; both are reported.

    Parameters
    ----------
    pieces : iterator of int arrays
        The file, as code points or bytes.
    column : str
        The name of the column in the first row, or its number from 1; with a number, the first row
        is read as data.
    name : str
        The file, as messages show it.
    errors : "strict", "replace" or "skip"
        Whether rows whose columns differ from those of the first row are an error or, with "skip",
        left out, counted and reported.
    findings : Findings
        Collects notices for the user.
    unit : "char" or "byte"
        What a code is; among bytes, column names are UTF-8.

    Raises
    ------
    CorpusError
        If there is no such column, or a row does not match the first.
    """
    return _Column(column, name, errors, findings, unit).read(pieces)


class _Column:
    """Reads one column of one file."""

    def __init__(
        self, column: str, name: str, errors: DecodingErrors, findings: Findings, unit: Unit
    ) -> None:
        self._name, self._errors, self._unit = name, errors, unit
        self._column = self._encoded(column)
        self._findings = findings
        self._bad: list[tuple[int, str]] = []
        self._empty = self._joined = 0

    def read(self, pieces: Iterator[Codes]) -> Iterator[Codes]:
        """Yield the cells."""
        place, width, is_named = -1, 0, False
        cells: list[str] = []
        size = 0
        for line, row in self._rows(pieces):
            if place < 0:
                place, is_named = self._place(row)
                width = len(row)
                if is_named:
                    continue
            if len(row) <= place:
                self._bad.append((line, f"has {len(row)} of {width} columns"))
            elif any(row[width:]):
                self._bad.append((line, f"has {len(row)} columns and not {width}"))
            elif not row[place].strip():
                self._empty += 1
            else:
                cell = row[place]
                if "\n" in cell:
                    cell = cell.replace("\n", " ")
                    self._joined += 1
                cells.append(f"{cell}\n")
                size += len(cell)
                if size > AT_ONCE:
                    yield to_codes("".join(cells))
                    cells, size = [], 0
        if cells:
            yield to_codes("".join(cells))
        self._report()

    def _rows(self, pieces: Iterator[Codes]) -> Iterator[tuple[int, list[str]]]:
        """Yield the non-blank rows, each with the number of its first line."""
        lines = _lines(pieces)
        blank, first = 0, ""
        for number, line in enumerate(lines):
            first = line if number else line.removeprefix(self._encoded("\ufeff"))
            if first.strip():
                break
            blank += 1
        at_end = is_begun = False

        def feed() -> Iterator[str]:
            nonlocal at_end
            yield first
            yield from lines
            at_end = True

        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(feed(), delimiter=delimiter, strict=True)
        while True:
            start = blank + reader.line_num + 1
            limit = csv.field_size_limit(LONGEST_CELL)  # a setting of the whole process
            try:
                row = next(reader, None)
            except csv.Error as error:
                if at_end:  # it searched for the end of a cell up to the end of the file
                    raise CorpusError(
                        f"{self._name}, line {start}: a quoted cell is never closed: close the "
                        "quotation mark, or double it if it is part of the text"
                    ) from None
                if not is_begun:
                    raise CorpusError(
                        f"{self._name}, line {start}: the first row, which names the columns, is "
                        f"not valid CSV ({error}): repair it"
                    ) from None
                self._bad.append((start, f"is not valid CSV ({error})"))
                continue
            finally:
                csv.field_size_limit(limit)
            if row is None:
                return
            is_begun = True
            if any(map(str.strip, row)):
                yield start, row

    def _place(self, header: Sequence[str]) -> tuple[int, bool]:
        """Return the index of the column, and whether the first row is a header."""
        names = [cell.strip() for cell in header]
        column, width = self._column, len(names)
        if names.count(column) > 1:
            raise CorpusError(
                f"{self._name} has {names.count(column)} columns named {self._shown(column)}: give "
                "its number, counted from 1"
            )
        if column in names:
            return names.index(column), True
        if column in map(str, range(1, width + 1)):
            place = int(column) - 1
            self._findings.add(
                f"the first row is read as data, with {self._shown(names[place])} as text: give "
                "the name of the column if it is a header",
                self._name,
            )
            return place, False
        if width == 1:
            raise CorpusError(
                f"{self._name} has no column {self._shown(column)}, only {self._shown(names[0])}: "
                "leave --column out if it is not a CSV file"
            )
        listed = listing([*map(self._shown, names)], NAMES)
        raise CorpusError(
            f"{self._name} has no column {self._shown(column)}: name one of {listed}, or a "
            f"number from 1 to {width}"
        )

    def _encoded(self, name: str) -> str:
        """Return a string as it appears in the file."""
        if self._unit == "byte":
            return name.encode("utf-8", "surrogatepass").decode("latin-1")
        return name

    def _shown(self, name: str) -> str:
        """Return the name of a column, or a cell, as messages show it."""
        if self._unit == "byte":
            name = name.encode("latin-1").decode("utf-8", "replace")
        return f"{name!r:.60}"

    def _report(self) -> None:
        """Raise an error for bad rows or report that they were left out; report changed cells."""
        if self._bad:
            listed = "; ".join(f"line {line:,} {what}" for line, what in self._bad[:LINES])
            more = f"; and {len(self._bad) - LINES:,} more" if len(self._bad) > LINES else ""
            rows = count(len(self._bad), "row")
            if self._errors != "skip":
                verb = "does" if len(self._bad) == 1 else "do"
                raise CorpusError(
                    f"{self._name}: {rows} {verb} not match the first: {listed}{more}: repair them "
                    "(quote cells that contain the separator), or leave them out with --errors skip"
                )
            self._say(f"{rows} left out, not matching the first: {listed}{more}")
        if self._empty:
            column = self._shown(self._column)
            self._say(f"{count(self._empty, 'empty cell')} of column {column} left out")
        if self._joined:
            self._say(f"{count(self._joined, 'cell')} with newlines, which were replaced by spaces")

    def _say(self, message: str) -> None:
        self._findings.add(message, self._name)


def _lines(pieces: Iterator[Codes]) -> Iterator[str]:
    """Yield the lines of a text that comes in pieces; each ends with LF."""
    decoder, rest = io.IncrementalNewlineDecoder(None, translate=True), ""
    for piece in pieces:
        *whole, rest = (rest + decoder.decode(to_text(piece))).split("\n")
        yield from (f"{line}\n" for line in whole)
    rest += decoder.decode("", final=True)
    if rest:
        yield rest
