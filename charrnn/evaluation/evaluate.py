"""Evaluating a model on a text: nats, bits, perplexity, and how they were measured."""

import time
from collections.abc import Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from charrnn.config import EvalConfig
from charrnn.data.task import in_prompts
from charrnn.errors import ConfigError
from charrnn.evaluation.compressors import COMPRESSORS
from charrnn.evaluation.cost import Opponent
from charrnn.evaluation.model_cost import model_cost, scorer_of
from charrnn.evaluation.ngrams import unigram_of_counts
from charrnn.evaluation.novelty import Novelty
from charrnn.evaluation.opponents import opponents
from charrnn.evaluation.protocols import protocol_of
from charrnn.evaluation.result import Evaluation
from charrnn.evaluation.scored_text import (
    ScoredText,
    given_text,
    held_out_text,
    named_text,
    own_held_out_text,
)
from charrnn.evaluation.scorers import score
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus
from charrnn.text.codes import Codes

MAX_ADAPTING, MANY_SYMBOLS = 200_000, 500
"""Longest text, in characters, on which adapting counts are an opponent; shorter for a vocabulary
of more than so many symbols, since each symbol takes time."""
ENOUGH = 0.95
"""Share of the useful epochs from which more training is not suggested."""


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    model: Predictor | None = None,
    corpus: Corpus | None = None,
    text: Mapping[str, Any] | None = None,
    config: EvalConfig | None = None,
    context: str = "",
    baselines: bool = False,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
) -> Evaluation:
    """Score a text with a checkpoint's model.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model, with a record of its training text.
    paths : sequence of str
        Files to score. The default is the held-out part of the checkpoint's own corpus, which is
        searched for in its original place, beside the checkpoint and in the working folder.
    model : Predictor, optional
        Used in place of a new copy of the checkpoint's network, for example a copy on a GPU.
    corpus : Corpus, optional
        A text to score instead of files, already read or in memory. ``read_like`` gives the
        settings to read it with.
    text : mapping, optional
        Fields of ``TextConfig`` for reading ``paths``, where they differ from the corpus.
    config : EvalConfig, optional
        How to score it.
    context : str
        Text that precedes a named or given text, and is not scored. Without it, the text follows
        what ``sample`` begins with.
    baselines : bool
        Whether the opponents score it too; they are trained on the model's training part.
    threads : int
        Number of workers; no effect on the result.
    stdin : binary file, optional
        Read for the path "-".
    cache_dir : Path, optional
        Where a corpus too large for memory is cached.

    Raises
    ------
    CorpusError
        If the text cannot be read, is empty, or has changed since training.
    ConfigError
        If the options conflict with each other or with the model.
    VocabularyError
        If there are unknown characters and ``config.unknown`` is "error".
    """
    config = config or EvalConfig()
    network = model or checkpoint.model()
    model = checkpoint.with_counts(network) if config.counts else network
    _check(checkpoint, config, paths, corpus, text)
    if context and corpus is None and not paths:
        raise ConfigError(
            "--context applies to a named FILE, and the held-out part follows its training part: "
            "name a FILE, or leave --context out"
        )
    if corpus is not None:
        scored = given_text(
            checkpoint, corpus, config.unknown, context=context, cache_dir=cache_dir
        )
    elif paths:
        scored = named_text(
            checkpoint,
            paths,
            config.unknown,
            text=text or {},
            context=context,
            stdin=stdin,
            cache_dir=cache_dir,
        )
    else:
        scored = own_held_out_text(checkpoint, config.unknown, cache_dir)
    train = _training_part(checkpoint, scored, config, baselines, cache_dir)
    vocabulary, counts = checkpoint.vocabulary, checkpoint.counts
    if counts is None and train is not None:
        counts = vocabulary.count(train)
    unseen = None if counts is None else counts == 0
    start = time.perf_counter()
    scorer = scorer_of(checkpoint, scored, config, unseen)
    cost = model_cost(checkpoint, model, scored, scorer, config, train=train, threads=threads)
    seconds = time.perf_counter() - start
    alone = score(network, scorer, threads=threads).nats if config.counts else None
    known, occurring = len(scored.predicted), vocabulary.count(scored.predicted)
    novelty = Novelty.of(counts, checkpoint.characters - checkpoint.held_out)
    extra = novelty.charge(known, scored.charged)
    unigram = None if counts is None else unigram_of_counts(counts, occurring) + extra
    rows = _opponents(checkpoint, scored, train, extra) if baselines else ()
    return Evaluation(
        total_nats=cost.total + extra,
        characters=scored.characters,
        num_bytes=scored.num_bytes(vocabulary),
        unknown={vocabulary.show(code): count for code, count in scored.unknown.items()},
        protocol=protocol_of(checkpoint, scored, scorer.pieces, config, novelty),
        seconds=seconds,
        unseen=0 if unseen is None else int(occurring[unseen].sum()),
        unseen_nats=cost.unseen,
        unknown_cost=novelty.cost if scored.charged else None,
        file_bytes=scored.file_bytes,
        overlap=_overlap(checkpoint, scored, train),
        learned=scored.learned,
        held_out_nats=_held_out_alone(checkpoint, model, scored, config, threads),
        uniform_nats=(known * log(len(vocabulary)) + extra) / scored.characters,
        unigram_nats=None if unigram is None else unigram / scored.characters,
        network_nats=None if alone is None else alone + extra,
        static_nats=None if cost.static is None else cost.static + extra,
        per=vocabulary.noun,
        baselines=rows,
        longer_helps=not _is_trained_enough(checkpoint),
        notices=(*scored.notices, *(_left_out(checkpoint, scored, rows) if baselines else ())),
    )


