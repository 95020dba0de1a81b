"""Decoding that marks the bytes that do not fit, so that they can be counted and replaced."""

import codecs

FIRST_BAD, NEXT_BAD = "\udcff", "\udcfe"
"""What stands for the first and for each further byte of a sequence that no character is."""
MARK_BAD = "charrnn.mark"
"""The error handler of codecs that puts them there; strict decoding never gives surrogates."""


def _mark_bad(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return FIRST_BAD + NEXT_BAD * (error.end - error.start - 1), error.end


codecs.register_error(MARK_BAD, _mark_bad)
