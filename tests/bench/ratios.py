"""charrnn beside PyTorch on the same work, in turns: characters a second and their ratio.

Run by ``make bench``; PyTorch lives in an environment of its own (``pip install torch``).
"""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

TRAIN = [
    (cell, layers, size)
    for cell in ("rnn", "lstm", "gru")
    for layers, size in ((1, 128), (2, 128), (2, 256), (2, 512))
]
SAMPLE = [("lstm", 2, size) for size in (128, 256, 512)]
PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that hold OpenBLAS to the kernels of an older processor."""


def rate(command: list[str]) -> float:
    """Return the median characters a second that a command reports."""
    clean = {name: value for name, value in os.environ.items() if name not in PINS}
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1])["chars_per_second"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", required=True, help="a Python that has torch")
    parser.add_argument("--job", choices=["train", "sample"], default="train")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    peer = [options.torch_python, str(Path(__file__).with_name("torch_model.py"))]
    ours = [sys.executable, "-m", "charrnn", "bench", "--json"]
    ratios = []
    print(f"{options.job:<14}{'charrnn':>12}{'PyTorch':>12}{'ratio':>8}")
    for cell, layers, size in TRAIN if options.job == "train" else SAMPLE:
        setting = ["--job", options.job, "--cell", cell, "--num-layers", str(layers)]
        setting += ["--hidden-size", str(size), "--seconds", str(options.seconds)]
        turns = [(rate(ours + setting), rate(peer + setting)) for _ in range(options.turns)]
        mine, its = (max(column) for column in zip(*turns, strict=True))
        ratios.append(mine / its)
        name = f"{cell} {layers}x{size}"
        print(f"{name:<14}{mine:>12,.0f}{its:>12,.0f}{ratios[-1]:>8.2f}", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"smallest {min(ratios):.2f}, geometric mean {mean:.2f}")


if __name__ == "__main__":
    main()
