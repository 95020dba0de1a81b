"""The plan of a run."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from charrnn.config import Architecture, TrainingSettings, ValidationSettings
from charrnn.config.words import with_noun
from charrnn.data.items import lengths_of
from charrnn.data.labels.task import LabelledTask
from charrnn.parallel.present import current
from charrnn.training.memory import text_bytes, training_memory
from charrnn.training.setup import Setup


@dataclass(frozen=True)
class Plan:
    """What a run will do: its settings, and figures derived from them and the text.

    Attributes
    ----------
    model, train, validation
        The decided settings.
    sources : tuple of str
        The files of the corpus.
    characters, num_bytes, distinct : int
        Size of the corpus in characters and in UTF-8 bytes, and its number of distinct symbols.
    train_characters, held_out, val_scored : int
        Characters to train on, characters held out, and characters that a validation scores.
    held_targets : int
        Predictions that can be scored on the held-out part: its characters, or its labels.
    apart : int
        Characters set apart, on which a mixture with counts is fitted.
    texts : (int, int, int), optional
        Numbers of texts or items to train on, held out and set apart, if the text is divided.
    train_symbols : int
        Symbols per epoch.
    unseen : int
        Symbols, or labels, that occur only in the held-out part.
    overlap, validation_share : float
        See ``Setup``.
    parameters : int
    epochs : float or None
        Length of the run in epochs; None for a timed run.
    device, precision : str
        The device that trains it, and the precision of its matrix products.
    memory_mb : float
        Memory of the run on that device in MB; on the CPU the total of all processes.
    threads, threads_allowed : int
        Workers of the run, and how many were allowed.
    machines : int
        Machines with ranks, if a launcher started them; otherwise 0.
    resumed_at : int or None
        The step from which it is resumed.
    noun : str
        The name of one symbol, such as "character", "byte" or "jamo".
    reasons : dict of str to str
        Why each setting that was left open was chosen.
    """

    model: Architecture
    train: TrainingSettings
    validation: ValidationSettings
    sources: tuple[str, ...]
    characters: int
    num_bytes: int
    distinct: int
    train_characters: int
    held_out: int
    apart: int
    val_scored: int
    held_targets: int
    texts: tuple[int, int, int] | None
    train_symbols: int
    unseen: int
    overlap: float
    validation_share: float
    parameters: int
    epochs: float | None
    device: str
    precision: str
    memory_mb: float
    threads: int
    threads_allowed: int
    machines: int
    resumed_at: int | None
    noun: str
    reasons: dict[str, str]

    def value(self, setting: str) -> Any:
        """Return the value of a setting."""
        groups = (self.model, self.train, self.validation, self)
        return next(getattr(group, setting) for group in groups if hasattr(group, setting))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return asdict(self)


def plan_of(
    setup: Setup,
    *,
    steps_per_epoch: float,
    threads: int,
    workers: int,
    resumed_at: int | None,
    in_memory: bool = False,
) -> Plan:
    """Return the plan of a run.

    Parameters
    ----------
    setup : Setup
        The parts of the run.
    steps_per_epoch : float
        Steps per epoch.
    threads, workers : int
        The workers that are allowed, and those that the work suffices for.
    resumed_at : int, optional
        The step from which it is resumed.
    in_memory : bool
        Whether both states of the run are kept in memory instead of files.
    """
    device, precision = setup.device.place
    noun = setup.vocabulary.noun
    megabytes = setup.device.megabytes
    if setup.device.gpu is None:
        size = text_bytes(setup.corpus, setup.sides, model=setup.architecture, train=setup.train)
        vocab_size = len(setup.vocabulary)
        megabytes = 1e-6 * training_memory(
            setup.architecture,
            setup.train,
            vocab_size,
            threads,
            text_bytes=size,
            in_memory=in_memory,
        )
    return Plan(
        model=setup.architecture,
        train=setup.train,
        validation=setup.validation,
        sources=tuple(source.path for source in setup.corpus.sources),
        characters=len(setup.corpus),
        num_bytes=setup.corpus.num_bytes,
        distinct=len(setup.vocabulary),
        train_characters=setup.train_characters,
        held_out=setup.held_out,
        apart=len(setup.apart),
        val_scored=min(setup.validation.val_characters, setup.held_targets),
        held_targets=setup.held_targets,
        texts=_texts(setup),
        train_symbols=setup.train_symbols,
        unseen=int(np.count_nonzero(setup.unseen)),
        overlap=setup.overlap,
        validation_share=setup.validation_share,
        parameters=setup.model.num_parameters,
        epochs=setup.train.steps / steps_per_epoch or None,
        device=device,
        precision=precision,
        memory_mb=round(megabytes, 1),
        threads=workers,
        threads_allowed=threads,
        machines=0 if (ranks := current()) is None else len(ranks.layout.machines),
        resumed_at=resumed_at,
        noun=noun,
        reasons={name: with_noun(why, noun) for name, why in setup.reasons.items()},
    )


def _texts(setup: Setup) -> tuple[int, int, int] | None:
    """Return the numbers of texts or items to train on, held out and set apart, if any."""
    task, sides = setup.task, setup.sides
    if isinstance(task, LabelledTask):
        return len(task.lengths(sides.learned)), len(task.lengths(sides.held)), 0
    if not task.separate:
        return None
    learned, held, apart = (
        len(lengths_of(codes, task.end)) for codes in (sides.learned, sides.held, setup.apart)
    )
    return learned, held, apart
