"""Initializing a run from another model: its text form, its shape and its split."""

import dataclasses

import numpy as np

from charrnn.config import Architecture, ModelConfig, TextConfig, TrainConfig, option_name
from charrnn.data.task import Task
from charrnn.errors import CheckpointError
from charrnn.nn.growing import fill_body, fill_grown
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes
from charrnn.training.recipe import Recipe

SHAPE = (
    "cell",
    "nonlinearity",
    "context",
    "members",
    "num_layers",
    "hidden_size",
    "embedding_size",
)
"""Settings that a model shares with the one that it is initialized from."""
NEW_LISTED = 10
"""Most new symbols that the notice of a grown vocabulary names."""


def check_start(start: Checkpoint, train: TrainConfig) -> None:
    """Reject a model that such a run cannot be initialized from.

    Raises
    ------
    CheckpointError
        If the model predicts labels but the run would predict text, or the model reads bytes but
        the run labels text.
    """
    if start.labels and not train.predict:
        raise CheckpointError(
            f"--init-from a model that predicts {start.settings.predict}: it cannot be fine-tuned "
            "to generate text; give --predict too, or leave --init-from out"
        )
    if train.predict and start.vocabulary.unit == "byte":
        raise CheckpointError(
            "--init-from a model with --unit byte cannot label text, which is read as characters: "
            "start from a model with --unit char"
        )


def text_like(start: Checkpoint, text: TextConfig) -> TextConfig:
    """Return how to read a text for a model: with its unit and its normalization."""
    known = start.vocabulary
    for name in ("unit", "normalize"):
        wanted, has = getattr(text, name), getattr(known, name)
        if wanted not in (has, getattr(TextConfig(), name)):
            raise CheckpointError(
                f"--init-from a model with --{name} {has} cannot read text with --{name} {wanted}: "
                "leave the option out"
            )
    newlines = "auto" if text.unit != known.unit else text.newlines
    return dataclasses.replace(text, unit=known.unit, normalize=known.normalize, newlines=newlines)


def split_like(start: Checkpoint, train: TrainConfig, task: Task) -> TrainConfig:
    """Return settings that split like the model's own run, except where some were given."""
    own = start.settings
    if own.items != task.items or own.predict != task.predict or own.split_mode == "files":
        return train
    names = ["val_fraction", "split_mode"]
    if (train.split_mode or own.split_mode) == "hashed":  # only a hashed split has a key
        names.append("split_key")
    same = {name: getattr(own, name) for name in names if getattr(train, name) is None}
    return dataclasses.replace(train, **same)


def same_shape(old: Architecture, new: ModelConfig) -> ModelConfig:
    """Return the shape of a checkpoint's model; raise if a different one was requested.

    Dropout is not part of the shape: if not given, it is chosen for the new text.
    """
    names = (*SHAPE, "directions") if old.num_labels else SHAPE
    for name in names:
        wanted = getattr(new, name)
        has = getattr(old, name)
        if wanted not in (None, has):
            raise CheckpointError(
                f"--init-from a model with {option_name(name)} {has or 'none'}, which cannot be "
                f"changed to {wanted}: leave the option out, or start without --init-from"
            )
    return ModelConfig(
        cell=old.cell,
        nonlinearity=old.nonlinearity if old.cell == "rnn" else None,
        context=old.context or None,
        num_layers=old.num_layers,
        hidden_size=old.hidden_size,
        members=old.members,
        embedding_size=old.embedding_size or None,
        dropout=new.dropout,
        weight_dropout=new.weight_dropout,
        directions=new.directions if old.num_labels == 0 else old.directions,
    )


def with_input_of(start: Checkpoint, recipe: Recipe) -> Recipe:
    """Return a recipe whose model has the input layer of the initial model."""
    size = start.architecture.embedding_size
    reasons = {name: why for name, why in recipe.reasons.items() if name != "embedding_size"}
    model = dataclasses.replace(recipe.model, embedding_size=size)
    return dataclasses.replace(recipe, model=model, reasons=reasons)


def labelling_vocabulary(own: Vocabulary, start: Checkpoint | None) -> Vocabulary:
    """Return the vocabulary of a labelled text, joined with that of an initial model."""
    if start is None:
        return own
    symbols = np.union1d(own.symbols, start.vocabulary.symbols).astype(np.uint32)
    return Vocabulary(symbols, own.unit, own.normalize, has_unknown=True)


def take_over(start: Checkpoint, model: CharModel, vocabulary: Vocabulary, task: Task) -> None:
    """Copy the initial model's weights to a model, for the layers that both have."""
    places = vocabulary.encode(start.vocabulary.symbols)
    if not task.labels:
        fill_grown(model, start.weights, places)
        return
    if start.vocabulary.has_unknown:
        places = np.append(places, len(vocabulary) - 1)
    fill_body(model, start.weights, places, same_labels=start.labels == task.labels)


def vocabulary_of(
    codes: Codes, text: TextConfig, start: Checkpoint | None
) -> tuple[Vocabulary, list[str]]:
    """Return the joint vocabulary of a text and an initial model, with a notice of new symbols."""
    own = Vocabulary.from_codes(codes, unit=text.unit, normalize=text.normalize)
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
    return grown, [f"{len(new):,} new symbols are added to the model: {listed}{more}"]
