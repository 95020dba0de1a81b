"""The ranks that train a run: notices, and the cost of working together."""

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from charrnn.config.words import count
from charrnn.parallel.present import current
from charrnn.trainer import Trainer
from charrnn.training.setup import Setup
from charrnn.training.step import ShardTrainer

LARGEST_BATCH = 6144
"""Largest useful batch, in characters, per million characters of text: 256 streams of 24. On tiny
Shakespeare, a GRU of 384 units learned as much per character with 64 streams as with 256, and less
with 1,024 (H100, after 4 to 64 million characters)."""
ROUNDS = 20


@dataclass(frozen=True)
class RankPlan:
    """How the work of a run is distributed over ranks.

    Attributes
    ----------
    ranks, machines, shards : int
    bytes_per_step : int
        Bytes that a machine sends to the others per step.
    exchange_seconds, step_seconds : float
        Time per step of the communication, as seen from rank 0, and of the whole step.
    more : str
        Whether more ranks would help.
    """

    ranks: int
    machines: int
    shards: int
    bytes_per_step: int
    exchange_seconds: float
    step_seconds: float
    more: str

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return asdict(self)


def rank_notices(setup: Setup) -> list[str]:
    """Return a notice if there are more ranks than shards."""
    ranks, shards = current(), setup.train.shards
    if ranks is None or ranks.size <= shards:
        return []
    idle = ranks.size - shards
    return [
        f"{ranks.size} ranks for {count(shards, 'shard')} ({setup.train.batch_size} streams in "
        f"all): {idle} {'have' if idle > 1 else 'has'} no work; raise --batch-size or start "
        "fewer ranks"
    ]


def rank_plan(setup: Setup, trainer: Trainer, speed: float) -> RankPlan | None:
    """Measure the cost of communication; None if no launcher started this process.

    Parameters
    ----------
    setup : Setup
        The run's.
    trainer : Trainer
        The run's trainer, which cannot be used afterwards.
    speed : float
        Characters per second.
    """
    ranks, train = current(), setup.train
    if ranks is None or not isinstance(trainer, ShardTrainer):
        return None
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        trainer.exchange()
        times.append(time.perf_counter() - start)
    return RankPlan(
        ranks=trainer.workers,
        machines=len(ranks.layout.machines),
        shards=train.shards,
        bytes_per_step=trainer.bytes_sent,
        exchange_seconds=statistics.median(times),
        step_seconds=train.batch_size * train.seq_len / speed,
        more=_more(setup, trainer.workers),
    )


def _more(setup: Setup, ranks: int) -> str:
    """Return the end of a sentence on whether more ranks would help."""
    train = setup.train
    batch, enough = train.batch_size * train.seq_len, LARGEST_BATCH * setup.train_symbols / 1e6
    if ranks < train.shards:
        return f"help, up to {train.shards}: one per shard"
    if batch >= enough:
        return (
            f"would not help: {train.batch_size} streams have only {train.shards} "
            f"shard{'s' if train.shards > 1 else ''}, and with a text of this size a larger batch "
            "learns less per character"
        )
    return (
        f"would not help with {train.batch_size} streams; up to {int(enough / train.seq_len):,} "
        "are useful with a text of this size (--batch-size)"
    )
