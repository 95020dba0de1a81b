"""What a text costs under a model: nats, bits, perplexity, and how they were measured."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf, isfinite, log, log1p
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.config import EvalConfig, TextConfig
from charrnn.data.items import as_lines, line_end_id
from charrnn.data.overlap import overlap, overlap_of_items
from charrnn.data.splits import HashedSplit, Split
from charrnn.errors import CheckpointError, ConfigError, CorpusError, VocabularyError
from charrnn.evaluation.baselines import unigram_of_counts
from charrnn.evaluation.dynamic import DECAY, RATE, WINDOW, dynamic_nats, usual_gradient
from charrnn.evaluation.opponents import Cost, Opponent, opponents, text_bytes
from charrnn.evaluation.scorers import STREAMS, WARM_UP, AnyScorer, ColdScorer, Scorer, score
from charrnn.evaluation.verdict import MAX_EPOCHS, against
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus, Vocabulary, fitting_corpus, read_corpus, trained_on
from charrnn.text.files import show_path
from charrnn.text.vocabulary import Codes

LINES_PROTOCOL = (
    "each line is an item: its characters and its end scored from a zero state, begun by a line "
    "end; the mean is over all symbols; empty lines are left out"
)

READ_ENOUGH = 0.95
"""Share of the readings that are of use, from which on more training is no advice."""
QUICKLY_READ = 2**26
"""Bytes of a corpus that is read to tell how much of another text is in it."""
COMPRESSORS = frozenset(("gzip -9", "bzip2 -9", "xz -9e"))


@dataclass(frozen=True)
class Evaluation(Cost):
    """What a text costs under a model.

    Attributes
    ----------
    unknown : dict of str to int
        Symbols that the model does not know, with their counts: charged ``unknown_cost`` nats each
        and part of ``characters``, or left out of the text where that is None.
    unseen, unseen_nats : int, float
        How many of the scored characters are symbols that the model knows, but that its training
        part does not have, and what they cost: part of ``total_nats``.
    protocol : str
        How it was scored, in a sentence.
    seconds : float
    unknown_cost : float, optional
    file_bytes : int, optional
        Bytes of the files, where the whole of them was scored: ``num_bytes`` is the text as
        scored, in UTF-8.
    overlap : float, optional
        Share of the text that is also in the training part, where that is at hand.
    learned : float
        Share of the text that is the training part itself: its files were named.
    held_out_nats : float, optional
        Nats per character of the held-out part alone, where the text is the run's own.
    uniform_nats, unigram_nats : float, optional
        Nats per character if every known symbol were as likely, or as likely as it is frequent in
        the training part; unknown ones are charged as they are to the model.
    static_nats : float, optional
        What the text costs the model while it stays as it is, where it did not.
    baselines : tuple of Opponent
        What the same text costs them, the best first; empty where they were not asked for.
    longer_helps : bool
        Whether the run of the model ended before its text was read as often as is of use.
    notices : tuple of str
        What the user should be told, one line each.
    """

    unknown: dict[str, int]
    protocol: str
    seconds: float
    unseen: int = 0
    unseen_nats: float = 0.0
    unknown_cost: float | None = None
    file_bytes: int | None = None
    overlap: float | None = None
    learned: float = 0.0
    held_out_nats: float | None = None
    uniform_nats: float = inf
    unigram_nats: float | None = None
    static_nats: float | None = None
    baselines: tuple[Opponent, ...] = ()
    longer_helps: bool = True
    notices: tuple[str, ...] = ()

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
        more: dict[str, Any] = {"shared": self.overlap or 0.0, "longer_helps": self.longer_helps}
        words = against(self.nats_per_char, others, **more)
        if self.static is None:
            return words
        static = against(self.static.nats_per_char, others, **more)
        return f"{words}; without learning from it: {static}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            **super().to_json(),
            "baselines": [row.to_json() for row in self.baselines],
            "comparison": self.comparison,
        }


@dataclass(frozen=True)
class _Text:
    """What is to be scored.

    ``codes`` is the whole of it, ``known`` what the model knows of that and ``ids`` the same as
    ids. ``tails`` are these ids by part, each begun by the character before it, where the ends of
    several parts of the corpus were held out. ``own`` is the corpus of the run, where it is at
    hand; ``learned`` says which share of the text is its training part, where the text is it.
    """

    codes: Codes
    known: Codes
    ids: Ids
    unknown: dict[int, int]
    tails: list[Ids]
    what: str
    own: Corpus | None = None
    learned: float = 0.0
    file_bytes: int | None = None
    notices: tuple[str, ...] = ()


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    text: Mapping[str, Any] | None = None,
    config: EvalConfig | None = None,
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
        What to score; if empty, the held-out part of the checkpoint's own corpus, which is looked
        for where it was, beside the checkpoint and in the working folder.
    text : mapping, optional
        Fields of ``TextConfig``: how to read it, where not as the corpus was read.
    config : EvalConfig, optional
        How to score it.
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
        If there are unknown characters and ``config.unknown`` is "error".
    """
    config = config or EvalConfig()
    lines = checkpoint.settings.lines
    if lines and (config.exact or config.cold_windows or config.dynamic):
        raise ConfigError(
            "this model was trained with --lines: each line is scored from a zero state, "
            "and no option changes that"
        )
    read = _read(checkpoint, paths, text or {}, config, stdin, cache_dir)
    own = read.own
    if own is None and (baselines or config.dynamic):
        why, option = (
            ("dynamic evaluation measures gradients on it", "--dynamic")
            if config.dynamic
            else ("the baselines learn from it", "--baselines")
        )
        advice = f"{why}: put it back, or leave out {option}"
        own, _ = find_own_text(checkpoint, cache_dir=cache_dir, advice=advice)
    train = None
    if own is not None:
        train = checkpoint.split.learned(own.codes)
        train = as_lines(train) if lines else train
    vocabulary, counts = checkpoint.vocabulary, checkpoint.counts
    if counts is None and train is not None:
        counts = vocabulary.count(train)
    start = time.perf_counter()
    unseen = None if counts is None else counts == 0
    scorer = _scorer(checkpoint, read, config, unseen)
    scored = score(checkpoint.model(), scorer, threads=threads)
    nats, unseen_nats, static_nats = scored.nats, scored.marked_nats, None
    if not isfinite(nats):
        raise CheckpointError(
            "the model's predictions are not finite, it diverged in training: "
            "train again with a lower --learning-rate"
        )
    if config.dynamic:
        assert train is not None
        each = _dynamic(checkpoint, config, train, read.ids)
        static_nats, nats = nats, float(each.sum())
        unseen_nats = 0.0 if unseen is None else float(each[unseen[read.ids]].sum())
    seconds = time.perf_counter() - start
    novelty = _Novelty.of(counts, checkpoint.characters - checkpoint.held_out)
    new = sum(read.unknown.values()) if config.unknown == "score" else 0
    extra = novelty.charge(len(read.ids), new) if new else 0.0
    # Of a line of unknown symbols alone, which no model reads, the end is not scored either.
    characters = len(read.ids) + new
    measured = read.codes if new else read.known
    num_bytes = _utf8_length(measured, vocabulary) - (len(measured) - characters)
    rows: tuple[Opponent, ...] = ()
    notices = list(read.notices)
    if baselines:
        assert train is not None
        rows = opponents(
            checkpoint,
            train,
            read.known,
            unknown_nats=extra,
            whole=measured,
            size=(characters, num_bytes),
            cache=baselines_cache,
        )
        missing = sorted(COMPRESSORS - {row.name for row in rows})
        notices += [
            f"{name} is left out: it packs the training text and this one into no more bytes than "
            "the training text alone, which is no cost of a text"
            for name in missing
        ]
    protocol = f"{read.what}; {_protocol(read, config, lines=lines)}"
    return Evaluation(
        total_nats=nats + extra,
        characters=characters,
        num_bytes=num_bytes,
        unknown={vocabulary.show(code): n for code, n in read.unknown.items()},
        protocol=f"{protocol}; {_vocabulary_words(checkpoint, novelty if new else None)}",
        seconds=seconds,
        unseen=0 if unseen is None else int(vocabulary.count(read.known)[unseen].sum()),
        unseen_nats=unseen_nats,
        unknown_cost=novelty.cost if new else None,
        file_bytes=read.file_bytes,
        overlap=_overlap(read, train, lines=lines),
        learned=read.learned,
        held_out_nats=_held_out_alone(checkpoint, read, config, threads),
        uniform_nats=(len(read.ids) * log(len(vocabulary)) + extra) / characters,
        unigram_nats=(
            None
            if counts is None
            else (unigram_of_counts(counts, vocabulary.count(read.known)) + extra) / characters
        ),
        static_nats=None if static_nats is None else static_nats + extra,
        baselines=rows,
        longer_helps=not _is_read_enough(checkpoint),
        notices=tuple(notices),
    )


