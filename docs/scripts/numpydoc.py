"""Docstrings of the package as Markdown: numpydoc's sections, and the little markup inside them."""

import re
from collections.abc import Collection
from inspect import cleandoc
from textwrap import dedent
from typing import NamedTuple

SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Examples", "Notes")
UNDERLINED = re.compile(rf"^({'|'.join(SECTIONS)})\n-{{3,}}\n", re.M)
CODE = re.compile(r"``(?P<double>[^`]+)``|`(?P<single>[^`]+)`")
SPECIAL = re.compile(r"([<*])")


class Entry(NamedTuple):
    """One parameter, attribute, result or error: ``name : kind`` and the text below it."""

    name: str
    kind: str
    text: str


def sections(docstring: str) -> dict[str, str]:
    """Cut a docstring into its sections; what precedes them is the section ``""``."""
    first, *rest = UNDERLINED.split(cleandoc(docstring))
    return {"": first.strip(), **dict(zip(rest[::2], map(str.rstrip, rest[1::2]), strict=True))}


def entries(section: str) -> list[Entry]:
    """Return the entries of a section: a line at the margin, and what is indented below it."""
    found = []
    for block in re.split(r"\n+(?=\S)", section.strip()):
        head, _, text = block.partition("\n")
        name, _, kind = head.partition(" : ")
        found.append(Entry(name, kind, dedent(text).strip()))
    return found


def inline(text: str, linked: Collection[str] = ()) -> str:
    """Return a paragraph as Markdown.

    Parameters
    ----------
    text : str
        With names in single or double backquotes.
    linked : collection of str
        Names with a heading of their own on the page: in single backquotes they become links.
    """
    parts, end = [], 0
    for match in CODE.finditer(text):
        parts.append(SPECIAL.sub(r"\\\1", text[end : match.start()]))
        code = f"`{match['double'] or match['single']}`"
        name = (match["single"] or "").removeprefix("charrnn.")
        parts.append(f"[{code}](#{anchor(name)})" if name in linked else code)
        end = match.end()
    return "".join(parts) + SPECIAL.sub(r"\\\1", text[end:])


def anchor(name: str) -> str:
    """Return the anchor of a heading ``charrnn.NAME``, as code hosts and MyST make it."""
    return f"charrnn{name}".replace(".", "").lower()


def prose(text: str, linked: Collection[str] = ()) -> str:
    """Return paragraphs, and blocks after ``::`` as fenced code."""
    shown = []
    for block in re.split(r"\n\n(?=\S)", text):
        before, literal, code = block.partition("::\n\n")
        if literal:
            before = before.rstrip() + (":" if before.strip() else "")
            shown += [inline(before, linked)] * bool(before)
            shown.append(f"```text\n{dedent(code).rstrip()}\n```")
        else:
            shown.append(inline(block, linked))
    return "\n\n".join(shown)


def bullets(section: str, linked: Collection[str] = ()) -> str:
    """Return the entries of a section as a list; names with commas between them are several."""
    lines = []
    for name, kind, text in entries(section):
        several = name.split(", ") if re.fullmatch(r"[\w*]+(, [\w*]+)*", name) else [name]
        names = ", ".join(f"`{each}`" for each in several)
        kind = f" ({inline(kind, linked)})" if kind else ""
        text = inline(text.replace("\n", " "), linked)
        lines.append(f"- {names}{kind}" + (f": {text}" if text else ""))
    return "\n".join(lines)


def examples(section: str) -> str:
    """Return examples: what is typed into Python as fenced code, and the sentences between."""
    blocks = []
    for block in re.split(r"\n\n", section.strip()):
        typed = block.startswith(">>>")
        blocks.append(f"```pycon\n{block}\n```" if typed else inline(block))
    return "\n\n".join(blocks)
