"""The parts of a run, new or resumed."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from charrnn.config import Architecture, TextConfig, TrainingSettings, ValidationSettings
from charrnn.data.labels.task import LabelledTask
from charrnn.data.sides import Sides
from charrnn.data.task import Task
from charrnn.evaluation.scorers import Scorer
from charrnn.evaluation.usual import scorer_for
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.history import History
from charrnn.text import Corpus, Source, Vocabulary
from charrnn.text.codes import Codes
from charrnn.trainer import Trainer
from charrnn.training.devices import Device


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The paths that a new run was made from, as the user gave them.

    Attributes
    ----------
    corpus, val : tuple of str
        Files, folders and patterns; "-" for standard input and for a text in memory.
    init_from : str
        The checkpoint that the run is initialized from; empty if there is none, or it is in memory.
    """

    corpus: tuple[str, ...]
    val: tuple[str, ...] = ()
    init_from: str = ""


@dataclass(kw_only=True)
class Setup:
    """The parts of a run, decided and loaded.

    Attributes
    ----------
    text, train, validation
        The decided settings; those of the network are in the model's ``config``.
    task : Task
        What the model predicts, and from what.
    corpus : Corpus
    vocabulary : Vocabulary
    apart : (k,) int array
        The codes set apart from the training part, on which a mixture with counts is fitted.
    model : CharModel
        With the initial weights of the run.
    history : History
        Its progress so far.
    sides : Sides
        The training part and the held-out part.
    held_out : int
        Number of held-out characters in the corpus.
    counts : (C,) int array
        Occurrences of each symbol, or label, that may be predicted, in the training parts of the
        run and of the model that it is initialized from.
    sources : tuple of Source
        The files of the corpus as checkpoints name them.
    device : Device
        The device that trains it.
    moved : str
        Notice that the run is resumed on another device; otherwise empty.
    logged : list of str
        Further notices about devices and ranks that are also logged.
    validation_share : float
        Approximate share of the run that evenly spaced validations take; 0 if unknown.
    overlap : float
        Share of the held-out text that also occurs in the training part.
    unlike : bool
        Whether the end of the text is held out and differs from the rest.
    epochs : float
        The length that the user gave in epochs; 0 for a length in steps or minutes.
    same_shape : bool
        Whether the shape is fixed by the model that the run is initialized from.
    reasons : dict of str to str
        Why each setting was chosen, by name; empty for a resumed run.
    notices : list of str
        Messages for the user before it starts.
    origin : Origin or None
        The paths that a new run was made from; None for a resumed run.
    """

    text: TextConfig
    train: TrainingSettings
    validation: ValidationSettings
    task: Task
    corpus: Corpus
    vocabulary: Vocabulary
    model: CharModel
    history: History
    sides: Sides
    held_out: int
    counts: NDArray[np.int64]
    sources: tuple[Source, ...]
    apart: Codes = field(default_factory=lambda: np.zeros(0, np.uint8))
    device: Device = field(default_factory=Device)
    moved: str = ""
    logged: list[str] = field(default_factory=list)
    validation_share: float = 0.0
    overlap: float = 0.0
    unlike: bool = False
    epochs: float = 0.0
    same_shape: bool = False
    reasons: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    origin: Origin | None = None

    @property
    def architecture(self) -> Architecture:
        """The shape of the network."""
        return self.model.config

    @property
    def train_characters(self) -> int:
        """Number of characters in the training part."""
        return len(self.sides.learned)

    @property
    def train_symbols(self) -> int:
        """Symbols read per epoch: all characters, or those of the texts without their labels."""
        task, learned = self.task, self.sides.learned
        return int(task.lengths(learned).sum()) if isinstance(task, LabelledTask) else len(learned)

    @property
    def steps_per_epoch(self) -> float:
        """Number of steps that read the training part once."""
        return self.task.steps_per_pass(self.sides.learned, self.train)

    @cached_property
    def held_targets(self) -> int:
        """Predictions that can be scored on the held-out part: its characters, or its labels."""
        scorer = self.scorer(None) if self.task.labels else None
        return self.held_out if scorer is None else scorer.whole

    @property
    def symbols_per_target(self) -> float:
        """Characters read per prediction that is scored."""
        return self.held_out / self.held_targets if self.held_targets else 1.0

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Which of the symbols or labels (C,) do not occur in any training part."""
        unseen: NDArray[np.bool_] = self.counts == 0
        return unseen

    def scorer(self, characters: int | None) -> Scorer | None:
        """Return a scorer of about ``characters`` held-out ones; None if nothing is held out."""
        return scorer_for(
            self.sides.held,
            self.vocabulary,
            task=self.task,
            tails=self.sides.tails,
            characters=characters,
            marked=self.unseen,
            seq_len=self.train.seq_len,
        )

    def checkpoint(self, trainer: Trainer | None) -> Checkpoint:
        """Return the state of the run; it can be resumed if the trainer is given."""
        return Checkpoint(
            text=self.text,
            architecture=self.architecture,
            settings=self.train,
            validation=self.validation,
            vocabulary=self.vocabulary,
            sources=self.sources,
            characters=len(self.corpus),
            held_out=self.held_out,
            history=self.history,
            weights=self.model.parameters,
            training=trainer.arrays() if trainer else {},
            counts=self.counts,
            corpus=self.corpus,
            labels=self.task.labels,
        )