@dataclass(frozen=True)
class _Novelty:
    """The share of new symbols in a text, by Good and Turing: that of those that occurred once.

    Attributes
    ----------
    share : float
        In (0, 1).
    """

    share: float

    @classmethod
    def of(cls, counts: NDArray[np.int64] | None, characters: int) -> Self:
        """Estimate it from the counts (V,) of what was learned, or its length alone."""
        if counts is None:
            return cls(1 / (characters + 1))
        once = max(1, int(np.count_nonzero(counts == 1)))
        return cls(once / (int(counts.sum()) + 1))

    @property
    def cost(self) -> float:
        """Nats of a new symbol."""
        return -log(self.share)

    def charge(self, known: int, new: int) -> float:
        """Return what new symbols cost, and what the known ones do since others are possible."""
        return new * self.cost - known * log1p(-self.share)


def _overlap(text: _Text, train: Codes | None, *, lines: bool) -> float | None:
    if train is None or text.learned:
        return None
    return (overlap_of_items if lines else overlap)(train, text.codes)


def _is_read_enough(checkpoint: Checkpoint) -> bool:
    """Whether the run of a model read its text as often as is of use."""
    train, history = checkpoint.settings, checkpoint.history
    if train.lines or not checkpoint.held_out or train.max_epochs < MAX_EPOCHS:
        return False
    passes = history.step * train.batch_size * train.seq_len
    return passes >= READ_ENOUGH * MAX_EPOCHS * (checkpoint.characters - checkpoint.held_out)


