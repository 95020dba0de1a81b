"""Other forms of the same text: line endings, and composed or decomposed letters.

A character that is not in a vocabulary is often there in another form. These forms are tried
before a character is reported as unknown.
"""

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf
from typing import Literal

from charrnn.config import Newlines, TextConfig
from charrnn.errors import VocabularyError
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Vocabulary

_FORMS: tuple[Literal["nfc", "nfd"], ...] = ("nfc", "nfd")
"""Normal forms that keep the content: NFKC would turn an ellipsis into three dots."""


def fitting_text(text: str, vocabulary: Vocabulary, newlines: Newlines) -> tuple[str, str]:
    r"""Convert a short text, such as a seed or a stop text, to a form that a model knows.

    Parameters
    ----------
    text : str
        The text, with any line endings.
    vocabulary : Vocabulary
        The vocabulary of the model.
    newlines : "keep" or "lf"
        How the training text was read. With "lf" every newline of `text` becomes LF, as in
        training; that is not reported.

    Returns
    -------
    text : str
        The first form in which every character is known: unchanged, with other line endings, in
        NFC, in NFD, or a combination. If there is none, the form with the fewest unknown ones.
    option : str
        The option that does the same to a file; "" if nothing else than `newlines` was applied.
    """
    if newlines == "lf":
        text = _with_lf(text)
    if not _unknown(vocabulary, text):
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
    best, helped, least = text, "", _unknown(vocabulary, text)
    for form, option in forms:
        unknown = _unknown(vocabulary, form)
        if unknown < least:
            best, helped, least = form, option, unknown
    return best, helped


def fitting_corpus(
    read: Callable[[TextConfig], Corpus],
    text: TextConfig,
    given: Collection[str],
    vocabulary: Vocabulary,
) -> tuple[Corpus, TextConfig]:
    """Read a text in the form that a model knows, if it is in another one.

    It is read again only if it has unknown characters and another form may make some known.

    Parameters
    ----------
    read : callable
        Reads a corpus with given settings. Standard input can be read again from the ``stdin`` of
        the first corpus that it returned.
    text : TextConfig
        The settings so far.
    given : collection of str
        Names of settings that the user gave, which are not changed.
    vocabulary : Vocabulary
        The vocabulary of the model.

    Returns
    -------
    corpus : Corpus
        The first corpus without unknown characters, or else the one with the fewest, with a notice
        of what helped; if nothing helps, the corpus with the given settings.
    text : TextConfig
        The settings that it was read with.
    """
    corpus = read(text)
    unknown = vocabulary.unknown(corpus.codes)
    if not unknown:
        return corpus, text
    best, config, least = corpus, text, sum(unknown.values())
    for other in _other_configs(text, given, unknown, vocabulary):
        again = read(other)
        left = sum(vocabulary.unknown(again.codes).values())
        if left < least:
            best, config, least = again, other, left
        if not left:
            break
    if config is text:
        return corpus, text
    changed = [
        f"--{name} {getattr(config, name)}"
        for name in ("normalize", "newlines")
        if getattr(config, name) != getattr(text, name)
    ]
    notice = f"read with {' '.join(changed)}, the form that the model knows"
    return replace(best, notices=(*best.notices, notice)), config


def _other_configs(
    text: TextConfig, given: Collection[str], unknown: Collection[int], vocabulary: Vocabulary
) -> list[TextConfig]:
    """Return other settings that may make unknown symbols of a text known."""
    if text.unit == "byte":
        return []
    known = set(map(chr, vocabulary.symbols.tolist()))
    left = set(map(chr, unknown))
    lf, configs = text, []
    if "\r" in left and "\n" in known and "newlines" not in given:
        lf = replace(text, newlines="lf")
        left.remove("\r")
        configs.append(lf)
    if left and "normalize" not in given and text.normalize == "none":
        forms = [form for form in _FORMS if _may_help(form, left, known)]
        configs = [*(replace(lf, normalize=form) for form in forms), *configs]
    return configs


def _may_help(form: Literal["nfc", "nfd"], unknown: Collection[str], known: set[str]) -> bool:
    """Whether a normal form may make an unknown character known.

    This avoids reading a large text again in vain, for instance because of an emoji.
    """
    if form == "nfd":
        return any(known.issuperset(unicodedata.normalize("NFD", c)) for c in unknown)
    # NFC combines a character with others if it is part of a known letter: a mark, a first letter
    # or half a syllable.
    parts = {part for c in known for part in unicodedata.normalize("NFD", c) if part != c}
    return any(
        c not in unicodedata.normalize("NFC", c)
        or not parts.isdisjoint(unicodedata.normalize("NFD", c))
        for c in unknown
    )


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unknown(vocabulary: Vocabulary, text: str) -> float:
    """Return the number of unknown symbols in a text."""
    try:
        return sum(vocabulary.unknown(vocabulary.text_to_codes(text)).values())
    except VocabularyError:  # a lone surrogate, which no normal form changes
        return inf
