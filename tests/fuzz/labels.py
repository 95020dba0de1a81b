"""Hostile labels, tags and prompts: each is learned and used, or refused in one line.

``python -m tests.fuzz.labels --files 500`` writes labelled files that no one would write, trains on
each for a few steps and asks every command about the run. ``--seed`` and ``--only NUMBER`` repeat
one of them.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from charrnn.cli.app import app

NAMES = [
    "\x1b[31mred\x1b[0m",
    "\u202ereversed",
    "\x07bell",
    "\x00",
    "a\x0bb",
    "\x85",
    "\u2028",
    "\ufeff",
    "[bold]markup[/bold]",
    "[/]",
    "[link=file:///etc/passwd]",
    "--help",
    "-",
    "-1",
    "../../etc/passwd",
    "{}",
    "%s%n",
    "O",
    "B-",
    "I-X",
    "B-X",
    "__label__",
    "__class__",
    "NaN",
    "",
    " ",
    "\u4e00" * 300,
    "x" * 1001,
    "e\u0301",
    "\u00e9",
    "\U0001f600\u200d\U0001f525",
]
PROMPTED = "prompted"
"""In the place of what is predicted: the prompt is read, and what follows is learned."""
CODES = {0, 1, 2}
"""How a command may end: well, with an error, or with a usage that it refuses."""


def _names(rng: random.Random) -> list[str]:
    """All names, or those that a label can have."""
    fit = [name for name in NAMES if 0 < len(name.strip()) <= 1000 and name.isprintable()]
    return fit if rng.random() < 0.7 else NAMES


def hostile_names(rng: random.Random) -> str:
    """Some labels that look like something else."""
    names = rng.sample(_names(rng), rng.randint(2, 8))
    return "".join(f"{rng.choice(names)}\t{rng.randrange(10**6)}\n" for _ in range(120))


def many_labels(rng: random.Random) -> str:
    """Up to ten thousand labels."""
    count = rng.choice([999, 1000, 1001, 10_000])
    rows = [f"label{number}\ttext {number} {n}\n" for number in range(count) for n in range(2)]
    return "".join(rows)


def a_long_label(rng: random.Random) -> str:
    """A label of a megabyte, or a text of one."""
    long = "ab" * (rng.choice([1000, 2**20]) // 2)
    rows = [f"{'odd' if number % 2 else 'even'}\t{number}\n" for number in range(60)]
    row = f"{long}\ttext\n" if rng.random() < 0.5 else f"odd\t{long}\n"
    return "".join([*rows, row])


def odd_rows(rng: random.Random) -> str:
    """Lines without a tab, with several, empty ones, one label alone, all kinds of line ends."""
    rows = ["no tab", "\t", "a\t", "\tb", "a\tb\tc", "", "  \t  ", "a\tb", "b\ta", "a\tb"]
    ends = rng.choice([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r", "\x85", "\u2029"]])
    kept = rng.sample(rows, rng.randint(1, len(rows)))
    return "".join(rng.choice(kept) + rng.choice(ends) for _ in range(rng.choice([1, 5, 100])))


def control_characters(rng: random.Random) -> str:
    """Anything at all in labels and texts."""
    alphabet = [chr(code) for code in (*range(32), 127, *range(128, 160), 0x202E, 0xFFFE, 0x10FFFF)]
    word = "".join(rng.choices(alphabet, k=5)).replace("\t", "").replace("\n", "")
    rows = [
        f"{word if number % 2 else 'plain'}\t{''.join(rng.choices(alphabet, k=4))}{number}\n"
        for number in range(80)
    ]
    return "".join(rows)


def tags(rng: random.Random) -> str:
    """Sentences of tokens with hostile tags."""
    names = rng.sample(_names(rng), rng.randint(2, 6))
    tokens = ["a", "bc", "7", "\u4e00", "\x1b", rng.choice(NAMES)]
    rows = (f"{rng.choice(tokens)}\t{rng.choice(names)}\n" for _ in range(200))
    return "".join(row + "\n" * (rng.random() < 0.2) for row in rows)


def many_or_long_tags(rng: random.Random) -> str:
    """Ten thousand tags, or one of a megabyte, or a token of one."""
    if rng.random() < 0.4:
        return "".join(f"a\tT{number}\nb\tO\n\n" for number in range(rng.choice([999, 10_000])))
    long = "ab" * (rng.choice([1000, 2**20]) // 2)
    row = f"a\t{long}\n" if rng.random() < 0.5 else f"{long}\tO\n"
    return "a\tO\nbc\tB-X\n\n" * 40 + row


def prompts(rng: random.Random) -> str:
    """Prompts and answers of anything at all, one of a megabyte among them."""
    names = [*rng.sample(NAMES, 5), "ab" * (rng.choice([1, 2**20]) // 2)]
    rows = [f"{rng.choice(names[:5])}\t{rng.choice(names[:5])}{n}\n" for n in range(80)]
    return "".join([*rows, f"{names[5]}\ta\n" if rng.random() < 0.5 else f"a\t{names[5]}\n"])


def plain_text(rng: random.Random) -> str:
    """Text of which nothing, or all, is to be restored."""
    word = rng.choice(["a ", " ", "\u00e9\u0301", "A!", ".", "\u3000", "\x1b[0m ", "\u1100\u1161 "])
    return (word * rng.randint(1, 30) + "\n") * rng.randint(1, 40)


KINDS: list[tuple[Callable[[random.Random], str], list[str]]] = [
    (hostile_names, ["label"]),
    (many_labels, ["label"]),
    (a_long_label, ["label"]),
    (odd_rows, ["label", "tags"]),
    (control_characters, ["label"]),
    (tags, ["tags"]),
    (many_or_long_tags, ["tags"]),
    (prompts, [PROMPTED]),
    (plain_text, ["spaces", "case", "marks", "accents"]),
]


class Failure(Exception):
    """A file that is not handled as promised."""


def call(*words: object, stdin: str | None = None) -> Result:
    """Run a command; raise Failure unless it ends well or says in one line why not."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        raise Failure(f"{' '.join(map(str, words))}: {error!r}") from error
    if result.exit_code not in CODES:
        raise Failure(f"{' '.join(map(str, words))} ended with {result.exit_code}")
    for line in result.stderr.splitlines():
        if len(line) > 5000:
            raise Failure(f"a message of {len(line):,} characters: {line[:80]!r}")
    if "Traceback" in result.stderr or "\x1b" in result.stderr:
        raise Failure(f"a traceback, or what a terminal obeys: {result.stderr[:300]!r}")
    return result


