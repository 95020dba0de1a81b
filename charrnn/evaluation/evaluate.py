"""What a text costs under a model: nats, bits, perplexity, and how they were measured."""

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
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus
from charrnn.text.codes import Codes

MAX_ADAPTING, MANY_SYMBOLS = 200_000, 500
"""Characters of the longest text that counts which adapt are an opponent on; fewer where a
vocabulary has more than so many symbols, as each takes time."""
ENOUGH = 0.95
"""Share of the epochs that are of use, from which on more training is no advice."""


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path] = (),
    *,
    model: CharModel | None = None,
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
        The model, and what it was trained on.
    paths : sequence of str
        What to score. Without it and ``corpus``, that is the held-out part of the checkpoint's own
        corpus, which is looked for where it was, beside the checkpoint and in the working folder.
    model : CharModel, optional
        What predicts in place of a new copy of the checkpoint's network, such as one on a GPU.
    corpus : Corpus, optional
        What to score in place of files: a text that was read, or one in memory. ``read_like``
        says how it should be read.
    text : mapping, optional
        Fields of ``TextConfig``: how to read ``paths``, where not as the corpus was read.
    config : EvalConfig, optional
        How to score it.
    context : str
        What precedes a text that is named or given; it costs nothing. Without it, the text follows
        on what ``sample`` begins with.
    baselines : bool
        Whether the opponents score it too; they learn from what the model learned from.
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
    ConfigError
        If the options contradict each other, or do not fit the model.
    VocabularyError
        If there are unknown characters and ``config.unknown`` is "error".
    """
    config, model = config or EvalConfig(), model or checkpoint.model()
    network = model
    if config.counts:
        model = checkpoint.with_counts(network)
    _check(checkpoint, config, paths, corpus, text)
    if context and corpus is None and not paths:
        raise ConfigError(
            "--context is what a text that is named follows on, and the held-out part follows on "
            "its training part: name a FILE, or leave it out"
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
    """Refuse what makes no sense together."""
    if checkpoint.task.separate and (config.exact or config.cold_windows or config.adapts):
        raise ConfigError(
            "this model was trained on items: each is scored from a zero state, and no option "
            "changes that"
        )
    if corpus is not None and (paths or text):
        raise ConfigError(
            "paths and text say what files to score and how to read them, and a corpus is what was "
            "read: give one or the other"
        )


def _training_part(
    checkpoint: Checkpoint,
    text: ScoredText,
    config: EvalConfig,
    baselines: bool,
    cache_dir: Path | None,
) -> Codes | None:
    """Return what the model learned from, where it is at hand or cannot be done without."""
    own = text.own
    if own is None and (baselines or config.adapts):
        why, option = _need_of_training_part(config)
        advice = f"{why}: put it back, or leave out {option}"
        own, _ = find_own_text(checkpoint, cache_dir=cache_dir, advice=advice)
    return None if own is None else checkpoint.sides(own).learned


def _need_of_training_part(config: EvalConfig) -> tuple[str, str]:
    """Say what it is needed for, and the option that needs it."""
    if config.adapts_counts:
        return "the counts that grow begin with it", "--adapt"
    if config.adapts_network:
        return "dynamic evaluation measures gradients on it", (
            "--dynamic" if config.dynamic else "--adapt"
        )
    return "the baselines learn from it", "--baselines"


def _held_out_alone(
    checkpoint: Checkpoint, model: CharModel, text: ScoredText, config: EvalConfig, threads: int
) -> float | None:
    """Return nats per character of the held-out part, if the text that was scored was learned."""
    if not text.learned or text.own is None or not checkpoint.held_out or config.adapts:
        return None
    held = held_out_text(checkpoint, text.own, config.unknown)
    return score(model, scorer_of(checkpoint, held, config), threads=threads).mean


def _overlap(checkpoint: Checkpoint, text: ScoredText, train: Codes | None) -> float | None:
    if train is None or text.learned:
        return None
    return checkpoint.task.overlap(train, text.codes)


def _is_trained_enough(checkpoint: Checkpoint) -> bool:
    """Whether a run had the epochs that are of use."""
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
    """Whether counts that grow with a text are among its opponents."""
    work = len(text.known) * max(1, len(checkpoint.vocabulary) / MANY_SYMBOLS)
    return not checkpoint.task.separate and work <= MAX_ADAPTING


def _only_read(checkpoint: Checkpoint, text: ScoredText) -> NDArray[np.bool_] | None:
    """Return of each known symbol whether it is in a prompt, where there are prompts."""
    task = checkpoint.task
    prompts = task.prompts(text.known)
    return None if prompts is None else in_prompts(text.known, task.end, prompts)


def _left_out(checkpoint: Checkpoint, text: ScoredText, rows: Sequence[Opponent]) -> Iterator[str]:
    """Say what is not among the opponents, though it could be."""
    if not checkpoint.task.separate and not _may_adapt(checkpoint, text):
        yield (
            "counts that adapt are left out: they would take a minute or more for "
            f"{len(text.known):,} characters of {len(checkpoint.vocabulary):,} kinds"
        )
    if not text.prompted:
        for name in sorted(COMPRESSORS.keys() - {row.name for row in rows}):
            yield (
                f"{name} is left out: it packs the training text and this one into no more bytes "
                "than the training text alone, which is no cost of a text"
            )
