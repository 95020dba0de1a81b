"""Decoding that marks undecodable bytes, so that they can be counted and replaced."""

import codecs

FIRST_BAD, NEXT_BAD = "\udcff", "\udcfe"
"""Markers of the first and of each further byte of an undecodable sequence."""
MARK_BAD = "charrnn.mark"
"""The codec error handler that inserts them; strict decoding never returns surrogates."""


def _mark_bad(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return FIRST_BAD + NEXT_BAD * (error.end - error.start - 1), error.end


codecs.register_error(MARK_BAD, _mark_bad)
