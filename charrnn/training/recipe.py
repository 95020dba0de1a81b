"""The rule for settings that were left out: from the corpus and the time allowed.

The time allowed decides the size of the model. Regularization (dropout, weight dropout) depends on
the number of epochs and of weights per character: in the first epochs it only slows learning, later
it keeps all but the smallest models from memorizing the text. Each choice comes with its reason,
which ``--plan`` prints. docs/defaults.md has the runs behind the numbers.
"""

from dataclasses import dataclass
from math import ceil

from charrnn.config import (
    PATIENCE,
    Architecture,
    ModelConfig,
    SplitMode,
    TrainConfig,
    TrainingSettings,
    option_name,
)
from charrnn.config.words import count
from charrnn.data.apart import size_apart
from charrnn.data.items import steps_of
from charrnn.errors import ConfigError
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import LEAST_STREAMS, shard_count
from charrnn.text.codes import LINE_END
from charrnn.training.budget import CHARACTERS_A_MINUTE, USUAL_CORES, Budget
from charrnn.training.choices import Choices, number
from charrnn.training.labelling import (
    LABEL_MINUTES,
    LABEL_WINDOW,
    SLOWER,
    LabelFacts,
    enough_texts,
    label_epochs,
    label_shape,
    texts_of_batch,
)
from charrnn.training.shaping import regularized, shaped

DEFAULT_MINUTES = 8.0
MEMORIZED = 600.0
"""Epochs after which a run ends if nothing is held out: a text that short can only be memorized."""
MOST_TIMES = 4
"""Up to this many times the default number of streams learn as much from each character, at a rate
that grows with the square root: 256 streams 1.439 and 64 streams 1.435 nats after 8 million
characters of tiny Shakespeare."""
STEPS_OF_PASS = 100
"""Fewest steps per epoch, however many cores there are."""
DECAY_PER_SHARE, MOST_DECAY = 0.04, 2.0
"""Weight decay per weight and character of the text, and its maximum: the fewer characters
determine a weight, the closer to zero it should stay."""
DECAY_READINGS, DECAY_LENGTH = 30, 20_000
"""Weight decay is reduced in proportion with fewer epochs than this, and with a longer text, which
has more steps in which to decay."""
FASTER, FASTER_LENGTH = 1.5, 20_000
"""Multiple of the optimizer's rate for running text of at least this length with one-hot input, and
less in proportion for a shorter text. docs/defaults.md compares both rates at equal steps."""
LSTM_STREAMS_ON_GPU = 2
"""For the learning rate of an LSTM that predicts the next symbol on a GPU, each stream counts this
many times: docs/defaults.md has the runs."""
SEQ_LEN = 24
ITEM_WINDOW = 64
"""Steps of the longest window of items: longer ones take several. In a minute of one core, windows
of 64, 128 and 256 steps reach 1.415, 1.452 and 1.659 nats on held-out speeches of tiny Shakespeare
and 1.044, 1.118 and 1.284 on paragraphs of Python's documentation (GRU 1 x 256, one seed)."""
VAL_FRACTION = 0.1
HELD_OUT_LEAST = 100
"""Fewer held-out characters would not be informative."""


