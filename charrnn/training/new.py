"""A new run made ready, from a text and settings."""

import dataclasses
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np

from charrnn.backend.arrays import shared_zeros
from charrnn.config import (
    Architecture,
    ModelConfig,
    TextConfig,
    TrainConfig,
    TrainingSettings,
    ValidationSettings,
    option_name,
)
from charrnn.data.items import as_lines, lines_from_end, steps_of
from charrnn.data.likeness import end_is_unlike
from charrnn.data.overlap import overlap, overlap_of_items
from charrnn.data.sides import Sides, split_of
from charrnn.data.splits import HashedSplit
from charrnn.errors import CharrnnError, CheckpointError, ConfigError
from charrnn.evaluation.verdict import NOTABLE_OVERLAP
from charrnn.nn.growing import fill_grown
from charrnn.nn.model import CharModel
from charrnn.parallel.sharding import shard_count
from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.history import History
from charrnn.storage.own_text import find_own_text, portable
from charrnn.storage.store import FolderStore
from charrnn.text import Corpus, Vocabulary, fitting_corpus, read_corpus
from charrnn.text.vocabulary import LINE_END, Codes
from charrnn.training.assembly import assemble, choose_validations
from charrnn.training.length import steps_per_pass
from charrnn.training.memory import check_memory
from charrnn.training.recipe import VAL_FRACTION, Recipe, complete
from charrnn.training.run import Run
from charrnn.training.setup import Setup

LONGEST_LINE = 10_000
"""Characters of a line that is learned whole, with the memory that this takes."""
OUTLIER = 50
"""How many times as long as the mean a line is when it is worth a notice."""
MOST_TIMES = 3.0
"""How many times the share that was asked for may be held out of a text of lines."""
NEW_LISTED = 10
"""New symbols that the notice of a grown model names."""
NOTABLE_SEEN = 0.01
"""Share of the held-out text from which on a model to start from knows too much of it."""


def prepare(
    paths: Sequence[str | Path],
    *,
    text: TextConfig | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    init_from: str | Path | None = None,
    out: Path | None = None,
    threads: int = 1,
    stdin: BinaryIO | None = None,
    cache: bool = True,
) -> Run:
    """Read a corpus and make ready to train on it. The run has no directory yet.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, patterns, or "-".
    text, model, train
        Settings; what they leave open is chosen from the corpus and the time.
    init_from : path, optional
        A checkpoint or run whose weights and vocabulary to start from. Its shape is taken over,
        and so is the way in which it held text out; it grows where the text has new symbols.
    out : Path, optional
        The run's directory; made on ``train``. ``runs/<corpus name>`` if left out.
    threads : int
        At most this many cores; no effect on the result.
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
    start = runs.load_model(init_from) if init_from is not None else None
    if start is not None:
        text, train = _text_like(start, text), _split_like(start, train)
    if train.lines:
        _check_lines(text, train)
    text.check_new()
    cache_dir = runs.cache_directory() if cache else None
    corpus, text = _read(paths, text, start, cache_dir, stdin)
    codes = corpus.codes
    vocabulary, notices = _vocabulary(corpus, text, start)
    if start is not None:
        model = _same_shape(start.architecture, model)
    held_out = _held_out_lines(codes, train, text) if train.lines else None
    recipe = complete(
        model,
        train,
        characters=len(corpus),
        distinct=len(vocabulary),
        held_out=held_out,
        line_length=_mean_line(codes) if train.lines else None,
    )
    if start is not None:  # a one-hot input stays one, however many symbols come to it
        recipe = _with_input_of(start, recipe)
    sides = Sides.of(split_of(recipe.train, text, len(corpus), recipe.held_out), codes)
    kept = sides.learned
    if held_out == 0 and recipe.train.val_fraction:
        notices.append(
            "nothing is held out: there are too few different lines; --split-key N chooses others"
        )
    if train.lines:
        kept = as_lines(kept)
        recipe = _recipe_of_lines(recipe, kept, train.epochs, len(vocabulary))
    notices = [*corpus.notices, *notices, *recipe.notices]
    check_memory(recipe.model, recipe.train, len(vocabulary), threads)
    if len(vocabulary) == 1:
        notices.append("the text has a single distinct character: there is nothing to predict")
    counts = vocabulary.count(kept)
    if start is not None:
        # A model of format 1 has met all of its symbols; how often, nobody knows.
        known = start.counts if start.counts is not None else np.full(len(start.vocabulary), 2)
        counts[vocabulary.encode(start.vocabulary.symbols)] += known
    network = CharModel(recipe.model, len(vocabulary), zeros=shared_zeros)
    network.initialise(np.random.default_rng(recipe.train.random_seed), counts)
    if start is not None:
        fill_grown(network, start.weights, vocabulary.encode(start.vocabulary.symbols))
    shared, found = _compare_sides(sides, recipe, start, cache_dir)
    setup = Setup(
        text=text,
        train=recipe.train,
        validation=ValidationSettings(validations=1, val_characters=1),
        corpus=corpus,
        vocabulary=vocabulary,
        model=network,
        history=History(),
        sides=sides,
        held_out=recipe.held_out,
        counts=counts,
        sources=portable(corpus.sources),
        overlap=shared,
        same_shape=start is not None,
        reasons=recipe.reasons,
        notices=[*notices, *found],
    )
    seconds = choose_validations(setup, train, threads)
    return assemble(setup, FolderStore(out), threads=threads, validation_seconds=seconds)


def _text_like(start: Checkpoint, text: TextConfig) -> TextConfig:
    """Return how to read a text for a model: in its unit and its normal form."""
    known = start.vocabulary
    for name in ("unit", "normalize"):
        wanted, has = getattr(text, name), getattr(known, name)
        if wanted not in (has, getattr(TextConfig(), name)):
            raise CheckpointError(
                f"--init-from a model of --{name} {has} cannot read --{name} {wanted}: "
                "leave the option out"
            )
    newlines = "auto" if text.unit != known.unit else text.newlines
    return dataclasses.replace(text, unit=known.unit, normalize=known.normalize, newlines=newlines)


def _split_like(start: Checkpoint, train: TrainConfig) -> TrainConfig:
    """Return settings that hold out what the model's own run held out, where none were given."""
    own = start.settings
    if own.lines != train.lines:
        return train
    same = {
        name: getattr(own, name)
        for name in ("val_fraction", "split_mode", "split_key")
        if getattr(train, name) is None and (name != "split_key" or own.split_mode == "hashed")
    }
    return dataclasses.replace(train, **same)


