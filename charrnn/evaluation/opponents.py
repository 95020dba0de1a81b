"""What a text costs, in every unit, and what it costs a model's opponents.

The opponents of ``baselines.py`` learn from the training part of a model's own corpus and predict
the text that the model is judged by. That takes seconds, so the result is kept in a file beside
the checkpoint, under a key made of all that it follows from.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, isfinite, log
from pathlib import Path
from typing import Any

from charrnn.errors import CharrnnError
from charrnn.evaluation.baselines import baselines
from charrnn.storage.checkpoint import Checkpoint
from charrnn.system.files import RegularFile, write_whole
from charrnn.text import Vocabulary, fingerprint
from charrnn.text.vocabulary import Codes, Normalizer, to_text

CACHE = "baselines.json"
VERSION = 2
"""Goes up when an opponent changes what it says of the same text."""
KEPT = 32
"""Results that a cache holds; the oldest make room."""
CACHE_LIMIT = 2**20
"""Bytes that a cache may have: it lies where anyone may have put it."""
TRAINED_ON = 2**26
"""Characters that the opponents learn from, the last ones: all that a compressor can look back
to, and what fits in memory."""
PIECE = 2**16
COUNTING = ("uniform", "unigram")
"""Opponents that have the vocabulary of the model; the n-gram, whose name says its length, too."""


@dataclass(frozen=True)
class Cost:
    """What a text costs.

    Attributes
    ----------
    total_nats : float
        The negative log-probability of the text.
    characters : int
        Symbols scored; ``num_bytes`` is what they take in UTF-8.
    """

    total_nats: float
    characters: int
    num_bytes: int

    @property
    def nats_per_char(self) -> float:
        """Mean negative log-probability of a character, natural logarithm."""
        return self.total_nats / self.characters

    @property
    def bits_per_char(self) -> float:
        """The same with logarithms to base 2."""
        return self.nats_per_char / log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits for the whole text over its bytes: comparable between vocabularies."""
        return self.total_nats / log(2) / self.num_bytes

    @property
    def perplexity(self) -> float:
        """``exp(nats_per_char)``, per character."""
        return exp(min(self.nats_per_char, 700))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "nats_per_char": self.nats_per_char,
            "bits_per_char": self.bits_per_char,
            "bits_per_byte": self.bits_per_byte,
            "perplexity": self.perplexity,
            **asdict(self),
        }


@dataclass(frozen=True)
class Opponent(Cost):
    """What the same text costs one of the baselines."""

    name: str


def text_bytes(codes: Codes, vocabulary: Vocabulary) -> bytes:
    """Return a text as UTF-8, as it is written out: composed, if nfd; bytes as they are.

    Parameters
    ----------
    codes : (m,) int array
        Code points, or bytes for the unit "byte".
    vocabulary : Vocabulary
        Knows the unit and the normal form.
    """
    if vocabulary.unit == "byte":
        return codes.astype("u1").tobytes()
    pieces = (to_text(codes[start : start + PIECE]) for start in range(0, len(codes), PIECE))
    if vocabulary.normalize == "nfd":
        composer = Normalizer("nfc")
        composed = [composer.feed(piece).encode() for piece in pieces]
        return b"".join([*composed, composer.flush().encode()])
    return b"".join(piece.encode() for piece in pieces)


def opponents(
    checkpoint: Checkpoint,
    train: Codes,
    scored: Codes,
    *,
    unknown_nats: float = 0.0,
    whole: Codes | None = None,
    size: tuple[int, int] | None = None,
    cache: Path | None = None,
) -> tuple[Opponent, ...]:
    """Score a text with every baseline, the best first.

    Parameters
    ----------
    checkpoint : Checkpoint
        Whose corpus the baselines learn from, in its vocabulary.
    train : (n,) int array
        The training part of that corpus.
    scored : (m,) int array
        The text to score, without characters that the model does not know.
    unknown_nats : float
        What such characters cost the model: the counting models are charged the same.
    whole : (k,) int array, optional
        The text with such characters, which compressors read, where they count.
    size : (int, int), optional
        Characters and bytes that the totals are divided by; those of ``whole`` if left out.
    cache : Path, optional
        The file that keeps what was found; a missing, broken or foreign one is ignored.
    """
    vocabulary = checkpoint.vocabulary
    whole = scored if whole is None else whole
    held_out_bytes = text_bytes(whole, vocabulary)
    key = _key(checkpoint, whole)
    totals = _read(cache).get(key)
    if totals is None:
        train = train[-TRAINED_ON:]
        totals = baselines(
            vocabulary.encode(train),
            vocabulary.encode(scored),
            len(vocabulary),
            text_bytes(train, vocabulary),
            held_out_bytes,
        )
        _write(cache, key, totals)
    characters, num_bytes = size or (len(whole), len(held_out_bytes))
    found = [
        Opponent(
            nats + (unknown_nats if name in COUNTING or "gram" in name else 0.0),
            characters,
            num_bytes,
            name,
        )
        for name, nats in totals
    ]
    return tuple(sorted(found, key=lambda opponent: opponent.total_nats))


def _key(checkpoint: Checkpoint, scored: Codes) -> str:
    """Return a name for all that the baselines' totals depend on."""
    parts = {
        "version": VERSION,
        "corpus": fingerprint(checkpoint.sources),
        "text": checkpoint.text.to_json(),
        "split": [checkpoint.characters, checkpoint.held_out, checkpoint.split.parts],
        "vocabulary": checkpoint.vocabulary.to_json(),
        # The type of the codes follows from the largest of the text they were read with.
        "scored": hashlib.sha256(scored.astype("<u4").tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


def _read(cache: Path | None) -> dict[str, list[tuple[str, float]]]:
    """Return what a cache holds; nothing if it is missing or not what was written there."""
    if cache is None:
        return {}
    try:
        with RegularFile(cache, CACHE_LIMIT) as file:
            if file.size > CACHE_LIMIT:
                return {}
            data = json.loads(file.read(CACHE_LIMIT))
        found = {
            str(key): [(str(name)[:100], float(nats)) for name, nats in totals]
            for key, totals in data.items()
        }
    except (OSError, CharrnnError, ArithmeticError, ValueError, TypeError, AttributeError):
        return {}
    except RecursionError:  # lists in lists in lists
        return {}
    return {
        key: totals
        for key, totals in found.items()
        if totals and all(isfinite(nats) and nats >= 0 for _, nats in totals)
    }


def _write(cache: Path | None, key: str, totals: Sequence[tuple[str, float]]) -> None:
    """Add to a cache; a folder that cannot be written to costs time, not the result."""
    if cache is None:
        return
    entries = list(_read(cache).items())[1 - KEPT :]
    text = json.dumps({**dict(entries), key: list(totals)}, indent=1)
    with contextlib.suppress(CharrnnError):
        write_whole(cache, lambda file: file.write(text.encode("ascii")))
