"""Train on short texts: against counting, and for far too short and far too long.

``python -m tests.soak.small`` cuts pieces of several lengths out of texts, ours or the ones that
are named, and prints two tables. The first compares the best validation loss of runs of several
seeds with a Kneser-Ney n-gram on the same split. The second gives that loss for budgets that grow
by ever larger factors: what is kept may never be more than 2 % worse than what any shorter budget
gave. A file named ``FILE:lines`` is a list of items. It ends with an error where a goal is missed:
within 5 % of counting, or 20 % for code and chess, which repeat themselves.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from charrnn.config import TrainConfig
from charrnn.data.dividing import as_items
from charrnn.evaluation.ngrams import choose_context, kneser_ney, unigram
from charrnn.training.new import prepare

PLACE = Path(__file__).parents[2]
OURS = [PLACE / "corpora" / name for name in ("garden.txt", "madang.txt")]
CODE = [PLACE / "charrnn" / "text" / "vocabulary.py"]
LENGTHS, GROWING = (5_000, 10_000, 20_000), (1_000, 5_000, 20_000, 100_000)
BUDGETS = (0.5, 1, 2, 5, 10, 20, 50, 100, 1_000, 10_000)
"""Passes over the training part that are asked for."""
WORSE_ALLOWED = 1.02
GOALS = {".py": 1.2, ".h": 1.2, ".c": 1.2, ".pgn": 1.2}
"""What a loss may be of that of counting, by the ending of a file's name; 1.05 for the others."""


def cut(text: str, length: int, *, lines: bool, offset: float = 0.3) -> str:
    """Return a piece of a text, from the beginning of a line on."""
    start = int(max(0, len(text) - length) * offset)
    start = text.find("\n", start) + 1
    piece = text[start : start + length]
    return piece[: piece.rfind("\n") + 1] if lines else piece


def best_of(
    path: Path, folder: Path, *, lines: bool, threads: int = 2, **settings: object
) -> tuple[float, object]:
    """Train on a file; return the best validation loss and the run."""
    name = f"run-{len(os.listdir(folder))}"  # noqa: PTH208
    train = TrainConfig(lines=lines, **settings)  # type: ignore[arg-type]
    run = prepare([path], train=train, out=folder / name, threads=threads)
    *_, last = run.train()
    best: float | None = last.best_nats  # type: ignore[attr-defined]
    assert best is not None, "nothing was held out"
    return best, run


def counting(path: Path, folder: Path, *, lines: bool) -> tuple[float, float]:
    """Return what the held-out part of a file costs a Kneser-Ney n-gram, and frequencies."""
    run = prepare([path], train=TrainConfig(lines=lines, steps=1), out=folder / "unused")
    parts = run._setup
    sides, vocabulary = parts.sides, parts.vocabulary
    learned, held = sides.learned, sides.held
    if lines:
        learned, held = as_items(learned), as_items(held)
    train, scored = vocabulary.encode(learned), vocabulary.encode(held)
    run.close()
    context = choose_context(train, len(vocabulary))
    nats = kneser_ney(train, scored, len(vocabulary), max_context=context)[-1]
    return nats / len(scored), unigram(train, scored, len(vocabulary)) / len(scored)


def pieces(
    files: list[str], lengths: tuple[int, ...], folder: Path
) -> Iterator[tuple[str, int, Path, bool]]:
    """Write pieces of files; yield their names, lengths, paths and whether they are lists."""
    for file, length in itertools.product(files, lengths):
        name, _, kind = file.partition(":")
        lines = kind == "lines"
        text = Path(name).read_text(encoding="utf-8")
        path = folder / f"{Path(name).stem}-{length}.txt"
        path.write_text(cut(text, length, lines=lines), encoding="utf-8")
        yield Path(name).name, length, path, lines


def compare(files: list[str], lengths: tuple[int, ...], seeds: int, minutes: float | None) -> int:
    """Print how far from counting runs of several seeds end; return how many goals are missed."""
    missed = 0
    print("text, characters: Kneser-Ney; frequencies; ours, mean of seeds (each); ratio; seconds")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, length, path, lines in pieces(files, lengths, folder):
            counted, frequent = counting(path, folder, lines=lines)
            started, found = time.monotonic(), []
            for seed in range(seeds):
                best, _ = best_of(path, folder, lines=lines, random_seed=seed, minutes=minutes)
                found.append(best)
            mean = statistics.mean(found)
            missed += mean > GOALS.get(Path(name).suffix, 1.05) * counted
            each = ", ".join(f"{nats:.3f}" for nats in found)
            seconds = (time.monotonic() - started) / seeds
            print(
                f"{name}, {length:,}: {counted:.3f}; {frequent:.3f}; {mean:.3f} ({each}); "
                f"{mean / counted:.3f}; {seconds:.0f} s",
                flush=True,
            )
    return missed


def grow(files: list[str], lengths: tuple[int, ...], budgets: tuple[float, ...]) -> int:
    """Print the best loss of ever longer runs; return how often more made it worse."""
    wrong = 0
    print(f"text, characters: best after {', '.join(f'{b:g}' for b in budgets)} passes")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, length, path, lines in pieces(files, lengths, folder):
            found: list[float] = []
            for epochs in budgets:
                best, _ = best_of(path, folder, lines=lines, epochs=epochs)
                found.append(best)
            worst = max(nats / min(found[: i + 1]) for i, nats in enumerate(found))
            wrong += worst > WORSE_ALLOWED
            each = ", ".join(f"{nats:.3f}" for nats in found)
            print(f"{name}, {length:,}: {each}; at worst {worst:.3f} of a shorter one", flush=True)
    return wrong


def main() -> None:
    """Run both, or what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="texts, or FILE:lines for lists of items")
    parser.add_argument("--lengths", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--only", choices=["compare", "grow"])
    asked = parser.parse_args()
    files = asked.files or [str(path) for path in (*OURS, *CODE)]
    missed = worse = 0
    if asked.only != "grow":
        missed = compare(files, tuple(asked.lengths or LENGTHS), asked.seeds, asked.minutes)
    if asked.only != "compare":
        worse = grow(files, tuple(asked.lengths or GROWING), BUDGETS)
    if missed or worse:
        sys.exit(f"{missed} goals missed; more time gave a worse model {worse} times")


if __name__ == "__main__":
    main()
