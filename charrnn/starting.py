"""A run made ready: a new one from a text and settings, or an old one from where it stopped."""

import dataclasses
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np

from charrnn import runs
from charrnn.checkpoint import Checkpoint, History, load
from charrnn.config import ModelConfig, TextConfig, TrainConfig, option_name
from charrnn.errors import (
    CheckpointError,
    ConfigError,
    CorpusError,
    RunError,
    VocabularyError,
)
from charrnn.machine import installed_memory
from charrnn.nn.model import CharModel
from charrnn.parallel.team import shared_zeros
from charrnn.plan import Parts, memory_of
from charrnn.recipe import Recipe, complete
from charrnn.text import Corpus, Split, Vocabulary, check_sources, fingerprint, read_corpus
from charrnn.text.lines import LINE_END, as_lines, lines_from_end, steps_of
from charrnn.text.vocabulary import Codes
from charrnn.training import Run, done_after

LONGEST_LINE = 10_000
"""Characters of a line that is learned whole, with the memory that this takes."""


def _read(
    paths: Sequence[str | Path], text: TextConfig, cache_dir: Path | None, stdin: BinaryIO | None
) -> Corpus:
    return read_corpus(paths, **text.to_json(), cache_dir=cache_dir, stdin=stdin)


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
        A checkpoint or run whose weights and vocabulary to start from. Its shape is taken over.
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
    text.check_new()
    if out is not None:
        runs.check_unused(out)  # before a long text is read
    if train.lines:
        text = _text_of_lines(text, train)
    cache_dir = runs.cache_directory() if cache else None
    start = runs.load_model(init_from) if init_from is not None else None
    if start is not None:
        known = start.vocabulary
        for name in ("unit", "normalize"):
            wanted, has = getattr(text, name), getattr(known, name)
            if wanted not in (has, getattr(TextConfig(), name)):
                raise CheckpointError(
                    f"--init-from a model of --{name} {has} cannot read --{name} {wanted}: "
                    "leave the option out"
                )
        newlines = "keep" if known.unit == "byte" else text.newlines
        text = dataclasses.replace(
            text, unit=known.unit, normalize=known.normalize, newlines=newlines
        )
    corpus = _read(paths, text, cache_dir, stdin)
    if start is not None:
        model = _same_shape(start.model_config, model)
    recipe = complete(
        model,
        train,
        characters=len(corpus),
        distinct=_distinct(corpus, text, start),
        line_length=_mean_line(corpus.codes) if train.lines else None,
    )
    if train.lines:
        recipe = _recipe_of_lines(recipe, corpus.codes, train.epochs)
    notices = [*corpus.notices, *recipe.notices]
    split = Split(len(corpus), recipe.held_out, recipe.train.split_parts)
    kept = split.learned(corpus.codes)
    vocabulary = (
        start.vocabulary
        if start
        else Vocabulary.from_codes(kept, unit=text.unit, normalize=text.normalize)
    )
    if start and vocabulary.encode_known(Vocabulary.from_codes(kept, unit=text.unit).symbols)[1]:
        try:
            vocabulary.encode(kept)
        except VocabularyError as error:
            raise VocabularyError(f"--init-from: {error}") from None
    _check_memory(recipe, len(vocabulary), threads)
    if len(vocabulary) == 1:
        notices.append("the text has a single distinct character: there is nothing to predict")
    network = CharModel(recipe.model, len(vocabulary), zeros=shared_zeros)
    if start:
        network.parameters.fill(start.weights)
    else:
        learned = as_lines(kept) if train.lines else kept
        network.initialise(np.random.default_rng(train.random_seed), vocabulary.count(learned))
    parts = Parts(text, recipe, corpus, vocabulary, network, History(), notices, bool(start))
    return Run(parts, directory=out, threads=threads)


def _text_of_lines(text: TextConfig, train: TrainConfig) -> TextConfig:
    """Return how a text of lines is read; raise where a setting makes no sense for one."""
    for name in ("seq_len", "reset"):
        if getattr(train, name) is not None:
            raise ConfigError(
                f"{option_name(name)} and --lines do not go together: a line is learned whole, "
                "from a zero state"
            )
    return dataclasses.replace(text, newlines="lf")


def _recipe_of_lines(recipe: Recipe, codes: Codes, epochs: float | None) -> Recipe:
    """Hold out whole lines, and make the window as long as the longest line."""
    held_out = lines_from_end(codes, recipe.train.val_fraction) if recipe.held_out else 0
    kept = as_lines(codes[: len(codes) - held_out])
    ends = np.flatnonzero(kept == LINE_END)
    if len(ends) < 2:
        raise ConfigError("--lines needs a text of several lines: give one item a line")
    longest = int(np.diff(ends, prepend=-1).max()) - 1
    if longest > LONGEST_LINE:
        raise ConfigError(
            f"a line has {longest:,} characters, too many to be learned whole: leave out --lines"
        )
    reasons = {name: why for name, why in recipe.reasons.items() if name != "reset"}
    train = dataclasses.replace(recipe.train, seq_len=steps_of(longest), reset=1.0)
    if epochs is not None:
        train = dataclasses.replace(train, steps=_steps_of_epochs(epochs, train, kept))
    return dataclasses.replace(
        recipe,
        train=train,
        held_out=held_out,
        reasons={**reasons, "seq_len": f"the longest line has {longest} characters"},
        notices=(*recipe.notices, f"{len(ends):,} lines, each an item of its own"),
    )


