"""Untrusted text as HTML that a browser only displays."""

from html import escape

MARKS = {"\n": "\u21b5\n", "\t": "\u21e5\t"}
"""Visible marks that are put before invisible characters."""


def shown(text: str) -> str:
    r"""Return a text as HTML: markup is escaped, and invisible characters are made visible.

    Newlines and tabs are marked and kept. Other characters that a browser would not display, or
    interpret, such as control characters and directional marks, become escapes: ``\x1b``,
    ``\u202e``.

    Examples
    --------
    >>> shown("<b>\x1b")
    '&lt;b&gt;\\x1b'
    """
    return escape("".join(MARKS.get(c) or printable(c) for c in text))


def printable(text: str) -> str:
    r"""Return a text on one line, with an escape for each character that is not printable."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def attribute(text: str) -> str:
    """Return a text as an attribute value, for double quotes."""
    return escape(printable(text), quote=True)
