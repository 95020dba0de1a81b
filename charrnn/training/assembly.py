"""Building a run from its setup: windows, trainer and clock."""

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.config import TrainConfig
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.present import current
from charrnn.storage.store import RunStore
from charrnn.trainer import Trainer
from charrnn.training import engine
from charrnn.training.clock import Clock
from charrnn.training.launched import rank_notices
from charrnn.training.run import Run
from charrnn.training.setup import Setup
from charrnn.training.step import ShardTrainer
from charrnn.training.validation import EVEN_SHARE, FORWARD, choose, next_pass, scoring_cost
from charrnn.views.numbers import percent


def choose_validations(setup: Setup, asked: TrainConfig, threads: int) -> float:
    """Decide how often a new run validates and on how much; a timed run measures the cost.

    Parameters
    ----------
    setup : Setup
        The run's; everything else is decided.
    asked : TrainConfig
        What the user gave.
    threads : int
        Number of workers.

    Returns
    -------
    float
        Approximate seconds per validation; 0 if not measured.
    """
    train, length = setup.train, len(setup.sides.learned)
    if asked.validations is None and setup.held_out:
        setup.history.next_pass = next_pass(0)
    most = length * (train.max_epochs or inf)  # most characters that are read
    if train.steps:
        per_step = length / setup.steps_per_epoch
        budget, cost = min(train.steps * per_step, most), FORWARD * setup.symbols_per_target
    else:
        budget, cost = 60 * train.minutes, 0.0
        if setup.held_out:
            network, on_gpu = setup.device.model(setup.model), setup.device.gpu is not None
            cost = scoring_cost(network, setup.scorer, 1 if on_gpu else threads)
            budget = min(budget, most * cost / (FORWARD * setup.symbols_per_target))
    setup.validation, setup.validation_share = choose(
        setup.held_targets,
        budget,
        cost,
        times=asked.validations,
        characters=asked.val_characters,
    )
    why = f"at most about {percent(EVEN_SHARE, 0)} of the run, where that is enough"
    for name in ("validations", "val_characters"):
        if getattr(asked, name) is None:
            setup.reasons[name] = why
    return cost * setup.validation.val_characters if train.minutes else 0.0


def assemble(
    setup: Setup,
    store: RunStore,
    *,
    threads: int,
    training: Mapping[str, Array] | None = None,
    validation_seconds: float = 0.0,
) -> Run:
    """Build a run from its setup.

    Parameters
    ----------
    setup : Setup
        The parts of the run.
    store : RunStore
        Stores checkpoints and the log.
    threads : int
        Maximum number of workers; no effect on the result.
    training : dict of str to array, optional
        The trainer's arrays, for a resumed run.
    validation_seconds : float
        Approximate seconds per validation.

    Raises
    ------
    CheckpointError
        If the arrays do not fit the settings.
    """
    history, place = setup.history, setup.device.place
    if history.places[-1:] != [place]:
        history.places = [*history.places, place]
    if (ranks := current()) is not None:
        setup.logged = ranks.notices
        setup.notices = [*setup.notices, *rank_notices(setup)]
    trainer = _trainer(setup, threads)
    trainer.step_count = setup.history.step
    if training is not None:
        trainer.restore(training)
    return Run(
        setup,
        trainer,
        store,
        Clock(setup.history.seconds),
        threads=threads,
        resumed=training is not None,
        validation_seconds=validation_seconds,
    )


def _trainer(setup: Setup, threads: int) -> Trainer:
    """Return the trainer for the run's device."""
    train, device = setup.train, setup.device
    batches = setup.task.batches(setup.sides.learned, setup.vocabulary, train)
    settings: dict[str, Any] = {
        "max_grad_norm": train.max_grad_norm,
        "weight_decay": train.weight_decay,
        "random_seed": train.random_seed,
        "reset": train.reset,
        "new_symbols": np.flatnonzero(setup.unseen),
        "scorer": setup.scorer(setup.validation.val_characters),
    }
    if device.gpu is not None:
        return engine.gpu_trainer(
            setup.model,
            batches,
            gpu=device.gpu,
            precision=device.precision,
            optimizer=train.optimizer,
            **settings,
        )
    return ShardTrainer(
        setup.model,
        batches,
        optimizer=OPTIMIZERS[train.optimizer],
        shards=train.shards,
        threads=threads,
        **settings,
    )