def _mean_line(codes: Codes) -> float:
    """Return the mean length of the lines of a text, their ends counted in."""
    codes = as_lines(codes)
    return len(codes) / max(1, int(np.count_nonzero(codes == LINE_END)))


def _check_best(directory: Path, history: History) -> list[str]:
    """Forget a best state whose file is missing or damaged, so that another takes its place.

    Returns a notice of it, if it is so. What is damaged is kept under another name.
    """
    if history.best_nats is None:
        return []
    best = directory / runs.BEST
    try:
        load(best)
    except CheckpointError as error:
        cause = error.__cause__
        passing = isinstance(cause, (OSError, MemoryError))
        if passing and not isinstance(cause, FileNotFoundError):
            raise
        history.best_nats = history.best_step = None
        if best.exists():
            best.replace(best.with_name(f"{best.name}.damaged"))
        return [
            f"the best state is lost ({error}); that of step {history.step:,} takes its place "
            "until the next validation"
        ]
    return []


def _steps_of_epochs(epochs: float, train: TrainConfig, codes: Codes) -> int:
    """Return the steps of so many passes over a training part."""
    assert train.seq_len and train.batch_size
    if not train.lines:
        return max(1, ceil(epochs * len(codes) / (train.seq_len * train.batch_size)))
    lines = int(np.count_nonzero(as_lines(codes) == LINE_END))
    return max(1, ceil(epochs * -(-lines // train.batch_size)))


def _check_memory(recipe: Recipe, vocab_size: int, threads: int) -> None:
    """Refuse what cannot fit, before the system ends the process for it."""
    installed, needed = installed_memory(), memory_of(recipe, vocab_size, threads)
    if installed is not None and needed > installed:
        raise ConfigError(
            f"training needs about {needed / 1e9:,.0f} GB and this machine has "
            f"{installed / 1e9:,.0f} GB: give a smaller --hidden-size, --num-layers, "
            "--members, --batch-size or --seq-len"
        )


def _distinct(corpus: Corpus, text: TextConfig, start: Checkpoint | None) -> int:
    if start:
        return len(start.vocabulary)
    return len(Vocabulary.from_codes(corpus.codes, unit=text.unit)) if len(corpus) else 0


def _same_shape(old: ModelConfig, new: ModelConfig) -> ModelConfig:
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
    return dataclasses.replace(old, dropout=new.dropout, weight_dropout=new.weight_dropout)


def resume(
    directory: str | Path,
    *,
    length: TrainConfig | None = None,
    threads: int = 1,
    cache: bool = True,
) -> Run:
    """Go on with a run as if it had never stopped.

    Parameters
    ----------
    directory : path
        The run, or its name under ./runs.
    length : TrainConfig, optional
        A new length, if one of its ``epochs``, ``steps`` and ``minutes`` is set.
    threads : int
        As for ``prepare``; it need not be what it was.
    cache : bool
        As for ``prepare``.

    Raises
    ------
    RunError
        If there is nothing to resume, or the run is over and no longer ``length`` is given.
    CorpusError
        If the corpus is gone or has changed.
    """
    path = Path(directory)
    if not path.is_dir() and (runs.RUNS / path).is_dir():
        path = runs.RUNS / path
    if not path.is_dir():
        raise RunError(f"{directory} is no run; charrnn runs lists what is here")
    lock = runs.RunLock(path)
    try:
        last = runs.load_last(path)
        advice = "restore the file, or train a new run with --init-from"
        check_sources(last.sources, advice)
        cache_dir = runs.cache_directory() if cache else None
        corpus = _read([source.path for source in last.sources], last.text_config, cache_dir, None)
        same = fingerprint(corpus.sources) == fingerprint(last.sources)
        if not same or len(corpus) != last.characters:
            raise CorpusError(f"the corpus changed while it was read: {advice}")
        train = last.train_config
        if length and (length.steps or length.minutes or length.epochs):
            steps = length.steps
            if length.epochs:
                kept = last.split.learned(corpus.codes)
                steps = _steps_of_epochs(length.epochs, train, kept)
            train = dataclasses.replace(train, steps=steps, minutes=length.minutes, epochs=None)
            done = done_after(train, last.history.step, last.history.seconds)
            if done >= 1:
                raise RunError(
                    f"{path} is already at step {last.history.step:,}, after "
                    f"{last.history.seconds / 60:.1f} minutes: give a length beyond that"
                )
            last.history.validations = int(done * (train.validations or 0))
            last.history.without_improvement = 0
            last.history.finished = ""
        elif last.history.finished:
            raise RunError(
                f"{path} is finished ({last.history.finished}): "
                "to train it longer, give --minutes, --epochs or --steps for the whole of it"
            )
        notices = _check_best(path, last.history)
        model = CharModel(last.model_config, len(last.vocabulary), zeros=shared_zeros)
        model.parameters.fill(last.weights)
        recipe = Recipe(last.model_config, train, last.held_out, {}, ())
        _check_memory(recipe, len(last.vocabulary), threads)
        parts = Parts(
            last.text_config, recipe, corpus, last.vocabulary, model, last.history, notices
        )
        return Run(parts, directory=path, threads=threads, lock=lock, training=last.training)
    except BaseException:
        lock.release()
        raise
