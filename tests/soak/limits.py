"""Train at the edges of every size, and for long: nothing is too large, and memory stays flat.

``python -m tests.soak.limits --minutes 30`` writes 1 GB of text to a temporary folder, trains on
it and at every other limit, and fills the rest of the time with one run whose memory it watches.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from charrnn.storage.checkpoint import load

PLACE = Path(__file__).parents[2]
GIGABYTE = 10**9
SMALL = "--num-layers 1 --threads 2 --patience 0"
CASES = [
    ("1 GB of text", "large.txt", "--steps 200 --hidden-size 64 --val-fraction 0.001", 400),
    ("10,000 steps", "text.txt", "--steps 10000 --hidden-size 32 --seq-len 8", 300),
    ("vocabulary 30,000", "symbols.txt", "--steps 20 --hidden-size 64 --validations 2", 600),
    ("sequence 2,000", "text.txt", "--steps 20 --hidden-size 64 --seq-len 2000", 600),
    ("batch 1", "text.txt", "--steps 300 --hidden-size 64 --batch-size 1", 300),
    ("batch 1,024", "text.txt", "--steps 20 --hidden-size 64 --batch-size 1024", 600),
    ("hidden size 1", "text.txt", "--steps 300 --hidden-size 1", 300),
    ("hidden size 2,048", "text.txt", "--steps 3 --hidden-size 2048 --validations 1", 1600),
    ("16 members", "text.txt", "--steps 20 --hidden-size 256 --members 16 --validations 2", 600),
]
"""What is at its limit, the text, the options, and the MB that it may take."""
GROWTH_ALLOWED = 4.0
"""MB, from the second fifth of the long run to its last."""


@dataclass
class Watched:
    """A process that has ended: its time and how much memory it and its workers took, in MB."""

    seconds: float
    memory: list[float] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """Return the most that was seen."""
        return max(self.memory, default=0.0)

    @property
    def growth(self) -> float:
        """Return by how much the memory of the last fifth is above that of the second."""
        fifth = len(self.memory) // 5
        if not fifth:
            return 0.0
        early, late = self.memory[fifth : 2 * fifth], self.memory[-fifth:]
        return statistics.median(late) - statistics.median(early)


def write_texts(folder: Path, size: int) -> None:
    """Write the texts of all cases; the large one has ``size`` bytes."""
    lines = [
        f"line {i}: {i * i} apples and {i * 7} pears, or 사과 {i % 97}개\n" for i in range(40_000)
    ]
    block = "".join(lines).encode()
    (folder / "text.txt").write_bytes(block)
    with (folder / "large.txt").open("wb") as file:
        for _ in range(size // len(block) + 1):
            file.write(block)
    symbols = [chr(code) for code in range(0x4E00, 0x4E00 + 20_000)]
    symbols += [chr(code) for code in range(0xAC00, 0xAC00 + 10_000)]
    (folder / "symbols.txt").write_text("".join(symbols) * 8)


def memory_of(process_id: int) -> float:
    """Return the MB that a process and its children hold beside mapped files."""
    total = 0
    try:
        children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
        for number in (process_id, *children):
            for line in Path(f"/proc/{number}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    total += int(line.split()[1])
                elif line.startswith("RssShmem") and number == process_id:
                    total += int(line.split()[1])  # the workers share it
    except (OSError, IndexError):
        return 0.0
    return total / 1000


def charrnn(folder: Path, *words: object) -> Watched:
    """Run a command to its end, watching its memory."""
    start = time.monotonic()
    watched = Watched(0.0)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "charrnn", *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PLACE)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        while process.poll() is None:
            watched.memory.append(memory_of(process.pid))
            time.sleep(0.1)
    watched.memory = [value for value in watched.memory if value]
    watched.seconds = time.monotonic() - start
    if process.returncode:
        lines = (folder / "said").read_text(errors="replace").splitlines()
        sys.exit(f"FAILED: charrnn {' '.join(map(str, words))}: {lines[-1]}")
    return watched


def main() -> None:
    """Run all cases, then the long run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--bytes", type=int, default=GIGABYTE)
    options = parser.parse_args()
    began, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 4 * options.bytes:
            sys.exit(f"there is no room for {options.bytes:,} bytes of text in {folder}")
        write_texts(folder, options.bytes)
        for number, (what, text, settings, limit) in enumerate(CASES):
            run = f"run-{number}"
            words = (text, "--out", run, *SMALL.split(), *settings.split())
            train = charrnn(folder, "train", *words)
            sample = charrnn(folder, "sample", "--model", run, "--length", 50)
            steps = load(folder / run / "last.npz").history.step
            verdict = "" if max(train.peak, sample.peak) <= limit else f"  MORE THAN {limit} MB"
            failed += [what] if verdict else []
            print(
                f"{what:18} {steps:6,} steps in {train.seconds:6.1f} s, {train.peak:6,.0f} MB; "
                f"sample {sample.seconds:4.1f} s, {sample.peak:4,.0f} MB{verdict}",
                flush=True,
            )
        left = options.minutes - (time.monotonic() - began) / 60
        words = "text.txt --out long --hidden-size 128 --save-every 0.05 --validations 200"
        minutes = f"{max(left, options.minutes / 3):.3f}"
        length = ("--val-fraction", 0.01, "--minutes", minutes)
        long = charrnn(folder, "train", *words.split(), *SMALL.split(), *length)
        history = load(folder / "long" / "last.npz").history
        verdict = "" if long.growth <= GROWTH_ALLOWED else "  IT GROWS"
        failed += ["the long run"] if verdict else []
        print(
            f"{'the long run':18} {history.step:6,} steps in {long.seconds:6.1f} s, "
            f"{long.peak:6,.0f} MB, growth {long.growth:+.2f} MB, "
            f"{len(history.rows)} validations{verdict}"
        )
    if failed:
        sys.exit(f"FAILED: {', '.join(failed)}")


if __name__ == "__main__":
    main()
