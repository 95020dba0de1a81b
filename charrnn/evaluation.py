"""What a text costs under a model: nats, bits, perplexity, and how they were measured."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from charrnn.checkpoint import Checkpoint
from charrnn.comparison import Cost, Opponent, opponents, text_bytes
from charrnn.config import EvalConfig, TextConfig
from charrnn.dynamic import DECAY, RATE, WINDOW, dynamic_nats, usual_gradient
from charrnn.errors import CheckpointError, ConfigError, CorpusError, VocabularyError
from charrnn.nn.parameters import Ids
from charrnn.scoring import STREAMS, WARM_UP, AnyScorer, ColdScorer, Scorer, score
from charrnn.text import Vocabulary, check_sources, read_corpus
from charrnn.text.lines import as_lines
from charrnn.text.vocabulary import Codes
from charrnn.verdict import against

LINES_PROTOCOL = (
    "each line is an item: its characters and its end scored from a zero state, begun by a line "
    "end; the mean is over all symbols; empty lines are left out"
)


@dataclass(frozen=True)
class Evaluation(Cost):
    """What a text costs under a model.

    Attributes
    ----------
    unknown : dict of str to int
        Characters that the model does not know, left out of the text and counted.
    protocol : str
        How it was scored, in a sentence.
    seconds : float
    static_nats : float, optional
        What the text costs the model while it stays as it is, where it did not.
    baselines : tuple of Opponent
        What the same text costs them, the best first; empty where they were not asked for.
    """

    unknown: dict[str, int]
    protocol: str
    seconds: float
    static_nats: float | None = None
    baselines: tuple[Opponent, ...] = ()

    @property
    def static(self) -> Cost | None:
        """What the text costs the model while it stays as it is, where it did not."""
        if self.static_nats is None:
            return None
        return Cost(self.static_nats, self.characters, self.num_bytes)

    @property
    def comparison(self) -> str:
        """What the baselines say of the model, in a sentence; empty without them."""
        if not self.baselines:
            return ""
        others = [(row.name, row.nats_per_char) for row in self.baselines]
        words = against(self.nats_per_char, others)
        if self.static is None:
            return words
        return f"{words}; without learning from it: {against(self.static.nats_per_char, others)}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            **super().to_json(),
            "baselines": [row.to_json() for row in self.baselines],
            "comparison": self.comparison,
        }


@dataclass(frozen=True)
class _Text:
    """What is to be scored: the known characters, as codes and as ids.

    ``tails`` are the same ids by part, each begun by the character before it, where the ends of
    several parts of the corpus were held out.
    """

    codes: Codes
    ids: Ids
    unknown: dict[str, int]
    train: Codes | None
    tails: list[Ids]
    what: str


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    text: TextConfig | None = None,
    config: EvalConfig | None = None,
    unknown: Literal["error", "skip"] = "error",
    baselines: bool = False,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
    baselines_cache: Path | None = None,
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
    config : EvalConfig, optional
        How to score it.
    unknown : "error" or "skip"
        What to do with characters that the model does not know. In the held-out part of its own
        corpus they are always left out and counted.
    baselines : bool
        Whether the opponents score it too; they learn from what the model learned from.
    threads : int
        Workers; no effect on the result.
    stdin : binary file, optional
        What the path "-" reads.
    cache_dir : Path, optional
        Where a corpus too large for memory is kept encoded.
    baselines_cache : Path, optional
        The file that keeps the baselines' results.

    Raises
    ------
    CorpusError
        If the text cannot be read, is empty, or is no longer what the model was trained on.
    VocabularyError
        If there are unknown characters and ``unknown`` is "error".
    """
    config = config or EvalConfig()
    lines = checkpoint.train_config.lines
    if lines and (config.exact or config.cold_windows or config.dynamic):
        raise ConfigError(
            "this model was trained with --lines: each line is scored from a zero state, "
            "and no option changes that"
        )
    read = _read(checkpoint, paths, text or checkpoint.text_config, unknown, stdin, cache_dir)
    train = read.train
    if train is None and (baselines or config.dynamic):
        why, option = (
            ("dynamic evaluation measures gradients on it", "--dynamic")
            if config.dynamic
            else ("the baselines learn from it", "--baselines")
        )
        train = _own_corpus(checkpoint, cache_dir, f"{why}: put it back, or leave out {option}")
        train = checkpoint.split.learned(train)
        train = as_lines(train) if lines else train
    start = time.perf_counter()
    nats = score(checkpoint.model(), _scorer(checkpoint, read, config), threads=threads)
    if not isfinite(nats):
        raise CheckpointError(
            "the model's predictions are not finite, it diverged in training: "
            "train again with a lower --learning-rate"
        )
    static_nats = None
    if config.dynamic:
        assert train is not None
        static_nats, nats = nats, _dynamic(checkpoint, config, train, read.ids)
    seconds = time.perf_counter() - start
    rows: tuple[Opponent, ...] = ()
    if baselines:
        assert train is not None
        rows = opponents(checkpoint, train, read.codes, cache=baselines_cache)
    return Evaluation(
        total_nats=nats,
        characters=len(read.ids),
        num_bytes=_utf8_length(read.codes, checkpoint.vocabulary),
        unknown=read.unknown,
        protocol=f"{read.what}; {_protocol(read, config, lines=lines)}",
        seconds=seconds,
        static_nats=static_nats,
        baselines=rows,
    )


