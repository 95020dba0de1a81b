"""Kill a training again and again, at any instant: nothing is lost and the end is the same.

``python -m tests.soak.crash --kills 200`` kills runs of every cell and task with SIGKILL, at random
moments, during saves and between the last step and the end, as often as was asked. After each kill
every file must load, no worker be left and the lock be free; at its end each run must be equal to
the same run never stopped.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import load
from charrnn.storage.counts import table_arrays
from charrnn.storage.labels import ngram_arrays
from charrnn.storage.lock import is_running
from charrnn.storage.log import LOG, read_log
from tests.tracing import untraced

PLACE = Path(__file__).parents[2]
TEXT = "".join(f"{i} bottles of beer on the wall, {i * i} bottles of beer\n" for i in range(200))
LABELLED = "".join(f"{'odd' if i % 2 else 'even'}\t{i * i} bottles of beer\n" for i in range(400))
ANSWERS = "".join(f"{i % 7}\t{'ab' * (i % 7)}{i % 3}\n" for i in range(400))
TAGGED = "".join(
    f"{word}\t{'B-N' if word.isdigit() else 'O'}\n" + "\n" * (word == "beer")
    for word in TEXT.replace(",", "").split()
)
TEXTS = {"label": LABELLED, "tags": TAGGED, "prompted": ANSWERS, "": TEXT}
COMMON = "--num-layers 1 --batch-size 32 --seq-len 16 --save-every 0.0005 --max-epochs 0"
VALIDATED = "--validations 30"
SETTINGS = [
    f"{VALIDATED} --cell lstm --hidden-size 64 --threads 2 --optimizer adamw",
    f"{VALIDATED} --cell gru --hidden-size 48 --threads 2 --dropout 0.2 --optimizer momentum",
    f"{VALIDATED} --cell rnn --hidden-size 96 --threads 1 --schedule plateau --patience 3 "
    "--learning-rate 0.02",
    "--cell lstm --hidden-size 32 --threads 2 --val-fraction 0 --max-grad-norm 0",
    f"{VALIDATED} --predict spaces --hidden-size 16 --members 1 --threads 2",
    f"{VALIDATED} --predict label --hidden-size 32 --members 2 --threads 2 --counts",
    f"{VALIDATED} --predict tags --hidden-size 16 --members 1 --threads 2",
    f"{VALIDATED} --prompted --hidden-size 32 --threads 2",
    f"{VALIDATED} --counts --hidden-size 32 --threads 2",
]
KILLS_PER_RUN = 8
PATIENCE = 1.2
"""Seconds after its start by which a run is killed, or at the next save."""
ENDS = 0.15
"""Of the kills, the share of those at the end."""
GRACE = 60.0
"""Seconds that workers have to end when their run was killed, on a machine that is busy."""


def start(folder: Path, *words: object) -> subprocess.Popen[bytes]:
    """Start ``charrnn train``, its messages in a file."""
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "charrnn", "train", *map(str, words)],
            cwd=folder,
            env=untraced(PYTHONPATH=str(PLACE)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def first(folder: Path, run: str, steps: int, settings: str) -> list[str]:
    """Return the words that begin a run."""
    kind = next(kind for kind in TEXTS if kind in settings)
    corpus = f"{kind or 'corpus'}.txt"
    (folder / corpus).write_text(TEXTS[kind])
    return [corpus, "--out", run, "--steps", str(steps), *COMMON.split(), *settings.split()]


def to_the_end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a training is done."""
    assert process.wait(timeout=300) == 0, (folder / "said").read_text()


def workers_of(process_id: int) -> list[int]:
    """Return the children of a process."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
        return [int(child) for child in text.split()]
    return []


def is_alive(process_id: int) -> bool:
    """Whether a process still runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def temporaries(run: Path) -> list[Path]:
    """Return the files of saves that are under way, or were when the run was killed."""
    with contextlib.suppress(OSError):
        return [run / name for name in os.listdir(run) if name.endswith(".tmp")]  # noqa: PTH208
    return []


def is_ending(run: Path, before: int | None) -> bool:
    """Whether the last step was made since the log was another file, which a resume replaces."""
    return number_of(run / LOG) != before and any(
        event.get("done", 0) >= 1 for event in read_log(run)
    )


def number_of(path: Path) -> int | None:
    """Return what tells a file from another one of its name."""
    with contextlib.suppress(OSError):
        return path.stat().st_ino
    return None


