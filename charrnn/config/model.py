"""The shape of a network: what a user may leave open, and the same decided."""

from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Decided, Settings, decided, setting
from charrnn.errors import ConfigError

Cell = Literal["rnn", "lstm", "gru", "window", "bag"]
Nonlinearity = Literal["tanh", "relu"]
Head = Literal["step", "item"]
"""What is predicted: something at every step, or one label for a whole item."""

LABELS_STORED = 100_000

WINDOWED: tuple[Cell, ...] = ("window", "bag")
"""Cells that read a fixed number of steps: nothing in them is recurrent."""
CONTEXT = 8
"""How many, if nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The shape of the network."""

    cell: Cell | None = setting(
        None,
        "Recurrent cell; window and bag read a fixed number of characters instead.",
        auto="gru; lstm for runs of minutes on a GPU",
    )
    nonlinearity: Nonlinearity | None = setting(None, "Activation of the rnn cell.", auto="tanh")
    context: int | None = setting(
        None,
        "Characters that a window or bag cell reads.",
        low=1,
        high=256,
        auto=f"{CONTEXT} for these cells",
    )
    num_layers: int | None = setting(None, "Recurrent layers.", low=1, high=64, auto="1")
    hidden_size: int | None = setting(
        None, "Hidden units per layer.", low=1, high=16384, auto="from the corpus and the time"
    )
    directions: int | None = setting(
        None,
        "Directions in which a text is read: 2 adds a layer that starts at its end, and needs "
        "--predict.",
        low=1,
        high=2,
        auto="2 to tag or restore, else 1",
    )
    members: int | None = setting(
        None,
        "Networks that are trained side by side as an ensemble: the mean of their logits predicts.",
        low=1,
        high=16,
        auto="2 if one network would overfit in the time given, 3 for a short text, else 1",
    )
    embedding_size: int | None = setting(
        None,
        "Size of a learned embedding, in place of one-hot input.",
        low=1,
        high=16384,
        auto="one-hot up to 256 symbols",
    )
    dropout: float | None = setting(
        None,
        "Dropout rate of each layer's outputs, with one mask per window and stream.",
        low=0,
        below=1,
        auto="from size, corpus and time",
    )
    weight_dropout: float | None = setting(
        None,
        "Dropout rate of the recurrent weights, with one mask per window.",
        low=0,
        below=1,
        auto="from size, corpus and time",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity is not None and self.cell != "rnn":
            raise ConfigError(f"--nonlinearity {self.nonlinearity} needs --cell rnn")
        _check_window(self)


@dataclass(frozen=True, kw_only=True)
class Architecture(Decided, of=ModelConfig):
    """The shape of a network with nothing left open.

    ``embedding_size`` 0 is one-hot input, and ``context`` 0 that of a cell that is recurrent.
    ``num_labels`` is 0 where the next symbol is predicted.
    """

    cell: Cell
    nonlinearity: Nonlinearity = decided("tanh")
    context: int = decided(0, low=0)
    num_layers: int = decided(1)
    hidden_size: int
    directions: int = decided(1)
    members: int = decided(1)
    embedding_size: int = decided(0, low=0)
    dropout: float = decided(0.0)
    weight_dropout: float = decided(0.0)
    head: Head = "step"
    num_labels: int = decided(0, low=0, high=LABELS_STORED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity == "relu" and self.cell != "rnn":
            raise ConfigError(f"--nonlinearity {self.nonlinearity} needs --cell rnn")
        if self.num_labels == 0 and (self.directions > 1 or self.head == "item"):
            raise ConfigError("a network that predicts the next symbol reads in one direction")
        _check_window(self)
        if self.cell in WINDOWED and not self.context:
            raise ConfigError(f"--cell {self.cell} needs --context")


def _check_window(model: ModelConfig | Architecture) -> None:
    """Refuse what only a fixed window has, or only a recurrent layer."""
    windowed = model.cell in WINDOWED
    if model.context and not windowed:
        raise ConfigError(f"--context {model.context} needs --cell window or bag")
    if model.weight_dropout and windowed:
        raise ConfigError(
            f"--weight-dropout needs a recurrent cell: --cell {model.cell} has no recurrent weights"
        )
