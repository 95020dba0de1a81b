"""The rule for settings that were left out: from the corpus and the time allowed.

Each choice comes with its reason, which ``--plan`` prints. The runs behind the numbers are in
README.md.
"""

import dataclasses
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from charrnn.config import ModelConfig, TrainConfig
from charrnn.optimizers import OPTIMIZERS

T = TypeVar("T")

ONE_HOT_LIMIT = 256
DEFAULT_MINUTES = 5.0
SMALL_CORPUS = 20_000
CHARACTERS_A_MINUTE = 3_000_000
"""What two cores train on with 256 units, to tell how often a text will be read again."""
READINGS_UNHARMED, READINGS_FOR_HALF, MOST_DROPOUT = 4, 45, 0.5
"""A text read less often than the first needs no dropout; read as often as the second, half."""
HELD_OUT_LEAST = 100
"""Characters below which a held-out part says nothing."""


@dataclass(frozen=True)
class Recipe:
    """Settings with nothing left open; ``reasons`` and ``notices`` are for the user."""

    model: ModelConfig
    train: TrainConfig
    held_out: int
    reasons: dict[str, str]
    notices: tuple[str, ...]


def complete(model: ModelConfig, train: TrainConfig, *, characters: int, distinct: int) -> Recipe:
    """Choose what was left out.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
        As the user gave them.
    characters, distinct : int
        The corpus: its length, and its number of different characters.
    """
    reasons: dict[str, str] = {}
    notices: list[str] = []

    held_out = int(characters * train.val_fraction)
    if held_out < HELD_OUT_LEAST:
        if train.val_fraction and held_out:
            notices.append(
                f"{held_out} characters are too few to hold out: all {characters:,} are trained on"
            )
        held_out = 0
    length = characters - held_out
    tiny = length < SMALL_CORPUS

    def choose(name: str, given: T | None, value: T, why: str) -> T:
        if given is not None:
            return given
        reasons[name] = why
        return value

    budget = train.minutes or (None if train.steps or train.epochs else DEFAULT_MINUTES)
    long = not tiny and budget is not None and budget > 8
    if tiny:
        size, why = 128, f"{length:,} characters need no more"
    elif long:
        size, why = 384, "there is time for more"
    else:
        size, why = 256, "learns most in a few minutes"
    hidden_size = choose("hidden_size", model.hidden_size, size, why)
    layers = 2 if long else 1
    why = "there is time for more" if long else "one layer learns most in a few minutes"
    num_layers = choose("num_layers", model.num_layers, layers, why)
    embedding_size = model.embedding_size
    if embedding_size is None and distinct > ONE_HOT_LIMIT:
        embedding_size = 128
        reasons["embedding_size"] = f"{distinct:,} symbols are too many for one-hot input"
    readings = CHARACTERS_A_MINUTE * (budget or 0) / max(1, length)
    if train.epochs or train.steps:
        per_step = (train.batch_size or 32) * (train.seq_len or 16)
        readings = train.epochs or (train.steps or 0) * per_step / max(1, length)
    rate = 0.0
    if not tiny and readings >= READINGS_UNHARMED:
        rate = round(min(MOST_DROPOUT, MOST_DROPOUT * readings / READINGS_FOR_HALF), 2)
    dropout = choose("dropout", model.dropout, rate, "by how often the text is read again")

    seq_len = choose("seq_len", train.seq_len, 20 if long else 16, "short windows learn faster")
    batch_size = choose("batch_size", train.batch_size, 32, "few streams learn faster at first")
    fits_len = max(1, min(seq_len, length))
    fits_batch = max(1, min(batch_size, length // fits_len))
    for name, wanted, fits in (
        ("seq_len", seq_len, fits_len),
        ("batch_size", batch_size, fits_batch),
    ):
        if fits < wanted:
            reasons[name] = f"{length:,} characters allow no more"
            what = {"seq_len": "window", "batch_size": "streams"}[name]
            if getattr(train, name) is not None:
                what = "--" + name.replace("_", "-")
            notices.append(f"{what} {wanted} is more than {length:,} characters allow: {fits}")
    seq_len, batch_size = fits_len, fits_batch
    if train.split_mode == "strided":  # every stream gives as many
        held_out -= held_out % batch_size

    reset = choose("reset", train.reset, 0.1 if tiny else 0.01, "texts are also begun, when drawn")
    optimizer = OPTIMIZERS[train.optimizer]
    rate = optimizer.default_learning_rate
    if train.optimizer in ("adam", "adamw"):
        rate = round(0.008 * (256 / max(hidden_size, 256)) * (0.5 if model.cell == "rnn" else 1), 5)
    learning_rate = choose(
        "learning_rate", train.learning_rate, rate, "for this size and optimizer"
    )
    weight_decay = choose(
        "weight_decay", train.weight_decay, optimizer.default_weight_decay, "of this optimizer"
    )

    steps, minutes, epochs = train.steps, train.minutes, train.epochs
    if epochs is not None:
        steps = max(1, ceil(epochs * length / (seq_len * batch_size)))
    elif steps is None and minutes is None:
        if tiny:
            steps = max(600, min(6000, 40 * length // (seq_len * batch_size)))
            reasons["steps"] = "enough to learn so short a text"
        else:
            minutes = DEFAULT_MINUTES
            reasons["minutes"] = "the default"
    validations = choose(
        "validations",
        train.validations,
        10
        if minutes is not None and minutes <= 2
        else 20
        if minutes is None or minutes <= 10
        else 40,
        "by length",
    )
    if train.schedule == "plateau" and not held_out:
        notices.append("nothing is held out, so --schedule plateau never lowers the learning rate")
    return Recipe(
        model=dataclasses.replace(
            model,
            hidden_size=hidden_size,
            num_layers=num_layers,
            embedding_size=embedding_size,
            dropout=dropout,
        ),
        train=dataclasses.replace(
            train,
            epochs=None,
            steps=steps,
            minutes=minutes,
            seq_len=seq_len,
            batch_size=batch_size,
            reset=reset,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            validations=validations,
        ),
        held_out=held_out,
        reasons=reasons,
        notices=tuple(notices),
    )
