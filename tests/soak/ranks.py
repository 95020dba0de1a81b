"""Kill random ranks of a training at random moments, and go on with other numbers of ranks.

``python -m tests.soak.ranks --kills 100`` trains under mpiexec and kills a rank, now and then the
launcher, as often as was asked. After each kill no rank may be left, the lock must be free and
every file load; the run is resumed with another number of ranks, and at its end it must be equal to
the same run in one process that was never stopped. ``--sums`` compares what runs of every kind
compute on 1, 2, 3, 4 and 8 ranks, of one machine and of several, with one process.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from charrnn.storage import folder as runs
from charrnn.storage.checkpoint import load
from charrnn.storage.lock import is_running
from tests.launching import are_gone, environment, launched, ranks_of, words_of
from tests.soak.crash import TEXT, check_equal, check_files, start, temporaries, to_the_end

COMMON = (
    "corpus.txt --num-layers 1 --batch-size 96 --seq-len 16 --save-every 0.0005 --validations 30 "
    "--max-epochs 0"
)
SETTINGS = [
    "--cell gru --hidden-size 64 --dropout 0.2 --weight-dropout 0.1",
    "--cell lstm --hidden-size 48 --optimizer adamw",
    "--cell gru --hidden-size 48 --lines",
    "--cell rnn --hidden-size 48 --counts",
]
KILLS_PER_RUN = 8
PATIENCE = 4.0
"""Seconds after its start by which a run is killed, or at the next save."""
GRACE = 2.0
"""Seconds until the lock must be free."""
LAYOUTS = ("0", "0,0", "0,0,0", "0,0,0,0", "0,0,0,0,0,0,0,0", "0,1", "0,1,0,2", "0,0,0,0,1,1,1,1")


def begin(folder: Path, ranks: int, words: list[str]) -> subprocess.Popen[bytes]:
    """Start a training on so many ranks, its messages in a file."""
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            words_of(ranks, "-m", "charrnn", "train", *words),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes], folder: Path, run: Path, rng: random.Random) -> str:
    """Kill a rank or the launcher at some moment; return which, or nothing if it was over."""
    deadline, in_save = time.monotonic() + rng.uniform(0.5, PATIENCE), rng.random() < 0.5
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    while in_save and process.poll() is None and not temporaries(run):
        pass
    ranks = ranks_of(folder)
    if process.poll() is not None or not ranks:
        process.wait()
        return ""
    what = "launcher" if rng.random() < 1 / 8 else "rank"
    try:
        os.kill(process.pid if what == "launcher" else rng.choice(ranks), signal.SIGKILL)
    except ProcessLookupError:
        process.wait()
        return ""
    process.wait(timeout=60)
    assert are_gone(folder), f"ranks {ranks_of(folder)} are left behind"
    freed = time.monotonic() + GRACE  # the kernel lets go of files a moment after their process
    while run.exists() and is_running(run):
        assert time.monotonic() < freed, "the lock outlived its process"
        time.sleep(0.01)
    return what


def killed_run(folder: Path, run: str, first: list[str], rng: random.Random) -> Counter[str]:
    """Begin a run, kill it often, let it end; return the kills by what they hit."""
    counts: Counter[str] = Counter()
    words, ranks = first, rng.randint(1, 4)
    while counts.total() < KILLS_PER_RUN:
        process = begin(folder, ranks, words)
        what = kill(process, folder, folder / run, rng)
        if not what:
            assert process.returncode == 0, (folder / "said").read_text()
            return counts
        counts[what] += 1
        check_files(folder / run)
        ranks = rng.choice([number for number in (1, 2, 3, 4) if number != ranks])
        if (folder / run / runs.LAST).exists():
            words = ["--resume", run]
            if load(folder / run / runs.LAST).history.finished:  # killed after its last save
                return counts
    to_the_end(begin(folder, ranks, words), folder)
    return counts


def campaign(kills: int, steps: int, seed: int) -> None:
    """Kill so many times."""
    rng, counts, began, number = random.Random(seed), Counter[str](), time.monotonic(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "corpus.txt").write_text(TEXT)
        words = [[*COMMON.split(), "--steps", str(steps), *more.split()] for more in SETTINGS]
        for index, own in enumerate(words):
            to_the_end(start(folder, *own, "--out", f"straight-{index}"), folder)
        while counts.total() < kills:
            index, run = number % len(words), f"run-{number}"
            hits = killed_run(folder, run, [*words[index], "--out", run], rng)
            check_equal(folder / run, folder / f"straight-{index}")
            counts += hits
            number += 1
            print(f"run {number}: {hits.total()} kills, equal", flush=True)
    print(
        f"{counts.total()} kills in {number} runs, {counts['launcher']} of them of the launcher: "
        f"no rank is left, every run ends equal ({time.monotonic() - began:.0f} s)"
    )


def compare_sums() -> None:
    """Compare all numbers of ranks with one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [sys.executable, "-m", "tests.rank_sums"]
        alone = subprocess.run(
            words, cwd=folder, env=environment(), capture_output=True, text=True, check=True
        )
        wanted = json.loads(alone.stdout)
        for layout in LAYOUTS:
            ranks = layout.count(",") + 1
            done = launched(ranks, "-m", "tests.rank_sums", layout, folder=folder)
            found = json.loads(done.stdout)
            differing = [case for case in wanted if found[case] != wanted[case]]
            machines = len(set(layout.split(",")))
            print(f"{ranks} ranks, machines {machines}: ", end="")
            print(f"{differing} differ" if differing else f"{len(wanted)} sums equal", flush=True)
            assert not differing


def main() -> None:
    """Run the campaign, or compare sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sums", action="store_true", help="compare sums, and kill nothing")
    options = parser.parse_args()
    if options.sums:
        compare_sums()
    else:
        campaign(options.kills, options.steps, options.seed)


if __name__ == "__main__":
    main()
