"""What a run is made of, and what it will do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.config import TextConfig
from charrnn.data.sides import Sides
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.storage.checkpoint import History
from charrnn.text import Corpus, Source, Vocabulary
from charrnn.training.recipe import Recipe
from charrnn.training.step import training_memory


@dataclass(frozen=True)
class Plan:
    """What a run will do. ``steps`` is None where the minutes alone end it."""

    sources: tuple[str, ...]
    characters: int
    num_bytes: int
    distinct: int
    train_characters: int
    val_characters: int
    split_mode: str
    cell: str
    members: int
    num_layers: int
    hidden_size: int
    embedding_size: int | None
    dropout: float
    weight_dropout: float
    parameters: int
    batch_size: int
    seq_len: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    validations: int
    val_scored: int
    validation_share: float
    overlap: float
    unseen: int
    max_epochs: float
    reset: float
    lines: bool
    steps: int | None
    minutes: float | None
    epochs: float | None
    memory_mb: float
    threads: int
    threads_allowed: int
    resumed_at: int | None
    reasons: dict[str, str]


@dataclass
class Parts:
    """What a run is made of, new or resumed."""

    text: TextConfig
    recipe: Recipe
    corpus: Corpus
    vocabulary: Vocabulary
    model: CharModel
    history: History
    notices: list[str]
    sides: Sides
    counts: NDArray[np.int64]
    """How often each symbol (V,) occurs in what the model learned from: the training part, and
    that of the model from which the run starts."""
    sources: tuple[Source, ...]
    """The files of the corpus as checkpoints name them."""
    same_shape: bool = False
    """Whether the shape is that of a model from which the run starts."""
    overlap: float = 0.0
    """Share of the held-out text that the training part has too."""


def memory_of(recipe: Recipe, vocab_size: int, threads: int) -> int:
    """Return about how many bytes a run takes beside its text."""
    train = recipe.train
    assert train.batch_size and train.seq_len
    return training_memory(
        recipe.model,
        vocab_size,
        batch_size=train.batch_size,
        seq_len=train.seq_len,
        slots=len(OPTIMIZERS[train.optimizer].slots),
        threads=threads,
    )


def plan_of(
    parts: Parts, *, per_step: float, threads: int, workers: int, resumed_at: int | None
) -> Plan:
    """Return the plan of a run.

    Parameters
    ----------
    parts : Parts
        With every setting chosen.
    per_step : float
        The characters of a step.
    threads, workers : int
        What may be used, and what the work is enough for.
    resumed_at : int, optional
        The step from which it is resumed.
    """
    train, model = parts.recipe.train, parts.recipe.model
    length = len(parts.corpus) - parts.recipe.held_out
    assert model.cell and model.num_layers and model.hidden_size
    assert model.dropout is not None
    assert train.learning_rate and train.batch_size and train.seq_len
    return Plan(
        sources=tuple(source.path for source in parts.corpus.sources),
        characters=len(parts.corpus),
        num_bytes=parts.corpus.num_bytes,
        distinct=len(parts.vocabulary),
        train_characters=length,
        val_characters=parts.recipe.held_out,
        split_mode=train.split_mode or "",
        cell=model.cell,
        members=model.members or 1,
        num_layers=model.num_layers,
        hidden_size=model.hidden_size,
        embedding_size=model.embedding_size,
        dropout=model.dropout,
        weight_dropout=model.weight_dropout or 0.0,
        parameters=parts.model.num_parameters,
        batch_size=train.batch_size,
        seq_len=train.seq_len,
        optimizer=train.optimizer,
        learning_rate=train.learning_rate,
        weight_decay=train.weight_decay or 0.0,
        schedule=train.schedule,
        validations=train.validations or 0,
        val_scored=min(train.val_characters or 0, parts.recipe.held_out),
        validation_share=parts.recipe.validation_share,
        overlap=parts.overlap,
        unseen=int(np.count_nonzero(parts.counts == 0)),
        max_epochs=train.max_epochs or 0.0,
        reset=train.reset or 0.0,
        lines=train.lines,
        steps=train.steps,
        minutes=train.minutes,
        epochs=(train.steps or 0) * per_step / length or None,
        memory_mb=round(memory_of(parts.recipe, len(parts.vocabulary), threads) / 1e6, 1),
        threads=workers,
        threads_allowed=threads,
        resumed_at=resumed_at,
        reasons=parts.recipe.reasons,
    )
