"""How much of the samples is copied from the training text, as a table."""

from typing import TYPE_CHECKING

from charrnn.cli.show.console import say
from charrnn.cli.show.words import count

if TYPE_CHECKING:
    from charrnn.evaluation.verbatim import Copied

SHOWN = 60
"""Characters of the longest run that are shown."""


def say_copied(copied: "Copied") -> None:
    """Print the figures on stderr, as a table."""
    headings = ("", "samples", *(["held-out text"] if copied.held_out else []))
    rows = [headings, *copied.rows()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        say("  ".join([first.ljust(widths[0]), *cells]))
    if copied.held_out is None:
        say("notice: no text was held out, so there is nothing to compare these figures with")
    run, texts = copied.all.run, copied.texts
    if run:
        longest = max(range(len(texts)), key=lambda index: texts[index].longest)
        where = f", in sample {longest + 1:,} of {len(texts):,}" if len(texts) > 1 else ""
        more = f" and {count(len(run) - SHOWN, 'character')} more" if len(run) > SHOWN else ""
        say(f"longest run{where}: {run[:SHOWN]!r}{more}")
