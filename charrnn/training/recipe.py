"""The rule for settings that were left out: from the corpus and the time allowed.

The time decides the size, and how often the text will be read, by how many weights for each of its
characters, decides what is held back (dropout, weight dropout): in the first passes
nothing, later only what keeps a model from memorizing its text pays, unless it is too
small to learn so. Each choice comes with its reason, which ``--plan`` prints.
README.md has the runs behind the numbers.
"""

import dataclasses
from dataclasses import dataclass, field
from math import ceil, log2, sqrt
from typing import TypeVar

from charrnn.config import (
    Architecture,
    Cell,
    ModelConfig,
    Nonlinearity,
    SplitMode,
    TrainConfig,
    TrainingSettings,
    option_name,
)
from charrnn.errors import ConfigError
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import shard_count

T = TypeVar("T")

ONE_HOT_LIMIT = 256
EMBEDDING_SIZE = 128
DEFAULT_CELL: Cell = "gru"
DEFAULT_MINUTES = 8.0
MEMORIZED = 600.0
"""And of one that is too short to hold anything out, where it can only be memorized."""
SIZES = ((0.25, 128), (2.0, 256), (15.0, 384), (float("inf"), 512))
"""Hidden units by the minutes up to which they learn most."""
UNITS = 32
"""Hidden units come in multiples of this; the root of the length of a text is what it can use."""
SEVERAL, SEVERAL_FROM, SEVERAL_MINUTES = 2, 3.5, 2.0
"""How many members learn more than one, from so many doublings beyond what leaves it unharmed and
so much time: in less, what several gain is not worth the time that each character then takes."""
MANY = 3
"""How many members there are where each can read the text as often as is of use."""
CHARACTERS_A_MINUTE = 4_000_000
"""What two cores train a GRU of 256 units on."""
WEIGHTS_AT_THAT_SPEED = 264_000
"""What that GRU multiplies for each character."""
UNHARMED = 0.7
"""How often a text can be read, times the squared weights for each of its characters, before a
model memorizes it rather than learns from it. Of items that are read from a zero state each, more
is harmless: there the root of the excess counts."""
EPOCHS_COUNTED = 100
"""A model that is too small to memorize a text in so many readings never does."""
PER_DOUBLING = {"dropout": (0.075, 0.5), "weight_dropout": (0.025, 0.5)}
"""What each doubling beyond that adds to a rate, and the most that it becomes."""
DECAY_PER_SHARE, MOST_DECAY = 0.04, 2.0
"""Weight decay for each weight that there is for a character of the text, and the most: the fewer
characters tell what a weight is to be, the nearer to zero it belongs."""
DECAY_READINGS, DECAY_LENGTH = 30, 20_000
"""Fewer readings than so many get less of it in proportion, and so do more characters: a longer
text has more steps in which to decay."""
SEQ_LEN = 24
VAL_FRACTION = 0.1
HELD_OUT_LEAST = 100
"""Characters below which a held-out part says nothing."""


@dataclass(frozen=True)
class Recipe:
    """Settings with nothing left open; ``reasons`` and ``notices`` are for the user."""

    model: Architecture
    train: TrainingSettings
    held_out: int
    reasons: dict[str, str]
    notices: tuple[str, ...]


def complete(
    model: ModelConfig,
    train: TrainConfig,
    *,
    characters: int,
    distinct: int,
    held_out: int | None = None,
    line_length: float | None = None,
) -> Recipe:
    """Choose what was left out.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
        As the user gave them.
    characters, distinct : int
        The corpus: its length, and its number of different characters.
    held_out : int, optional
        How much of it is held out, where that is not simply a share of it.
    line_length : float, optional
        The mean length of its lines, where each is an item.
    """
    choices = _Choices()
    mode, fraction = split_settings(train, choices)
    wanted = int(characters * fraction) if held_out is None else held_out
    held_out = _enough(wanted, characters, choices)
    length = characters - held_out
    max_epochs = _max_epochs(train, held_out, choices)
    batch_size, seq_len = _batched(train, length, choices)
    per_step = batch_size * (line_length or seq_len)
    asked = train.steps * per_step if train.steps else (train.epochs or 0) * length
    task = _Task(
        length=length,
        distinct=distinct,
        lines=train.lines,
        per_step=per_step,
        asked=asked,
        minutes=train.minutes or asked / CHARACTERS_A_MINUTE or DEFAULT_MINUTES,
        most=(max_epochs or float("inf")) * length,
    )
    architecture = _regularised(_shaped(model, task, choices), model, task, choices)
    rate, decay, reset = _optimised(train, architecture, task, choices)
    steps, minutes = _timed(train, task, max_epochs, choices)
    settings = TrainingSettings.of(
        train,
        steps=steps,
        minutes=minutes,
        max_epochs=max_epochs,
        batch_size=batch_size,
        seq_len=seq_len,
        shards=shard_count(batch_size, CharModel.stream_bytes(architecture, distinct, seq_len)),
        reset=reset,
        learning_rate=rate,
        weight_decay=decay,
        val_fraction=fraction,
        split_mode=mode,
        split_key=train.split_key or 0,
    )
    if mode == "strided":  # every stream gives as many
        held_out = _enough(held_out - held_out % settings.split_parts, characters, choices)
    if train.schedule == "plateau" and not held_out:
        choices.notices.append(
            "nothing is held out, so --schedule plateau never lowers the learning rate"
        )
    return Recipe(architecture, settings, held_out, choices.reasons, tuple(choices.notices))


