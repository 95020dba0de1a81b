"""The console blocks of the documents: each command runs, and prints lines like those shown.

Texts, runs and lengths are small stand-ins. Words and labels must be equal; numbers, and what a
model draws or predicts, need not.
"""

import re
import shutil
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import console
import pytest

import charrnn

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = {page: page.relative_to(ROOT).as_posix() for page in PAGES}
COMMANDS = {
    name: console.commands_of(name, page.read_text("utf-8"))
    for page, name in NAMES.items()
    if name != "docs/cli.md"  # examples of help, which are no output
}

NOT_RUN = {
    r"make\b": "builds an environment; that the Makefile has the target is tested here",
    r"(python -m )?(pip|venv)\b": "needs a network; that the extra exists is tested here",
    r"nvidia-smi\b": "belongs to NVIDIA's driver",
    r"(source|\.) ": "changes the shell",
    r"git clone\b": "needs a network",
    r"python docs/scripts/": "tests/test_docs_numbers.py compares every number",
}
"""Commands that are not run, and why."""

STAND_INS = {
    r"^(mpiexec|srun)\b.*?(?=charrnn )": "",  # one process: tests/test_ranks.py has several
    r"tail -f ": "tail -n 20 ",
    r"--device cuda(:\d+)?": "--device cpu",  # a machine without a GPU has the same options
    r"--precision \w+": "--precision float32",
    r"^python3? ": f"{sys.executable} ",
}
"""What is run in place of what this machine may lack."""

SMALL = {
    "--minutes": 0.005,
    "--steps": 6,
    "--epochs": 0.1,
    "--hidden-size": 8,
    "--batch-size": 8,
    "--num-samples": 3,
    "-n": 3,
    "--seconds": 0.05,
}
"""The largest values of options that make a command slow."""

LOOSE = (
    "model",
    "steps",
    "length",
    "validation",
    "device",
    "memory",
    "best validation loss",
    "unseen",
)
"""Lines whose end depends on the text and the machine: they are compared up to the first comma."""
ALIKE = {
    r",? within #": "",
    r"# of it is left": "# % is left",
    r"this model \(.*\)": "this model",
}
"""What differs between runs, as patterns of shapes."""

ENGLISH = (ROOT / "corpora" / "garden.txt").read_text("utf-8")[:12_000]
KOREAN = (ROOT / "corpora" / "madang.txt").read_text("utf-8")[:4_000]
LABELS = "German", "Japanese", "Korean", "Russian", "Chinese"
LABELLED = "".join(
    f"{LABELS[n % 5]}\t{'bcdfgklmnprs'[n % 12]}{'aeiou'[n % 5]}{'nrlst'[n // 12]}o\n"
    for n in range(60)
)
LOG = "".join(
    f"2026-11-26 10:41:{n:02d} INFO web kim GET /page/{n * n} 200 {n % 7} ms\n" for n in range(60)
)
TEXTS = {
    "app.log": LOG + "2026-11-26 10:41:58 INFO web chen GET /../../etc/passwd 200 4 ms\n",
    "corpora/madang.txt": KOREAN,
    "mixed.txt": "Le capitaine Nemo monta sur le pont.\nWhat say you to this, my lord?\n",
    "draft.txt": ENGLISH[:600],
    "names.txt": re.sub(r".*\t", "", LABELLED),
    "names.tsv": LABELLED,
    "novel.txt": KOREAN,
    "reviews.tsv": LABELLED,
    "corpora/garden.txt": ENGLISH,
    **dict.fromkeys(
        ["big.txt", "book.txt", "corpus.txt", "elsewhere/book.txt", "tinyshakespeare.txt"],
        ENGLISH[:4_000],
    ),
}
"""Small texts under the names that the documents use."""

TAKEN_FOR_GRANTED = {
    "docs/export.md": ["charrnn train tinyshakespeare.txt --steps 6 --out runs/shakespeare"],
    "docs/labels.md": ["charrnn train names.tsv --predict label"],
    "docs/pytorch.md": ["charrnn train tinyshakespeare.txt --steps 6 --out runs/shakespeare"],
    "docs/runs.md": [
        "charrnn train tinyshakespeare.txt --minutes 0.003 --dropout 0 --out runs/a",
        "charrnn train tinyshakespeare.txt --minutes 0.004 --dropout 0 --out runs/b",
        "charrnn train tinyshakespeare.txt --minutes 0.005 --dropout 0 --out runs/c",
    ],
    "docs/score.md": [
        "charrnn train tinyshakespeare.txt --steps 6 --out runs/shakes",
        "charrnn train mixed.txt --steps 6 --out runs/verne",
    ],
    "docs/window-and-gradients.md": [
        f"charrnn train tinyshakespeare.txt --steps 6 --cell {cell} --out runs/{cell}"
        for cell in ("rnn", "lstm", "gru")
    ],
}
"""Runs that a page has without a block that trains them."""


