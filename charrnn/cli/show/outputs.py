"""What is written of a scored row: itself, its words or its characters."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from charrnn.cli.show.rows import Output
    from charrnn.evaluation.lines.models import Models, Scored
    from charrnn.evaluation.lines.strangest import Strange

Unit = Literal["line", "word", "char", "file"]
SURE = 5.0
"""Nats that a correction saves at least: the row is then 150 times as likely."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Outputs:
    """Makes of a scored row what is written of it: itself, its words or its characters.

    Parameters
    ----------
    models : Models
    unit : str
        What is written.
    with_cells : bool
        Whether a whole row has what each of its characters costs.
    """

    def __init__(self, models: "Models", unit: Unit, *, with_cells: bool) -> None:
        self._division, self._unit, self._with_cells = models.division, unit, with_cells

    def of(self, scored: "Scored") -> Iterator["Output"]:
        """Yield what is written of a row."""
        from charrnn.cli.show.rows import Output
        from charrnn.evaluation.lines.models import Figures
        from charrnn.evaluation.lines.parts import characters, words

        row, score, vocabulary = scored.row, scored.score, self._division.vocabulary
        if self._unit in ("line", "file") or score is None:
            cells = self._cells(scored) if self._with_cells else ()
            yield Output(scored.text, scored.figures, row.number, row.source, cells=cells)
            return
        end = self._division.task.end
        parts = characters(vocabulary, score)
        if self._unit == "word":
            parts = words(vocabulary, score, end)
        for part in parts:
            figures = (Figures(part.nats, part.symbols, part.unknown),)
            yield Output(part.text, figures, row.number, row.source, part.column)

    def correction(self, strange: "Strange[Scored]") -> str:
        """Return a row as it should perhaps have been, or nothing."""
        import numpy as np

        from charrnn.evaluation.lines.parts import text_of

        found, score = strange.correction, strange.row.score
        if found is None or score is None or found.saved < SURE:
            return ""
        text = text_of(self._division.vocabulary, np.concatenate([score.prompt, found.codes]))
        # A byte too few or too many makes no character.
        return "" if REPLACEMENT in text and REPLACEMENT not in strange.row.text else text

    def _cells(self, scored: "Scored") -> list[Any]:
        """Return the characters of a row for a heat map: the prompt costs nothing."""
        from charrnn.evaluation.lines.parts import cells, text_of
        from charrnn.views.heat import Cell

        score, vocabulary = scored.score, self._division.vocabulary
        if score is None:
            return []
        size = len(score.codes) - (
            len(score.codes) > 0 and score.codes[-1] == self._division.task.end
        )
        prompt = text_of(vocabulary, score.prompt)
        shown = cells(vocabulary, score.codes[:size], score.nats[:size], score.known[:size])
        return [*(Cell(character, 0.0) for character in prompt), *shown]