def _held_out_alone(
    checkpoint: Checkpoint, text: _Text, config: EvalConfig, threads: int
) -> float | None:
    """Return nats per character of the held-out part, if the text that was named is the run's."""
    if not text.learned or text.own is None or not checkpoint.held_out or config.dynamic:
        return None
    held = _held_out_text(checkpoint, text.own, config)
    return score(checkpoint.model(), _scorer(checkpoint, held, config, None), threads=threads).mean


def _read(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path],
    text: Mapping[str, Any],
    config: EvalConfig,
    stdin: BinaryIO | None,
    cache_dir: Path | None,
) -> _Text:
    if not paths:
        if not checkpoint.held_out:
            raise CorpusError(
                "the run held no text out (its corpus is too small): name a file to score, "
                "as in: charrnn eval FILE"
            )
        found, said = find_own_text(checkpoint, cache_dir=cache_dir)
        return replace(_held_out_text(checkpoint, found, config), notices=tuple(said))

    def read(reading: TextConfig) -> Corpus:
        nonlocal stdin
        corpus = read_corpus(paths, **reading.to_json(), cache_dir=cache_dir, stdin=stdin)
        stdin = corpus.stdin or stdin
        return corpus

    vocabulary = checkpoint.vocabulary
    if vocabulary.unit == "byte" and text.get("newlines") == "lf":
        raise ConfigError(
            "--newlines lf would change bytes, which are scored as they are: leave it out"
        )
    reading = _reading(checkpoint.text, text)
    corpus, _ = fitting_corpus(read, reading, list(text), vocabulary)
    notices = list(corpus.notices)
    if _has_other_line_ends(corpus.codes, vocabulary):
        notices.append(
            "the model learned CR LF as line ends, and this text has LF alone: its lines cost more "
            "than they would (train again: line ends are LF by default)"
        )
    own, learned = _own_text_of(checkpoint, corpus, paths, cache_dir), 0.0
    hashes = [source.sha256 for source in checkpoint.sources]
    if own is not None and [source.sha256 for source in corpus.sources] == hashes:
        learned = 1 - checkpoint.held_out / max(1, checkpoint.characters)
        names = [show_path(source.path) for source in corpus.sources]
        notices.append(
            f"the model was trained on this text, on {learned:.0%} of it: {_listed(names)}"
        )
    else:
        names = [show_path(s.path) for s in corpus.sources if s.sha256 in hashes]
        begun = trained_on(checkpoint.sources, paths).begins
        if names:
            notices.append(f"this text was in the corpus of the model: {_listed(names)}")
        if begun:
            names = [show_path(name) for name in begun]
            notices.append(
                f"this text begins with one that was in the corpus of the model: {_listed(names)}"
            )
    return replace(
        _text_of(checkpoint, corpus.codes, config, "the whole text"),
        own=own,
        learned=learned,
        file_bytes=corpus.file_bytes,
        notices=tuple(notices),
    )