def smaller(arguments):
    """Return the arguments of a call of charrnn that takes a moment."""
    small = list(arguments)
    if "--resume" in small:  # longer than before
        return [
            word if before != "--minutes" else "0.02" for before, word in pairwise(["", *small])
        ]
    for place, word in enumerate(small[:-1]):
        if word in SMALL:
            small[place + 1] = str(min(float(small[place + 1]), SMALL[word])).removesuffix(".0")
    defaults = {"report": ["--no-baselines"], "bench": ["--hidden-size 8", "--seconds 0.05"]}
    if small[0] == "train" and not {"--steps", "--epochs"} & set(small):
        defaults["train"] = ["--minutes 0.005"]
    if small[0] == "train" and "--init-from" not in small:
        defaults["train"] = [*defaults.get("train", ()), "--hidden-size 8", "--threads 1"]
    if small[0] == "gradients" and "runs/" not in " ".join(small):
        defaults["gradients"] = ["--hidden-size 8"]
    for option in defaults.get(small[0], ()):
        if option.split()[0] not in small:
            small += option.split()
    return small


def adapted(words):
    """Return a command as it is run here; None if it is not."""
    if any(re.match(pattern, words) for pattern in NOT_RUN):
        return None
    for pattern, stand_in in STAND_INS.items():
        words = re.sub(pattern, stand_in, words)
    return words


def make_resumable(name):
    """Leave a run of that name in the middle."""
    shutil.rmtree(f"runs/{name}", ignore_errors=True)
    options = {"hidden_size": 8, "steps": 12, "threads": 1}
    with charrnn.train(f"{name}.txt", out=f"runs/{name}", **options) as run:
        for _ in run:
            run.stop()


def loose(line):
    """Return a shape without what depends on the text, the machine or the length of the run."""
    for pattern, alike in ALIKE.items():
        line = re.sub(pattern, alike, line)
    return line.split(",")[0].split(":")[0] if line.startswith(LOOSE) else line


def shaper(words):
    """Return what makes shapes of the lines that a command prints, or None if they are text."""
    if "charrnn sample" in words and not {"--json", "--copied"} & set(words.split()):
        return None
    if "charrnn score" in words and "--json" not in words:
        return console.fields_shape
    if "charrnn predict" in words:
        return lambda line: re.sub(r"[^\W\d_]+", "word", console.fields_shape(line))
    return lambda line: loose(console.shape(line))


def is_table_of_scores(lines):
    """Return whether lines are what score shows on a terminal: a pipe gets tabs and no heads."""
    return lines[:1] != [] and lines[0].split()[:1] == ["bits"]


def row_shape(line):
    """Return a row of that table: four numbers and a text, or the heads."""
    return re.sub(r"^((?:# ){4}).*", r"\1text", console.shape(line))


def difference(words, shown, stdout, stderr):
    """Return how what is shown differs from what was printed; see ``console.missing``."""
    shape = shaper(words)
    if shown and shown[0].startswith("error:"):
        shape = console.shape
    if shape is None:
        return "" if stdout.strip() else "nothing was drawn"
    if is_table_of_scores(shown):  # below a row may be a correction, below all a legend
        shape, shown, stdout = row_shape, shown[:2], "\n".join(stdout.splitlines()[:2])
    shown, stdout, stderr = (
        ["..." if line.strip() == "..." else shape(line) for line in lines if line]
        for lines in (shown, stdout.splitlines(), stderr.splitlines())
    )
    if "| awk" in words:  # how many rows pass depends on the model
        shown, stdout = sorted(set(shown)), sorted(set(stdout))
    if "--baselines" in words:  # the best first
        gone = [line for line in shown if line not in ("...", *stdout, *stderr)]
        return f"not printed: {gone[0]!r}" if gone else ""
    if words == "charrnn runs":  # a row for each run
        shown, stdout = shown[:1], stdout[:1]
    return console.missing(shown, stdout=stdout, stderr=stderr)


