"""charrnn on a GPU beside PyTorch there, in turns: characters a second of whole training steps.

    python -m tests.bench.gpu [--precision tf32 bf16] [--cell gru] [--size 1x256] [--streams 64]

PyTorch's figures are those of ``tests.bench.torch_steps``, step by step and as one CUDA graph; the
ratio is to the better of both. It must be installed beside charrnn and CuPy, or its columns stay
empty. Each figure is the median of some rounds after a warm-up.
"""

import argparse
import gc
import importlib.util
import json
import math
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from charrnn.backend.arrays import shared_zeros
from charrnn.config import Architecture
from charrnn.data.streams import Streams
from charrnn.nn.model import CharModel
from charrnn.text import Vocabulary
from charrnn.training import engine

CELLS, SIZES, STREAMS = ("lstm", "gru"), ("1x256", "2x512", "3x1024"), (64, 256, 1024)
PRECISIONS = ("tf32", "float32", "bf16")
THEIRS = ("eager", "graph")
COLUMNS = ("charrnn", *THEIRS)
TEXT_LENGTH = 1_000_000
WARM_UP = 3


@dataclass(frozen=True)
class Setting:
    """What is trained."""

    cell: str
    num_layers: int
    hidden_size: int
    batch_size: int
    seq_len: int = 50
    vocab_size: int = 65

    def __str__(self):
        return f"{self.cell} {self.num_layers}x{self.hidden_size}, {self.batch_size:,} streams"

    @property
    def characters(self):
        """Characters of a step."""
        return self.batch_size * self.seq_len


class OwnSteps:
    """Steps of charrnn."""

    def __init__(self, setting, precision, gpu):
        config = Architecture(
            cell=setting.cell,
            num_layers=setting.num_layers,
            hidden_size=setting.hidden_size,
            dropout=0.0,
        )
        model = CharModel(config, setting.vocab_size, zeros=shared_zeros)
        rng = np.random.default_rng(0)
        model.initialise(rng)
        codes = rng.integers(setting.vocab_size, size=TEXT_LENGTH).astype(np.uint32)
        vocabulary = Vocabulary(np.arange(setting.vocab_size, dtype=np.uint32))
        self.trainer = engine.gpu_trainer(
            model,
            Streams(codes, vocabulary, setting.batch_size, setting.seq_len),
            gpu=gpu,
            precision=precision,
            optimizer="adamw",
            max_grad_norm=5.0,
            weight_decay=0.01,
            random_seed=0,
        )

    def run(self, count):
        """Make so many steps, and wait for them."""
        self.trainer.steps([1e-3] * count)


def measured(contenders, characters, *, seconds, rounds):
    """Return the median characters a second of each contender, who take turns.

    Parameters
    ----------
    contenders : dict of str to object
        ``run(count)`` of each makes steps and waits for them.
    characters : int
        Of a step.
    seconds : float
        How long each is timed, about.
    rounds : int
        How many turns each has in that time.
    """
    counts = {}
    for name, contender in contenders.items():
        contender.run(WARM_UP)
        start = time.perf_counter()
        contender.run(WARM_UP)
        step = (time.perf_counter() - start) / WARM_UP
        counts[name] = max(1, int(seconds / rounds / step))
    rates = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender.run(counts[name])
            took = time.perf_counter() - start
            rates[name].append(counts[name] * characters / took)
    return {name: statistics.median(found) for name, found in rates.items()}


