"""Shell completion: what is suggested for a word, and how a shell learns to ask.

A shell runs ``charrnn`` each time Tab is pressed, so nothing here imports NumPy.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from charrnn.errors import ConfigError

VARIABLE = "_CHARRNN_COMPLETE"
"""The environment variable by which a shell asks."""
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
Suggest = Callable[[str], list[str]]
"""Returns what a word may become, from its beginning."""


def prepare() -> None:
    """Make ready to answer a shell, if one asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def words(choices: Sequence[str]) -> Suggest:
    """Return what suggests one of some words."""

    def suggest(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return suggest


def runs(incomplete: str) -> list[str]:
    """Suggest the names of runs, the newest first; where none fits, a shell suggests files."""
    found = []
    with suppress(OSError):
        for folder in Path("runs").iterdir():
            states = [state for state in folder.glob("*.npz") if folder.name.startswith(incomplete)]
            if states:
                found.append((max(state.stat().st_mtime for state in states), folder.name))
    return [name for _, name in sorted(found, reverse=True)]


def _shell() -> str:
    """Return the shell that started charrnn.

    Raises
    ------
    ConfigError
        If it is none that can complete.
    """
    from shellingham import ShellDetectionFailure, detect_shell  # type: ignore[import-untyped]

    try:
        name = str(detect_shell()[0])
    except ShellDetectionFailure:
        name = ""
    if name not in SHELLS:
        problem = f"{name} cannot complete" if name else "the shell cannot be told"
        raise ConfigError(f"{problem}: run this in bash, zsh, fish or PowerShell")
    return name


def install(wanted: bool) -> None:
    """Install completion for the shell that started charrnn, and exit."""
    if wanted:
        from typer import completion

        found = _shell()
        shell, path = completion.install(found, "charrnn", VARIABLE)  # type: ignore[attr-defined]
        typer.echo(f"completion for {shell} is in {path}: open a new terminal to use it")
        raise typer.Exit


def show(wanted: bool) -> None:
    """Print the script that `install` installs, and exit."""
    if wanted:
        from typer import completion

        script = completion.get_completion_script(  # type: ignore[attr-defined]
            prog_name="charrnn", complete_var=VARIABLE, shell=_shell()
        )
        typer.echo(script)
        raise typer.Exit


def option(name: str, act: Callable[[bool], None], help: str) -> Any:
    """Return an option that does one of these at once."""
    return typer.Option(name, callback=act, is_eager=True, help=help)