def checked(command):
    """Run a command of a block; return what is wrong with it, or an empty string."""
    words = adapted(command.words)
    with pytest.MonkeyPatch.context() as patch:
        if is_table_of_scores(command.output):
            patch.setattr("charrnn.cli.show.rows.is_terminal", lambda stream: True)
        code, stdout, stderr = console.run(words, smaller)
    where = f"{command.page}:{command.line}: {command.words}"
    if (code != 0) != " ".join(command.output).startswith("error:"):
        return f"{where}: exit code {code}: {stderr.splitlines()[-1:]}"
    found = difference(words, command.output, stdout, stderr) if command.output else ""
    return f"{where}: {found}" if found else ""


@pytest.mark.parametrize("page", [name for name, found in COMMANDS.items() if found])
def test_blocks_print_what_they_show(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("charrnn.benchmark.PEAK_SIZE", 64)
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for words in TAKEN_FOR_GRANTED.get(page, ()):
        code, _, stderr = console.run(words, smaller)
        assert code == 0, stderr
    wrong, done = [], set()
    for command in COMMANDS[page]:
        words = adapted(command.words)
        if words is None or (words in done and not command.output):
            continue
        done.add(words)
        if resumed := re.search(r"--resume (\w+)", words):
            make_resumable(resumed[1])
        wrong += filter(None, [checked(command)])
    assert not wrong, "\n".join(wrong)


BLOCK = """
```console
$ charrnn info model.npz | head -3   # a comment
file  model.npz, 30 kB
...
arrays     12 of them
$ charrnn sample --stop '#' \\
    --length 5 > text.txt
```
"""


def test_blocks_are_read():
    first, second = console.commands_of("page", BLOCK)
    assert first.words == "charrnn info model.npz | head -3"
    assert first.output == ["file  model.npz, 30 kB", "...", "arrays     12 of them"]
    assert (second.line, second.words) == (7, "charrnn sample --stop '#' --length 5 > text.txt")
    assert console.split_pipe("a 'b|c' | d") == ["a 'b|c'", "d"]
    assert console.expanded("a 'b c' $'\\n'") == ["a", "b c", "\n"]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("loss  1.359 nats", "loss   0.5 nats"),
        ("done: 1,952 steps in 1:00", "done: 1 step in 0.4 s"),
        ("wrote a.html, 753 kB", "wrote a.html, 9 B"),
        ("longest run: 'abc'", "longest run: '\\n'"),
        ('{"text": "a", "nats": 1}', '{"text": "b c", "nats": 2.5e-3}'),
        ("model  gru, 1 layer of 256, dropout 0.5", "model  gru, 1 layer of 8"),
        ("gru 2x128", "gru 1x8"),
    ],
)
def test_shapes_are_equal_where_numbers_differ(shown, printed):
    assert loose(console.shape(shown)) == loose(console.shape(printed))


@pytest.mark.parametrize(
    ("shown", "stdout", "stderr", "wrong"),
    [
        (["a", "c"], ["a", "b", "c"], [], "not shown: 'b'"),
        (["a", "...", "c"], ["a", "b", "c"], [], ""),
        (["a"], ["a", "b"], [], "not shown: 'b'"),
        (["a", "..."], ["a", "b"], ["x"], ""),
        (["a", "b"], ["a"], [], "not printed: 'b'"),
        (["b", "a"], ["a", "b"], [], "not shown: 'a'"),
        (["x", "a"], ["a"], ["w", "x", "y"], ""),
        (["x", "w"], [], ["w", "x"], "not printed: 'w'"),
    ],
)
def test_lines_are_compared_in_order(shown, stdout, stderr, wrong):
    assert console.missing(shown, stdout=stdout, stderr=stderr) == wrong


@pytest.mark.parametrize(
    ("words", "output", "wrong"),
    [
        ("charrnn runs", ["error: no run"], "exit code 0"),
        ("charrnn runs --sort size --sise", [], "no such option: --sise"),
        ("charrnn generate", [], "no such command"),
        ("charrnn info gone | cat", ["error: gone"], "exit code 0"),
        ("charrnn info gone", ["error: gone: no such model"], "not printed: 'error: gone"),
        ("grep x none.txt", [], "none.txt"),
    ],
)
def test_a_wrong_block_is_found(words, output, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert wrong in checked(console.Command("page", 1, words, output))


def test_what_is_not_run_is_there():
    words = [each.words for found in COMMANDS.values() for each in found]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    wanted = [target for each in words for target in re.findall(r"^make ([a-z-]+)", each)]
    assert set(wanted) <= set(targets)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [extra for each in words for extra in re.findall(r"pip install .*\[(\w+)\]", each)]
    assert extras
    assert set(extras) <= set(project["optional-dependencies"])
