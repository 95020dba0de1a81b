"""Preparing a new run from a text and settings."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from charrnn.backend.arrays import shared_zeros
from charrnn.config import (
    DeviceConfig,
    ModelConfig,
    TextConfig,
    TrainConfig,
    TrainingSettings,
    ValidationSettings,
)
from charrnn.config.words import count, with_noun
from charrnn.data.apart import set_apart
from charrnn.data.labels.task import LabelledTask
from charrnn.data.task import Task
from charrnn.data.tasks import task_for
from charrnn.errors import ConfigError, CorpusError
from charrnn.nn.model import CharModel
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.history import History
from charrnn.storage.own_text import portable
from charrnn.storage.store import FolderStore, MemoryStore, RunStore
from charrnn.text import Corpus, Source, fitting_corpus, read_corpus
from charrnn.text.choosing import for_characters
from charrnn.training.assembly import assemble, choose_validations
from charrnn.training.counting import takes_end
from charrnn.training.devices import decide
from charrnn.training.fairness import compare_sides, place_apart
from charrnn.training.items import facts_of, recipe_of_items, with_labels
from charrnn.training.labelling import LEAST_TEXTS
from charrnn.training.memory import check_memory, text_bytes
from charrnn.training.parent import (
    check_start,
    labelling_vocabulary,
    same_shape,
    split_like,
    take_over,
    text_like,
    vocabulary_of,
    with_input_of,
)
from charrnn.training.recipe import (
    HELD_OUT_LEAST,
    Recipe,
    complete,
    split_settings,
)
from charrnn.training.run import Run
from charrnn.training.setup import Origin, Setup
from charrnn.training.together import check_together


def prepare(
    paths: Sequence[str | Path],
    *,
    content: str | bytes | None = None,
    val: Sequence[str | Path] = (),
    text: TextConfig | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    init_from: str | Path | Checkpoint | None = None,
    out: Path | None = None,
    store: RunStore | None = None,
    threads: int = 1,
    device: DeviceConfig | None = None,
    stdin: BinaryIO | None = None,
    cache: bool = True,
) -> Run:
    """Read a corpus and prepare a run on it. The run has no directory yet.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, patterns, or "-".
    content : str or bytes, optional
        The text itself, instead of paths.
    val : sequence of str
        Separate files to hold out.
    text, model, train
        Settings; those left open are chosen from the corpus and the time.
    init_from : path or Checkpoint, optional
        A checkpoint or run to initialize weights and vocabulary from. The new run has its shape and
        its split; the vocabulary grows if the text has new symbols.
    out : Path, optional
        The run's directory, created by ``train``. The default is ``runs/<corpus name>``.
    store : RunStore, optional
        Stores checkpoints and the log, instead of a directory.
    threads : int
        Maximum number of cores. Timed runs have more streams on many cores; no other effect on
        the result.
    device : DeviceConfig, optional
        The device; chosen by default.
    stdin : binary file, optional
        Read for the path "-".
    cache : bool
        Whether a corpus too large for memory is cached in encoded form beside the run.

    Raises
    ------
    CharrnnError
        If the corpus, the checkpoint or the settings are invalid.
    """
    text, model, train = text or TextConfig(), model or ModelConfig(), train or TrainConfig()
    if out is not None:
        runs.check_unused(out)  # before reading a long text
    start, parent = init_from, ""
    if start is not None and not isinstance(start, Checkpoint):
        found, start = runs.open_model(start)
        parent = str(found)
    if start is not None:
        check_start(start, train)
        text = text_like(start, text)
    device = device or DeviceConfig()
    check_together(text, model, train, device, val=bool(val))
    cache_dir = runs.cache_directory() if cache else None
    only_text = train.predict is not None or (start is not None and start.vocabulary.unit == "char")
    corpus, text = _read(paths, content, val, text, start, cache_dir, stdin, characters=only_text)
    if content is not None and store is None:  # stored like standard input
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        corpus = dataclasses.replace(corpus, stdin=io.BytesIO(data))
    store = store or FolderStore(out, typed=paths[0] if paths else "text")
    return ready(
        corpus,
        text,
        model,
        train,
        store,
        start=start,
        threads=threads,
        device=device,
        cache_dir=cache_dir,
        origin=Origin(
            corpus=("-",) if content is not None else tuple(map(str, paths)),
            val=tuple(map(str, val)),
            init_from=parent,
        ),
    )


def ready(
    corpus: Corpus,
    text: TextConfig,
    model: ModelConfig,
    train: TrainConfig,
    store: RunStore,
    *,
    start: Checkpoint | None = None,
    threads: int = 1,
    device: DeviceConfig | None = None,
    cache_dir: Path | None = None,
    origin: Origin | None = None,
) -> Run:
    """Prepare a run on a corpus.

    Parameters
    ----------
    corpus : Corpus
        The text.
    text : TextConfig
        How the text was read.
    model, train : ModelConfig, TrainConfig
        Settings; those left open are chosen from the corpus and the time.
    store : RunStore
        Stores checkpoints and the log.
    start : Checkpoint, optional
        The model to initialize from.
    threads, device
        As for ``prepare``.
    cache_dir : Path, optional
        Where the corpus of ``start`` is cached, if it is too large for memory.
    origin : Origin, optional
        The paths that the run was made from, for its ``run.toml``.

    Raises
    ------
    CharrnnError
        If the corpus or the settings are invalid.
    """
    task = _task_of(train, corpus, start)
    val_files = len(corpus.sources) - _learned_files(corpus)
    if start is not None and not val_files:
        train = split_like(start, train, task)
    codes, held_apart, found = task.text(corpus, val_files)
    mode, fraction = split_settings(train, val_files)
    labels = None
    if isinstance(task, LabelledTask):
        task, labels, more = with_labels(task, codes, divided=fraction > 0)
        found = [*found, *more]
        if val_files:
            _check_val_texts(len(task.parse(codes[len(codes) - held_apart :]).texts))
    items = facts_of(codes, held_apart, task)
    notices: list[str] = []
    if isinstance(task, LabelledTask):
        vocabulary = task.vocabulary(codes, text)
    else:
        vocabulary, notices = vocabulary_of(codes, text, start)
    notices = [*found, *notices]
    if start is not None:
        model = same_shape(start.architecture, model)
    held_out: int | None = held_apart
    if val_files and held_apart < HELD_OUT_LEAST and labels is None:
        raise ConfigError(
            f"--val: {held_apart} characters are too few for validation, and at least "
            f"{HELD_OUT_LEAST} are needed: name more text, or leave --val out"
        )
    if not val_files:
        held_out = task.held_out(codes, mode, fraction, train.split_key or 0, text.unit)
        if held_out == 0 and fraction:
            other = "; --split-key N makes another split" if mode == "hashed" and not labels else ""
            what = "texts" if labels else "items"
            notices.append(f"nothing is held out: there are too few distinct {what}{other}")

    def recipe_for(gpu: bool) -> Recipe:
        recipe = complete(
            model,
            train,
            characters=len(codes),
            distinct=len(vocabulary),
            held_out=held_out,
            val_files=val_files,
            items=items,
            labels=labels,
            cores=threads,
            gpu=gpu,
        )
        # A model with one-hot input keeps it, however many symbols are added.
        return recipe if start is None else with_input_of(start, recipe)

    asked = device or DeviceConfig()
    recipe, chosen, why = decide(asked, train, recipe_for, len(vocabulary))
    if labels and train.counts and not recipe.held_out:
        remedy = "hold more out (--val-fraction), add texts" if fraction else "hold some out"
        raise ConfigError(
            f"--counts is fitted on the held-out part, and nothing is held out: {remedy}, name a "
            "file with --val, or leave --counts out"
        )
    sides = task.sides(codes, recipe.train, recipe.held_out, text.unit)
    if isinstance(task, LabelledTask):
        vocabulary = labelling_vocabulary(task.vocabulary(sides.learned, text), start)
    counts = task.counts(sides.learned, vocabulary)
    apart = sides.learned[:0]
    if train.counts and not labels:
        at_end = takes_end(len(sides.learned), recipe.train.minutes)
        if start is not None:
            at_end, found = place_apart(start, task, sides, at_end=at_end, cache_dir=cache_dir)
            notices += found
        settings = dataclasses.replace(recipe.train, apart_at_end=at_end and not task.separate)
        recipe = dataclasses.replace(recipe, train=settings)
        sides, apart = set_apart(sides, task, at_end=at_end)
        notices.append(
            f"to fit how network and counts are mixed, {count(len(apart), vocabulary.noun)} of the "
            "training part will not be trained on"
            if len(apart)
            else "the training part is too short, or has too few different items, to fit how "
            "network and counts are mixed: both get equal weights"
        )
    if items is not None:
        recipe = recipe_of_items(recipe, sides.learned, sides.held, task, train.epochs)
    notices = [*corpus.notices, *notices]
    notices += [with_noun(notice, vocabulary.noun) for notice in recipe.notices]
    reasons = {**recipe.reasons, **({"device": why} if why else {})}
    if chosen.gpu is None:
        size = text_bytes(corpus, sides, model=recipe.model, train=recipe.train)
        check_memory(
            recipe.model,
            recipe.train,
            len(vocabulary),
            threads,
            text_bytes=size,
            in_memory=isinstance(store, MemoryStore),
        )
    if len(vocabulary) == 1:
        notices.append("the text has a single distinct character: there is nothing to predict")
    if start is not None and not task.labels:
        # A model of format 1 was trained on all of its symbols, but their counts are unknown.
        known = start.counts if start.counts is not None else np.full(len(start.vocabulary), 2)
        counts[vocabulary.encode(start.vocabulary.symbols)] += known
    network = CharModel(recipe.model, len(vocabulary), zeros=shared_zeros)
    network.initialise(np.random.default_rng(recipe.train.random_seed), counts)
    if start is not None:
        take_over(start, network, vocabulary, task)
    shared, unlike, found = compare_sides(task, sides, recipe.train, start, cache_dir)
    setup = Setup(
        text=text,
        train=recipe.train,
        validation=ValidationSettings(validations=1, val_characters=1),
        task=task,
        corpus=corpus,
        vocabulary=vocabulary,
        model=network,
        history=History(),
        sides=sides,
        held_out=recipe.held_out,
        counts=counts,
        apart=apart,
        sources=_stored_sources(corpus, recipe.train),
        overlap=shared,
        unlike=unlike,
        epochs=train.epochs or 0.0,
        same_shape=start is not None,
        device=chosen,
        reasons=reasons,
        notices=[*notices, *found],
        origin=origin,
    )
    seconds = choose_validations(setup, train, threads)
    return assemble(setup, store, threads=threads, validation_seconds=seconds)


def _stored_sources(corpus: Corpus, train: TrainingSettings) -> tuple[Source, ...]:
    """Return the files as checkpoints name them, with the folder of each if that is its label."""
    stored = portable(corpus.sources)
    if train.predict != "label" or train.items != "file":
        return stored
    parents = [Path(source.path).parent.name for source in corpus.sources]
    return tuple(
        source
        if "/" in source.path
        else dataclasses.replace(source, path=f"{parent}/{source.path}")
        for source, parent in zip(stored, parents, strict=True)
    )


def _read(
    paths: Sequence[str | Path],
    content: str | bytes | None,
    val: Sequence[str | Path],
    text: TextConfig,
    start: Checkpoint | None,
    cache_dir: Path | None,
    stdin: BinaryIO | None,
    *,
    characters: bool,
) -> tuple[Corpus, TextConfig]:
    """Read a text, in the form of the initial model if there is one.

    With ``characters``, error messages do not suggest reading bytes.
    """

    def read(config: TextConfig) -> Corpus:
        nonlocal stdin
        if content is not None:
            return Corpus.from_text(content, config)
        try:
            corpus = read_corpus(
                paths, held_out=val, **config.to_json(), cache_dir=cache_dir, stdin=stdin
            )
        except CorpusError as error:
            raise (for_characters(error) if characters else error) from None
        stdin = corpus.stdin or stdin
        return corpus

    if start is None:
        return read(text), text
    given = [] if text.normalize == "none" else ["normalize"]
    return fitting_corpus(read, text, given, start.vocabulary)


def _check_val_texts(texts: int) -> None:
    """Reject files of --val with too few texts, which must not be trained on instead."""
    if texts < LEAST_TEXTS:
        raise ConfigError(
            f"--val: {texts} {'text is' if texts == 1 else 'texts are'} too few for validation, "
            f"and at least {LEAST_TEXTS} are needed: name more text, or leave --val out"
        )


def _learned_files(corpus: Corpus) -> int:
    """Return how many files of a corpus are not among those to hold out."""
    if not corpus.held_out:
        return len(corpus.sources)
    border = len(corpus) - corpus.held_out
    return sum(start < border for start in corpus.starts)


def _task_of(train: TrainConfig, corpus: Corpus, start: Checkpoint | None) -> Task:
    """Return the task, with the end symbol of the initial model where possible."""
    task = task_for(train, corpus)
    if (
        start is None
        or type(start.task) is not type(task)
        or train.predict
        or start.task.items != task.items
        or (corpus.codes == start.task.end).any()
    ):
        return task
    return start.task
