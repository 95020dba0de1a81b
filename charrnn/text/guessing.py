"""Guessing what unknown bytes are: the encoding of a text, or not text at all."""

import codecs
import re

import numpy as np

BOMS = (  # UTF-32 first: its little-endian mark starts with the one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

HANGUL, _KANA, _HAN = (0xAC00, 0xD7A3), (0x3041, 0x30FE), (0x4E00, 0x9FFF)
_LATIN, _CYRILLIC = (0xC0, 0x24F), (0x410, 0x451)
# Encodings to suggest, the more likely of two equals first: the script that each is used for, a
# companion script of lower weight, and the character set that is used in practice.
CANDIDATES: dict[str, tuple[tuple[int, int], tuple[int, int] | None, str]] = {
    "cp949": (HANGUL, None, "euc_kr"),
    "euc-kr": (HANGUL, None, "euc_kr"),
    "shift_jis": (_KANA, _HAN, "shift_jis"),
    "cp932": (_KANA, _HAN, "cp932"),
    "euc-jp": (_KANA, _HAN, "euc_jp"),
    "gb18030": (_HAN, None, "gb2312"),
    "big5": (_HAN, None, "big5"),
    "cp1251": (_CYRILLIC, None, "cp1251"),
    "koi8-r": (_CYRILLIC, None, "cp1251"),
    "cp866": (_CYRILLIC, None, "cp1251"),
    "cp1252": (_LATIN, None, "cp1252"),
    "latin-1": (_LATIN, None, "latin-1"),  # accepts every byte, so it comes last
}
_CYRILLIC_PAIR = re.compile("[\u0410-\u0451](?=[\u0410-\u0451])")
_INNER_CAPITAL = re.compile("[\u0430-\u0451](?=[\u0410-\u042f])")
_STRANGE = re.compile("[\x80-\U0010ffff]")
_INNER_SYMBOL = re.compile("(?<=[a-z])[\xa1-\xac\xae-\xb6\xb8-\xbf\xd7\xf7](?=[a-z])")
_FREQUENT_HAN = frozenset("的一是不了在人有我他这這中大来來上国國个個到说說们們为為")
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\f\b\x1b") + b"\x7f"
_TAKE_OUT = "extract its text first"
_PANDOC = f"{_TAKE_OUT}, as with pandoc FILE -t plain -o text.txt"
_UNPACK = "unpack it first, and name the files in it"
_NO_TEXT = "name a text file"
_ZIP = b"PK\x03\x04"
_ZIPPED = (
    (b"mimetypeapplication/epub+zip", "an EPUB book", _PANDOC),
    (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file", _PANDOC),
    (b"[Content_Types].xml", "an Office document (.docx, .xlsx or .pptx)", _PANDOC),
)
"""The kind of a zip archive by the name of its first file, which begins at byte 30."""
_SIGNATURES = (
    (b"%PDF-", "a PDF", f"{_TAKE_OUT}, as with pdftotext FILE text.txt"),
    (_ZIP, "a zip archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.doc or .xls)", _TAKE_OUT),
    (b"{\\rtf", "a document in Rich Text Format", _PANDOC),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"\x1f\x8b\x08", "a gzip archive inside another", _UNPACK),
    (b"\x89PNG", "a picture", _NO_TEXT),
    (b"\xff\xd8\xff", "a picture", _NO_TEXT),
    (b"GIF8", "a picture", _NO_TEXT),
    (b"RIFF", "a picture, sound or film", _NO_TEXT),
    (b"SQLite format 3", "a database", _TAKE_OUT),
    (b"\x7fELF", "a program", _NO_TEXT),
)
_TYPOGRAPHY = frozenset("‘’“”–—…•«»¿¡°§€£")  # noqa: RUF001


def surrogate_at(data: bytes, start: int, codec: str) -> int | None:
    """Return the lone surrogate that `data` encodes at `start`, if there is one."""
    if codec == "utf-8" and data[start : start + 1] == b"\xed" and len(data) >= start + 3:
        code = 0xD000 | (data[start + 1] & 0x3F) << 6 | (data[start + 2] & 0x3F)
    elif codec in ("utf-16-le", "utf-16-be") and len(data) >= start + 2:
        code = int.from_bytes(data[start : start + 2], "little" if codec[-2] == "l" else "big")
    elif codec in ("utf-32-le", "utf-32-be") and len(data) >= start + 4:
        code = int.from_bytes(data[start : start + 4], "little" if codec[-2] == "l" else "big")
    else:
        return None
    return code if 0xD800 <= code <= 0xDFFF else None


def wide_pattern(head: bytes) -> str | None:
    """Recognize UTF-16 and UTF-32 without a byte-order mark by the positions of NUL bytes."""
    head = head[: len(head) // 4 * 4]
    if len(head) < 8 or b"\0" not in head:
        return None
    nul = (np.frombuffer(head, np.uint8).reshape(-1, 4) == 0).mean(axis=0)
    if nul[2] > 0.8 and nul[3] == 1 and nul[0] < 0.2:
        return "utf-32-le"
    if nul[0] == 1 and nul[1] > 0.8 and nul[3] < 0.2:
        return "utf-32-be"
    even, odd = (nul[0] + nul[2]) / 2, (nul[1] + nul[3]) / 2
    if odd >= 0.4 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even >= 0.4 and odd == 0 else None


def binary_kind(head: bytes) -> str | None:
    """Return the kind of a well-known binary file from its first 300 bytes, or None."""
    found = _binary(head)
    return None if found is None else found[0]


def binary_message(name: str, head: bytes) -> str | None:
    """Return the error message for a well-known binary file, or None for any other file."""
    found = _binary(head)
    return None if found is None else f"{name} is {found[0]}, not text: {found[1]}"


def _binary(head: bytes) -> tuple[str, str] | None:
    if head[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    signatures: tuple[tuple[bytes, str, str], ...] = _SIGNATURES
    if head.startswith(_ZIP):
        signatures = tuple((_ZIP + head[4:30] + name, kind, do) for name, kind, do in _ZIPPED)
        signatures += _SIGNATURES
    return next(((kind, do) for start, kind, do in signatures if head.startswith(start)), None)


def looks_binary(head: bytes) -> bool:
    """Whether a file that begins with `head` is probably not text."""
    if binary_kind(head):
        return True
    if wide_pattern(head) or any(head.startswith(bom) for bom, _ in BOMS):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > 0.05 * len(head)


_PLAUSIBLE, _PLAUSIBLE_ALPHABET = 0.35, 0.6
"""The lowest score at which an encoding is accepted; higher if every byte is a letter in it."""


def is_believed(score: float, name: str) -> bool:
    """Return whether this score is enough to accept an encoding."""
    alphabet = name in CANDIDATES and CANDIDATES[name][0] in (_LATIN, _CYRILLIC)
    return score >= (_PLAUSIBLE_ALPHABET if alphabet else _PLAUSIBLE)


def plausibility(text: str, name: str) -> float:
    """Return how plausible `text`, decoded from the encoding `name`, is: 0 to 2."""
    strange = [character for character in text if character >= "\x80"]
    if name.startswith("utf-16"):
        usual = sum(
            any(low <= ord(character) <= high for low, high in (HANGUL, _KANA, _HAN, _LATIN))
            for character in strange
        )
        plain = sum(" " <= character <= "~" or character in "\r\n\t" for character in text)
        return 1.5 if text and (usual + plain) / len(text) > 0.9 else 0.0
    # East Asian punctuation is the same in all of these encodings, so it is ignored.
    strange = [c for c in strange if not (0x3000 <= ord(c) <= 0x303F or 0xFF00 <= ord(c) <= 0xFF60)]
    if not strange:
        return 0.0
    script, companion, charset = CANDIDATES[name]
    share = len(strange)
    letters = sum(character.isascii() and character.isalpha() for character in text)
    strange = strange[:: 1 + len(strange) // 4000]  # spread over the sample
    score = sum(_weight(c, script, companion, charset) for c in strange) / len(strange)
    if companion is not None and not any(_KANA[0] <= ord(c) <= _KANA[1] for c in strange):
        score *= 0.5  # Japanese without any kana
    score *= 0.3 ** _is_mojibake(text, strange, script)
    # Accents are rare in a Latin text, and Latin letters are rare in a Cyrillic one.
    unlikely = {_LATIN: share > letters, _CYRILLIC: share <= letters}
    return score * (0.3 if unlikely.get(script, False) else 1.0)


def _is_mojibake(text: str, strange: list[str], script: tuple[int, int]) -> bool:
    """Whether a text has characters that only wrong decoding produces."""
    if any("\x80" <= character <= "\x9f" for character in strange):  # control characters
        return True
    if script == _CYRILLIC:
        wrong, all_of = _INNER_CAPITAL, _CYRILLIC_PAIR
    elif script == _LATIN:
        wrong, all_of = _INNER_SYMBOL, _STRANGE
    else:
        return False
    return len(wrong.findall(text)) > 0.05 * len(all_of.findall(text))


def _weight(
    character: str, script: tuple[int, int], companion: tuple[int, int] | None, charset: str
) -> float:
    code = ord(character)
    if character in _TYPOGRAPHY:
        return 0.8 if script == _LATIN else 0.1
    in_script = script[0] <= code <= script[1]
    in_companion = companion is not None and companion[0] <= code <= companion[1]
    if not in_script and not in_companion:
        return 0.0
    try:
        rare = len(character.encode(charset)) > 2  # EUC-KR encodes rare syllables in 8 bytes
    except UnicodeError:
        rare = True
    if rare:
        return 0.2
    if script == _CYRILLIC:  # capitals are rare; two of the encodings differ only in case
        return 1.0 if character.islower() else 0.5
    if script == _HAN:
        return 1.0 if character in _FREQUENT_HAN else 0.7
    return 1.0 if in_script else 0.7