def _check_lines(text: TextConfig, train: TrainConfig) -> None:
    """Raise ConfigError where a setting makes no sense for a text of lines."""
    for name in ("seq_len", "reset"):
        if getattr(train, name) is not None:
            raise ConfigError(
                f"{option_name(name)} and --lines do not go together: a line is learned whole, "
                "from a zero state"
            )
    if text.unit == "char" and text.newlines == "keep":
        raise ConfigError("--newlines keep and --lines do not go together: a line ends with LF")


def _read(
    paths: Sequence[str | Path],
    text: TextConfig,
    start: Checkpoint | None,
    cache_dir: Path | None,
    stdin: BinaryIO | None,
) -> tuple[Corpus, TextConfig]:
    """Read a text; for a model, in the form that it knows."""

    def read(config: TextConfig) -> Corpus:
        nonlocal stdin
        corpus = read_corpus(paths, **config.to_json(), cache_dir=cache_dir, stdin=stdin)
        stdin = corpus.stdin or stdin
        return corpus

    if start is None:
        return read(text), text
    given = [] if text.normalize == "none" else ["normalize"]
    return fitting_corpus(read, text, given, start.vocabulary)


def _vocabulary(
    corpus: Corpus, text: TextConfig, start: Checkpoint | None
) -> tuple[Vocabulary, list[str]]:
    """Return the symbols of the whole text and, of a model to start from, those that it knows."""
    own = Vocabulary.from_codes(corpus.codes, unit=text.unit, normalize=text.normalize)
    if start is None:
        return own, []
    known = start.vocabulary
    new = np.setdiff1d(own.symbols, known.symbols)
    if not len(new):
        return Vocabulary(known.symbols, text.unit, text.normalize), []
    listed = ", ".join(own.show(int(code)) for code in new[:NEW_LISTED])
    more = f" and {len(new) - NEW_LISTED:,} more" if len(new) > NEW_LISTED else ""
    symbols = np.union1d(known.symbols, new).astype(np.uint32)
    grown = Vocabulary(symbols, text.unit, text.normalize)
    return grown, [f"the model gets {len(new):,} new symbols: {listed}{more}"]


def _held_out_lines(codes: Codes, train: TrainConfig, text: TextConfig) -> int:
    """Return how many characters the lines have that are held out.

    Copies of a line fall on one side, so of a few different lines far too many may be held out:
    then none are.
    """
    fraction = VAL_FRACTION if train.val_fraction is None else train.val_fraction
    if train.split_mode == "contiguous":
        return lines_from_end(codes, fraction)
    held = HashedSplit.of(codes, fraction, train.split_key or 0, text.unit).held_out
    return held if held <= MOST_TIMES * fraction * len(codes) else 0