def _read(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path],
    text: TextConfig,
    unknown: Literal["error", "skip"],
    stdin: BinaryIO | None,
    cache_dir: Path | None,
) -> _Text:
    train = None
    tails: list[Codes] = []
    if not paths:
        if not checkpoint.held_out:
            raise CorpusError(
                "the run held no text out (its corpus is too small): name a file to score, "
                "as in: charrnn eval FILE"
            )
        codes = _own_corpus(checkpoint, cache_dir, "name a file to score, as in: charrnn eval FILE")
        split = checkpoint.split
        if split.parts > 1:
            tails = split.tails(codes)
        train, codes = split.learned(codes), split.held(codes)
        what = (
            f"the last {len(codes):,} characters of its corpus, held out of training"
            if split.parts == 1
            else f"{len(codes):,} characters held out of training, the last "
            f"{len(codes) // split.parts:,} of each of {split.parts} parts of its corpus"
        )
    else:
        codes = read_corpus(paths, **text.to_json(), cache_dir=cache_dir, stdin=stdin).codes
        what = "the whole text"
    vocabulary = checkpoint.vocabulary
    ids, left_out = vocabulary.encode_known(codes)
    if left_out and paths and unknown == "error":
        try:
            vocabulary.encode(codes)
        except VocabularyError as error:
            raise VocabularyError(f"{error}; or leave them out with --unknown skip") from None
    if not len(ids):
        raise CorpusError("there is nothing to score: the model knows none of the characters")
    if left_out:
        codes = codes[np.isin(codes, list(left_out), invert=True)]
    if checkpoint.train_config.lines:
        codes = as_lines(codes)
        if not len(codes):
            raise CorpusError("there is nothing to score: the text has no line with a character")
        ids = vocabulary.encode(codes)
        train = None if train is None else as_lines(train)
    return _Text(
        codes=codes,
        ids=ids,
        unknown={vocabulary.show(code): n for code, n in left_out.items()},
        train=train,
        tails=[vocabulary.encode_known(tail)[0] for tail in tails],
        what=what,
    )


def _scorer(checkpoint: Checkpoint, text: _Text, config: EvalConfig) -> AnyScorer:
    """Return the text cut as it is to be scored."""
    if checkpoint.train_config.lines:
        line_end = checkpoint.vocabulary.encode_text("\n")[0]
        return ColdScorer.of_lines(text.ids, line_end)
    if config.cold_windows:
        return ColdScorer.of_windows(text.ids, config.cold_windows)
    if config.exact:
        return Scorer(text.ids, streams=1)
    if text.tails and not config.dynamic:  # which reads them as one text
        return ColdScorer.of_tails(text.tails)
    return Scorer(text.ids)


def _dynamic(checkpoint: Checkpoint, config: EvalConfig, train: Codes, ids: Ids) -> float:
    """Return the nats of a text for a copy of the model that learns from it."""
    window, rate = config.dynamic_window or WINDOW, config.dynamic_rate or RATE
    model = checkpoint.model()
    usual = usual_gradient(model, checkpoint.vocabulary, train, window=window)
    nats = float(dynamic_nats(model, ids, usual, window=window, rate=rate).sum())
    if not isfinite(nats):
        raise ConfigError(
            f"the model lost itself while learning: --dynamic-rate {rate:g} is too high"
        )
    return nats


def _own_corpus(checkpoint: Checkpoint, cache_dir: Path | None, advice: str) -> Codes:
    check_sources(checkpoint.sources, advice)
    paths = [source.path for source in checkpoint.sources]
    return read_corpus(paths, **checkpoint.text_config.to_json(), cache_dir=cache_dir).codes


def _protocol(text: _Text, config: EvalConfig, *, lines: bool) -> str:
    if lines:
        return LINES_PROTOCOL
    once = "every character scored once, the first as uniform"
    if text.tails:
        once = f"{once}, the parts read as one text"
    if config.cold_windows:
        size = f"{config.cold_windows:,} character" + "s" * (config.cold_windows > 1)
        return f"{once}, in cold windows of {size}, each from a zero state, as nanoGPT evaluates"
    if config.dynamic:
        return (
            f"{once}, the state carried, in one stream; dynamic evaluation: after every "
            f"{config.dynamic_window or WINDOW} characters, once they are scored, the weights take "
            f"a step down their gradient (rate {config.dynamic_rate or RATE:g}, each gradient over "
            f"its usual size in training, decay {DECAY:g} back to the trained weights)"
        )
    if text.tails and not config.exact:
        return "every character scored once, each part from a zero state, as char-rnn evaluates"
    streams = len(Scorer(text.ids, streams=1 if config.exact else STREAMS).starts) - 1
    how = (
        "in one stream"
        if streams == 1
        else f"in {streams} parallel streams, each warmed up on the {WARM_UP} characters before it"
    )
    return f"{once}, the state carried, {how}"


def _utf8_length(codes: Codes, vocabulary: Vocabulary) -> int:
    """Return how many bytes a text takes in UTF-8, as it is written out."""
    if vocabulary.unit == "byte":
        return len(codes)
    if vocabulary.normalize == "nfd":
        return len(text_bytes(codes, vocabulary))
    return len(codes) + sum(int(np.count_nonzero(codes >= first)) for first in (2**7, 2**11, 2**16))
