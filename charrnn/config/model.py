"""The shape of a network: what a user may leave open, and the same decided."""

from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Decided, Settings, decided, setting
from charrnn.errors import ConfigError

Cell = Literal["rnn", "lstm", "gru"]
Nonlinearity = Literal["tanh", "relu"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The shape of the network."""

    cell: Cell | None = setting(None, "Recurrent cell.", auto="gru")
    nonlinearity: Nonlinearity | None = setting(
        None, "Squashing function of the rnn cell.", auto="tanh"
    )
    num_layers: int | None = setting(None, "Recurrent layers.", low=1, high=64, auto="1")
    hidden_size: int | None = setting(
        None, "Hidden units a layer.", low=1, high=16384, auto="from the corpus and the time"
    )
    members: int | None = setting(
        None,
        "Networks that learn side by side; the mean of their logits predicts.",
        low=1,
        high=16,
        auto="2 where one would memorize the text in the minutes, 3 for a short text, or 1",
    )
    embedding_size: int | None = setting(
        None,
        "Learned embedding of this size instead of one-hot input.",
        low=1,
        high=16384,
        auto="one-hot up to 256 symbols",
    )
    dropout: float | None = setting(
        None,
        "Share of each layer's outputs that is dropped, one mask per window and stream.",
        low=0,
        below=1,
        auto="from size, corpus and time",
    )
    weight_dropout: float | None = setting(
        None,
        "Share of the recurrent weights that is dropped, one mask per window.",
        low=0,
        below=1,
        auto="from size, corpus and time",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity == "relu" and self.cell != "rnn":
            raise ConfigError(f"--nonlinearity {self.nonlinearity} needs --cell rnn")


@dataclass(frozen=True, kw_only=True)
class Architecture(Decided, of=ModelConfig):
    """The shape of a network with nothing left open; ``embedding_size`` 0 is one-hot input."""

    cell: Cell
    nonlinearity: Nonlinearity = decided("tanh")
    num_layers: int = decided(1)
    hidden_size: int
    members: int = decided(1)
    embedding_size: int = decided(0, low=0)
    dropout: float = decided(0.0)
    weight_dropout: float = decided(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity == "relu" and self.cell != "rnn":
            raise ConfigError(f"--nonlinearity {self.nonlinearity} needs --cell rnn")
