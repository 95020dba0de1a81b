"""The same text written in another way: line ends, and composed or decomposed letters.

What a model does not know is often known to it in another form. These are tried before a
character is reported as unknown.
"""

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal

from charrnn.config import Newlines, TextConfig
from charrnn.errors import VocabularyError
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary

_FORMS: tuple[Literal["nfc", "nfd"], ...] = ("nfc", "nfd")
"""Those that keep the content: NFKC would make three dots of an ellipsis."""


def fitting_text(text: str, vocabulary: Vocabulary, newlines: Newlines) -> tuple[str, str]:
    r"""Bring a short text, such as a seed or a stop text, into a form that a model knows.

    Parameters
    ----------
    text : str
        May have any line ends.
    vocabulary : Vocabulary
        Of the model.
    newlines : "keep" or "lf"
        How the model's corpus was read. With "lf" every line end of `text` becomes LF, as in
        the corpus; that is not reported.

    Returns
    -------
    text : str
        The first form of which every character is known: as it is, with other line ends, in NFC,
        in NFD, or both. If there is none, the text as it is.
    option : str
        The option that does the same to a file, "" if nothing was changed beside `newlines`.
    """
    if newlines == "lf":
        text = _with_lf(text)
    if _knows(vocabulary, text):
        return text, ""
    lf = _with_lf(text)
    forms = [(lf, "--newlines lf")]
    if ord("\r") in vocabulary.symbols:
        forms.append((lf.replace("\n", "\r\n"), "CR LF line ends"))
        forms.append((lf.replace("\n", "\r"), "CR line ends"))
    for name in ("NFC", "NFD"):
        option = f"--normalize {name.lower()}"
        forms.append((unicodedata.normalize(name, text), option))
        forms.append((unicodedata.normalize(name, lf), f"{option} --newlines lf"))
    for form, option in forms:
        if form != text and _knows(vocabulary, form):
            return form, option
    return text, ""


def fitting_corpus(
    read: Callable[[TextConfig], Corpus],
    text: TextConfig,
    given: Collection[str],
    vocabulary: Vocabulary,
) -> tuple[Corpus, TextConfig]:
    """Read a text in the form that a model knows, if it is written in another one.

    It is read again only if it has unknown characters and a form may make all of them known.

    Parameters
    ----------
    read : callable
        Returns the corpus that it reads with the settings it is given. Standard input can be
        read again from the ``stdin`` of the corpus that it returned first.
    text : TextConfig
        The settings so far.
    given : collection of str
        Names of the settings that the user gave: they are not changed.
    vocabulary : Vocabulary
        Of the model.

    Returns
    -------
    corpus : Corpus
        The first without an unknown character, with a notice of what helped; if there is none,
        the corpus as the settings say.
    text : TextConfig
        What it was read with.
    """
    corpus = read(text)
    unknown = vocabulary.unknown(corpus.codes)
    if not unknown:
        return corpus, text
    for other in _other_configs(text, given, unknown, vocabulary):
        again = read(other)
        if not vocabulary.unknown(again.codes):
            changed = [
                f"--{name} {getattr(other, name)}"
                for name in ("normalize", "newlines")
                if getattr(other, name) != getattr(text, name)
            ]
            notice = f"read with {' '.join(changed)}, the form that the model knows"
            return replace(again, notices=(*again.notices, notice)), other
    return corpus, text


def _other_configs(
    text: TextConfig, given: Collection[str], unknown: Collection[int], vocabulary: Vocabulary
) -> list[TextConfig]:
    """Return other ways to read a text that may make all of its unknown symbols known."""
    if text.unit == "byte":
        return []
    known = set(map(chr, vocabulary.symbols.tolist()))
    left = set(map(chr, unknown))
    lf = text
    if "\r" in left and "\n" in known and "newlines" not in given:
        lf = replace(text, newlines="lf")
        left.remove("\r")
        if not left:
            return [lf]
    if "normalize" in given or text.normalize != "none":
        return []
    return [replace(lf, normalize=form) for form in _FORMS if _may_help(form, left, known)]


def _may_help(form: Literal["nfc", "nfd"], unknown: Collection[str], known: set[str]) -> bool:
    """Whether a normal form may make every unknown character known.

    A large text is not to be read again for nothing, such as an emoji.
    """
    if form == "nfd":
        return all(known.issuperset(unicodedata.normalize("NFD", c)) for c in unknown)
    # NFC joins a character to others, be it a mark, a first letter or half a syllable: then it
    # is a part of a letter that is known.
    parts = {part for c in known for part in unicodedata.normalize("NFD", c) if part != c}
    return all(
        c not in unicodedata.normalize("NFC", c)
        or not parts.isdisjoint(unicodedata.normalize("NFD", c))
        for c in unknown
    )


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _knows(vocabulary: Vocabulary, text: str) -> bool:
    try:
        return not vocabulary.unknown(vocabulary.text_to_codes(text))
    except VocabularyError:  # a lone surrogate, which no form changes
        return False
