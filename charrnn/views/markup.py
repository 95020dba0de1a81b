"""Text from anyone, as HTML that a browser shows and never obeys."""

from html import escape

MARKS = {"\n": "\u21b5\n", "\t": "\u21e5\t"}
"""What stands for a character that shows as nothing, before the character itself."""


def shown(text: str) -> str:
    r"""Return a text as HTML: markup is escaped, and what is invisible is named.

    Line ends and tabs are marked and kept. Other characters that a browser would not show, or
    obey, such as controls and marks of direction, are escapes: ``\x1b``, ``\u202e``.

    Examples
    --------
    >>> shown("<b>\x1b")
    '&lt;b&gt;\\x1b'
    """
    return escape("".join(MARKS.get(c) or printable(c) for c in text))


def printable(text: str) -> str:
    r"""Return a text in one line, with an escape for each character that is not printable."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def attribute(text: str) -> str:
    """Return a text as the value of an attribute, for double quotes."""
    return escape(printable(text), quote=True)
