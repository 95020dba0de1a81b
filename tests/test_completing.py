"""Shell completion, asked for as a shell does: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shellingham
from test_cli import run

from charrnn.cli import completing
from charrnn.cli.app import COMMANDS

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Be where two runs are, in a home of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for number, name in enumerate(["book", "books", "empty"]):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        if name != "empty":
            (folder / "best.npz").touch()
            os.utime(folder / "best.npz", (number, number))
    return tmp_path


def process(**environment):
    return subprocess.run(
        [sys.executable, "-m", "charrnn"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def suggested(line, shell="bash"):
    """Return what a shell is told that the last word of a line may become."""
    words = line.split(" ")
    done = process(
        _CHARRNN_COMPLETE=f"complete_{shell}",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
        _TYPER_COMPLETE_ARGS=line,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("charrnn ", list(COMMANDS)),
        ("charrnn s", ["sample", "score"]),
        ("charrnn train --hid", ["--hidden-size"]),
        ("charrnn train --cell l", ["lstm"]),
        ("charrnn train corpus.txt --steps x --optimizer ada", ["adagrad", "adam", "adamw"]),
        ("charrnn train --items b", ["blank-line"]),
        ("charrnn sample --device ", ["auto", "cpu", "cuda"]),
        ("charrnn sample --unknown s", ["skip"]),
        ("charrnn score --by l", ["line"]),
        ("charrnn runs --sort n", ["name"]),
        ("charrnn train --resume ", ["books", "book"]),
        ("charrnn train --init-from books", ["books"]),
        ("charrnn sample b", ["books", "book"]),
        ("charrnn eval --model ", ["books", "book"]),
        ("charrnn info x", [""]),
        ("charrnn eval x", [""]),
        ("charrnn trian --st", [""]),
    ],
)
def test_commands_options_values_and_runs_are_suggested(here, line, found):
    assert suggested(line) == found


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_is_answered(here, shell):
    said = "\n".join(suggested("charrnn sample --temp", shell))
    assert "--temperature" in said
    assert "--top-k" not in said


def test_nothing_heavy_is_imported_to_answer(here):
    code = (
        "import sys; sys.argv = ['charrnn']\n"
        "from charrnn.cli.app import main\n"
        "try:\n    main()\n"
        "finally:\n    print({'numpy', 'rich'} & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "_CHARRNN_COMPLETE": "complete_bash",
            "COMP_WORDS": "charrnn train --resume ",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "books\nbook\n"
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_installed_once_for_the_shell_that_asks(here, monkeypatch, shell):
    monkeypatch.setattr(shellingham, "detect_shell", lambda: (shell, f"/bin/{shell}"))
    done = run("--install-completion")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"completion for {shell} is in ")
    path = Path(done.stdout.split(" is in ")[1].split(": open")[0])
    shown = run("--show-completion").stdout
    assert f"_CHARRNN_COMPLETE=complete_{shell}" in shown
    assert path.read_text().strip() == shown.strip()


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_that_cannot_complete_is_one_line(here, monkeypatch, option):
    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    done = run(option)
    assert done.exit_code == 2
    assert done.stderr == (
        "error: tcsh cannot complete: run this in bash, zsh, fish or PowerShell\n"
    )

    def unknown():
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", unknown)
    assert run(option).stderr.startswith("error: the shell cannot be told: run this in bash")
    assert {path.name for path in here.iterdir()} == {"runs"}


def test_a_question_of_an_unknown_shell_is_one_line(here):
    done = process(_CHARRNN_COMPLETE="complete_tcsh")
    assert done.returncode == 1
    assert done.stderr == "Shell tcsh not supported.\n"


def test_runs_are_suggested_where_there_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert completing.runs("") == []
