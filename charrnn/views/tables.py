"""A table of numbers for a notebook."""

from collections.abc import Sequence

from charrnn.views.heat import SMALL
from charrnn.views.markup import shown


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> str:
    """Return a table as an HTML fragment; the first column has the row names.

    Parameters
    ----------
    headings : sequence of str
        The column headings.
    rows : sequence of sequences of str
        Rows with as many cells; the text may be untrusted.
    caption : str
        A line below the table.
    """
    head = "".join(f'<th style="text-align:right">{shown(name)}</th>' for name in headings)
    body = "".join(
        f'<tr><th style="text-align:left">{shown(row[0])}</th>'
        + "".join(f'<td style="text-align:right">{shown(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    below = f'<div style="{SMALL}">{shown(caption)}</div>' if caption else ""
    return (
        f'<div class="charrnn-table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{below}</div>"
    )
