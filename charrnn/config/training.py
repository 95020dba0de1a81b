"""How a run goes: what a user may leave open, and the same decided."""

from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Decided, Settings, decided, setting
from charrnn.errors import ConfigError

OptimizerName = Literal[
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "muon"
]
SplitMode = Literal["contiguous", "strided", "hashed", "files"]
ScheduleName = Literal["constant", "step", "cosine", "plateau"]
Predict = Literal["label", "tags", "spaces", "case", "marks", "accents"]
Predicted = Literal["", "label", "tags", "spaces", "case", "marks", "accents"]
Restored = Literal["spaces", "case", "marks", "accents"]
"""What a model can restore: its labels are made from plain text."""

PATIENCE = 10
"""Validations without a better one after which a run ends, if nothing else is said."""

OF_HELD_OUT = ("patience", "validations", "val_characters", "split_mode", "split_key")
"""Settings without effect if nothing is held out."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """How a run goes."""

    epochs: float | None = setting(
        None, "Length of the run in epochs: passes over the training part.", above=0, high=1e9
    )
    steps: int | None = setting(None, "Length of the run in steps.", low=1, high=10**12)
    minutes: float | None = setting(
        None, "Length of the run in minutes.", above=0, high=1e6, auto="8; 2 with --predict"
    )
    max_epochs: float | None = setting(
        None,
        "Stop after this many epochs, whatever the length of the run; 0: no limit.",
        low=0,
        high=1e9,
        auto="100; 24 or more with --predict and --minutes; 600 if nothing is held out",
    )
    batch_size: int | None = setting(
        None,
        "Streams of text per batch.",
        low=1,
        high=65536,
        auto="64 with muon, else 32; fewer for a tiny text, more for runs of minutes on more "
        "than two cores",
    )
    seq_len: int | None = setting(
        None,
        "Characters per window of truncated backpropagation.",
        low=1,
        high=65536,
        auto="24, fewer for a tiny text; with --items the longest item, at most 64",
    )
    reset: float | None = setting(
        None,
        "Share of windows that start from a zero state, so that the model also learns how "
        "texts begin.",
        low=0,
        high=1,
        auto="0.01",
    )
    items: str | None = setting(
        None,
        "Split the text into items, such as names or poems, which are shuffled, held out "
        "and sampled as units: line, blank-line (blank lines separate items), file, or the "
        "text that separates them.",
        form="line|blank-line|file|TEXT",
    )
    lines: bool = setting(False, "Treat each line as an item; same as --items line.")
    predict: Predict | None = setting(
        None,
        "What to predict. label: one label per text, from lines of a label, a tab and a "
        "text. tags: one tag per token, from lines of a token, a tab and a tag. spaces, "
        "case, marks (punctuation) or accents: what was removed from plain text.",
        auto="the next character",
    )
    prompted: bool = setting(
        False,
        "Read what precedes the tab of each line, and predict what follows it: a text from "
        "a label, an answer from a question. With --items blank-line, the first line of "
        "each item is the prompt.",
    )
    columns: str | None = setting(
        None,
        "Columns to use, such as category,message: the label and the text of a .csv, or the"
        " token and the tag of a .conllu.",
        auto="label,text; form,upos",
    )
    ngrams: bool = setting(
        True,
        "With --predict: use the network alone, without the linear model of character "
        "n-grams (up to length 6) that is trained after it.",
    )
    counts: bool = setting(
        False,
        "Also count the n-grams of the training part; eval, score and sample mix them in "
        "with --counts. The checkpoint then reveals the text, and with --predict label "
        "contains the texts in full: do not share it if they are private.",
    )
    optimizer: OptimizerName = setting("muon", "Optimizer.")
    learning_rate: float | None = setting(
        None,
        "Peak learning rate, per step.",
        above=0,
        high=1e6,
        auto="from size, batch and optimizer",
    )
    weight_decay: float | None = setting(
        None,
        "Weight decay (decoupled with adamw and muon).",
        low=0,
        high=1e3,
        auto="from optimizer, text length and time",
    )
    max_grad_norm: float = setting(
        1.0,
        "Clip gradients to this global norm, per ensemble member; 0: no clipping.",
        low=0,
        high=1e12,
    )
    schedule: ScheduleName = setting("cosine", "Learning rate schedule.")
    warmup: float = setting(
        0.03, "Share of the run over which the learning rate warms up.", low=0, below=1
    )
    val_fraction: float | None = setting(
        None, "Share of the text to hold out for validation.", low=0, below=1, auto="0.1"
    )
    split_mode: SplitMode | None = setting(
        None,
        "What to hold out. contiguous: the end of the text. strided: the end of each "
        "stream, as char-rnn does (loads the whole text). hashed: items chosen by their "
        "hash. files: what --val names.",
        auto="contiguous; hashed with --items; files with --val",
    )
    split_key: int | None = setting(
        None,
        "Key of the hash that selects the held-out items.",
        low=0,
        high=2**63 - 1,
        auto="0",
    )
    validations: int | None = setting(
        None,
        "Number of validations, evenly spaced over the run.",
        low=1,
        high=10**6,
        auto="up to 20 in 3 % of the time, and some in the first epochs",
    )
    val_characters: int | None = setting(
        None,
        "Held-out characters to score per validation, spread over the held-out part.",
        low=1,
        high=10**12,
        auto="all, or as many as fit in that time",
    )
    patience: int | None = setting(
        None,
        "Stop after this many validations without improvement; 0: never.",
        low=0,
        high=10**6,
        auto=f"{PATIENCE}",
    )
    save_every: float = setting(
        1.0,
        "Minutes between full saves; at 1 or more, saves are rarer if they would take over "
        "1 % of the time.",
        above=0,
        high=1e6,
    )
    random_seed: int = setting(0, "Random seed of the run.", low=0, high=2**63 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(
                f"--{given[0]} and --{given[1]} both set the length of the run: give one of them"
            )
        if self.items == "":
            raise ConfigError("--items needs line, blank-line, file, or the text between items")
        if self.lines:
            if self.items not in (None, "line"):
                raise ConfigError(
                    f"--lines and --items {self.items} both divide the text: give one of them"
                )
            object.__setattr__(self, "items", "line")
        if self.items and self.split_mode == "strided":
            option = "--lines" if self.lines else "--items"
            raise ConfigError(
                f"--split-mode strided cuts through the items of {option}: leave one of them out"
            )
        self._check_labels()
        if self.split_mode == "hashed" and not (self.items or self.predict or self.prompted):
            raise ConfigError("--split-mode hashed holds out whole items: it needs --items")

    def _check_labels(self) -> None:
        """Refuse what makes no sense for labels and prompts."""
        if self.predict and self.prompted:
            raise ConfigError(
                f"--predict {self.predict} labels texts, --prompted generates them: give one"
            )
        if self.columns is not None and self.predict not in ("label", "tags"):
            raise ConfigError(
                "--columns names a label and a text: it needs --predict label or tags"
            )
        if self.counts and self.predict not in (None, "label"):
            raise ConfigError(
                f"--counts counts what follows what, or n-grams for each label: it and --predict "
                f"{self.predict} do not go together"
            )
        if not self.ngrams and not self.predict:
            raise ConfigError("--no-ngrams applies only to labels: it needs --predict")
        option = f"--predict {self.predict}" if self.predict else "--prompted"
        if not self.predict and not self.prompted:
            return
        if self.split_mode in ("contiguous", "strided"):
            raise ConfigError(
                f"--split-mode {self.split_mode} and {option} do not go together: texts are held "
                "out by their hash"
            )
        if self.reset is not None:
            raise ConfigError(
                f"--reset and {option} do not go together: every text begins from a zero state"
            )
        if self.prompted and self.items not in (None, "line", "blank-line"):
            raise ConfigError(
                f"--prompted needs --items line or blank-line, and not --items {self.items}"
            )
        if self.predict == "tags" and self.items not in (None, "blank-line"):
            option = "--lines" if self.lines else "--items"
            raise ConfigError(
                f"--predict tags reads sentences between empty lines: leave out {option}"
            )
        if self.predict == "label" and self.items not in (None, "line", "file"):
            raise ConfigError(
                f"--predict label needs --items line or file, and not --items {self.items}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Decided, of=TrainConfig):
    """How a run goes, with nothing left open.

    ``steps`` and ``minutes`` end it, and ``max_epochs`` does: 0 is no such end, and one of the
    first two is not 0. The batch is cut into ``shards`` shards of streams, whatever the cores.
    ``items`` is empty for running text; ``item_end`` is the code that ends an item, and the last
    ``val_files`` files of the corpus are held out. ``predict`` is empty where the next character
    is predicted, and ``spaced`` says that the tokens of a tagged text are words. ``apart_at_end``
    says that the end of a training part is set apart for ``counts``, and not its middle.
    """

    steps: int = decided(0, low=0)
    minutes: float = decided(0.0, low=0, above=None)
    max_epochs: float
    batch_size: int
    seq_len: int
    shards: int = decided(low=1, high=65536)
    reset: float
    items: str
    item_end: int = decided(low=0, high=0x10FFFF)
    val_files: int = decided(low=0, high=2**31)
    predict: Predicted = ""
    prompted: bool = False
    columns: str = ""
    spaced: bool = False
    ngrams: bool = False
    counts: bool = False
    apart_at_end: bool = False
    optimizer: OptimizerName
    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    schedule: ScheduleName
    warmup: float
    val_fraction: float
    split_mode: SplitMode
    split_key: int
    patience: int
    save_every: float
    random_seed: int

    @property
    def split_parts(self) -> int:
        """Parts of the text of each of which the end is held out."""
        return self.batch_size if self.split_mode == "strided" else 1


@dataclass(frozen=True, kw_only=True)
class ValidationSettings(Decided, of=TrainConfig):
    """How often a run validates, and on how many characters of what is held out."""

    validations: int
    val_characters: int