def _own_text_of(
    checkpoint: Checkpoint,
    corpus: Corpus,
    paths: Sequence[str | Path],
    cache_dir: Path | None,
) -> Corpus | None:
    """Return the run's corpus, if it is what was read, or is found and quickly read."""
    hashes = [source.sha256 for source in checkpoint.sources]
    same = [source.sha256 for source in corpus.sources] == hashes
    if not same and sum(source.size for source in checkpoint.sources) > QUICKLY_READ:
        return None
    named = [source.path for source in corpus.sources if source.path != "-"] if same else []
    with suppress(CorpusError):
        return find_own_text(checkpoint, named=named, cache_dir=cache_dir)[0]
    # From standard input: what was read is all that there is of it.
    return corpus if same and len(corpus) == checkpoint.characters else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _has_other_line_ends(codes: Codes, vocabulary: Vocabulary) -> bool:
    """Whether a text has no CR, but a model that learned line ends with it."""
    if vocabulary.unit == "byte" or ord("\r") not in vocabulary.symbols:
        return False
    counts = vocabulary.count(codes)  # piece by piece: the text may be a memory map of many GB
    LF, CR = (counts[vocabulary.symbols == ord(end)].sum() for end in "\n\r")
    return bool(LF) and not CR


def _reading(own: TextConfig, given: Mapping[str, Any]) -> TextConfig:
    """Return how to read a text to score: as the corpus of the model, where nothing else is said.

    But a file that is not UTF-8 is read as what it fits, even if those of the corpus all were.
    """
    plain = own.encoding == "utf-8" and own.errors == "strict"
    encoding = "auto" if plain else own.encoding
    return replace(own, **{"encoding": encoding, **given})


def _held_out_text(checkpoint: Checkpoint, own: Corpus, config: EvalConfig) -> _Text:
    """Return the held-out part of a run's own corpus."""
    split = checkpoint.split
    codes = split.held(own.codes)
    if isinstance(split, HashedSplit):
        what = f"the {len(codes):,} characters of the lines held out of training"
    elif split.parts == 1:
        what = f"the last {len(codes):,} characters of its corpus, held out of training"
    else:
        what = (
            f"{len(codes):,} characters held out of training, the last "
            f"{len(codes) // split.parts:,} of each of {split.parts} parts of its corpus"
        )
    found = _text_of(checkpoint, codes, replace(config, unknown=_not_error(config)), what)
    tails: list[Ids] = []
    if isinstance(split, Split) and split.parts > 1:
        tails = [checkpoint.vocabulary.encode_known(tail)[0] for tail in split.tails(own.codes)]
    return replace(found, own=own, tails=tails)


