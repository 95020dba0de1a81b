"""Unicode normalization of a whole text, and of one that arrives in pieces."""

import unicodedata
from collections.abc import Iterator
from typing import Any, cast

from charrnn.config import Normalize

NORMALIZE_PIECE = 4096
"""Characters normalized at once: sorting a run of combining marks takes quadratic time."""


def normalized(text: str, form: Normalize) -> str:
    """Return a whole text in a normal form; unchanged for "none"."""
    return text if form == "none" else unicodedata.normalize(cast(Any, form.upper()), text)


class Normalizer:
    """Unicode normalization of a stream; holds back what the next characters may still change.

    The result does not depend on how the stream is split. A run of more than `NORMALIZE_PIECE`
    combining characters, which no writing system has, is normalized in pieces.
    """

    def __init__(self, form: Normalize) -> None:
        self._form = form
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the normalized text that is final."""
        if text.endswith("\n"):  # nothing composes with a newline, so a complete line is final
            return "".join(self._pieces(self._held + text, len(self._held))) + self.flush()
        if text and text.isascii():  # the common case: only the last character may still change
            done, self._held = self._normalize(self._held) + text[:-1], text[-1]
            return done
        return "".join(self._pieces(self._held + text, len(self._held)))

    def flush(self) -> str:
        """Return what was held back; then another text may follow."""
        done, self._held = self._normalize(self._held), ""
        return done

    def _normalize(self, text: str) -> str:
        return normalized(text, self._form)

    def _pieces(self, text: str, known: int) -> Iterator[str]:
        """Split `text` after its first `known` characters, which were held, and normalize it."""
        start = 0
        while start < len(text):
            stop = min(start + NORMALIZE_PIECE, len(text))
            first = max(start + 1, known)
            cut = stop - 1
            while cut >= first and not may_split_before(text[cut]):
                cut -= 1
            if cut < first:
                if stop - start < NORMALIZE_PIECE:
                    break
                cut = stop
            yield self._normalize(text[start:cut])
            start = cut
        self._held = text[start:]


def may_split_before(character: str) -> bool:
    """Whether a text may be split before `character` without changing any normal form."""
    if character < "\u0300":
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    code = ord(first)
    attaches = (
        unicodedata.category(first).startswith("M")
        or 0x1160 <= code <= 0x11FF  # Hangul vowels and finals join the consonant before
        or 0x16D40 <= code <= 0x16D7F  # Kirat Rai vowels, letters that compose
    )
    return not attaches
