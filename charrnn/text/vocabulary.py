"""The vocabulary of a model: its symbols and their ids."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from charrnn.config import Normalize, Unit
from charrnn.errors import VocabularyError
from charrnn.text.codes import CODE_POINTS, LINE_END, Codes, show_character, to_codes
from charrnn.text.normalizing import normalized
from charrnn.text.stream import StreamDecoder

Ids = npt.NDArray[np.unsignedinteger[Any]]
"""Symbols by their index in the vocabulary, in the smallest unsigned type that holds them."""

CHUNK = 1 << 16
"""Codes looked up at once: NumPy widens each index to 8 bytes, and they should fit in cache."""
JAMO = 0x1100, 0x11FF
"""The first and the last of the jamo that Korean syllables are decomposed into."""
LISTED = 10
"""Most unknown characters that an error lists."""


def _smallest(largest: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The symbols that a model knows, in order; the id of a symbol is its index.

    Attributes
    ----------
    symbols : (V,) uint32 array
        Code points (or byte values), ascending, distinct, at least one.
    unit : "char" or "byte"
    normalize : "none", "nfc", "nfd" or "nfkc"
        The normal form of the corpus. Text is converted to it before encoding, and text from an nfd
        model is composed again.
    has_unknown : bool
        Whether the last id, V - 1, stands for every other symbol, so that no symbol is unknown.
        Used by models that label text, which read symbols and never generate them.

    Raises
    ------
    VocabularyError
        If the symbols are not as described above.

    Examples
    --------
    >>> vocabulary = charrnn.load("runs/corpus").vocabulary
    >>> vocabulary.encode_text("jug").tolist(), vocabulary.decode([11, 22, 8])
    ([11, 22, 8], 'jug')
    """

    symbols: npt.NDArray[np.uint32]
    unit: Unit = "char"
    normalize: Normalize = "none"
    has_unknown: bool = False

    def __post_init__(self) -> None:
        symbols = np.array(self.symbols, np.uint32)  # a private copy
        symbols.flags.writeable = False
        object.__setattr__(self, "symbols", symbols)
        if self.unit not in get_args(Unit) or self.normalize not in get_args(Normalize):
            raise VocabularyError(
                f"the vocabulary has unit {self.unit!r} and normal form {self.normalize!r}, which "
                "this version of charrnn does not support: update charrnn"
            )
        if symbols.ndim != 1 or not len(symbols):
            raise VocabularyError("the vocabulary is empty: give a text of at least one character")
        if (symbols[1:] <= symbols[:-1]).any():
            raise VocabularyError(
                "the vocabulary's symbols must be distinct and in ascending order"
            )
        surrogates = (symbols >= 0xD800) & (symbols <= 0xDFFF)
        limit = CODE_POINTS if self.unit == "char" else 256
        if symbols[-1] >= limit or surrogates.any():
            kind = "code points" if self.unit == "char" else "bytes"
            raise VocabularyError(f"the vocabulary has numbers that are not {kind}")

    @classmethod
    def from_codes(
        cls, codes: Codes, *, unit: Unit = "char", normalize: Normalize = "none"
    ) -> "Vocabulary":
        """Return the vocabulary of a text, `codes (n,)`, which may be a memory map.

        For the unit "byte" it has all 256 values, so that a model of bytes can read any text.
        """
        if unit == "byte":
            return cls(np.arange(256, dtype=np.uint32), unit, normalize)
        seen = np.zeros(CODE_POINTS, np.bool_)
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            if chunk.max() >= CODE_POINTS:
                raise VocabularyError("the text has numbers that are not code points")
            # Few are new, and take is twice as fast as indexing.
            seen[chunk[~seen.take(chunk, mode="clip")]] = True
        return cls(np.flatnonzero(seen).astype(np.uint32), unit, normalize)

    def __len__(self) -> int:
        """Return V, the number of ids."""
        return len(self.symbols) + self.has_unknown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.symbols.tobytes(), self.unit, self.normalize, self.has_unknown))

    def __repr__(self) -> str:
        unknown = ", has_unknown=True" if self.has_unknown else ""
        return (
            f"Vocabulary({len(self.symbols)} symbols, unit={self.unit!r}, "
            f"normalize={self.normalize!r}{unknown})"
        )

    @property
    def noun(self) -> str:
        """The name of one symbol: "character", "byte", "jamo", or, for other nfd, "code point"."""
        if self.unit == "byte":
            return "byte"
        if self.normalize != "nfd":
            return "character"
        korean = (self.symbols >= JAMO[0]) & (self.symbols <= JAMO[1])
        return "jamo" if korean.any() else "code point"

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned type that holds every id."""
        return np.dtype(_smallest(len(self) - 1))

    @cached_property
    def _table(self) -> Ids:
        """The id of each code up to the largest symbol, then of all larger ones; V if unknown."""
        others = len(self.symbols)  # V, or the id of all other symbols
        table = np.full(int(self.symbols[-1]) + 2, others, _smallest(len(self)))
        table[self.symbols] = np.arange(others)
        return table

    def encode(self, codes: Codes, out: Ids | None = None) -> Ids:
        """Return the ids of `codes (n,)` as `(n,)` of type `dtype`, written to `out` if given.

        Raises
        ------
        VocabularyError
            If any are unknown. The message lists them with their counts, and with the line and
            column (from 1) of the first occurrence.
        """
        ids: Ids = np.empty(len(codes), self.dtype) if out is None else out
        for start in range(0, len(codes), CHUNK):
            found = self._table.take(codes[start : start + CHUNK], mode="clip")
            if found.size and found.max() == len(self):
                raise VocabularyError(self._unknown_message(codes))
            ids[start : start + CHUNK] = found
        return ids

    def encode_known(self, codes: Codes) -> tuple[Ids, dict[int, int]]:
        """Return the ids of the known codes, and the count of each unknown one."""
        pieces: list[Ids] = []
        left_out: Counter[int] = Counter()
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            found = self._table.take(chunk, mode="clip")
            known = found < len(self)
            pieces.append(found[known].astype(self.dtype))
            left_out.update(chunk[~known].tolist())
        ids = np.concatenate(pieces) if pieces else np.empty(0, self.dtype)
        return ids, dict(sorted(left_out.items()))

    def unknown(self, codes: Codes) -> dict[int, int]:
        """Return the count of each unknown symbol of `codes (n,)`, without building ids."""
        counts: Counter[int] = Counter()
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            missing = self._table.take(chunk, mode="clip") == len(self)
            if missing.any():
                counts.update(chunk[missing].tolist())
        return dict(sorted(counts.items()))

    def known(self, codes: Codes) -> Codes:
        """Return `codes (n,)` without unknown symbols; the same array if all are known."""
        unknown = self.unknown(codes)
        if not unknown:
            return codes
        kept: Codes = codes[np.isin(codes, list(unknown), invert=True)]
        return kept

    def count(self, codes: Codes) -> npt.NDArray[np.int64]:
        """Return the count of each symbol in `codes (n,)`, as (V,)."""
        counts = np.zeros(len(self) + 1, np.int64)  # the last one counts unknown symbols
        for start in range(0, len(codes), CHUNK):
            found = self._table.take(codes[start : start + CHUNK], mode="clip")
            counts += np.bincount(found, minlength=len(counts))
        return counts[:-1]

    def entropy(self, codes: Codes) -> float:
        """Return the entropy of the symbol frequencies of `codes (n,)`, in nats per symbol."""
        counts = self.count(codes)
        shares = counts[counts > 0] / counts.sum()
        return float((shares * np.log(1 / shares)).sum())

    def text_to_codes(self, text: str) -> Codes:
        """Convert a text from outside, such as a seed, to codes.

        It is converted to the vocabulary's normal form; for bytes, it is encoded as UTF-8.

        Raises
        ------
        VocabularyError
            If `text` has a lone surrogate, which is not a character.
        """
        try:
            if self.unit == "byte":
                return np.frombuffer(text.encode(), np.uint8)
            return to_codes(normalized(text, self.normalize))
        except UnicodeEncodeError as error:
            raise VocabularyError(
                f"the text has a lone surrogate (U+{ord(text[error.start]):04X}) at character "
                f"{error.start}: give it as valid UTF-8"
            ) from None

    def encode_text(self, text: str) -> Ids:
        """Return the ids of `text`; raises the errors of `text_to_codes` and `encode`."""
        return self.encode(self.text_to_codes(text))

    def before_all(self) -> Ids:
        """Return the id (1,) that precedes a text without context.

        That is a newline or, if it is not in the vocabulary, the first symbol.
        """
        ids, _ = self.encode_known(np.array([LINE_END], np.uint8))
        return ids if len(ids) else np.zeros(1, self.dtype)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of `ids (n,)`: composed for an nfd vocabulary, UTF-8 for bytes.

        Raises
        ------
        VocabularyError
            If an id is not in 0..V-1.
        """
        decoder = self.decoder()
        return decoder.decode(ids) + decoder.flush()

    def decoder(self, *, raw: bool = False) -> StreamDecoder:
        """Return a decoder for ids that arrive a few at a time."""
        return StreamDecoder(self, raw=raw)

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as a dict of JSON types; `from_json` is its inverse."""
        symbols = self.symbols.tolist()
        return {
            "unit": self.unit,
            "normalize": self.normalize,
            "symbols": symbols,
            "has_unknown": self.has_unknown,
        }

    @classmethod
    def from_json(cls, data: object) -> "Vocabulary":
        """Check and read the output of `to_json`; the data may be untrusted.

        Raises
        ------
        VocabularyError
            If `data` is anything but a valid vocabulary.
        """
        names = {"unit", "normalize", "symbols", "has_unknown"}
        if not isinstance(data, dict) or set(data) != names:
            raise VocabularyError(f"the stored vocabulary must have {', '.join(sorted(names))}")
        symbols = data["symbols"]
        if not isinstance(symbols, list) or len(symbols) > CODE_POINTS:
            raise VocabularyError(
                f"the stored vocabulary's symbols must be a list of at most {CODE_POINTS:,} numbers"
            )
        if not all(type(symbol) is int and 0 <= symbol < CODE_POINTS for symbol in symbols):
            raise VocabularyError("the stored vocabulary has a symbol that is not a code point")
        if not isinstance(data["unit"], str) or not isinstance(data["normalize"], str):
            raise VocabularyError("the stored vocabulary's unit and normalize must be strings")
        if not isinstance(data["has_unknown"], bool):
            raise VocabularyError("the stored vocabulary's has_unknown must be true or false")
        array = np.array(symbols, np.uint32)
        return cls(array, data["unit"], data["normalize"], data["has_unknown"])  # type: ignore[arg-type]

    def _unknown_message(self, codes: Codes) -> str:
        places = [  # in chunks, as the text may be a memory map of many GB
            start + np.flatnonzero(self._table.take(chunk, mode="clip") == len(self))
            for start in range(0, len(codes), CHUNK)
            for chunk in (codes[start : start + CHUNK],)
        ]
        where = np.concatenate(places)
        unknown, first, counts = np.unique(codes[where], return_index=True, return_counts=True)
        shown = np.argsort(first)[:LISTED]
        lines = _places(codes, where[first[shown]].tolist())
        listed = [
            f"{self.show(int(unknown[i]))} {counts[i]:,} time{'s' if counts[i] > 1 else ''}, "
            f"first at line {line:,}, column {column:,}"
            for i, (line, column) in zip(shown, lines, strict=True)
        ]
        more = f"; and {len(unknown) - LISTED:,} more" if len(unknown) > LISTED else ""
        return (
            f"the model does not know {len(unknown):,} "
            f"{'character' if self.unit == 'char' else 'byte'}{'s' if len(unknown) > 1 else ''} "
            "of the text: "
            + "; ".join(listed)
            + more
            + ": remove or replace them, or use a model whose training text has them"
        )

    def show(self, code: int) -> str:
        """Return a printable name of a symbol, for messages."""
        if self.unit == "byte":
            return f"byte 0x{code:02X}"
        return show_character(code) if code < CODE_POINTS else f"number {code}"


def _places(codes: Codes, where: list[int]) -> list[tuple[int, int]]:
    """Return the line and column (from 1) of characters of a text, given in ascending order."""
    places = []
    done = line = line_start = 0
    for place in where:
        for start in range(done, place, CHUNK):
            chunk = codes[start : min(start + CHUNK, place)]
            ends = np.flatnonzero(chunk == LINE_END)
            if len(ends):
                line, line_start = line + len(ends), start + int(ends[-1]) + 1
        done = place
        places.append((line + 1, place - line_start + 1))
    return places
