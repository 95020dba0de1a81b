"""How long a GPU takes to learn a text to some losses: three seeds of each of three networks.

    python -m tests.bench.gpu_learning tinyshakespeare.txt [--seeds 0 1 2] [--json]

The last tenth is held out and scored whole, as `charrnn eval` does, 16 times in a run. Seconds are
those of training alone.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from charrnn.config import Architecture
from charrnn.cuda.trainer import CudaTrainer
from charrnn.data.streams import Streams
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scorers import TextScorer
from charrnn.nn.model import CharModel
from charrnn.optimizers import learning_rate_factor
from charrnn.text import Vocabulary
from charrnn.training import engine

STREAMS, SEQ_LEN = 256, 24
VALIDATIONS = 16
RATE, WARM_UP = 0.052, 0.03


@dataclass(frozen=True)
class Plan:
    """A network, how many characters it reads, and the loss that it is to reach."""

    goal: float
    hidden_size: int
    characters: float
    dropout: float = 0.0
    weight_dropout: float = 0.0


PLANS = (
    Plan(1.4697, 256, 6.5e6),
    Plan(1.425, 384, 20e6, 0.29, 0.1),
    Plan(1.40, 512, 30e6, 0.38, 0.13),
)


def learned(plan, codes, seed, backend):
    """Train once; return the figures of a line.

    Parameters
    ----------
    plan : Plan
        What is trained.
    codes : (n,) int array
        The text.
    seed : int
        Of the first weights and all masks.
    backend : Backend
        The GPU.
    """
    vocabulary = Vocabulary(np.unique(codes))
    cut = len(codes) - len(codes) // 10
    text = codes[:cut]
    config = Architecture(
        cell="lstm",
        hidden_size=plan.hidden_size,
        dropout=plan.dropout,
        weight_dropout=plan.weight_dropout,
    )
    model = CharModel(config, len(vocabulary))
    model.initialise(np.random.default_rng(seed), vocabulary.count(text))
    trainer = CudaTrainer(
        model,
        Streams(text, vocabulary, STREAMS, SEQ_LEN),
        backend,
        optimizer="muon",
        max_grad_norm=1.0,
        weight_decay=0.05,
        random_seed=seed,
        reset=0.01,
        scorer=TextScorer(Pieces.streams(vocabulary.encode(codes[cut:]))),
    )
    steps = max(VALIDATIONS, round(plan.characters / (STREAMS * SEQ_LEN)))
    rates = [
        RATE * learning_rate_factor("cosine", (step + 0.5) / steps, WARM_UP)
        for step in range(steps)
    ]
    trainer.validate()  # its kernels are compiled and recorded
    seconds, reached, losses = 0.0, None, []
    for part in range(VALIDATIONS):
        some = slice(steps * part // VALIDATIONS, steps * (part + 1) // VALIDATIONS)
        start = time.perf_counter()
        trainer.steps(rates[some])
        seconds += time.perf_counter() - start
        losses.append(trainer.validate().mean)
        if reached is None and losses[-1] <= plan.goal:
            reached = seconds
    return {
        **asdict(plan),
        "seed": seed,
        "reached": reached,
        "seconds": seconds,
        "best": min(losses),
        "chars_per_second": round(steps * STREAMS * SEQ_LEN / seconds),
    }


def line_of(row):
    """Return a line of the table."""
    reached = "-" if row["reached"] is None else f"{row['reached']:.2f} s"
    return (
        f"{row['goal']:<8g}lstm 1x{row['hidden_size']:<6}seed {row['seed']}{reached:>10}"
        f"{row['best']:>10.4f} after {row['seconds']:.2f} s"
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="tf32")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, no table")
    options = parser.parse_args()
    gpu = engine.usable("cuda")
    if isinstance(gpu, str):
        sys.exit(f"no table of a GPU: {gpu}")
    codes = np.array([ord(symbol) for symbol in options.corpus.read_text("utf-8")], np.uint32)
    backend = engine.backend(gpu, options.precision)
    for plan in PLANS:
        for seed in options.seeds:
            row = learned(plan, codes, seed, backend)
            print(json.dumps(row) if options.json else line_of(row), flush=True)


if __name__ == "__main__":
    main()