@dataclass(frozen=True)
class _Task:
    """What a model is to learn from, and for how long: what its shape follows from.

    ``asked`` are the characters to be read where steps or epochs were given, or else 0.
    """

    length: int
    distinct: int
    lines: bool
    per_step: float
    asked: float
    minutes: float
    most: float

    def readings(self, model: Architecture) -> tuple[float, float]:
        """Return how often the text will be read, and a member's weights for each character."""
        weights = CharModel.size_of(model, self.distinct) / model.members
        read = min(self._read_in_time(model), self.most)
        return read / self.length, weights / self.length

    def members_at_best(self, model: Architecture) -> float:
        """Return how many such networks could read the text as often as is of use."""
        return self._read_in_time(dataclasses.replace(model, members=1)) / self.most

    def _read_in_time(self, model: Architecture) -> float:
        """Return how many characters are read, if the text was endless."""
        weights = CharModel.size_of(model, self.distinct)
        multiplied = weights - model.members * self.distinct * model.embedding_size
        rate = CHARACTERS_A_MINUTE * WEIGHTS_AT_THAT_SPEED / multiplied
        return self.asked or self.minutes * rate

    def doublings(self, model: Architecture) -> float:
        """Return by how many doublings it will be read too often not to be memorized."""
        epochs, share = self.readings(model)
        excess = min(epochs, EPOCHS_COUNTED) * share**2 / UNHARMED
        return log2(max(1, excess)) / (2 if self.lines else 1)


@dataclass
class _Choices:
    """Collects the reason of every choice, and notices."""

    reasons: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def of(self, name: str, given: T | None, value: T, why: str) -> T:
        """Return what was given, or else the value, for this reason."""
        if given is not None:
            return given
        self.reasons[name] = why
        return value


def _max_epochs(train: TrainConfig, held_out: int, choices: _Choices) -> float:
    """Return after how many readings a run ends."""
    if not held_out:
        return choices.of(
            "max_epochs",
            train.max_epochs,
            MEMORIZED,
            "nothing is held out: the text is memorized by then",
        )
    return choices.of(
        "max_epochs", train.max_epochs, MAX_EPOCHS, "more readings lower no validation loss"
    )


def _enough(held_out: int, characters: int, choices: _Choices) -> int:
    """Return how much is held out: nothing, with a notice, where it would be too little."""
    if held_out >= HELD_OUT_LEAST:
        return held_out
    if held_out:
        choices.notices.append(
            f"{held_out} characters are too few to hold out: all {characters:,} are trained on"
        )
    return 0


def split_settings(
    train: TrainConfig, choices: "_Choices | None" = None
) -> tuple[SplitMode, float]:
    """Return how the held-out part is chosen, and which share of the text it is."""
    choices = choices or _Choices()
    usual: SplitMode = "hashed" if train.lines else "contiguous"
    mode = choices.of("split_mode", train.split_mode, usual, "the usual one")
    fraction = choices.of("val_fraction", train.val_fraction, VAL_FRACTION, "the usual one")
    if train.split_key is not None and mode != "hashed":
        raise ConfigError("--split-key needs --lines, and no --split-mode: it is of hashed lines")
    return mode, fraction


def _shaped(model: ModelConfig, task: _Task, choices: _Choices) -> Architecture:
    """Choose cell and sizes, and several members where one would memorize."""
    members, why = 1, "several learn hardly more in this time"
    one = _sized(model, model.members or 1, task, _Choices())
    if model.hidden_size:
        why = "one, of the size that was given"
    elif task.asked:
        why = "several would take longer for as many characters"
    elif task.members_at_best(one) >= MANY:
        members, why = MANY, "each can read the text as often as is of use"
    elif task.minutes >= SEVERAL_MINUTES and task.doublings(one) >= SEVERAL_FROM:
        members, why = SEVERAL, "one would memorize the text"
    return _sized(model, choices.of("members", model.members, members, why), task, choices)