@dataclass(frozen=True)
class ItemFacts:
    """What the rule needs to know about the items of a text.

    Attributes
    ----------
    division : str
        How the text is divided: see ``divide``.
    end : int
        The code that ends an item.
    mean : float
        Mean number of symbols in an item, including its end.
    longest : int
        Number of characters in the longest item.
    """

    division: str
    end: int
    mean: float
    longest: int


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
    val_files: int = 0,
    items: ItemFacts | None = None,
    labels: LabelFacts | None = None,
    cores: int = USUAL_CORES,
    gpu: bool = False,
) -> Recipe:
    """Return a recipe with all settings that were left out.

    Parameters
    ----------
    model, train : ModelConfig, TrainConfig
        The settings as the user gave them.
    characters, distinct : int
        The length of the corpus, and its number of different characters.
    held_out : int, optional
        Number of held-out characters, if that is not simply a share of the corpus.
    val_files : int
        Number of files at its end that are held out.
    items : ItemFacts, optional
        Its items, if it is divided.
    labels : LabelFacts, optional
        What is predicted, if not the next symbol.
    cores : int
        Number of cores that a run of minutes may use. A run of steps or epochs does not depend on
        it.
    gpu : bool
        Whether a GPU trains a run of minutes; its speed is assumed to be that of an H100.

    Raises
    ------
    ConfigError
        If two settings contradict each other.
    """
    timed = train.steps is None and train.epochs is None
    gpu = gpu and timed
    cores = cores if timed and not gpu else USUAL_CORES
    choices = Choices()
    mode, fraction = split_settings(train, val_files, choices)
    wanted = int(characters * fraction) if held_out is None else held_out
    if val_files:  # as they are
        held_out = wanted
    elif labels and items:  # some texts are enough, however short they are
        held_out = enough_texts(wanted, characters, items.mean / labels.share, choices)
    else:
        held_out = _enough(wanted, characters, choices)
    length = characters - held_out
    if train.counts and not labels:
        length -= size_apart(length)
    if labels:
        length = max(1, round(length * labels.share))
    batch_size, seq_len = _batched(train, length, cores, gpu, choices)
    if labels and items and labels.head == "step":
        batch_size = texts_of_batch(train, items.mean, batch_size, choices)
    if items:
        seq_len = _item_window(train, items, LABEL_WINDOW if labels else ITEM_WINDOW, choices)
    per_step = batch_size * (min(items.mean, seq_len) if items else seq_len)
    per_step = min(per_step, length)  # of a few items, a batch has them all
    if labels and timed and held_out:
        max_epochs = label_epochs(train, length / per_step, choices)
    else:
        max_epochs = _max_epochs(train, held_out, choices)
    asked = train.steps * per_step if train.steps else (train.epochs or 0) * length
    usual_minutes = LABEL_MINUTES if labels else DEFAULT_MINUTES
    budget = Budget(
        length=length,
        distinct=distinct,
        separate=items is not None,
        per_step=per_step,
        asked=asked,
        minutes=train.minutes or asked / CHARACTERS_A_MINUTE or usual_minutes,
        cores=min(cores, max(1, batch_size // LEAST_STREAMS)) if timed else USUAL_CORES,
        most=(max_epochs or float("inf")) * length * (SLOWER if labels and timed else 1),
        gpu=gpu,
        streams=batch_size,
    )
    if labels:
        architecture = label_shape(model, labels, budget, choices)
    else:
        architecture = regularized(shaped(model, budget, choices), model, budget, choices)
    one_hot = not (architecture.embedding_size or budget.separate or labels)
    rate, decay, reset = _optimised(train, architecture, budget, choices, one_hot=one_hot)
    steps, minutes = _timed(train, budget, max_epochs, usual_minutes, choices)
    settings = TrainingSettings.of(
        train,
        steps=steps,
        minutes=minutes,
        max_epochs=max_epochs,
        batch_size=batch_size,
        seq_len=seq_len,
        shards=shard_count(
            batch_size,
            CharModel.stream_bytes(architecture, distinct, seq_len),
            cores if timed else 1,
        ),
        reset=reset,
        learning_rate=rate,
        weight_decay=decay,
        val_fraction=fraction,
        split_mode=mode,
        patience=choices.of("patience", train.patience, PATIENCE, "the default"),
        split_key=train.split_key or 0,
        items=items.division if items else "",
        item_end=items.end if items else LINE_END,
        val_files=val_files,
        predict=train.predict or "",
        prompted=train.prompted,
        counts=train.counts,
        ngrams=train.ngrams and labels is not None,
        columns=train.columns or "",
        spaced=labels.spaced if labels else False,
    )
    if mode == "strided":  # every stream gives as many
        held_out = _enough(held_out - held_out % settings.split_parts, characters, choices)
    if train.schedule == "plateau" and not held_out:
        choices.notices.append(
            "nothing is held out, so --schedule plateau never lowers the learning rate"
        )
    return Recipe(architecture, settings, held_out, choices.reasons, tuple(choices.notices))


def _max_epochs(train: TrainConfig, held_out: int, choices: Choices) -> float:
    """Return the number of epochs after which a run ends."""
    if not held_out:
        return choices.of(
            "max_epochs",
            train.max_epochs,
            MEMORIZED,
            "nothing is held out: the text is memorized by then",
        )
    return choices.of(
        "max_epochs", train.max_epochs, MAX_EPOCHS, "more epochs do not lower the validation loss"
    )


def _enough(held_out: int, characters: int, choices: Choices) -> int:
    """Return the number of held-out characters: 0, with a notice, if they would be too few."""
    if held_out >= HELD_OUT_LEAST:
        return held_out
    if held_out:
        choices.notices.append(
            f"{count(held_out, 'character')} would be too few to hold out, so nothing is held out"
        )
    return 0


def split_settings(
    train: TrainConfig, val_files: int, choices: "Choices | None" = None
) -> tuple[SplitMode, float]:
    """Return how the held-out part is chosen, and its share of the text.

    Raises
    ------
    ConfigError
        If two settings contradict each other.
    """
    choices = choices or Choices()
    if val_files:
        for name in ("split_mode", "val_fraction", "split_key"):
            if getattr(train, name) not in (None, "files"):
                raise ConfigError(
                    f"--val names the files to hold out, so {option_name(name)} has nothing to "
                    "choose: give one of them"
                )
        return "files", 0.0
    if train.split_mode == "files":
        raise ConfigError("--split-mode files holds out files of their own: name them with --val")
    whole = bool(train.items or train.predict or train.prompted)
    usual: SplitMode = "hashed" if whole else "contiguous"
    mode = choices.of("split_mode", train.split_mode, usual, "the default")
    fraction = choices.of("val_fraction", train.val_fraction, VAL_FRACTION, "the default")
    if train.split_key is not None and mode != "hashed":
        raise ConfigError(
            "--split-key needs --items, and no --split-mode: it applies only to hashed items"
        )
    return mode, fraction


def _batched(
    train: TrainConfig, length: int, cores: int, gpu: bool, choices: Choices
) -> tuple[int, int]:
    """Choose the number of streams in a batch, and of steps in a window."""
    seq_len = choices.of("seq_len", train.seq_len, SEQ_LEN, "short windows learn faster")
    streams, why = OPTIMIZERS[train.optimizer].default_streams, "small batches learn faster"
    useful = MOST_TIMES if gpu else min(cores // USUAL_CORES, MOST_TIMES)
    times = min(useful, length // (STEPS_OF_PASS * streams * SEQ_LEN))
    if times > 1:
        streams, who = times * streams, "a GPU has" if gpu else f"{cores} cores have"
        why = f"{who} work, and so many learn as well"
    batch_size = choices.of("batch_size", train.batch_size, streams, why)
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


def _item_window(train: TrainConfig, items: ItemFacts, most: int, choices: Choices) -> int:
    """Choose the longest window: the longest item in one piece, unless it is very long."""
    longest = steps_of(items.longest + 1)
    why = f"the longest item has {items.longest:,} characters"
    if longest > most:
        why = f"{why}: it takes several windows"
    choices.reasons.pop("seq_len", None)
    wanted = choices.of("seq_len", train.seq_len, min(longest, most), why)
    return min(steps_of(wanted), longest)


def _optimised(
    train: TrainConfig, model: Architecture, budget: Budget, choices: Choices, *, one_hot: bool
) -> tuple[float, float, float]:
    """Choose the learning rate, the weight decay and how often a stream's state is reset.

    ``one_hot`` says whether running text is read as one-hot columns.
    """
    optimizer = OPTIMIZERS[train.optimizer]
    rate, decay = optimizer.default_learning_rate, optimizer.default_weight_decay
    why = "the default of this optimizer"
    if train.optimizer == "muon":
        # The rate falls with the number of inputs of a unit, which are a whole window in a fixed
        # window model. An LSTM on a GPU takes larger steps: with 512 units and 256 streams, it
        # reaches 1.404, 1.394 and 1.390 nats after 30 million characters at 1, 1.4 and 2 times
        # this rate.
        lstm_on_gpu = budget.gpu and model.cell == "lstm"
        if not lstm_on_gpu:
            rate *= 256 / max(model.hidden_size, model.context * model.embedding_size)
        if one_hot and not budget.gpu:
            rate *= 1 + (FASTER - 1) * min(1, budget.length / FASTER_LENGTH)
        # With more characters per step, the gradient is less noisy.
        batches = budget.per_step / (optimizer.default_streams * SEQ_LEN)
        if lstm_on_gpu and not model.num_labels:
            batches *= LSTM_STREAMS_ON_GPU
        rate *= min(MOST_TIMES, batches) ** 0.5
        epochs, share = budget.readings(model)
        wanted = DECAY_PER_SHARE * share
        wanted *= min(1, epochs / DECAY_READINGS) * min(1, DECAY_LENGTH / budget.length)
        if wanted > decay:
            decay = round(min(wanted, MOST_DECAY), 3)
            why = f"for {number(epochs)} epochs, {number(share)} weights per character"
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
        0.0 if budget.separate else _reset(train, choices),
    )


def _reset(train: TrainConfig, choices: Choices) -> float:
    return choices.of("reset", train.reset, 0.01, "the model also learns how texts begin")


def _timed(
    train: TrainConfig,
    budget: Budget,
    max_epochs: float,
    usual_minutes: float,
    choices: Choices,
) -> tuple[int, float]:
    """Choose the steps or the minutes after which the run ends; the other is 0."""
    steps, minutes = train.steps or 0, train.minutes or 0.0
    if train.epochs is not None:
        steps = max(1, ceil(train.epochs * budget.length / budget.per_step))
    elif not steps and not minutes:
        minutes = usual_minutes
        choices.reasons["minutes"] = "the default"
    if steps and max_epochs:
        passes = steps * budget.per_step / budget.length
        if passes > max_epochs:
            choices.notices.append(
                f"{steps:,} steps would be {number(passes)} epochs: the run ends after "
                f"{max_epochs:g} (--max-epochs); --max-epochs 0 removes this limit"
            )
    return steps, minutes
