"""The vocabulary of a model: its symbols, and the ids that stand for them."""

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
"""Symbols by their place in the vocabulary, in the smallest unsigned type that holds all."""

CHUNK = 1 << 16
"""Codes looked up at once: NumPy turns indices into 8 bytes each, which should stay in cache."""
JAMO = 0x1100, 0x11FF
"""The first and the last of the letters that Korean syllables are decomposed into."""
LISTED = 10
"""Unknown characters that an error names."""


def _smallest(largest: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """The symbols that a model knows, in order; a symbol's id is its place.

    Attributes
    ----------
    symbols : (V,) uint32 array
        Code points (or byte values), ascending, distinct, at least one.
    unit : "char" or "byte"
    normalize : "none", "nfc", "nfd" or "nfkc"
        The normal form of the corpus. Text is brought into it before it is encoded, and what
        an nfd model writes is composed again.
    has_unknown : bool
        Whether the last id, V - 1, stands for every other symbol, so that nothing is unknown. For
        models that label text: they read symbols and never write them.

    Raises
    ------
    VocabularyError
        If the symbols are not what is said above.
    """

    symbols: npt.NDArray[np.uint32]
    unit: Unit = "char"
    normalize: Normalize = "none"
    has_unknown: bool = False

    def __post_init__(self) -> None:
        symbols = np.array(self.symbols, np.uint32)  # a copy that nobody else can change
        symbols.flags.writeable = False
        object.__setattr__(self, "symbols", symbols)
        if self.unit not in get_args(Unit) or self.normalize not in get_args(Normalize):
            raise VocabularyError(
                f"vocabulary with unit {self.unit!r} and normal form {self.normalize!r}: "
                "this version of charrnn does not know them"
            )
        if symbols.ndim != 1 or not len(symbols):
            raise VocabularyError("the vocabulary is empty: give a text of at least one character")
        if (symbols[1:] <= symbols[:-1]).any():
            raise VocabularyError("the vocabulary's symbols are not ascending and distinct")
        surrogates = (symbols >= 0xD800) & (symbols <= 0xDFFF)
        limit = CODE_POINTS if self.unit == "char" else 256
        if symbols[-1] >= limit or surrogates.any():
            raise VocabularyError(f"the vocabulary holds numbers that are no {self.unit}")

    @classmethod
    def from_codes(
        cls, codes: Codes, *, unit: Unit = "char", normalize: Normalize = "none"
    ) -> "Vocabulary":
        """Collect the distinct symbols of a text, `codes (n,)`, which may be a memory map.

        Bytes are all 256, whatever the text: so a model of bytes reads every text.
        """
        if unit == "byte":
            return cls(np.arange(256, dtype=np.uint32), unit, normalize)
        seen = np.zeros(CODE_POINTS, np.bool_)
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            if chunk.max() >= CODE_POINTS:
                raise VocabularyError("the text holds numbers that are no code points")
            # Few are new, and take is twice as fast as an index.
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
        """What one symbol is called: "character", "byte", "jamo", or "code point" of other nfd."""
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
        """Id of each code up to the largest symbol; for others, and last for all larger ones, V."""
        others = len(self.symbols)  # V, or the id that stands for all of them
        table = np.full(int(self.symbols[-1]) + 2, others, _smallest(len(self)))
        table[self.symbols] = np.arange(others)
        return table

    def encode(self, codes: Codes, out: Ids | None = None) -> Ids:
        """Return the ids of `codes (n,)`, as `(n,)` in `dtype`, written to `out` where given.

        Raises
        ------
        VocabularyError
            If some are unknown: names them with their counts, and the line and the column, from
            1, where each comes first.
        """
        ids: Ids = np.empty(len(codes), self.dtype) if out is None else out
        for start in range(0, len(codes), CHUNK):
            found = self._table.take(codes[start : start + CHUNK], mode="clip")
            if found.size and found.max() == len(self):
                raise VocabularyError(self._unknown_message(codes))
            ids[start : start + CHUNK] = found
        return ids

    def encode_known(self, codes: Codes) -> tuple[Ids, dict[int, int]]:
        """Return the ids of the codes that are known, and how often each unknown one occurs."""
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
        """Return how often each symbol of `codes (n,)` that is not known occurs; builds no ids."""
        counts: Counter[int] = Counter()
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            missing = self._table.take(chunk, mode="clip") == len(self)
            if missing.any():
                counts.update(chunk[missing].tolist())
        return dict(sorted(counts.items()))

    def known(self, codes: Codes) -> Codes:
        """Return `codes (n,)` without those that are not known; itself, where all of them are."""
        unknown = self.unknown(codes)
        if not unknown:
            return codes
        kept: Codes = codes[np.isin(codes, list(unknown), invert=True)]
        return kept

    def count(self, codes: Codes) -> npt.NDArray[np.int64]:
        """Return how often each symbol occurs in `codes (n,)`, as (V,)."""
        counts = np.zeros(len(self) + 1, np.int64)  # the last of them: unknown ones
        for start in range(0, len(codes), CHUNK):
            found = self._table.take(codes[start : start + CHUNK], mode="clip")
            counts += np.bincount(found, minlength=len(counts))
        return counts[:-1]

    def entropy(self, codes: Codes) -> float:
        """Return the nats per symbol of `codes (n,)` to one who knows how often each occurs."""
        counts = self.count(codes)
        shares = counts[counts > 0] / counts.sum()
        return float((shares * np.log(1 / shares)).sum())

    def text_to_codes(self, text: str) -> Codes:
        """Turn a text from outside, such as a seed, into codes of this vocabulary's kind.

        It is brought into the vocabulary's normal form; for bytes it is encoded as UTF-8.

        Raises
        ------
        VocabularyError
            If `text` holds a lone surrogate, which is no character.
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
        """Return the ids of `text`; errors as for `text_to_codes` and `encode`."""
        return self.encode(self.text_to_codes(text))

    def before_all(self) -> Ids:
        """Return the id (1,) that a text follows on which follows on nothing.

        That is a line end or, where it is not known, the first symbol.
        """
        ids, _ = self.encode_known(np.array([LINE_END], np.uint8))
        return ids if len(ids) else np.zeros(1, self.dtype)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of `ids (n,)`: composed if the vocabulary is nfd, UTF-8 if of bytes.

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
        """Check and read what `to_json` wrote; the data may come from anyone.

        Raises
        ------
        VocabularyError
            If `data` is anything but a valid vocabulary.
        """
        names = {"unit", "normalize", "symbols", "has_unknown"}
        if not isinstance(data, dict) or set(data) != names:
            raise VocabularyError(f"the stored vocabulary needs {', '.join(sorted(names))}")
        symbols = data["symbols"]
        if not isinstance(symbols, list) or len(symbols) > CODE_POINTS:
            raise VocabularyError("the stored vocabulary's symbols are not a list of fitting size")
        if not all(type(symbol) is int and 0 <= symbol < CODE_POINTS for symbol in symbols):
            raise VocabularyError("the stored vocabulary holds something that is no code point")
        if not isinstance(data["unit"], str) or not isinstance(data["normalize"], str):
            raise VocabularyError("the stored vocabulary's unit and normalize must be words")
        if not isinstance(data["has_unknown"], bool):
            raise VocabularyError("the stored vocabulary's has_unknown must be true or false")
        array = np.array(symbols, np.uint32)
        return cls(array, data["unit"], data["normalize"], data["has_unknown"])  # type: ignore[arg-type]

    def _unknown_message(self, codes: Codes) -> str:
        places = [  # chunk by chunk: the text may be a memory map of many GB
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
            + ": remove or replace them, or use a model that was trained on them"
        )

    def show(self, code: int) -> str:
        """Name a symbol for a message, safely."""
        if self.unit == "byte":
            return f"byte 0x{code:02X}"
        return show_character(code) if code < CODE_POINTS else f"number {code}"


def _places(codes: Codes, where: list[int]) -> list[tuple[int, int]]:
    """Return line and column, from 1, of some characters of a text, given in ascending order."""
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