def _sized(model: ModelConfig, members: int, task: _Task, choices: _Choices) -> Architecture:
    """Choose cell and sizes for so many members; nothing is dropped yet."""
    minutes = task.minutes / (1 if task.asked else members)
    size = next(size for limit, size in SIZES if minutes <= limit)
    why = f"learns most in {_number(minutes)} min" + " each" * (members > 1)
    if task.asked:
        why = f"learns most from {task.asked:,.0f} characters"
    most = UNITS * max(1, round(sqrt(task.length) / UNITS))
    if most < size:
        size, why = most, f"about the root of {task.length:,} characters"
    embedding_size = model.embedding_size or 0
    if model.embedding_size is None and task.distinct > ONE_HOT_LIMIT:
        embedding_size = EMBEDDING_SIZE
        choices.reasons["embedding_size"] = (
            f"{task.distinct:,} symbols are too many for one-hot input"
        )
    cell = choices.of("cell", model.cell, DEFAULT_CELL, "learns most in the same time")
    nonlinearity: Nonlinearity = model.nonlinearity or "tanh"
    if cell == "rnn":
        nonlinearity = choices.of("nonlinearity", model.nonlinearity, "tanh", "the usual one")
    return Architecture(
        cell=cell,
        nonlinearity=nonlinearity,
        hidden_size=choices.of("hidden_size", model.hidden_size, size, why),
        num_layers=choices.of(
            "num_layers", model.num_layers, 1, "a second layer learns less in the same time"
        ),
        members=members,
        embedding_size=embedding_size,
    )


def _batched(train: TrainConfig, length: int, choices: _Choices) -> tuple[int, int]:
    """Choose the streams of a batch and the steps of a window."""
    seq_len = choices.of("seq_len", train.seq_len, SEQ_LEN, "short windows learn faster")
    streams = OPTIMIZERS[train.optimizer].default_streams
    batch_size = choices.of("batch_size", train.batch_size, streams, "few streams learn faster")
    fits_len = max(1, min(seq_len, length))
    fits_batch = max(1, min(batch_size, length // fits_len))
    for name, wanted, fits in (
        ("seq_len", seq_len, fits_len),
        ("batch_size", batch_size, fits_batch),
    ):
        if fits < wanted:
            choices.reasons[name] = f"{length:,} characters allow no more"
            if getattr(train, name) is not None:
                choices.notices.append(
                    f"{option_name(name)} {wanted} is more than {length:,} characters allow: {fits}"
                )
    return fits_batch, fits_len


def _regularised(
    shape: Architecture, model: ModelConfig, task: _Task, choices: _Choices
) -> Architecture:
    """Choose what is dropped."""
    epochs, share = task.readings(shape)
    doublings = task.doublings(shape)
    why = f"for a text read about {_number(epochs)} times "
    why += "" if task.asked else "(usual on two cores) "
    why += f"by {_number(share)} weights a character" + " each" * (shape.members > 1)
    why += ", as separate lines" if task.lines else ""
    apart = sqrt(shape.members)  # the mean of several members needs less
    rates = {
        name: round(min(each * doublings / apart, most), 2)
        for name, (each, most) in PER_DOUBLING.items()
    }
    return dataclasses.replace(
        shape,
        dropout=choices.of("dropout", model.dropout, rates["dropout"], why),
        weight_dropout=choices.of(
            "weight_dropout", model.weight_dropout, rates["weight_dropout"], why
        ),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _optimised(
    train: TrainConfig, model: Architecture, task: _Task, choices: _Choices
) -> tuple[float, float, float]:
    """Choose learning rate, weight decay and how often a stream begins anew."""
    optimizer = OPTIMIZERS[train.optimizer]
    rate, decay = optimizer.default_learning_rate, optimizer.default_weight_decay
    why = "of this optimizer"
    if train.optimizer == "muon":
        rate *= 256 / model.hidden_size
        # Fewer characters a step tell the direction less well.
        rate *= min(1, task.per_step / (optimizer.default_streams * SEQ_LEN)) ** 0.5
        epochs, share = task.readings(model)
        wanted = DECAY_PER_SHARE * share
        wanted *= min(1, epochs / DECAY_READINGS) * min(1, DECAY_LENGTH / task.length)
        if wanted > decay:
            decay = round(min(wanted, MOST_DECAY), 3)
            why = f"for {_number(epochs)} readings by {_number(share)} weights a character"
    else:
        rate *= 256 / max(model.hidden_size, 256) * (0.5 if model.cell == "rnn" else 1)
    return (
        choices.of(
            "learning_rate",
            train.learning_rate,
            round(rate, 5),
            "for this size, batch and optimizer",
        ),
        choices.of("weight_decay", train.weight_decay, decay, why),
        choices.of("reset", train.reset, 0.01, "texts are also begun, when sampled"),
    )


def _timed(
    train: TrainConfig, task: _Task, max_epochs: float, choices: _Choices
) -> tuple[int, float]:
    """Choose what ends the run: steps or minutes; the other is 0."""
    steps, minutes = train.steps or 0, train.minutes or 0.0
    if train.epochs is not None:
        steps = max(1, ceil(train.epochs * task.length / task.per_step))
    elif not steps and not minutes:
        minutes = DEFAULT_MINUTES
        choices.reasons["minutes"] = "the default"
    if steps and max_epochs:
        passes = steps * task.per_step / task.length
        if passes > max_epochs:
            choices.notices.append(
                f"{steps:,} steps would read the text {_number(passes)} times: the run ends "
                f"after {max_epochs:g} (--max-epochs); --max-epochs 0 reads on"
            )
    return steps, minutes
