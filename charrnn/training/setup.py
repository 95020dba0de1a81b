"""What a run is made of, new or resumed."""

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
    """What a new run was made from, as the user named it.

    Attributes
    ----------
    corpus, val : tuple of str
        Files, folders and patterns; "-" is what is kept as standard input.
    init_from : str
        The file of the model to start from; empty if there is none, or none that has a name.
    """

    corpus: tuple[str, ...]
    val: tuple[str, ...] = ()
    init_from: str = ""


@dataclass(kw_only=True)
class Setup:
    """What a run is made of.

    Attributes
    ----------
    text, train, validation
        The decided settings; those of the network are the model's ``config``.
    task : Task
        What is learned from what.
    corpus : Corpus
    vocabulary : Vocabulary
    apart : (k,) int array
        What of the training part is set apart: a mixture with counts is fitted on it.
    model : CharModel
        With the weights from which the run starts.
    history : History
        How far it has come.
    sides : Sides
        What is learned from, and what is held out.
    held_out : int
        Characters of the corpus that are held out.
    counts : (C,) int array
        How often each symbol, or label, that may be predicted occurs in what the model learned
        from: the training part, and that of the model from which the run starts.
    sources : tuple of Source
        The files of the corpus as checkpoints name them.
    device : Device
        What trains it.
    moved : str
        What to say of a run that is resumed on another device; empty where it is not.
    logged : list of str
        What else is to be said of what computes, and kept in the log.
    validation_share : float
        Of the run that the even validations take, about; 0 where that is not known.
    overlap : float
        Share of the held-out text that the training part has too.
    unlike : bool
        Whether the end of the text, which is held out, is unlike the rest.
    same_shape : bool
        Whether the shape is that of a model from which the run starts.
    reasons : dict of str to str
        Why a setting was chosen, by its name; empty for a run that is resumed.
    notices : list of str
        What the user should be told before it begins.
    origin : Origin or None
        What a new run was made from, where that has a name; None for a run that is resumed.
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
        """Characters that are learned from."""
        return len(self.sides.learned)

    @property
    def train_symbols(self) -> int:
        """Symbols that are read in a pass: all characters, or those of texts without labels."""
        task, learned = self.task, self.sides.learned
        return int(task.lengths(learned).sum()) if isinstance(task, LabelledTask) else len(learned)

    @property
    def steps_per_pass(self) -> float:
        """How many steps read the training part once."""
        return self.task.steps_per_pass(self.sides.learned, self.train)

    @cached_property
    def held_targets(self) -> int:
        """How much can be scored of what is held out: its characters, or its labels."""
        scorer = self.scorer(None) if self.task.labels else None
        return self.held_out if scorer is None else scorer.whole

    @property
    def symbols_per_target(self) -> float:
        """How many characters are read for one that is scored, or for one label."""
        return self.held_out / self.held_targets if self.held_targets else 1.0

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Which of the symbols or labels (C,) were never learned."""
        unseen: NDArray[np.bool_] = self.counts == 0
        return unseen

    def scorer(self, characters: int | None) -> Scorer | None:
        """Return what scores so many characters of the held-out part; None for an empty one."""
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
        """Return the state of the run; with the trainer's arrays, it can be resumed."""
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
