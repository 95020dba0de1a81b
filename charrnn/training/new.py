"""A new run made ready, from a text and settings."""

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
from charrnn.training.devices import decide
from charrnn.training.fairness import compare_sides
from charrnn.training.items import facts_of, recipe_of_items, with_labels
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
    """Read a corpus and make ready to train on it. The run has no directory yet.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, patterns, or "-".
    content : str or bytes, optional
        The text itself, in place of paths.
    val : sequence of str
        Files of their own to hold out.
    text, model, train
        Settings; what they leave open is chosen from the corpus and the time.
    init_from : path or Checkpoint, optional
        A checkpoint or run whose weights and vocabulary to start from. Its shape is taken over,
        and so is the way in which it held text out; it grows where the text has new symbols.
    out : Path, optional
        The run's directory; made on ``train``. ``runs/<corpus name>`` if left out.
    store : RunStore, optional
        Keeps what the run makes, in place of a directory.
    threads : int
        At most this many cores. A run of some minutes has more streams where they are many; no
        other effect on the result.
    device : DeviceConfig, optional
        What trains; chosen if left out.
    stdin : binary file, optional
        What the path "-" reads.
    cache : bool
        Whether a corpus too large for memory is kept encoded beside the run.

    Raises
    ------
    CharrnnError
        If the corpus, the checkpoint or the settings do not allow it.
    """
    text, model, train = text or TextConfig(), model or ModelConfig(), train or TrainConfig()
    if out is not None:
        runs.check_unused(out)  # before a long text is read
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
    if content is not None and store is None:  # kept as what comes from standard input is
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
    """Make ready to train on a corpus that was read.

    Parameters
    ----------
    corpus : Corpus
        The text.
    text : TextConfig
        How it was read.
    model, train : ModelConfig, TrainConfig
        Settings; what they leave open is chosen from the corpus and the time.
    store : RunStore
        Keeps what the run makes.
    start : Checkpoint, optional
        The model to start from.
    threads, device
        As for ``prepare``.
    cache_dir : Path, optional
        Where the corpus of ``start`` is kept encoded, if it is too large for memory.
    origin : Origin, optional
        What the run was made from, which its folder then tells.

    Raises
    ------
    CharrnnError
        If the corpus or the settings do not allow it.
    """
    task = _task_of(train, corpus, start)
    val_files = len(corpus.sources) - _learned_files(corpus)
    if start is not None and not val_files:
        train = split_like(start, train, task)
    codes, held_apart, found = task.text(corpus, val_files)
    labels = None
    if isinstance(task, LabelledTask):
        task, labels, more = with_labels(task, codes)
        found = [*found, *more]
    items = facts_of(codes, held_apart, task)
    notices: list[str] = []
    if isinstance(task, LabelledTask):
        vocabulary = task.vocabulary(codes, text)
    else:
        vocabulary, notices = vocabulary_of(codes, text, start)
    notices = [*found, *notices]
    if start is not None:
        model = same_shape(start.architecture, model)
    mode, fraction = split_settings(train, val_files)
    held_out: int | None = held_apart
    if val_files and held_apart < HELD_OUT_LEAST and labels is None:
        raise ConfigError(
            f"--val: {held_apart} characters are too few to tell anything, and at least "
            f"{HELD_OUT_LEAST} are needed: name more text, or leave --val out"
        )
    if not val_files:
        held_out = task.held_out(codes, mode, fraction, train.split_key or 0, text.unit)
        if held_out == 0 and fraction:
            other = "; --split-key N chooses others" if mode == "hashed" and not labels else ""
            what = "texts" if labels else "items"
            notices.append(f"nothing is held out: there are too few different {what}{other}")

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
        # A one-hot input stays one, however many symbols come to it.
        return recipe if start is None else with_input_of(start, recipe)

    asked = device or DeviceConfig()
    recipe, chosen, why = decide(asked, train, recipe_for, len(vocabulary))
    if labels and train.counts and not recipe.held_out:
        raise ConfigError(
            "--counts fits its weights on what is held out, and nothing is: hold more out, or "
            "leave --counts out"
        )
    sides = task.sides(codes, recipe.train, recipe.held_out, text.unit)
    if isinstance(task, LabelledTask):
        vocabulary = labelling_vocabulary(task.vocabulary(sides.learned, text), start)
    counts = task.counts(sides.learned, vocabulary)
    apart = sides.learned[:0]
    if train.counts and not labels:
        sides, apart = set_apart(sides, task)
        notices.append(
            f"{count(len(apart), vocabulary.noun)} of the training part are set apart: on them is "
            "fitted how the network and the counts are mixed"
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
        # A model of format 1 has met all of its symbols; how often, nobody knows.
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
        same_shape=start is not None,
        device=chosen,
        reasons=reasons,
        notices=[*notices, *found],
        origin=origin,
    )
    seconds = choose_validations(setup, train, threads)
    return assemble(setup, store, threads=threads, validation_seconds=seconds)


def _stored_sources(corpus: Corpus, train: TrainingSettings) -> tuple[Source, ...]:
    """Return the files as checkpoints name them, with the folder of each where it is a label."""
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
    """Read a text; for a model, in the form that it knows.

    Errors do not advise to read bytes where it must be ``characters``.
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


def _learned_files(corpus: Corpus) -> int:
    """Return how many files of a corpus are not of those that were named to be held out."""
    if not corpus.held_out:
        return len(corpus.sources)
    border = len(corpus) - corpus.held_out
    return sum(start < border for start in corpus.starts)


def _task_of(train: TrainConfig, corpus: Corpus, start: Checkpoint | None) -> Task:
    """Return the task, with the end symbol of the model to start from where that serves."""
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
