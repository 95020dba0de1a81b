"""Labelling tasks: labels of texts, tags of tokens, and restoring plain text."""

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Restored
from charrnn.data.dividing import divide
from charrnn.data.labels.checks import check_labelled, check_tagged, drop_empty
from charrnn.data.labels.layouts import (
    Layout,
    from_lines,
    from_sentences,
    read_labelled,
    read_tagged,
    to_lines,
    to_sentences,
)
from charrnn.data.labels.names import kind
from charrnn.data.labels.restoring import RESTORERS
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.errors import ConfigError
from charrnn.text.codes import LINE_END, Codes, to_codes, to_text


class LabelTask(LabelledTask):
    """Predicts one label per text: many-to-one.

    Parameters
    ----------
    items : "line" or "file"
        Whether a file has one text per line or is one text.
    columns : str
        See ``TrainConfig``; empty for the default.
    """

    head = "item"
    usual_directions = 1

    def __init__(self, items: str = "line", columns: str = "") -> None:
        super().__init__("label", items, LINE_END)
        self.columns = columns
        self._layout: Layout | None = None  # of the files read before

    def read(self, files: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
        """Return lines with a label, a tab and a text."""
        items, notices, self._layout = read_labelled(
            files,
            columns=self._columns_for(files),
            whole_files=self.items == "file",
            like=self._layout,
        )
        full = drop_empty(items)
        if empty := len(items) - len(full):
            texts = "text is" if empty == 1 else "texts are"
            notices = [*notices, f"{empty:,} {texts} empty and left out"]
        return to_lines(full), notices

    def _columns_for(self, files: Sequence[tuple[str, str]]) -> str | None:
        """Return the columns; a text other than the run's own may not be a table."""
        is_table = any(kind(name) == ".csv" for name, _ in files)
        return self.columns or None if is_table or not self.labels else None

    def with_columns(self, columns: str) -> Self:
        """Return the task with other label and text columns."""
        new = copy(self)
        new.columns = columns
        return new

    def _parse(self, stored: str) -> Parsed:
        items = from_lines(stored)
        return Parsed([item.text for item in items], [item.label for item in items])

    def shown(self, text: str, labels: Sequence[str]) -> str:
        """Return the text after its label."""
        return f"{labels[0]}: {text}"

    def checked(self, codes: Codes, *, divided: bool = True) -> list[str]:
        """Return notices about the labels."""
        return check_labelled(from_lines(to_text(codes)), divided=divided)


class TagTask(LabelledTask):
    """Predicts a tag for each token of a sentence: many-to-many.

    If every token is one character, a sentence is its concatenated tokens. Otherwise tokens are
    words separated by spaces, and the last character of each has its tag.

    Parameters
    ----------
    end : int
        The code that ends a sentence as it is stored.
    columns : str
        See ``TrainConfig``; empty for the default.
    spaced : bool
        Whether tokens are words; determined from the text by ``fitted``.
    """

    head = "step"
    usual_directions = 2

    def __init__(self, end: int, columns: str = "", *, spaced: bool = False) -> None:
        super().__init__("tags", "blank-line", end)
        self.columns, self.spaced = columns, spaced

    def read(self, files: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
        """Return sentences, with a token, a tab and a tag on each line."""
        items, notices, _ = read_tagged(files, columns=self.columns or None)
        return to_sentences(items, chr(self.end)), notices

    def _parse(self, stored: str) -> Parsed:
        sentences = from_sentences(stored, chr(self.end))
        return self.joined([one.tokens for one in sentences], [one.tags for one in sentences])

    def joined(self, tokens: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> Parsed:
        """Return sentences as texts, with a tag for the last character of each token."""
        long = next((token for some in tokens for token in some if len(token) != 1), None)
        if not self.spaced and long is not None:
            raise ConfigError(
                f"this model tags single characters, and {long!r:.40} is a longer token: give "
                "tokens of one character, or a text as one line"
            )
        if not self.spaced:
            labels: list[list[str | None]] = [list(some) for some in tags]
            return Parsed(["".join(some) for some in tokens], labels)
        return Parsed(
            [" ".join(some) for some in tokens],
            [tags_of_characters(*pair) for pair in zip(tokens, tags, strict=True)],
        )

    def tokens_of(self, text: str, labels: Sequence[str | None]) -> tuple[str, ...]:
        """Return the tokens of a sentence from ``joined``; each ends at a label."""
        if not self.spaced:
            return tuple(text)
        ends = [place + 1 for place, label in enumerate(labels) if label is not None]
        starts = [0, *(end + 1 for end in ends[:-1])]
        return tuple(text[start:end] for start, end in zip(starts, ends, strict=True))

    def fitted(self, codes: Codes) -> Self:
        """Return the task with the tags of a text, and whether its tokens are words."""
        sentences = from_sentences(to_text(codes), chr(self.end))
        new = copy(self)
        new.spaced = any(len(token) != 1 for one in sentences for token in one.tokens)
        new._parsed = []  # parsing depends on it
        return super(TagTask, new).fitted(codes)

    def shown(self, text: str, labels: Sequence[str]) -> str:
        """Return the text with the tag after each token, except for tokens outside of all spans."""
        ends = [*(place for place, symbol in enumerate(text) if symbol == " "), len(text)]
        places = {end - 1 for end in ends} if self.spaced else set(range(len(text)))
        return "".join(
            symbol + (f"[{label}]" if place in places and label != "O" else "")
            for place, (symbol, label) in enumerate(zip(text, labels, strict=True))
        )

    def checked(self, codes: Codes, *, divided: bool = True) -> list[str]:
        """Return notices about the tags."""
        return check_tagged(from_sentences(to_text(codes), chr(self.end)), divided=divided)


class RestoringTask(LabelledTask):
    """Predicts what was removed from plain text, as a label for each remaining character.

    Parameters
    ----------
    predict : str
        One of ``RESTORED``.
    items : str
        How the text is divided; see ``divide``.
    end : int
        The code that ends an item.
    """

    head = "step"
    usual_directions = 2

    def __init__(self, predict: Restored, items: str, end: int) -> None:
        super().__init__(predict, items, end)
        self.kind, self.restorer = predict, RESTORERS[predict]

    def read(self, files: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
        """Return the items of plain text that are not empty after the removal."""
        texts = [to_codes(text) for _, text in files]
        lengths = [len(text) for text in texts]
        starts = (np.cumsum(lengths) - lengths).tolist()
        codes = divide(np.concatenate(texts), self.items, self.end, starts=starts, unit="char")
        items = to_text(codes).split(chr(self.end))[:-1]
        restorer, end = self.restorer, chr(self.end)
        return "".join(item + end for item in items if restorer.remove(item)[0]), []

    def _parse(self, stored: str) -> Parsed:
        pairs = [self.restorer.remove(item) for item in stored.split(chr(self.end))[:-1]]
        labels: list[list[str | None]] = [list(some) for _, some in pairs]
        return Parsed([bare for bare, _ in pairs], labels)

    def not_judged(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return, if spaces are restored, the last character of each text: no space follows it."""
        return np.cumsum(lengths) - 1 if self.kind == "spaces" else lengths[:0]

    def shown(self, text: str, labels: Sequence[str]) -> str:
        """Return the restored text."""
        return self.restorer.restore(text, labels)

    def checked(self, codes: Codes, *, divided: bool = True) -> list[str]:
        """Return no notices; raise ConfigError if there is nothing to restore."""
        restorer = self.restorer
        if restorer.nothing_to_restore(to_text(codes).split(chr(self.end))[:-1]):
            other = f", or: {self.fitting}" if self.fitting else ""
            raise ConfigError(
                f"there is nothing to restore, as {restorer.absent}: name another text{other}"
            )
        return []


def tags_of_characters(tokens: Sequence[str], tags: Sequence[str]) -> list[str | None]:
    """Return the tags of the characters of tokens joined by spaces; only last ones have one."""
    labels: list[str | None] = []
    for number, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        labels += [None] * (number > 0) + [None] * (len(token) - 1) + [tag]
    return labels
