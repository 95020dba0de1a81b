"""The settings, in groups: what a user may set, and may leave open."""

import codecs
from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Settings, option_name, setting
from charrnn.errors import ConfigError

Cell = Literal["rnn", "lstm", "gru"]
OptimizerName = Literal[
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "muon"
]
SplitMode = Literal["contiguous", "strided", "hashed"]
ScheduleName = Literal["constant", "step", "cosine", "plateau"]


@dataclass(frozen=True, kw_only=True)
class TextConfig(Settings):
    """How the corpus is read.

    Raises
    ------
    ConfigError
        If a value is unknown, or two of them contradict each other.
    """

    encoding: str = setting("auto", "Encoding of the files; auto: UTF-8, or what each file fits.")
    errors: Literal["strict", "replace", "skip"] = setting(
        "strict", "Bytes that do not fit: an error, U+FFFD, or left out."
    )
    newlines: Literal["keep", "lf"] | None = setting(
        None, "Line ends: as they are, or all LF.", auto="lf; keep for bytes"
    )
    normalize: Literal["none", "nfc", "nfd", "nfkc"] = setting(
        "none", "Unicode normalization; nfd makes Korean syllables into 67 jamo."
    )
    unit: Literal["char", "byte"] = setting("char", "What one symbol is.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit == "byte" and self.normalize != "none":
            raise ConfigError(f"--normalize {self.normalize} needs characters: use --unit char")
        if self.newlines is None:
            object.__setattr__(self, "newlines", "keep" if self.unit == "byte" else "lf")
        # One name for each codec, so that UTF8 and utf-8 share a cache.
        object.__setattr__(self, "encoding", codec_name(self.encoding))

    def check_new(self) -> None:
        """Refuse what only a run of an older charrnn may ask for.

        Raises
        ------
        ConfigError
            If line ends are to be changed in a text of bytes.
        """
        if self.unit == "byte" and self.newlines == "lf":
            raise ConfigError(
                "--newlines lf and --unit byte do not go together, bytes are never changed: "
                "leave out one of them"
            )


_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_USUAL_NAMES = {"iso8859-1": "latin-1", "euc_kr": "euc-kr", "euc_jp": "euc-jp"}


def codec_name(encoding: str) -> str:
    """Return the one name of an encoding that has several; ``auto`` stays.

    Raises
    ------
    ConfigError
        If there is no such encoding of text.
    """
    if encoding == "auto":
        return encoding
    try:
        codec = codecs.lookup(encoding)
        usable = codec._is_text_encoding and codec.name not in _NOT_FOR_FILES
    except (LookupError, ValueError):
        usable = False
    if not usable:
        raise ConfigError(
            f"--encoding {encoding!r:.40} is unknown: common ones are utf-8, utf-16, cp949, "
            "euc-kr, shift_jis, gb18030, big5, latin-1, cp1252"
        )
    return _USUAL_NAMES.get(codec.name, codec.name)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The shape of the network."""

    cell: Cell | None = setting(None, "Recurrent cell.", auto="gru")
    nonlinearity: Literal["tanh", "relu"] | None = setting(
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
class TrainConfig(Settings):
    """How a run goes."""

    epochs: float | None = setting(
        None, "Length of the run in passes over the training part.", above=0, high=1e9
    )
    steps: int | None = setting(None, "Length of the run in steps.", low=1, high=10**12)
    minutes: float | None = setting(
        None, "Length of the run in minutes.", above=0, high=1e6, auto="8"
    )
    max_epochs: float | None = setting(
        None,
        "End after this many passes, however long the run was to be; 0 for no such end.",
        low=0,
        high=1e9,
        auto="100, or 600 where nothing is held out",
    )
    batch_size: int | None = setting(
        None,
        "Parallel streams of text.",
        low=1,
        high=65536,
        auto="64 with muon, else 32; fewer for a tiny text",
    )
    seq_len: int | None = setting(
        None,
        "Characters after which backpropagation is cut.",
        low=1,
        high=65536,
        auto="24, fewer for a tiny text",
    )
    reset: float | None = setting(
        None,
        "Share of the windows that begin from a zero state, so that the model also learns how "
        "texts begin.",
        low=0,
        high=1,
        auto="0.01",
    )
    lines: bool = setting(
        False,
        "Treat each line as an item of its own, such as a name: shuffled, each from a zero state.",
    )
    optimizer: OptimizerName = setting("muon", "Optimizer.")
    learning_rate: float | None = setting(
        None,
        "Highest learning rate, per step.",
        above=0,
        high=1e6,
        auto="from size, batch and optimizer",
    )
    weight_decay: float | None = setting(
        None,
        "Decay of the weights (decoupled for adamw and muon).",
        low=0,
        high=1e3,
        auto="from optimizer, length of the text and time",
    )
    max_grad_norm: float = setting(
        1.0,
        "Clip gradients to this global norm, for each member; 0 clips nothing.",
        low=0,
        high=1e12,
    )
    schedule: ScheduleName = setting("cosine", "Learning rate over the run.")
    warmup: float = setting(
        0.03, "Share of the run over which the learning rate rises.", low=0, below=1
    )
    val_fraction: float | None = setting(
        None, "Share of the text held out for validation.", low=0, below=1, auto="0.1"
    )
    split_mode: SplitMode | None = setting(
        None,
        "Hold out the end of the text, the end of each stream as char-rnn does (loads all of it), "
        "or the lines whose hash is low.",
        auto="contiguous; hashed with --lines",
    )
    split_key: int | None = setting(
        None,
        "Key of the hash that chooses which lines are held out.",
        low=0,
        high=2**63 - 1,
        auto="0",
    )
    validations: int | None = setting(
        None,
        "How often the held-out part is scored, evenly over the run.",
        low=1,
        high=10**6,
        auto="up to 20 in 3 % of the time, and some after the first passes",
    )
    val_characters: int | None = setting(
        None,
        "Held-out characters that a validation scores, spread over all of them.",
        low=1,
        high=10**12,
        auto="all, or what that time is enough for",
    )
    patience: int = setting(
        10, "Stop after this many validations without a better one; 0 never.", low=0, high=10**6
    )
    save_every: float = setting(
        1.0,
        "Minutes between saves of all that a resume needs; from 1 on, more where saves would take "
        "over 1 % of the time.",
        above=0,
        high=1e6,
    )
    random_seed: int = setting(0, "Seed of all that is random.", low=0, high=2**63 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(
                f"--{given[0]} and --{given[1]} both set the length of the run: give one of them"
            )
        if self.lines and self.split_mode == "strided":
            raise ConfigError("--lines holds out whole lines: leave out --split-mode strided")
        if self.split_mode == "hashed" and not self.lines:
            raise ConfigError("--split-mode hashed holds out whole lines: it needs --lines")

    @property
    def split_parts(self) -> int:
        """Parts of the text of each of which the end is held out."""
        return (self.batch_size or 1) if self.split_mode == "strided" else 1


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Settings):
    """How text is drawn."""

    length: int = setting(500, "Characters to draw.", low=0, high=10**12)
    temperature: float = setting(
        1.0, "Below 1 safer, above 1 wilder; 0 always takes the likeliest.", low=0, high=1e6
    )
    top_k: int | None = setting(None, "Draw from the k likeliest characters only.", low=1)
    top_p: float | None = setting(
        None, "Draw from the likeliest that together have this probability.", above=0, high=1
    )
    min_p: float | None = setting(
        None, "Draw from those at least this likely, relative to the likeliest.", low=0, high=1
    )
    stop: str | None = setting(None, "Stop after this text.")
    num_samples: int = setting(1, "Samples, drawn in parallel.", low=1, high=100_000, short="-n")
    random_seed: int | None = setting(
        None, "Seed of the draws.", low=0, high=2**63 - 1, auto="a new one each time"
    )


@dataclass(frozen=True, kw_only=True)
class EvalConfig(Settings):
    """How a text is scored."""

    unknown: Literal["error", "skip", "score"] = setting(
        "score",
        "Characters that the model does not know: an error, left out, or charged the share of "
        "new symbols in its training text.",
    )
    exact: bool = setting(
        False, "Score in one stream, not in parallel ones that are warmed up before."
    )
    cold_windows: int | None = setting(
        None,
        "Score in windows of this many characters, each from a zero state.",
        low=1,
        high=10**9,
        auto="the state is carried",
    )
    dynamic: bool = setting(
        False, "Let a copy of the model learn from each window of the text once it is scored."
    )
    dynamic_window: int | None = setting(
        None, "Characters between two steps of --dynamic.", low=1, high=65536, auto="20"
    )
    dynamic_rate: float | None = setting(
        None, "Learning rate of --dynamic.", above=0, high=1e3, auto="0.0005"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        ways = [name for name in ("exact", "cold_windows", "dynamic") if getattr(self, name)]
        if len(ways) > 1:
            one, other = map(option_name, ways[:2])
            raise ConfigError(f"{one} and {other} both say how to score: give one of them")
        for name in ("dynamic_window", "dynamic_rate"):
            if getattr(self, name) is not None and not self.dynamic:
                raise ConfigError(f"{option_name(name)} says how --dynamic learns: give both")


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Settings):
    """What is timed."""

    job: Literal["train", "sample"] = setting("train", "What to time.")
    batch_size: int | None = setting(
        None, "Parallel streams.", low=1, high=65536, auto="64 to train, 1 to sample"
    )
    seq_len: int = setting(50, "Window of a training step.", low=1, high=65536)
    vocab_size: int = setting(65, "Distinct characters of the text.", low=1, high=50_000)
    seconds: float = setting(3.0, "How long to time.", above=0, high=3600)
