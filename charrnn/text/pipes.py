"""A pipe that is named as a file, as process substitution does: it is read as standard input is."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from charrnn.errors import CorpusError
from charrnn.text.files import unreadable
from charrnn.text.inputs import KeptInput, spool
from charrnn.text.sources import STDIN, show_path


def is_pipe(path: str | Path) -> bool:
    """Whether a path leads to a pipe."""
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):  # a name that no file can have
        return False


def without_pipe(
    sides: Sequence[Sequence[str | Path]], stdin: BinaryIO | None
) -> tuple[list[list[str | Path]], BinaryIO | None]:
    """Replace a pipe among some names by "-".

    Parameters
    ----------
    sides : sequence of sequences of paths
        What the user named.
    stdin : binary file, optional
        What "-" is to read. What was kept of a pipe before is not read again.

    Returns
    -------
    sides : list of lists of paths
    stdin : binary file or None
        All that came from the pipe, where there was one.

    Raises
    ------
    CorpusError
        If there are several, or one beside "-", or it cannot be read.
    """
    named: list[list[str | Path]] = [
        [side] if isinstance(side, str | Path) else list(side) for side in sides
    ]
    pipes = [path for side in named for path in side if is_pipe(path)]
    if not pipes:
        return named, stdin
    others = [path for side in named for path in side if str(path) == STDIN] + pipes[1:]
    if others:
        raise CorpusError(
            f"{show_path(others[0])} and {show_path(pipes[0])} can each be read only once: name "
            "one of them, and files for the rest"
        )
    if not isinstance(stdin, KeptInput):
        try:
            with Path(pipes[0]).open("rb") as file:
                stdin = spool(file)
        except OSError as error:
            raise unreadable(str(pipes[0]), error) from None
    return [[STDIN if path is pipes[0] else path for path in side] for side in named], stdin
