"""The parts of a report as HTML: tables, passages, units, samples and confusions."""

import unicodedata
from collections.abc import Sequence
from html import escape

from charrnn.views.markup import attribute, printable, shown
from charrnn.views.report.content import Confusions, Letter, Lit, Passage, Table, Units

LEVELS = 12
"""Shades of a colour."""
FULL = 6.0
"""Nats at which a character has the warmest colour: a probability of 0.25 %."""
MOST_CONFUSED = 24
"""Most labels of a matrix; the most frequent ones are kept."""
SHORT = 22
"""Average characters per line below which lines are set in columns."""
NAME = 40
"""Most characters of a name in a table."""


def line(text: str) -> str:
    """Return an untrusted text as HTML on one line."""
    return escape(printable(text)).replace(" %", "&nbsp;%")


def brief(text: str) -> str:
    """Return an untrusted name as HTML; a long one is shortened."""
    shortened = text if len(text) <= NAME else f"{text[: NAME - 1]}\u2026"
    return line(shortened)


def signed(value: float) -> str:
    """Return a correlation with its sign."""
    return f"{value:+.2f}".replace("-", "\u2212")


def letter(text: str) -> str:
    """Return a character as HTML; an empty one is a line break.

    A combining mark is put on a dotted circle, so that it does not combine with its neighbor.
    """
    if not text:
        return "<br>"
    if unicodedata.category(text[0]).startswith("M"):
        text = "\u25cc" + text
    return shown(text)


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """Return names and values as a list."""
    rows = "".join(
        f"<div><dt>{line(name)}</dt><dd>{line(value)}</dd></div>" for name, value in items
    )
    return f'<dl class="facts">{rows}</dl>'


def table(content: Table) -> str:
    """Return a table that scrolls if the window is too narrow."""

    def cells(row: Sequence[str], tag: str) -> str:
        made = []
        for place, cell in enumerate(row):
            kind = ' class="number"' if place in content.right else ""
            scope = ' scope="col"' if tag == "th" else ""
            made.append(f"<{tag}{scope}{kind}>{line(cell)}</{tag}>")
        return "".join(made)

    head = f"<thead><tr>{cells(content.headings, 'th')}</tr></thead>" if content.headings else ""
    body = "".join(
        f"<tr{' class=strong' if number == content.strong else ''}>{cells(row, 'td')}</tr>"
        for number, row in enumerate(content.rows)
    )
    below = f'<p class="note">{line(content.caption)}</p>' if content.caption else ""
    title = f"<caption>{line(content.title)}</caption>" if content.title else ""
    return f"{scroll(f'<table>{title}{head}<tbody>{body}</tbody></table>', content.title)}{below}"


def scroll(html: str, label: str) -> str:
    """Return wide content in a box that scrolls, also with the keyboard."""
    label = f'role="region" tabindex="0" aria-label="{attribute(label)}"'
    return f'<div class="scroll" {label}>{html}</div>'


def passage(content: Passage, number: int) -> str:
    """Return a heat map; the details of each character are in the page's data.

    Parameters
    ----------
    content : Passage
        The passage to show.
    number : int
        Its index in the data of the page.
    """
    text = "".join(map(_hot, content.letters))
    scale = "".join(f'<span class="h{level}"></span>' for level in range(2, LEVELS + 1, 2))
    return (
        f'<div class="look" data-passage="{number}">'
        f'<div class="text{_short(content.letters)}" dir="auto" tabindex="0" role="group" '
        'aria-label="Passage. Arrow keys '
        f'move from character to character.">{text}</div>'
        '<div class="panel" role="status" aria-live="polite"><p class="hint">Point at a character, '
        "tap it, or use the arrow keys to see what the model expected.</p></div></div>"
        f'<p class="note"><span class="scale" aria-hidden="true">{scale}</span> 0 to {FULL:g} nats '
        f"and more. {line(content.caption)}</p>"
    )


def passage_data(content: Passage) -> list[object]:
    """Return the data of each character for the script: text, cost, and expected symbols."""
    return [
        [
            printable(one.text),
            None if one.nats is None else round(one.nats, 4),
            [
                [[printable(text), float(f"{share:.3g}")] for text, share in expected.guesses]
                for expected in one.expected
            ],
        ]
        for one in content.letters
    ]


def _short(letters: Sequence[Letter] | Sequence[Lit]) -> str:
    """Return a CSS class for a passage with short lines, which is set in columns."""
    ends = sum(not one.text or one.text.endswith("\n") for one in letters)
    return " short" if ends and len(letters) < SHORT * ends else ""


