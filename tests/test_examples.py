"""The examples of the help: each begins its work when it is pasted."""

import shlex
from pathlib import Path

import pytest
from test_cli import run
from test_option_pairs import Begun, asked, of_items, of_labels, of_text  # noqa: F401

from charrnn.cli.app import COMMANDS
from charrnn.cli.examples import EXAMPLES

LINES = [line for examples in EXAMPLES.values() for _, line in examples]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_ends_with_two_examples_or_more(command):
    shown = run(command, "--help").stdout.split("\nExamples:\n")[1].splitlines()
    assert shown[1::2] == [f"    {line}" for _, line in EXAMPLES[command]]
    assert len(EXAMPLES[command]) >= 2
    assert all(len(line) < 80 for line in shown)
    assert all(f"charrnn {command}" in line for line in shown[1::2])


@pytest.mark.parametrize("line", LINES)
def test_an_example_begins_its_work(asked, line):  # noqa: F811
    for folder in ("runs/book", "runs/small"):
        Path(folder).mkdir(parents=True)
    Path("runs/book/run.toml").write_text('corpus = "../../book.txt"\n')
    words = shlex.split(line.split("| ")[-1].replace("$'\\n'", "'\n'"))
    words = ["me" if word == "Once upon a time" else word for word in words]  # what it knows
    asked.options = tuple(words)
    done = run(*words[1:])
    assert isinstance(done.exception, Begun), (done.output, done.exception)