def compare(setting, makers, **timing):
    """Return what each contender reaches; what fails is told on stderr and left out.

    Parameters
    ----------
    setting : Setting
        What is trained.
    makers : dict of str to callable
        What makes each contender.
    **timing
        See ``measured``.
    """
    contenders = {}
    for name, make in makers.items():
        try:
            contenders[name] = make()
            contenders[name].run(1)
        except Exception as error:  # of any library: the others are measured all the same
            contenders.pop(name, None)
            print(f"{setting}: {name}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
    return measured(contenders, setting.characters, **timing)


def ratio_of(rates):
    """Return charrnn's rate over the better of PyTorch's; None where one of them is missing."""
    theirs = [rates[name] for name in THEIRS if name in rates]
    return rates["charrnn"] / max(theirs) if theirs and "charrnn" in rates else None


def geometric_mean(values):
    """Return the mean of ratios."""
    return math.exp(sum(map(math.log, values)) / len(values))


def row_of(setting, rates):
    """Return a line of the table, in thousands of characters a second."""
    cells = [f"{rates[name] / 1000:>10,.0f}" if name in rates else f"{'-':>10}" for name in COLUMNS]
    ratio = ratio_of(rates)
    return f"{setting!s:<26}{''.join(cells)}" + (f"{ratio:>8.2f}" if ratio else f"{'-':>8}")


def summary_of(ratios):
    """Return what the ratios of a table come to."""
    if not ratios:
        return "no ratio was measured"
    return f"{len(ratios)} settings: smallest {min(ratios):.2f}, geometric mean " + (
        f"{geometric_mean(ratios):.2f}"
    )


def settings_of(options):
    """Return the settings that are asked for."""
    found = []
    for size in options.size:
        layers, units = map(int, size.split("x"))
        found += [
            Setting(cell, layers, units, streams, options.seq_len, options.vocab_size)
            for cell in options.cell
            for streams in options.streams
        ]
    return found


def compared(options, makers_of, *, write=print):
    """Print a table for each precision, until the time is over; return all ratios.

    Parameters
    ----------
    options : Namespace
        From the command line.
    makers_of : callable
        ``makers_of(setting, precision)`` returns what makes each contender.
    write : callable
        Takes each line.
    """
    stop, found = time.perf_counter() + options.budget, []
    for precision in options.precision:
        ratios, left = [], 0
        if not options.json:
            heads = "".join(f"{name:>10}" for name in COLUMNS)
            write(f"{precision + ', 1,000 characters/s':<26}{heads}{'ratio':>8}")
        for setting in settings_of(options):
            if time.perf_counter() >= stop:
                left += 1
                continue
            timing = {"seconds": options.seconds, "rounds": options.rounds}
            rates = compare(setting, makers_of(setting, precision), **timing)
            ratio = ratio_of(rates)
            ratios += [ratio] if ratio else []
            if options.json:
                write(
                    json.dumps({**asdict(setting), "precision": precision, **rates, "ratio": ratio})
                )
            else:
                write(row_of(setting, rates))
            gc.collect()  # trainers hold the memory of the GPU until then
        if not options.json:
            rest = f"; {left} left out: the time was over" if left else ""
            write(f"{summary_of(ratios)}{rest}\n")
        found += ratios
    return found


def parsed(arguments=None):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["tf32"])
    parser.add_argument("--cell", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--size", nargs="+", metavar="LxH", default=SIZES)
    parser.add_argument("--streams", nargs="+", type=int, default=STREAMS)
    parser.add_argument("--seq-len", type=int, default=50)
    parser.add_argument("--vocab-size", type=int, default=65)
    parser.add_argument("--seconds", type=float, default=0.25, help="of each figure, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--budget", type=float, default=math.inf, help="seconds after which no setting is begun"
    )
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, no table")
    parser.add_argument("--optional", action="store_true", help="no GPU is no error")
    options = parser.parse_args(arguments)
    for size in options.size:
        layers, _, units = size.partition("x")
        if not (layers.isdecimal() and units.isdecimal()):
            parser.error(f"--size {size} is not layers x units, such as 2x512")
    return options


def main():
    """Print the tables."""
    options = parsed()
    gpu = engine.usable(options.device)
    if isinstance(gpu, str):
        message = f"no table of a GPU: {gpu}"
        if not options.optional:
            sys.exit(message)
        print(message)
        return
    makers = {}
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed here: its columns stay empty", file=sys.stderr)
    else:
        from tests.bench.torch_steps import TorchSteps

        makers = {"eager": partial(TorchSteps), "graph": partial(TorchSteps, graph=True)}
    print(gpu.name, file=sys.stderr)

    def makers_of(setting, precision):
        ours = {"charrnn": partial(OwnSteps, setting, precision, gpu)}
        return ours | {name: partial(make, setting, precision) for name, make in makers.items()}

    compared(options, makers_of)


if __name__ == "__main__":
    main()
