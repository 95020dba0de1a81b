"""A text as the bytes that are written to a file."""

from charrnn.text import Vocabulary
from charrnn.text.codes import Codes, to_text, utf8_length
from charrnn.text.normalizing import Normalizer

PIECE = 2**16


def text_bytes(codes: Codes, vocabulary: Vocabulary) -> bytes:
    """Return a text as UTF-8: composed if the normalization is NFD; bytes unchanged.

    Parameters
    ----------
    codes : (m,) int array
        Code points, or bytes for the unit "byte".
    vocabulary : Vocabulary
        Gives the unit and the normalization.
    """
    if vocabulary.unit == "byte":
        return codes.astype("u1").tobytes()
    pieces = (to_text(codes[start : start + PIECE]) for start in range(0, len(codes), PIECE))
    if vocabulary.normalize == "nfd":
        composer = Normalizer("nfc")
        composed = [composer.feed(piece).encode() for piece in pieces]
        return b"".join([*composed, composer.flush().encode()])
    return b"".join(piece.encode() for piece in pieces)


def written_length(codes: Codes, vocabulary: Vocabulary) -> int:
    """Return the length of ``text_bytes``, computed without them unless text must be composed."""
    if vocabulary.unit == "byte":
        return len(codes)
    if vocabulary.normalize == "nfd":
        return len(text_bytes(codes, vocabulary))
    return utf8_length(codes)