def _recipe_of_lines(recipe: Recipe, kept: Codes, epochs: float | None, distinct: int) -> Recipe:
    """Make the window as long as the longest line that is learned."""
    ends = np.flatnonzero(kept == LINE_END)
    if len(ends) < 2:
        raise ConfigError("--lines needs a text of several lines: give one item a line")
    longest = int(np.diff(ends, prepend=-1).max()) - 1
    if longest > LONGEST_LINE:
        raise ConfigError(
            f"a line has {longest:,} characters, too many to be learned whole: leave out --lines"
        )
    notices = [f"{len(ends):,} lines to learn from, each an item of its own"]
    mean = len(kept) / len(ends)
    if longest > OUTLIER * mean:
        notices.append(
            f"the longest line has {longest:,} characters, and the mean {mean:.0f}: its batch "
            "takes as much memory for every line; take it out of the text, or leave out --lines"
        )
    reasons = {name: why for name, why in recipe.reasons.items() if name != "reset"}
    train = recipe.train
    size = CharModel.stream_bytes(recipe.model, distinct, steps_of(longest))
    train = dataclasses.replace(
        train,
        seq_len=steps_of(longest),
        reset=1.0,
        shards=shard_count(train.batch_size, size),
    )
    if epochs is not None:
        steps = max(1, ceil(epochs * steps_per_pass(train, kept)))
        train = dataclasses.replace(train, steps=steps)
    return dataclasses.replace(
        recipe,
        train=train,
        reasons={**reasons, "seq_len": f"the longest line has {longest} characters"},
        notices=(*recipe.notices, *notices),
    )


def shared_of(sides: Sides, train: TrainingSettings) -> float:
    """Return the share of the held-out text that is also learned from."""
    if train.split_mode == "hashed":  # copies of a line fall on one side
        return 0.0
    measure = overlap_of_items if train.lines else overlap
    return measure(sides.learned, sides.held)


def _compare_sides(
    sides: Sides, recipe: Recipe, start: Checkpoint | None, cache_dir: Path | None
) -> tuple[float, list[str]]:
    """Return the share of the held-out text that is also learned from, and what to say of it."""
    if not recipe.held_out:
        return 0.0, []
    held = sides.held
    shared, notices = shared_of(sides, recipe.train), []
    if shared >= NOTABLE_OVERLAP:
        notices.append(
            f"{shared:.0%} of the held-out text is also in the training part, word for word, so "
            "its loss tells in part how well the model remembers: remove copies, if there are any"
        )
    elif recipe.train.split_mode == "contiguous" and end_is_unlike(sides.learned, held):
        other = "hashed" if recipe.train.lines else "strided"
        notices.append(
            f"the end of the text, which is held out, is unlike the rest: --split-mode {other} "
            "holds out parts from all over it instead"
        )
    if start is None:
        return shared, notices
    try:
        own, _ = find_own_text(start, cache_dir=cache_dir)
    except CharrnnError:
        notices.append(
            "the text of the model of --init-from is not found: if it had any of the text that is "
            "held out here, the validation loss is too low"
        )
        return shared, notices
    measure = overlap_of_items if recipe.train.lines else overlap
    known = measure(start.split.learned(own.codes), held)
    if known >= NOTABLE_SEEN:
        notices.append(
            f"the model of --init-from was trained on {known:.0%} of the text that is held out "
            "here: the validation loss is too low"
        )
    return shared, notices


def _mean_line(codes: Codes) -> float:
    """Return the mean length of the lines of a text, their ends counted in."""
    codes = as_lines(codes)
    return len(codes) / max(1, int(np.count_nonzero(codes == LINE_END)))


def _with_input_of(start: Checkpoint, recipe: Recipe) -> Recipe:
    """Return a recipe whose model reads its input as the one to start from does."""
    size = start.architecture.embedding_size
    reasons = {name: why for name, why in recipe.reasons.items() if name != "embedding_size"}
    model = dataclasses.replace(recipe.model, embedding_size=size)
    return dataclasses.replace(recipe, model=model, reasons=reasons)


def _same_shape(old: Architecture, new: ModelConfig) -> ModelConfig:
    """Return the shape of a checkpoint's model; raise if another one was asked for.

    What is dropped is not of the shape: it follows from the new text, if it was not given.
    """
    for name in ("cell", "nonlinearity", "members", "num_layers", "hidden_size", "embedding_size"):
        wanted = getattr(new, name)
        has = getattr(old, name)
        if wanted not in (None, has):
            raise CheckpointError(
                f"--init-from a model of {option_name(name)} {has or 'none'}, which cannot become "
                f"{wanted}: leave the option out, or start without --init-from"
            )
    return ModelConfig(
        cell=old.cell,
        nonlinearity=old.nonlinearity if old.cell == "rnn" else None,
        num_layers=old.num_layers,
        hidden_size=old.hidden_size,
        members=old.members,
        embedding_size=old.embedding_size or None,
        dropout=new.dropout,
        weight_dropout=new.weight_dropout,
    )
