"""Output of scored rows: tab-separated fields, JSON, or a heat map on a terminal."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from charrnn.cli.show.console import is_terminal, make_console, write, write_json
from charrnn.cli.show.heat import heat, legend
from charrnn.cli.show.text import visible_line
from charrnn.evaluation.lines.corrections import changed_words
from charrnn.evaluation.lines.models import Figures
from charrnn.views.heat import Cell

if TYPE_CHECKING:
    from rich.text import Text


PLACE = 32
"""Maximum width of a file and a line number on a terminal, in columns."""


class Output(NamedTuple):
    """A row of output, or a part of one.

    Attributes
    ----------
    text : str
    figures : sequence of Figures
        Of each model.
    number : int
        Of the line or the item.
    source : str
        The file.
    column : int, optional
        Of a part.
    cells : sequence of Cell
        The text with the cost of each character, where it is known.
    why : str
        How it is strange.
    correction : str
        The suggested correction of the text.
    """

    text: str
    figures: Sequence[Figures]
    number: int
    source: str
    column: int | None = None
    cells: Sequence[Cell] = ()
    why: str = ""
    correction: str = ""

    @property
    def best(self) -> int:
        """Return the index of the model for which the row costs least."""
        return min(range(len(self.figures)), key=lambda number: self.figures[number].nats)


class RowWriter:
    """Writes rows to stdout.

    Parameters
    ----------
    names : sequence of str
        Of the models.
    symbol : str
        What bits are per, in the figures of a single model.
    noun : str
        What a row is: a line, an item, a file, a word or a character.
    files : sequence of str
        Those that the rows are of, where each row is to say its own.
    as_json : bool
        Whether each is a JSON object.
    """

    def __init__(
        self,
        names: Sequence[str],
        noun: str,
        *,
        symbol: str = "character",
        files: Sequence[str] = (),
        as_json: bool,
    ) -> None:
        self._symbol = symbol
        self._names, self._noun, self._as_json = names, noun, as_json
        self._says_file = len(files) > 0 and noun != "file"
        self._place_width = 7
        self._drawn = not as_json and is_terminal(sys.stdout)
        if self._drawn and self._says_file:
            from rich.cells import cell_len

            numbers = ":99999:999" if noun in ("word", "char") else ":99999"
            self._place_width = min(max(map(cell_len, files)) + len(numbers), PLACE)
        self._console = make_console() if self._drawn else None
        self._begun = self._has_colours = False

    @property
    def draws(self) -> bool:
        """Whether the cells of a row are shown."""
        return self._drawn

    def write(self, rows: Sequence[Output]) -> None:
        """Write rows and flush them."""
        if self._drawn:
            self._draw(rows)
        elif self._as_json:
            for row in rows:
                write_json(self._object(row))
        else:
            write("".join(map(self._line, rows)))

    def end(self) -> None:
        """Print a legend of the colors below a heat map."""
        if self._console is not None and self._has_colours:
            self._console.print(legend(), soft_wrap=True)

    def _line(self, row: Output) -> str:
        """Return a row as fields with tabs between them, the text last."""
        if len(row.figures) > 1:
            means = (f"{each.bits_per_char:.4f}" for each in row.figures)
            fields = [*means, visible_line(self._names[row.best])]
        else:
            (figures,) = row.figures
            fields = [f"{figures.bits:.4f}", f"{figures.bits_per_char:.4f}", str(figures.unknown)]
        if row.column is not None:
            fields += [str(row.number), str(row.column)]
            text = visible_line(row.text)
        else:
            text = row.text.replace("\n", "\\n")  # an item of several lines is one row
        if self._says_file:
            fields.append(f"{row.source}:{row.number}")
        return "\t".join([*fields, text]) + "\n"

    def _object(self, row: Output) -> dict[str, Any]:
        """Return a row for JSON."""
        place: dict[str, Any] = {"file": row.source} if row.source else {}
        if self._noun != "file":
            place["item" if self._noun == "item" else "line"] = row.number
            place |= {} if row.column is None else {"column": row.column}
            place["text"] = row.text
        place |= {"strange": row.why} if row.why else {}
        place |= {"correction": row.correction} if row.correction else {}
        if len(row.figures) == 1:
            return {**place, **_object_of(row.figures[0]), "per": self._symbol}
        models = {
            name: _object_of(figures)
            for name, figures in zip(self._names, row.figures, strict=True)
        }
        return {**place, "best": self._names[row.best], "models": models}

    def _draw(self, rows: Sequence[Output]) -> None:
        from rich.table import Table
        from rich.text import Text

        assert self._console is not None
        several = len(self._names) > 1
        per = self._symbol.replace("character", "char")
        heads = [*self._names] if several else ["bits", f"bits/{per}", "unknown"]
        widths = [max(9, min(len(head), 18)) for head in heads] if several else [9, 9, 7]
        place = [] if self._noun == "file" else [self._noun]
        if self._says_file or rows_are_parts(rows):
            place = ["place"]
        place += ["strange"] * any(row.why for row in rows)
        for row in rows:
            table = Table.grid(padding=(0, 2), expand=True)
            for width in widths:
                table.add_column(justify="right", width=width, overflow="ellipsis", no_wrap=True)
            for head in place:  # rows are drawn one by one, below each other
                width = len("character") if head == "strange" else self._place_width
                table.add_column(justify="right", min_width=width, no_wrap=True)
            table.add_column(ratio=1, overflow="fold")
            if not self._begun:
                title = "file" if self._noun == "file" else "text"
                table.add_row(
                    *(Text(visible_line(head), "bold") for head in [*heads, *place, title])
                )
                self._begun = True
            table.add_row(*self._figures(row), *self._place(row, place), self._text(row))
            self._console.print(table)

    def _figures(self, row: Output) -> list["Text"]:
        from rich.text import Text

        if len(row.figures) > 1:
            return [
                Text(f"{each.bits_per_char:.3f}", "bold" if number == row.best else "dim")
                for number, each in enumerate(row.figures)
            ]
        (figures,) = row.figures
        unknown = Text(str(figures.unknown), "bold" if figures.unknown else "dim")
        return [Text(f"{figures.bits:.1f}"), Text(f"{figures.bits_per_char:.3f}"), unknown]

    def _place(self, row: Output, place: Sequence[str]) -> list["Text"]:
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        numbers = [row.number] if row.column is None else [row.number, row.column]
        where = ":".join(f"{number:,}" for number in numbers)
        if self._says_file:
            where = ":".join(map(str, [row.source, *numbers]))
            if cell_len(where) > self._place_width:  # the end of a path says most
                where = "…" + set_cell_size(where[::-1], self._place_width - 1)[::-1]
        return [Text(field, "dim") for field in [where, row.why][: len(place)]]

    def _text(self, row: Output) -> "Text":
        from rich.text import Text

        text = Text(visible_line(row.text))
        if row.cells:
            self._has_colours = True
            text = heat(row.cells)
        if row.correction:
            text.append(_hint(row), style="dim")
        return text


def rows_are_parts(rows: Sequence[Output]) -> bool:
    """Return whether rows are words or characters of lines."""
    return any(row.column is not None for row in rows)


def _hint(row: Output) -> str:
    """Return the suggested correction of a row, as a line below it."""
    before, after = changed_words(row.text, row.correction)
    words = f"{before} should perhaps be {after}"
    return "\n" + visible_line(words if before and after else f"perhaps: {row.correction}")


def _object_of(figures: Figures) -> dict[str, Any]:
    return {
        "log_probability": -figures.nats,
        "bits": figures.bits,
        "bits_per_char": figures.bits_per_char,
        "perplexity": figures.perplexity,
        "characters": figures.characters,
        "unknown": figures.unknown,
    }