def try_one(folder: Path, seed: int, number: int) -> tuple[str, str]:
    """Train on one file and use the run; return its kind, and what came of it."""
    rng = random.Random(seed * 2**32 + number)
    make, predicts = rng.choice(KINDS)
    predict = rng.choice(predicts)
    path, run = folder / f"{number}.tsv", folder / f"run-{number}"
    path.write_bytes(make(rng).encode("utf-8", "surrogatepass"))
    task = ["--prompted"] if predict == PROMPTED else ["--predict", predict]
    words = ["train", path, *task, "--out", run, "--steps", 3, "--threads", 1]
    words += ["--hidden-size", 4, "--members", 1, "--batch-size", 16]
    words += ["--counts"] if predict == "label" and rng.random() < 0.5 else []
    trained = call(*words)
    if trained.exit_code:
        return make.__name__, "refused"
    model = ("--model", run)
    asked = []
    if predict == PROMPTED:
        for prompt in ("a", "\u4e00 \x1b", "ab" * 1000):  # of unknown characters: refused
            call("sample", "--prompt", prompt, "-n", 2, *model)
    else:
        text = "some text\n\n\u4e00 7\n"
        asked = [call("predict", "-", *more, *model, stdin=text) for more in ([], ["--json"])]
    for used in (
        *asked,
        call("info", run),
        call("eval", path, *model),
        call("eval", path, *model, "--json"),
    ):
        if used.exit_code:
            raise Failure(f"trained, and then {used.stderr[-300:]!r}")
    return make.__name__, "learned"


def campaign(folder: Path, files: int, *, seed: int = 0, only: int | None = None) -> Counter[str]:
    """Try this many files; return how often each kind had which outcome.

    Raises
    ------
    Failure
        On the first that is not handled.
    """
    counts: Counter[str] = Counter()
    for number in range(files) if only is None else [only]:
        try:
            kind, outcome = try_one(folder, seed, number)
        except Failure as failure:
            raise Failure(f"file {number} of seed {seed}: {failure}") from failure
        counts[f"{kind}: {outcome}"] += 1
    return counts


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            counts = campaign(Path(name), options.files, seed=options.seed, only=options.only)
        except Failure as failure:
            sys.exit(f"FAILED: {failure}")
        finally:
            os.chdir("/")
    for outcome, count in sorted(counts.items()):
        print(f"{count:6,} {outcome}")
    print(f"{sum(counts.values()):,} files in {time.monotonic() - start:.0f} s, all handled")


if __name__ == "__main__":
    main()
