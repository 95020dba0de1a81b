"""Labelled items, and the form in which they are stored as text."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Layout = Literal["tsv", "fasttext", "csv", "folder", "conll", "conllu"]
"""The layout of labelled text in files."""


class Labelled(NamedTuple):
    """A text with its label; the label has no tab, and neither has a newline."""

    label: str
    text: str


class Tagged(NamedTuple):
    """A sentence with a tag for each token; neither has a newline, and a tag has no tab."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def to_lines(items: Sequence[Labelled]) -> str:
    """Return items as lines ``label<TAB>text``, each with a newline."""
    return "".join([f"{label}\t{text}\n" for label, text in items])


def from_lines(text: str) -> list[Labelled]:
    """Inverse of ``to_lines``."""
    items = []
    for line in text.split("\n")[:-1]:
        label, _, rest = line.partition("\t")
        items.append(Labelled(label, rest))
    return items


def to_sentences(items: Sequence[Tagged], end: str) -> str:
    """Return sentences as lines ``token<TAB>tag``, each sentence followed by ``end``.

    There is a newline between the lines of a sentence and none before ``end``: a sentence is an
    item of a divided text.

    Parameters
    ----------
    items : sequence of Tagged
        The sentences, with as many tags as tokens.
    end : str
        A character that occurs in no token and no tag, not a tab or a newline. A token may have
        tabs.
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