def _not_error(config: EvalConfig) -> Literal["skip", "score"]:
    """Return what happens to unknown characters of a run's own text: they are no mistake."""
    return "skip" if config.unknown == "skip" else "score"


def _text_of(checkpoint: Checkpoint, codes: Codes, config: EvalConfig, what: str) -> _Text:
    """Return a text as it is to be scored."""
    vocabulary, lines = checkpoint.vocabulary, checkpoint.settings.lines
    unknown = vocabulary.unknown(codes)
    if unknown and config.unknown == "error":
        try:
            vocabulary.encode(codes)
        except VocabularyError as error:
            raise VocabularyError(
                f"{error}; or charge them with --unknown score, or leave them out with "
                "--unknown skip"
            ) from None
    known = vocabulary.known(codes) if unknown else codes
    if lines:
        codes, known = as_lines(codes), as_lines(known)
        if not len(known):
            raise CorpusError("there is nothing to score: the text has no line with a character")
    if not len(known):
        raise CorpusError(
            "there is nothing to score: the model knows none of the characters; name another text, "
            "or a model that was trained on such text"
        )
    return _Text(codes, known, vocabulary.encode(known), unknown, [], what)


def _scorer(
    checkpoint: Checkpoint, text: _Text, config: EvalConfig, marked: NDArray[np.bool_] | None
) -> AnyScorer:
    """Return the text cut as it is to be scored."""
    if checkpoint.settings.lines:
        line_end = line_end_id(checkpoint.vocabulary)
        return ColdScorer.of_lines(text.ids, line_end, marked=marked)
    if config.cold_windows:
        return ColdScorer.of_windows(text.ids, config.cold_windows, marked=marked)
    if config.exact:
        return Scorer(text.ids, streams=1, marked=marked)
    if text.tails and not config.dynamic:  # which reads them as one text
        return ColdScorer.of_tails(text.tails, marked=marked)
    return Scorer(text.ids, marked=marked)


def _dynamic(
    checkpoint: Checkpoint, config: EvalConfig, train: Codes, ids: Ids
) -> NDArray[np.float64]:
    """Return the nats (m,) of each character of a text for a copy of the model that learns it."""
    window, rate = config.dynamic_window or WINDOW, config.dynamic_rate or RATE
    model = checkpoint.model()
    usual = usual_gradient(model, checkpoint.vocabulary, train, window=window)
    nats = dynamic_nats(model, ids, usual, window=window, rate=rate)
    if not np.isfinite(nats).all():
        raise ConfigError(
            f"the model lost itself while learning: --dynamic-rate {rate:g} is too high"
        )
    return nats


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
    streams = len(Scorer(text.ids, streams=1 if config.exact else STREAMS).starts)
    how = (
        "in one stream"
        if streams == 1
        else f"in {streams} parallel streams, each warmed up on the {WARM_UP} characters before it"
    )
    return f"{once}, the state carried, {how}"


def _vocabulary_words(checkpoint: Checkpoint, novelty: _Novelty | None) -> str:
    """Say among how many symbols a prediction chooses, and what one costs that is none of them."""
    symbols = f"{len(checkpoint.vocabulary):,} symbols"
    whose = "of the training part" if checkpoint.counts is None else "of the whole corpus"
    if checkpoint.vocabulary.unit == "byte" and len(checkpoint.vocabulary) == 256:
        whose = "of bytes"
    words = f"{symbols}, those {whose}"
    if novelty is None:
        return words
    return (
        f"{words}; any other is charged {novelty.cost:.2f} nats, without saying which: the share "
        "of symbols that occur once in the training part (Good-Turing); the known ones have the "
        "rest"
    )


def _utf8_length(codes: Codes, vocabulary: Vocabulary) -> int:
    """Return how many bytes a text takes in UTF-8, as it is written out."""
    if vocabulary.unit == "byte":
        return len(codes)
    if vocabulary.normalize == "nfd":
        return len(text_bytes(codes, vocabulary))
    return len(codes) + sum(int(np.count_nonzero(codes >= first)) for first in (2**7, 2**11, 2**16))
