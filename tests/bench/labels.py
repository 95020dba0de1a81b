"""charrnn beside PyTorch's packed sequences, in turns: labelled texts a second in training.

    python -m tests.bench.labels names.tsv --torch-python env/bin/python

Both train a GRU of 128 units in both directions on an embedding of 64, in batches of 64 texts of
about one length, with AdamW and clipping. charrnn has every core, PyTorch one thread and every
core, and the better of its two counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from charrnn.config import ModelConfig, TrainConfig
from charrnn.storage.store import MemoryStore
from charrnn.system.machine import available_cores
from charrnn.training.new import prepare

HERE = Path(__file__).parent
BATCH = 64


def ours(path: str, seconds: float) -> float:
    """Return the texts a second that charrnn trains on."""
    run = prepare(
        [path],
        model=ModelConfig(
            hidden_size=128,
            num_layers=1,
            embedding_size=64,
            directions=2,
            members=1,
            dropout=0.3,
            weight_dropout=0.0,
        ),
        train=TrainConfig(
            predict="label", steps=10**6, max_epochs=0, batch_size=BATCH, optimizer="adamw"
        ),
        store=MemoryStore(),
        threads=available_cores(),
        cache=False,
    )
    texts = [line.split("\t", 1)[1] for line in Path(path).read_text("utf-8").splitlines() if line]
    try:
        return run.measure_speed(seconds) / statistics.mean(map(len, texts))
    finally:
        run.close()


def theirs(python: str, path: str, seconds: float, threads: int) -> float:
    """Return the texts a second that PyTorch trains on."""
    command = [python, str(HERE / "torch_labels.py"), path, str(seconds), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1])["texts_per_second"])


def main() -> None:
    """Print texts a second of both, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="lines of a label, a tab and a text")
    parser.add_argument("--torch-python", required=True, help="a Python that has torch")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"charrnn": []}
    for _ in range(options.turns):
        found["charrnn"].append(ours(options.path, options.seconds))
        for threads in sorted({1, os.cpu_count() or 1}):
            rate = theirs(options.torch_python, options.path, options.seconds, threads)
            found.setdefault(f"PyTorch, {threads} threads", []).append(rate)
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in medians.items():
        print(f"{name:<20}{rate:>10,.0f} texts a second")
    best = max(rate for name, rate in medians.items() if name != "charrnn")
    print(f"ratio {medians['charrnn'] / best:.2f}")


if __name__ == "__main__":
    main()
