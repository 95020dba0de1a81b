"""The same text written in another way: line ends, and composed or decomposed letters.

What a model does not know is often known to it in another form. These are tried before a
character is reported as unknown.
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
        in NFD, or both. If there is none, the one of which the fewest are unknown.
    option : str
        The option that does the same to a file, "" if nothing was changed beside `newlines`.
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
    """Read a text in the form that a model knows, if it is written in another one.

    It is read again only if it has unknown characters and a form may make some of them known.

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
        The first without an unknown character or else with the fewest, with a notice of what
        helped; where nothing helps, the corpus as the settings say.
    text : TextConfig
        What it was read with.
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
    """Return other ways to read a text that may make unknown symbols of it known."""
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

    A large text is not to be read again for nothing, such as an emoji.
    """
    if form == "nfd":
        return any(known.issuperset(unicodedata.normalize("NFD", c)) for c in unknown)
    # NFC joins a character to others, be it a mark, a first letter or half a syllable: then it
    # is a part of a letter that is known.
    parts = {part for c in known for part in unicodedata.normalize("NFD", c) if part != c}
    return any(
        c not in unicodedata.normalize("NFC", c)
        or not parts.isdisjoint(unicodedata.normalize("NFD", c))
        for c in unknown
    )


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unknown(vocabulary: Vocabulary, text: str) -> float:
    """Return how many symbols of a text are unknown."""
    try:
        return sum(vocabulary.unknown(vocabulary.text_to_codes(text)).values())
    except VocabularyError:  # a lone surrogate, which no form changes
        return inf