def _hot(one: Letter) -> str:
    if one.nats is None:
        return f'<span class="read">{letter(one.text)}</span>'
    level = round(LEVELS * min(1.0, max(0.0, one.nats / FULL)))
    return f'<span class="h{level}">{letter(one.text)}</span>'


def units(content: Units) -> str:
    """Return a table of units, and passages coloured by some of them."""
    rows = [
        (
            unit.follows,
            unit.name,
            signed(unit.chosen),
            signed(unit.correlation),
            f"{abs(unit.untrained):.2f}",
        )
        for unit in content.units
    ]
    headings = ("property", "unit", "on the first half", "on the second half", "untrained")
    listed = Table("Units and their correlations", headings, rows, frozenset({2, 3, 4}))
    opened = [unit for unit in content.units if unit.passage]
    shown_units = "".join(
        f"<details{' open' if number == 0 else ''}><summary><b>{line(unit.follows)}</b> "
        f'<span class="muted">{line(unit.name)}, correlation {signed(unit.correlation)}</span>'
        f'</summary><div class="text lit{_short(unit.passage)}" dir="auto">'
        f"{''.join(_lit(unit.passage))}</div></details>"
        for number, unit in enumerate(opened)
    )
    low = "".join(f'<span class="n{level}"></span>' for level in range(LEVELS, 0, -3))
    high = "".join(f'<span class="p{level}"></span>' for level in range(3, LEVELS + 1, 3))
    scale = (
        f'<p class="note">lowest output <span class="scale" aria-hidden="true">{low}{high}</span> '
        "highest output in the passage; underlined: the text has the property.</p>"
    )
    return f'{table(listed)}<p class="note">{line(content.caption)}</p>{shown_units}{scale}'


def _lit(letters: Sequence[Lit]) -> list[str]:
    """Return coloured letters; neighbors of the same colour share an element."""
    made: list[str] = []
    before, text = None, ""
    for one in letters:
        level = round(LEVELS * max(-1.0, min(1.0, one.output)))
        kind = f"{'p' if level > 0 else 'n'}{abs(level)}" + (" u" if one.marked else "")
        if kind != before and text:
            made.append(f'<span class="{before}">{text}</span>')
            text = ""
        before, text = kind, text + letter(one.text)
    return [*made, f'<span class="{before}">{text}</span>'] if text else made


def samples(content: Sequence[tuple[int, str]], number: int) -> str:
    """Return a flip-book of samples: the last one, and controls to browse the others."""
    step, text = content[-1]
    last = len(content) - 1
    controls = (
        '<div class="turn"><button type="button" class="back" aria-label="Previous sample">'
        '\u2190</button><input type="range" min="0" '
        f'max="{last}" value="{last}" aria-label="Sample"><button type="button" class="on" '
        'aria-label="Next sample">\u2192</button></div>'
        if last
        else ""
    )
    return (
        f'<figure class="flip" data-samples="{number}"><figcaption aria-live="polite">step '
        f'{step:,}</figcaption>{controls}<pre class="text" dir="auto">'
        f"{escape(_plain(text))}</pre></figure>"
    )


def samples_data(content: Sequence[tuple[int, str]]) -> list[object]:
    """Return the step and the text of each sample, for the script."""
    return [[f"step {step:,}", _plain(text)] for step, text in content]


def _plain(text: str) -> str:
    """Return a text with newlines and tabs, and escapes for other unprintable characters."""
    return "".join(c if c in "\n\t" else printable(c) for c in text)


def confusions(content: Confusions) -> str:
    """Return a confusion matrix; cells are coloured by their share of the row."""
    total = [sum(row) for row in content.counts]
    order = sorted(range(len(total)), key=lambda number: -total[number])[:MOST_CONFUSED]
    kept = sorted(order)
    names = [brief(content.labels[number]) or "nothing" for number in kept]
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = []
    for name, number in zip(names, kept, strict=True):
        cells = []
        for other in kept:
            count = content.counts[number][other]
            share = count / total[number] if total[number] else 0.0
            level = round(LEVELS * share) or int(count > 0)
            kind = "right" if number == other else "wrong"
            cells.append(f'<td class="{kind} k{level}">{count if count else ""}</td>')
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    left = len(total) - len(kept)
    more = f" The {len(kept)} most frequent of {len(total):,} labels." if left else ""
    note = f"Rows: true label; columns: predicted label.{more} {content.caption}".strip()
    body = f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}'
    return f'{scroll(f"{body}</tbody></table>", "Confusions")}<p class="note">{line(note)}</p>'
