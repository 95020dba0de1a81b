"""How a corpus is read."""

import codecs
from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Settings, setting
from charrnn.errors import ConfigError

DecodingErrors = Literal["strict", "replace", "skip"]
Newlines = Literal["auto", "keep", "lf"]
Normalize = Literal["none", "nfc", "nfd", "nfkc"]
Unit = Literal["char", "byte"]

STDIN = "-"
"""The path of standard input."""


@dataclass(frozen=True, kw_only=True)
class TextConfig(Settings):
    """How the corpus is read.

    Raises
    ------
    ConfigError
        If a value is unknown, or two of them contradict each other.
    """

    encoding: str = setting(
        "auto", "Encoding of the files; auto detects it for each file, UTF-8 first."
    )
    errors: DecodingErrors = setting(
        "strict",
        "Bytes that are invalid in the encoding: stop with an error, replace them by "
        "U+FFFD, or skip them.",
    )
    newlines: Newlines = setting(
        "auto", "Line ends: keep them, or turn all of them into LF; auto: keep for bytes, else lf."
    )
    normalize: Normalize = setting(
        "none", "Unicode normalization; nfd splits Korean syllables into 67 jamo."
    )
    unit: Unit = setting("char", "What one symbol is: a character or a byte.")
    column: str | None = setting(
        None,
        "The column with the text, in CSV and TSV files: its name, or its number from 1.",
        auto="the whole file is text",
        form="NAME|N",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit == "byte" and self.normalize != "none":
            raise ConfigError(f"--normalize {self.normalize} needs characters: use --unit char")
        if self.column == "":
            raise ConfigError("--column is empty: give the name of a column, or its number from 1")
        if self.newlines == "auto":
            object.__setattr__(self, "newlines", "keep" if self.unit == "byte" else "lf")
        # One name for each codec, so that UTF8 and utf-8 share a cache.
        object.__setattr__(self, "encoding", codec_name(self.encoding))

    def check_new(self) -> None:
        """Refuse what only a run of an older charrnn may ask for.

        Raises
        ------
        ConfigError
            If bytes are to be decoded, or their line ends changed.
        """
        if self.unit == "byte" and self.newlines == "lf":
            raise ConfigError(
                "--newlines lf and --unit byte do not go together, bytes are never changed: "
                "leave out one of them"
            )
        for name, usual in (("encoding", "auto"), ("errors", "strict")):
            value = getattr(self, name)
            if self.unit == "byte" and value != usual:
                raise ConfigError(
                    f"--{name} {value} and --unit byte do not go together, bytes are not decoded: "
                    "leave out one of them"
                )


_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_USUAL_NAMES = {"iso8859-1": "latin-1", "euc_kr": "euc-kr", "euc_jp": "euc-jp"}


def codec_name(encoding: str) -> str:
    """Return the one name of an encoding that has several; ``auto`` stays.

    Raises
    ------
    ConfigError
        If there is no such encoding of text.
    """
    if encoding == "auto":
        return encoding
    try:
        codec = codecs.lookup(encoding)
        usable = codec._is_text_encoding and codec.name not in _NOT_FOR_FILES
    except (LookupError, ValueError):
        usable = False
    if not usable:
        raise ConfigError(
            f"--encoding {encoding!r:.40} is unknown: common ones are utf-8, utf-16, cp949, "
            "euc-kr, shift_jis, gb18030, big5, latin-1, cp1252"
        )
    return _USUAL_NAMES.get(codec.name, codec.name)