def _check(
    checkpoint: Checkpoint,
    config: EvalConfig,
    paths: Sequence[str | Path],
    corpus: Corpus | None,
    text: Mapping[str, Any] | None,
) -> None:
    """Reject options that conflict."""
    if checkpoint.task.separate and (config.exact or config.cold_windows or config.adapts):
        raise ConfigError(
            "this model was trained on items, and each is scored from a zero state: leave out "
            "--exact, --cold-windows, --dynamic and --adapt"
        )
    if corpus is not None and (paths or text):
        raise ConfigError(
            "paths and text name files to score and how to read them, while a corpus was already "
            "read: give one or the other"
        )


def _training_part(
    checkpoint: Checkpoint,
    text: ScoredText,
    config: EvalConfig,
    baselines: bool,
    cache_dir: Path | None,
) -> Codes | None:
    """Return the training part, if it is available or required."""
    own = text.own
    if own is None and (baselines or config.adapts):
        why, option = _need_of_training_part(config)
        advice = f"{why}: put it back, or leave out {option}"
        own, _ = find_own_text(checkpoint, cache_dir=cache_dir, advice=advice)
    return None if own is None else checkpoint.sides(own).learned


def _need_of_training_part(config: EvalConfig) -> tuple[str, str]:
    """Return why the training part is required, and the option that requires it."""
    if config.adapts_counts:
        return "the adapting counts start from it", "--adapt"
    if config.adapts_network:
        return "dynamic evaluation measures gradients on it", (
            "--dynamic" if config.dynamic else "--adapt"
        )
    return "the baselines are trained on it", "--baselines"


def _held_out_alone(
    checkpoint: Checkpoint, model: Predictor, text: ScoredText, config: EvalConfig, threads: int
) -> float | None:
    """Return nats per character of the held-out part, if the scored text was trained on."""
    if not text.learned or text.own is None or not checkpoint.held_out or config.adapts:
        return None
    held = held_out_text(checkpoint, text.own, config.unknown)
    return score(model, scorer_of(checkpoint, held, config), threads=threads).mean


def _overlap(checkpoint: Checkpoint, text: ScoredText, train: Codes | None) -> float | None:
    if train is None or text.learned:
        return None
    return checkpoint.task.overlap(train, text.codes)


def _is_trained_enough(checkpoint: Checkpoint) -> bool:
    """Whether a run had most of the useful epochs."""
    train, history = checkpoint.settings, checkpoint.history
    if checkpoint.task.separate or not checkpoint.held_out or train.max_epochs < MAX_EPOCHS:
        return False
    read = history.step * train.batch_size * train.seq_len
    return read >= ENOUGH * MAX_EPOCHS * (checkpoint.characters - checkpoint.held_out)


def _opponents(
    checkpoint: Checkpoint, text: ScoredText, train: Codes | None, extra: float
) -> tuple[Opponent, ...]:
    assert train is not None
    vocabulary = checkpoint.vocabulary
    return opponents(
        train,
        text.known,
        vocabulary,
        unknown_nats=extra,
        whole=None if text.prompted else text.counted,
        size=(text.characters, text.num_bytes(vocabulary)),
        only_read=_only_read(checkpoint, text),
        before=vocabulary.symbols[text.before],
        adapting=_may_adapt(checkpoint, text),
    )


def _may_adapt(checkpoint: Checkpoint, text: ScoredText) -> bool:
    """Whether adapting counts are among the opponents."""
    work = len(text.known) * max(1, len(checkpoint.vocabulary) / MANY_SYMBOLS)
    return not checkpoint.task.separate and work <= MAX_ADAPTING


def _only_read(checkpoint: Checkpoint, text: ScoredText) -> NDArray[np.bool_] | None:
    """Return whether each known symbol is in a prompt, or None without prompts."""
    task = checkpoint.task
    prompts = task.prompts(text.known)
    return None if prompts is None else in_prompts(text.known, task.end, prompts)


def _left_out(checkpoint: Checkpoint, text: ScoredText, rows: Sequence[Opponent]) -> Iterator[str]:
    """Yield notices about opponents that are left out."""
    if not checkpoint.task.separate and not _may_adapt(checkpoint, text):
        yield (
            "counts that adapt are left out: they would take a minute or more for "
            f"{len(text.known):,} characters with a vocabulary of {len(checkpoint.vocabulary):,}"
        )
    if not text.prompted:
        for name in sorted(COMPRESSORS.keys() - {row.name for row in rows}):
            yield (
                f"{name} is left out: it needs no more bytes for the training text with this text "
                "than without, which gives no meaningful loss"
            )