def kill(
    process: subprocess.Popen[bytes], run: Path, rng: random.Random, *, when: str, patience: float
) -> bool:
    """Kill a training at some moment, save or end; return whether it was still going."""
    before, deadline = number_of(run / LOG), time.monotonic() + rng.uniform(0, patience)
    if when == "end":  # what is mixed with the network is made and saved there
        while process.poll() is None and not is_ending(run, before):
            time.sleep(0.002)
        deadline = time.monotonic() + rng.choice([0, 0, 0.003, 0.01, 0.03, 0.1])
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.002)
    if when == "save":
        while process.poll() is None and not temporaries(run):
            pass
        time.sleep(rng.choice([0, 0, 0.0003, 0.001]))
    workers = workers_of(process.pid)
    if process.poll() is not None:
        return False
    process.kill()
    process.wait()
    killed = time.monotonic()
    if run.exists():
        assert not is_running(run), "the lock outlived its process"
    while any(map(is_alive, workers)):
        assert time.monotonic() < killed + GRACE, f"workers {workers} are left behind"
        time.sleep(0.01)
    return True


def check_files(run: Path) -> None:
    """Every file of a killed run loads, but for what the save under way had begun."""
    for path in run.glob("*.npz"):
        load(path)
    log = run / LOG
    if log.exists():
        *whole, rest = log.read_text().split("\n")
        assert len(read_log(run)) in (len(whole), len(whole) + bool(rest))


def content(path: Path) -> tuple[dict[str, bytes], object]:
    """Return all of a checkpoint but times."""
    checkpoint = load(path)
    arrays = {**checkpoint.weights, **checkpoint.training}
    if checkpoint.ngrams is not None:
        arrays |= ngram_arrays(checkpoint.ngrams)
    if checkpoint.kept is not None:
        arrays["kept"] = checkpoint.kept
    arrays |= table_arrays(checkpoint.table)
    arrays["mixture"] = np.array(checkpoint.mixture)
    arrays["counting"] = np.frombuffer(repr(checkpoint.counting).encode(), np.uint8)
    return (
        {name: array.tobytes() for name, array in arrays.items()},
        replace(checkpoint.history, seconds=0.0, overhead=0.0, stopped=0.0),
    )


def log_of(run: Path) -> list[object]:
    """Return the log but times, and what is in it as often as there is time for it."""
    return [
        {name: value for name, value in event.items() if name not in ("seconds", "overhead")}
        for event in read_log(run)
        if event["event"] not in ("sampled", "progress")
    ]


def check_equal(run: Path, straight: Path) -> None:
    """A run that was killed and resumed has all that the one never stopped has."""
    for name in (runs.LAST, runs.BEST):
        assert content(run / name) == content(straight / name), f"{run / name} differs"
    assert log_of(run) == log_of(straight), "the logs differ"
    left = {path.name for path in run.iterdir()}
    assert left == {path.name for path in straight.iterdir()}, f"left behind: {left}"


def killed_run(
    folder: Path,
    run: str,
    steps: int,
    settings: str,
    rng: random.Random,
    *,
    kills: int = KILLS_PER_RUN,
    patience: float = PATIENCE,
    ends: float = ENDS,
) -> Counter[str]:
    """Begin a run, kill it this often, let it end; return the kills by where they hit."""
    counts: Counter[str] = Counter()
    words = first(folder, run, steps, settings)
    while counts.total() < kills:
        process = start(folder, *words)
        (when,) = rng.choices(["save", "moment", "end"], [0.8 - ends, 0.2, ends])
        if not kill(process, folder / run, rng, when=when, patience=patience):
            to_the_end(process, folder)
            return counts
        path = folder / run
        elsewhere = "at the end" if when == "end" else "elsewhere"
        counts["in a save" if temporaries(path) else elsewhere] += 1
        check_files(path)
        if (path / runs.LAST).exists():
            words = ["--resume", run]
            if load(path / runs.LAST).history.finished:  # killed after its last save
                return counts
    to_the_end(start(folder, *words), folder)
    return counts


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts: Counter[str] = Counter()
    began, number = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, settings in enumerate(SETTINGS):
            to_the_end(
                start(folder, *first(folder, f"straight-{index}", options.steps, settings)), folder
            )
        while counts.total() < options.kills or counts["in a save"] < options.kills / 2:
            index, run = number % len(SETTINGS), f"run-{number}"
            hits = killed_run(folder, run, options.steps, SETTINGS[index], rng)
            check_equal(folder / run, folder / f"straight-{index}")
            counts += hits
            number += 1
            print(
                f"run {number}: {hits.total()} kills, {hits['in a save']} in a save, "
                f"{hits['at the end']} at the end, equal",
                flush=True,
            )
    print(
        f"{counts.total()} kills in {number} runs, {counts['in a save']} of them during a save and "
        f"{counts['at the end']} at the end: every file loads, every run ends equal "
        f"({time.monotonic() - began:.0f} s)"
    )


if __name__ == "__main__":
    main()
