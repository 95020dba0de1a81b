"""One column of a CSV or TSV file, as a text: each cell is a line."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from charrnn.config import DecodingErrors, Unit
from charrnn.config.words import count
from charrnn.errors import CorpusError
from charrnn.text.codes import Codes, to_codes, to_text
from charrnn.text.decoding import Findings

DELIMITERS = ",;\t|"
LONGEST_CELL = 2**31 - 1
"""Characters of a cell: the most that ``csv`` can be told on every system."""
LINES, NAMES = 3, 9
"""Lines and columns that a message names."""
AT_ONCE = 2**16
"""Characters of cells that are passed on together."""
_ARCHIVES = {".gz", ".bz2", ".xz"}


def is_table(path: str) -> bool:
    """Whether the name of a file says that it has columns, packed or not."""
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
    """Yield the cells of a column, each with a line end, in some pieces.

    What separates columns is the comma, semicolon, tab or bar that the first row has most. A line
    end in a cell becomes a space, and empty cells are left out; both are reported.

    Parameters
    ----------
    pieces : iterator of int arrays
        The file, as code points or bytes.
    column : str
        The name of the column, which the first row has, or its number from 1; then the first row is
        read as the others are.
    name : str
        The file, as messages show it.
    errors : "strict", "replace" or "skip"
        Whether rows that do not have the columns of the first one are an error or, with "skip",
        left out; these are counted and reported.
    findings : Findings
        Gets what the user should be told.
    unit : "char" or "byte"
        What a code is: names of columns are UTF-8 among bytes.

    Raises
    ------
    CorpusError
        If there is no such column, or a row is not like the first.
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
        """Yield the rows that are not blank, each with the number of its first line."""
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
            limit = csv.field_size_limit(LONGEST_CELL)  # it belongs to the process
            try:
                row = next(reader, None)
            except csv.Error as error:
                if at_end:  # it looked for the end of a cell up to the end of the file
                    raise CorpusError(
                        f"{self._name}, line {start}: a quotation mark opens a cell and none "
                        "closes it: close it, or double it if it belongs to the text"
                    ) from None
                if not is_begun:
                    raise CorpusError(
                        f"{self._name}, line {start}: the first row is not CSV ({error}), and it "
                        "names the columns: repair it"
                    ) from None
                self._bad.append((start, f"is not CSV ({error})"))
                continue
            finally:
                csv.field_size_limit(limit)
            if row is None:
                return
            is_begun = True
            if any(map(str.strip, row)):
                yield start, row

    def _place(self, header: Sequence[str]) -> tuple[int, bool]:
        """Return where the column stands in a row, and whether the first row names it."""
        names = [cell.strip() for cell in header]
        column, width = self._column, len(names)
        if names.count(column) > 1:
            raise CorpusError(
                f"{self._name} has {names.count(column)} columns named {self._shown(column)}: give "
                "its number, from 1"
            )
        if column in names:
            return names.index(column), True
        if column in map(str, range(1, width + 1)):
            place = int(column) - 1
            self._findings.add(
                f"its first row is read as the others are, with {self._shown(names[place])} as "
                "text: give the name of the column if that is one",
                self._name,
            )
            return place, False
        if width == 1:
            raise CorpusError(
                f"{self._name} has one column, {self._shown(names[0])}, and none named "
                f"{self._shown(column)}: leave --column out if it is not a CSV file"
            )
        listed = ", ".join(map(self._shown, names[:NAMES]))
        more = f" and {width - NAMES:,} more" if width > NAMES else ""
        raise CorpusError(
            f"{self._name} has no column {self._shown(column)}: it has {listed}{more}, or 1 to "
            f"{width}"
        )

    def _encoded(self, name: str) -> str:
        """Return a string as the file has it."""
        if self._unit == "byte":
            return name.encode("utf-8", "surrogatepass").decode("latin-1")
        return name

    def _shown(self, name: str) -> str:
        """Return the name of a column, or a cell, as messages show it."""
        if self._unit == "byte":
            name = name.encode("latin-1").decode("utf-8", "replace")
        return f"{name!r:.60}"

    def _report(self) -> None:
        """Refuse bad rows, or say that they were left out, and what was changed."""
        if self._bad:
            listed = "; ".join(f"line {line:,} {what}" for line, what in self._bad[:LINES])
            more = f"; and {len(self._bad) - LINES:,} more" if len(self._bad) > LINES else ""
            rows = count(len(self._bad), "row")
            if self._errors != "skip":
                raise CorpusError(
                    f"{self._name}: {rows} not like the first: {listed}{more}: repair them "
                    "(quote cells that contain the separator), or --errors skip leaves them out"
                )
            self._say(f"{rows} left out, not like the first: {listed}{more}")
        if self._empty:
            column = self._shown(self._column)
            self._say(f"{count(self._empty, 'empty cell')} of column {column} left out")
        if self._joined:
            self._say(f"{count(self._joined, 'cell')} with line ends, which are read as spaces")

    def _say(self, message: str) -> None:
        self._findings.add(message, self._name)


def _lines(pieces: Iterator[Codes]) -> Iterator[str]:
    """Yield the lines of a text in pieces, with LF at their ends."""
    decoder, rest = io.IncrementalNewlineDecoder(None, translate=True), ""
    for piece in pieces:
        *whole, rest = (rest + decoder.decode(to_text(piece))).split("\n")
        yield from (f"{line}\n" for line in whole)
    rest += decoder.decode("", final=True)
    if rest:
        yield rest
