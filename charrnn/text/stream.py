"""Text from ids that arrive a few at a time."""

import codecs
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from charrnn.errors import VocabularyError
from charrnn.text.codes import to_text
from charrnn.text.normalizing import Normalizer

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Vocabulary


def raw_bytes(text: str) -> bytes:
    """Return the bytes that a ``raw`` decoder turned into text."""
    return text.encode("utf-8", "surrogateescape")


def unread(data: bytes) -> str:
    """Return the text that a ``raw`` decoder returns for bytes."""
    return data.decode("utf-8", "surrogateescape")


def as_text(raw: str) -> str:
    """Return the text of a ``raw`` decoder with U+FFFD in place of invalid UTF-8."""
    return raw_bytes(raw).decode("utf-8", "replace")


class StreamDecoder:
    """Decodes ids to text as they arrive; holds back what is not yet a whole character.

    For a vocabulary of bytes, that is an incomplete UTF-8 sequence; for an nfd vocabulary, the
    last character, which the next one may still extend. Invalid UTF-8 becomes U+FFFD or, if
    ``raw``, surrogates that ``raw_bytes`` turns back into the same bytes.
    """

    def __init__(self, vocabulary: "Vocabulary", *, raw: bool = False) -> None:
        self._vocabulary = vocabulary
        errors = "surrogateescape" if raw else "replace"
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)
        self._composer = Normalizer("nfc")

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text completed by `ids`, a single id or `(n,)`."""
        places = np.atleast_1d(np.asarray(ids))
        size = len(self._vocabulary)
        if not places.size:
            return ""
        if places.dtype.kind not in "ui" or places.min() < 0 or places.max() >= size:
            raise VocabularyError(f"ids must be whole numbers from 0 to {size - 1}")
        symbols = self._vocabulary.symbols[places]
        if self._vocabulary.unit == "byte":
            return self._utf8.decode(symbols.astype(np.uint8).tobytes())
        text = to_text(symbols)
        return self._composer.feed(text) if self._vocabulary.normalize == "nfd" else text

    def flush(self) -> str:
        """Return what was held back; then another text may follow."""
        rest = self._utf8.decode(b"", True) + self._composer.flush()
        self._utf8.reset()
        return rest
