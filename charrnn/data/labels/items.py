"""Items with labels, and the one form in which they are kept as text."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Layout = Literal["tsv", "fasttext", "csv", "folder", "conll", "conllu"]
"""How labelled text is laid out in files."""


class Labelled(NamedTuple):
    """A text with its label; the label has no tab, and neither has a line end."""

    label: str
    text: str


class Tagged(NamedTuple):
    """A sentence with a tag for each token; neither has a line end, and a tag has no tab."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def to_lines(items: Sequence[Labelled]) -> str:
    """Return items as lines ``label<TAB>text``, each with its line end."""
    return "".join([f"{label}\t{text}\n" for label, text in items])


def from_lines(text: str) -> list[Labelled]:
    """Inverse of ``to_lines``."""
    items = []
    for line in text.split("\n")[:-1]:
        label, _, rest = line.partition("\t")
        items.append(Labelled(label, rest))
    return items


def to_sentences(items: Sequence[Tagged], end: str) -> str:
    """Return sentences of lines ``token<TAB>tag``, each followed by ``end``.

    Line ends stand between the lines of a sentence, and none before ``end``: a sentence is an item
    of a divided text.

    Parameters
    ----------
    items : sequence of Tagged
        As many tags as tokens in each.
    end : str
        One character that no token and no tag has; no tab and no line end. A token may have tabs.
    """
    sentences = []
    for tokens, tags in items:
        pairs = zip(tokens, tags, strict=True)
        sentences.append("\n".join([f"{token}\t{tag}" for token, tag in pairs]) + end)
    return "".join(sentences)


def from_sentences(text: str, end: str) -> list[Tagged]:
    """Inverse of ``to_sentences``."""
    items = []
    for sentence in text.split(end)[:-1]:
        pairs = [line.rpartition("\t") for line in sentence.split("\n")] if sentence else []
        items.append(Tagged(tuple(p[0] for p in pairs), tuple(p[2] for p in pairs)))
    return items
