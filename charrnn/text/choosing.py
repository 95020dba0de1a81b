"""Choosing the encoding of a file, and the message if none fits."""

import codecs

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.decoding import Findings, Misfit, show_codec
from charrnn.text.guessing import BOMS, wide_pattern
from charrnn.text.surveying import Survey

_IN_SPITE = "--errors replace, --errors skip or --unit byte"
_IN_SPITE_AS_TEXT = "--errors replace or --errors skip"


def for_characters(error: CorpusError) -> CorpusError:
    """Return an error without its advice to read bytes.

    A model of characters cannot, and neither can training with labels.
    """
    return CorpusError(str(error).replace(_IN_SPITE, _IN_SPITE_AS_TEXT))


def first_codec(
    name: str, head: bytes, options: TextConfig, findings: Findings
) -> tuple[str, bool]:
    """Choose the encoding of a file from its first bytes.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    head : bytes
        Its first few thousand bytes.
    options : TextConfig
        What the user asked for.
    findings : Findings
        Collects a notice if the choice is not what was asked for.

    Returns
    -------
    codec : str
    sure : bool
        Whether no other encoding is to be tried if this one does not fit.

    Raises
    ------
    CorpusError
        If UTF-8 was asked for and the file is UTF-16 or UTF-32 without a byte-order mark.
    """
    asked = options.encoding
    marked = next((codec for bom, codec in BOMS if head.startswith(bom)), None)
    if asked in ("auto", "utf-8"):
        wide = None if marked else wide_pattern(head)
        if wide is not None and asked == "utf-8":
            raise CorpusError(
                f"{name} has many NUL bytes and looks like {wide}: leave out --encoding, or give "
                f"--encoding {wide}"
            )
        if wide is not None:
            findings.add(f"has no byte-order mark: read as {wide}", name)
        elif marked not in (None, "utf-8"):
            findings.add(f"has a byte-order mark: read as {marked}", name)
        codec = marked or wide
        return codec or "utf-8", codec is not None or asked != "auto"
    if asked in ("utf-16", "utf-32"):
        if marked is not None and marked.startswith(asked):
            return marked, True
        wide = wide_pattern(head)
        chosen = wide if wide and wide.startswith(asked) else f"{asked}-le"
        findings.add(f"has no byte-order mark: read as {chosen}", name)
        return chosen, True
    if marked is not None and not asked.startswith(("utf", "gb18030")):
        findings.add(
            f"has the byte-order mark of {marked} but is read as {asked}; leave out --encoding to "
            "follow the mark",
            name,
        )
    return asked, True


def next_codec(misfit: Misfit, found: Survey, options: TextConfig, findings: Findings) -> str:
    """Choose the encoding of a file that is not UTF-8, from a survey of the whole file.

    Raises
    ------
    CorpusError
        If undecodable bytes are an error, and no encoding fits or the file is UTF-8 with damaged
        bytes.
    """
    if found.fits:
        best, *others = found.fits
        may_be = f" (it may be {others[0]}: --encoding {others[0]})" if others else ""
        findings.add(f"not UTF-8; read as {best}{may_be}", misfit.name)
        return best
    if options.errors == "strict":
        raise explain(misfit, found, options)
    if found.nearly and not found.mixed:
        findings.add(f"not UTF-8; read as {found.nearly[0]}", misfit.name)
        return found.nearly[0]
    return "utf-8"


def explain(misfit: Misfit, found: Survey, options: TextConfig) -> CorpusError:
    """Return the error for undecodable bytes: one line, with an encoding that would fit."""
    name, where, codec = misfit.name, misfit.where, misfit.codec
    if misfit.surrogate is not None:
        return CorpusError(
            f"{name}: {where} is a lone surrogate (U+{misfit.surrogate:04X}), half of a pair: "
            f"repair the text, or read it with {_IN_SPITE}"
        )
    if found.fits and found.fits[0] == "utf-8" and codec != "utf-8":
        return CorpusError(f"{misfit}; the file is valid UTF-8: leave out --encoding")
    if found.fits and options.encoding != "auto":
        best = found.fits[0]
        return CorpusError(
            f"{misfit}; the file looks like {' or '.join(found.fits)}: leave out --encoding, or "
            f"give --encoding {best}"
        )
    if misfit.rest:
        many = "s" if misfit.rest > 1 else ""
        return CorpusError(
            f"{name}: the file ends in the middle of a {show_codec(codec)} character at {where}: "
            f"get the whole file, remove its last {misfit.rest} byte{many}, or read it with "
            f"{_IN_SPITE}"
        )
    if codec == "utf-8" and found.mixed:
        return CorpusError(
            f"{name}: {where} is not UTF-8, though other parts of the file are: repair or remove "
            f"the damaged bytes, or read it with {_IN_SPITE}"
        )
    if found.nearly and found.nearly[0] != codec:
        best = found.nearly[0]
        return CorpusError(
            f"{misfit}; the file looks like {best} with a few damaged bytes: repair them, or read "
            f"it with --encoding {best} --errors replace"
        )
    what = "it looks like binary data" if found.binary else "no common encoding fits"
    return CorpusError(
        f"{misfit}; {what}: name a text file or its --encoding, or read it with {_IN_SPITE}"
    )


class Utf8Watch:
    """Detects a file of valid UTF-8 that is read in another encoding, as requested.

    Parameters
    ----------
    name : str
        The file, as messages show it.
    codec : str
        The encoding that it is decoded with.
    options : TextConfig
    findings : Findings
        Collects the notice at the end of the file.
    """

    def __init__(self, name: str, codec: str, options: TextConfig, findings: Findings) -> None:
        self._name, self._codec, self._findings = name, codec, findings
        asked = options.encoding  # without a byte order, it was given one
        watched = options.unit == "char" and codec in (asked, f"{asked}-le", f"{asked}-be")
        watched = watched and not codec.startswith("utf-8")
        self._decoder = codecs.getincrementaldecoder("utf-8")() if watched else None
        self._wide = codec.startswith(("utf-16", "utf-32"))
        self._at_start, self._strange = True, False

    def feed(self, data: bytes, final: bool) -> None:
        """Check more bytes of the file; `final` with the last ones."""
        if self._decoder is None:
            return
        marked = self._at_start and data.startswith(codecs.BOM_UTF8)
        if marked and not self._wide:  # the byte-order mark has its own notice
            self._decoder = None
            return
        self._at_start = False
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            self._decoder = None
            return
        if self._wide and "\0" in text:  # not UTF-8, but halves of wide characters
            self._decoder = None
            return
        # In a wide encoding even ASCII becomes a different text.
        self._strange = self._strange or (bool(text) if self._wide else not text.isascii())
        if final and self._strange:
            self._findings.add(
                f"is valid UTF-8 but read as {self._codec}; leave out --encoding to read it as "
                "UTF-8",
                self._name,
            )
