"""Ranks beside one process and beside forked workers, in turns: characters a second of whole steps.

    python -m tests.bench.ranks [--seconds 20] [--rounds 3] [--goals]

A GRU on random text of 65 symbols, Muon, dropout 0.1, weight dropout 0.05, windows of 24. Printed
is a line for each goal: the ratio of the medians, and what is wanted. The exchange is what calls
and messages take of a step, without waiting for the slowest rank. Where the machine has 16 cores,
the efficiency of 16 ranks is among them. ``--goals`` exits with 1 if one is missed. Each figure is
of a process of its own, which is warmed up first.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.backend.arrays import shared_zeros
from charrnn.config import Architecture
from charrnn.data.streams import Streams
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import shard_count
from charrnn.system.machine import available_cores
from charrnn.text import Vocabulary
from charrnn.training.step import ShardTrainer
from tests.launching import environment, is_open_mpi, mpiexec

TEXT_LENGTH, VOCAB_SIZE, SEQ_LEN = 1_000_000, 65, 24
WARM_UP = 5


@dataclass(frozen=True)
class Goal:
    """A ratio of two ways to train, and what is wanted of it."""

    name: str
    hidden_size: int
    streams: int
    way: tuple[str, int]
    other: tuple[str, int]
    wanted: float
    per: int = 1

    def ratio(self, rates):
        """Return the ratio of the medians."""
        setting = self.hidden_size, self.streams
        return rates[(*setting, *self.way)] / rates[(*setting, *self.other)] / self.per


ONE, FORKED, RANKS = ("one", 1), ("forked", 2), ("ranks", 2)
GOALS = [
    Goal("2 ranks / 2 forked workers, GRU 256, 64 streams", 256, 64, RANKS, FORKED, 0.97),
    Goal("2 ranks / 2 forked workers, GRU 512, 64 streams", 512, 64, RANKS, FORKED, 0.97),
    Goal("2 ranks / one process, GRU 256, 64 streams", 256, 64, RANKS, ONE, 1.8),
    Goal("2 ranks / one process, GRU 256, 512 streams", 256, 512, RANKS, ONE, 1.9),
    Goal("2 ranks / one process, GRU 512, 512 streams", 512, 512, RANKS, ONE, 1.9),
]
MANY = Goal("16 ranks / 16 x one process, GRU 512", 512, 512, ("ranks", 16), ONE, 0.75, per=16)
LARGEST_EXCHANGE = 0.08


def trainer_of(hidden_size, streams, threads):
    """Return a trainer of a random text."""
    config = Architecture(
        cell="gru", num_layers=1, hidden_size=hidden_size, dropout=0.1, weight_dropout=0.05
    )
    model = CharModel(config, VOCAB_SIZE, zeros=shared_zeros)
    rng = np.random.default_rng(0)
    model.initialise(rng)
    codes = rng.integers(VOCAB_SIZE, size=TEXT_LENGTH).astype(np.uint32)
    vocabulary = Vocabulary(np.arange(VOCAB_SIZE, dtype=np.uint32))
    size = CharModel.stream_bytes(config, VOCAB_SIZE, SEQ_LEN)
    return ShardTrainer(
        model,
        Streams(codes, vocabulary, streams, SEQ_LEN),
        optimizer=OPTIMIZERS["muon"],
        max_grad_norm=1.0,
        weight_decay=0.05,
        random_seed=0,
        reset=0.01,
        shards=shard_count(streams, size),
        threads=threads,
    )


def time_steps(hidden_size, streams, threads, seconds):
    """Print the median characters a second, and the share that the exchange takes."""
    trainer = trainer_of(hidden_size, streams, threads)
    trainer.steps([1e-3] * WARM_UP)
    steps, exchanges, end = [], [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        trainer.step(1e-3)
        steps.append(time.perf_counter() - start)
        if len(steps) % 10 == 1:
            start = time.perf_counter()
            trainer.exchange()
            exchanges.append(time.perf_counter() - start)
    step = statistics.median(steps)
    exchange = statistics.median(exchanges) if exchanges else 0.0
    print(json.dumps({"rate": streams * SEQ_LEN / step, "exchange": exchange / step}), flush=True)
    trainer.close()


def measure(how, hidden_size, streams, threads, seconds):
    """Be one of the processes that are compared."""
    if how != "ranks":
        time_steps(hidden_size, streams, threads, seconds)
        return
    from mpi4py import MPI

    from charrnn.cli.leading import lead_or_follow
    from charrnn.parallel.ranks import join

    ranks = join(MPI.COMM_WORLD)
    lead_or_follow(ranks, lambda: time_steps(hidden_size, streams, ranks.size, seconds))


def measured(how, number, hidden_size, streams, seconds):
    """Return what one such process, or such ranks, reach."""
    words = ["-m", "tests.bench.ranks", "--measure", how, hidden_size, streams, number, seconds]
    bound = ["--map-by", "core"] if mpiexec() and is_open_mpi() else ["-bind-to", "core"]
    launcher = [mpiexec(), *bound, "-n", str(number)] if how == "ranks" else []
    done = subprocess.run(
        [*launcher, sys.executable, *map(str, words)],
        cwd=Path(__file__).parents[2],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(goals, seconds, rounds):
    """Take turns; return the median rates, and the exchange's share, by setting and way."""
    ways = dict.fromkeys(
        (goal.hidden_size, goal.streams, *way) for goal in goals for way in (goal.way, goal.other)
    )
    found = {key: [] for key in ways}
    for _ in range(rounds):
        for hidden_size, streams, how, number in ways:
            one = measured(how, number, hidden_size, streams, seconds)
            found[hidden_size, streams, how, number].append(one)
    rates = {key: statistics.median(one["rate"] for one in own) for key, own in found.items()}
    shares = {key: statistics.median(one["exchange"] for one in own) for key, own in found.items()}
    return rates, shares


def main():
    """Compare, and print a line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--goals", action="store_true", help="exit with 1 if one is missed")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        how, *numbers, seconds = options.measure
        measure(how, *map(int, numbers), float(seconds))
        return 0
    if mpiexec() is None:
        sys.exit("this needs mpi4py and mpiexec: pip install mpi4py mpich")
    goals = GOALS + ([MANY] if available_cores() >= 16 else [])
    rates, shares = compare(goals, options.seconds, options.rounds)
    missed = 0
    for goal in goals:
        ratio = goal.ratio(rates)
        missed += ratio < goal.wanted
        print(f"{goal.name:<50} {ratio:6.3f}, wanted {goal.wanted}")
    for (hidden_size, streams, how, number), share in shares.items():
        if how == "ranks":
            missed += share > LARGEST_EXCHANGE
            name = f"exchange, {number} ranks, GRU {hidden_size}, {streams} streams"
            print(f"{name:<50} {share:6.1%}, wanted at most {LARGEST_EXCHANGE:.0%}")
    for (hidden_size, streams, how, number), rate in rates.items():
        print(f"  GRU {hidden_size}, {streams} streams, {how} {number}: {rate:,.0f} characters/s")
    return int(options.goals and missed > 0)


if __name__ == "__main__":
    sys.exit(main())
