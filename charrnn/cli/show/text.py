"""Untrusted text, from a model or a file: a terminal must show it, not act on it.

A terminal acts on escape sequences, and bidirectional controls make text look like what it is not.
On a terminal both appear as visible escapes; where stdout is piped, the text passes unchanged.
"""

import re

_CONTROLS = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # all control characters but tab and newline
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    r"\u2028\u2029\ufff9-\ufffb"  # line and paragraph separators, annotations
    r"\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e007f"  # invisible tag characters
)
UNSAFE = re.compile(f"[{_CONTROLS}]")
_UNSAFE_IN_LINE = re.compile(rf"[{_CONTROLS}\t\n]")


def visible(text: str) -> str:
    r"""Return ``text`` with what a terminal might act on escaped: ``\x1b``, ``\u202e``."""
    return UNSAFE.sub(_escape, text)


def visible_line(text: str) -> str:
    r"""Return ``text`` as one line: as `visible`, and newlines and tabs are ``\n``, ``\t``."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")
