"""The referee of a change that is to change no result: it trains, samples and evaluates, and prints
a SHA-256 of what came out.

Each case trains a small model through the command line, half of it with one thread and, resumed,
half of it with two; then it samples and evaluates. The sum is over all arrays of ``best.npz`` and
``last.npz``, the samples and the losses to the last bit. Two versions of charrnn on one machine
with one NumPy print equal sums, or one of them computes something else. Sums of two kinds of
processors differ: the first line names the kernels in use.

    python -m tests.referee [CASE ...] > before.txt
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

CORPORA = Path(__file__).parent.parent / "corpora"
SMALL = ["--hidden-size", "48", "--validations", "2", "--val-characters", "2000"]
DROPPED = ["--dropout", "0.2", "--weight-dropout", "0.1"]
CASES = {
    "rnn": ["--cell", "rnn", *DROPPED],
    "rnn-relu": ["--cell", "rnn", "--nonlinearity", "relu", "--optimizer", "adam"],
    "lstm": ["--cell", "lstm", *DROPPED],
    "gru": ["--cell", "gru", *DROPPED],
    "lstm-2-layers": ["--cell", "lstm", "--num-layers", "2", "--optimizer", "adamw"],
    "gru-members": ["--cell", "gru", "--members", "2", *DROPPED],
    "lstm-embedding": ["--cell", "lstm", "--embedding-size", "24", "--optimizer", "momentum"],
    "gru-strided": ["--cell", "gru", "--split-mode", "strided", "--batch-size", "20"],
    "gru-wide": ["--cell", "gru", "--batch-size", "100", "--schedule", "plateau"],
    "gru-bytes": ["--cell", "gru", "--unit", "byte", "--reset", "0.2"],
    "gru-lines": ["--cell", "gru", "--lines", *DROPPED],
    "lstm-lines-end": ["--cell", "lstm", "--lines", "--split-mode", "contiguous"],
    "default": [],
}
"""Options of ``train`` by case; ``default`` leaves all to the recipe."""


def main() -> None:
    """Print a sum a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    names = parser.parse_args().cases or list(CASES)
    kernels = {str(library.get("architecture")) for library in threadpool_info()}
    print(f"kernels {', '.join(sorted(kernels))}; NumPy {np.__version__}", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name:<16}{_sum_of(CASES[name], name, Path(folder))}", flush=True)


def _sum_of(options: list[str], name: str, folder: Path) -> str:
    corpus = folder / "corpus.txt"
    source = "madang.txt" if "embedding" in name else "garden.txt"
    text = (CORPORA / source).read_bytes()
    if "lines" in name:  # short ones: no line is longer than what is learned whole
        text = b"\n".join(line[:60] for line in text.split(b"\n"))
    corpus.write_bytes(text)
    sizes = [] if name == "default" else SMALL
    steps = ["--steps", "30", "--threads", "1"]
    _run(folder, "train", str(corpus), "--out", "run", *steps, *sizes, *options)
    _run(folder, "train", "--resume", "run", "--steps", "60", "--threads", "2")
    digest = hashlib.sha256()
    for file in ("best.npz", "last.npz"):
        with np.load(folder / "run" / file) as arrays:
            for array in sorted(set(arrays.files) - {"meta"}):
                digest.update(array.encode() + arrays[array].tobytes())
    sampling = ["sample", "--model", "run", "--length", "200", "--random-seed", "5", "-n", "3"]
    digest.update(_run(folder, *sampling))
    likely = ["--temperature", "0.7", "--top-k", "9", "--seed", "th", "--unknown", "skip"]
    digest.update(_run(folder, *sampling, *likely))
    for file in ([], [str(CORPORA / "garden.txt")]):
        scored = json.loads(_run(folder, "eval", *file, "--model", "run", "--json"))
        digest.update(float(scored["total_nats"]).hex().encode())
    return digest.hexdigest()


def _run(folder: Path, *command: str) -> bytes:
    """Run charrnn and return its stdout."""
    env = {**os.environ, "PYTHONPATH": str(CORPORA.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "charrnn", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return done.stdout


if __name__ == "__main__":
    main()
