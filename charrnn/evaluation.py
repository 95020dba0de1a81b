"""What a text costs under a model: nats, bits, perplexity, and how they were measured."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from charrnn.checkpoint import Checkpoint
from charrnn.config import TextConfig
from charrnn.errors import CorpusError, VocabularyError
from charrnn.scoring import STREAMS, WARM_UP, Scorer, score_ids
from charrnn.text import Vocabulary, check_sources, read_corpus
from charrnn.text.vocabulary import Codes, Normalizer, to_text


@dataclass(frozen=True)
class Evaluation:
    """What a text costs under a model.

    Attributes
    ----------
    total_nats : float
        The negative log-probability of the text.
    characters : int
        Symbols scored; ``num_bytes`` is what they take in UTF-8.
    unknown : dict of str to int
        Characters that the model does not know, left out of the text and counted.
    protocol : str
        How it was scored, in a sentence.
    seconds : float
    """

    total_nats: float
    characters: int
    num_bytes: int
    unknown: dict[str, int]
    protocol: str
    seconds: float

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


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    text: TextConfig | None = None,
    unknown: Literal["error", "skip"] = "error",
    exact: bool = False,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Score a text with a checkpoint's model.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model, and what it was trained on.
    paths : sequence of str
        What to score; if empty, the held-out end of the checkpoint's own corpus.
    text : TextConfig, optional
        How to read it, if not as the corpus was.
    unknown : "error" or "skip"
        What to do with characters that the model does not know. In the held-out part of its own
        corpus they are always left out and counted.
    exact : bool
        In one stream instead of parallel, warmed-up ones.
    threads : int
        Workers; no effect on the result.
    stdin : binary file, optional
        What the path "-" reads.
    cache_dir : Path, optional
        Where a corpus too large for memory is kept encoded.

    Raises
    ------
    CorpusError
        If the text cannot be read, is empty, or is no longer what the model was trained on.
    VocabularyError
        If there are unknown characters and ``unknown`` is "error".
    """
    text = text or checkpoint.text_config
    own = not paths
    if own and not checkpoint.held_out:
        raise CorpusError(
            "the run held no text out (its corpus is too small): name a file to score, "
            "as in: charrnn eval FILE"
        )
    if own:
        check_sources(checkpoint.sources)
        paths = [source.path for source in checkpoint.sources]
    corpus = read_corpus(paths, **text.to_json(), cache_dir=cache_dir, stdin=stdin)
    codes, what = corpus.codes, "the whole text"
    if own:
        codes = codes[len(codes) - checkpoint.held_out :]
        what = f"the last {len(codes):,} characters of its corpus, held out of training"
    ids, left_out = checkpoint.vocabulary.encode_known(codes)
    if left_out and not own and unknown == "error":
        try:
            checkpoint.vocabulary.encode(codes)
        except VocabularyError as error:
            raise VocabularyError(f"{error}; or leave them out with --unknown skip") from None
    if not len(ids):
        raise CorpusError("there is nothing to score: the model knows none of the characters")
    known = codes if not left_out else codes[np.isin(codes, list(left_out), invert=True)]
    start = time.perf_counter()
    nats = score_ids(checkpoint.model(), ids, exact=exact, threads=threads)
    return Evaluation(
        total_nats=nats,
        characters=len(ids),
        num_bytes=_utf8_bytes(known, checkpoint.vocabulary),
        unknown={checkpoint.vocabulary.show(code): n for code, n in left_out.items()},
        protocol=f"{what}; {_protocol(ids, exact)}",
        seconds=time.perf_counter() - start,
    )


def _protocol(ids: Any, exact: bool) -> str:
    streams = len(Scorer(ids, streams=1 if exact else STREAMS).starts) - 1
    how = (
        "in one stream"
        if streams == 1
        else f"in {streams} parallel streams, each warmed up on the {WARM_UP} characters before it"
    )
    return f"every character scored once, the first as uniform, the state carried, {how}"


def _utf8_bytes(codes: Codes, vocabulary: Vocabulary) -> int:
    """Return how many bytes a text takes in UTF-8, as it is written out: composed, if nfd."""
    if vocabulary.unit == "byte":
        return len(codes)
    if vocabulary.normalize == "nfd":
        composer = Normalizer("nfc")
        pieces = (codes[start : start + 2**16] for start in range(0, len(codes), 2**16))
        total = sum(len(composer.feed(to_text(piece)).encode()) for piece in pieces)
        return total + len(composer.flush().encode())
    return len(codes) + sum(int(np.count_nonzero(codes >= first)) for first in (2**7, 2**11, 2**16))
